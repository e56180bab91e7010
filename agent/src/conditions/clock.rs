//! Whether the system's clock is set while the agent runs.
//!
//! No deadline goes by that clock, so calls do not notice. The end of tokens and certificates does, so it is told.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::{Conditions, Name};

/// How often the clocks are compared.
const LOOK: Duration = Duration::from_secs(2);
/// What a clock that is kept right is set by at most.
const MUCH: Duration = Duration::from_secs(60);
/// How long it is told.
const TOLD: Duration = Duration::from_secs(15 * 60);

/// Two clocks, read at the same time.
#[derive(Clone, Copy)]
struct Reading {
    steady: Instant,
    wall: SystemTime,
}

impl Reading {
    fn now() -> Self {
        Reading {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// By how much the wall clock was set since `before`, and whether forward; `None` if by little.
    fn set_since(self, before: Reading) -> Option<(Duration, bool)> {
        let passed = self.steady.saturating_duration_since(before.steady);
        let expected = before.wall + passed;
        let (by, forward) = match self.wall.duration_since(expected) {
            Ok(by) => (by, true),
            Err(error) => (error.duration(), false),
        };
        (by >= MUCH).then_some((by, forward))
    }
}

/// Compares the clocks until `stop` fires.
pub(crate) async fn watch(conditions: Conditions, stop: CancellationToken) {
    let mut before = Reading::now();
    let mut told: Option<Instant> = None;
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let now = Reading::now();
        if let Some((by, forward)) = now.set_since(before) {
            told = Some(now.steady);
            tell(&conditions, by, forward);
        } else if told.is_some_and(|told| told.elapsed() > TOLD) {
            told = None;
            conditions.clear(Name::ClockSet);
        }
        before = now;
    }
}

fn tell(conditions: &Conditions, by: Duration, forward: bool) {
    let by = humantime::format_duration(Duration::from_secs(by.as_secs()));
    let (how, sleep) = match forward {
        true => ("forward", ", or the machine slept"),
        false => ("back", ""),
    };
    conditions.raise(
        Name::ClockSet,
        format!(
            "the system's clock was set {how} by {by}{sleep}; tokens and certificates end by the new time"
        ),
        "if that was not meant, see to the machine's time synchronisation (`timedatectl`)",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_told() {
        let before = Reading::now();
        let later = |steady: u64, wall: i64| {
            let offset = Duration::from_secs(wall.unsigned_abs());
            Reading {
                steady: before.steady + Duration::from_secs(steady),
                wall: if wall < 0 {
                    before.wall - offset
                } else {
                    before.wall + offset
                },
            }
        };
        assert_eq!(later(7200, 7200).set_since(before), None);
        assert_eq!(later(2, 30).set_since(before), None);
        assert_eq!(
            later(2, 3602).set_since(before),
            Some((Duration::from_secs(3600), true))
        );
        assert_eq!(
            later(2, -3598).set_since(before),
            Some((Duration::from_secs(3600), false))
        );
    }
}
