//! Whether a host still answers PING. Only time in which the agent itself was running counts: after the machine slept, or
//! the agent was stopped, every host gets a fresh chance.

use std::time::Duration;

/// How often a host is pinged.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// Pings in a row without any sign of life after which a host is given up.
const MISSES: u32 = 3;

/// Pure: fed with ticks and signs of life.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    missed: u32,
    pinged: bool,
    heard: bool,
}

impl Liveness {
    /// The host said something.
    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    /// A ping is due, `since_last` after the one before. `true` if the host is to be given up instead.
    pub(super) fn tick(&mut self, since_last: Duration) -> bool {
        let agent_slept = since_last > INTERVAL * 3 / 2;
        if self.heard || agent_slept || !self.pinged {
            self.missed = 0;
        } else {
            self.missed += 1;
        }
        self.heard = false;
        self.pinged = true;
        self.missed >= MISSES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_host_is_given_up_after_three_pings() {
        let mut liveness = Liveness::default();
        assert!(!liveness.tick(INTERVAL));
        assert!(!liveness.tick(INTERVAL));
        assert!(!liveness.tick(INTERVAL));
        assert!(liveness.tick(INTERVAL));
    }

    #[test]
    fn any_sign_of_life_counts() {
        let mut liveness = Liveness::default();
        for _ in 0..20 {
            assert!(!liveness.tick(INTERVAL));
            assert!(!liveness.tick(INTERVAL));
            liveness.heard();
        }
    }

    #[test]
    fn time_in_which_the_agent_slept_does_not_count() {
        let mut liveness = Liveness::default();
        for _ in 0..20 {
            assert!(!liveness.tick(INTERVAL));
            assert!(!liveness.tick(INTERVAL));
            assert!(!liveness.tick(Duration::from_secs(3600)));
        }
    }
}
