//! What the hosts of one connector are seen to use, look by look, and what follows from it: numbers, a warning about the
//! processor, a fresh host in place of an idle one that has grown. Pure: looks are handed in.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Generation;
use crate::hosting::Vitals;

/// How often to look.
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// A warning that still holds is repeated after this.
const REPEAT: Duration = Duration::from_secs(3600);
/// How long a host must have had no call to count as idle.
const IDLE: Duration = Duration::from_secs(60);

/// What is too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Thresholds {
    /// Per cent of one core, over the time that follows; 0 for none.
    pub(super) cpu_warning: u32,
    pub(super) cpu_warning_after: Duration,
    /// Resident bytes of an idle host.
    pub(super) idle_memory: Option<u64>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    hosts: HashMap<Generation, Seen>,
    /// Processor time of all hosts since the first look.
    cpu: Duration,
    /// That, at earlier looks; the first is as old as the threshold asks for, the others are younger.
    looks: VecDeque<(Instant, Duration)>,
    warned: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    last: Vitals,
    /// Resident bytes when it had just started.
    fresh: u64,
    idle_since: Instant,
}

/// What one look shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Look {
    /// Since the look before.
    pub(super) cpu: Duration,
    /// Since the look before.
    pub(super) ignored_finishes: u64,
    pub(super) resident_bytes: u64,
    pub(super) in_flight: u32,
    /// Per cent of one core on average, once enough was seen.
    pub(super) cpu_percent: Option<u32>,
    /// Whether that is too much.
    pub(super) hot: bool,
    /// Whether it is to be told now.
    pub(super) warn: bool,
    /// An idle host that has grown, and its resident bytes.
    pub(super) bloated: Option<(Generation, u64)>,
}

impl Watch {
    /// A host has just started.
    pub(super) fn started(&mut self, now: Instant, generation: Generation, vitals: Vitals) {
        let seen = Seen {
            last: Vitals {
                // What it used to start counts.
                usage: None,
                ..vitals
            },
            fresh: vitals.usage.map_or(0, |usage| usage.resident_bytes),
            idle_since: now,
        };
        self.hosts.insert(generation, seen);
    }

    /// A host has ended.
    pub(super) fn gone(&mut self, generation: Generation) {
        self.hosts.remove(&generation);
    }

    /// Takes in how the hosts are now.
    pub(super) fn look(
        &mut self,
        now: Instant,
        hosts: impl IntoIterator<Item = (Generation, Vitals)>,
        thresholds: &Thresholds,
    ) -> Look {
        let mut look = Look::default();
        let mut measured = false;
        for (generation, vitals) in hosts {
            let Some(seen) = self.hosts.get_mut(&generation) else {
                continue;
            };
            measured |= vitals.usage.is_some();
            seen.take(now, vitals, &mut look);
            let grown = |limit: u64| seen.idle_and_over(now, limit);
            if thresholds.idle_memory.is_some_and(grown) {
                look.bloated = Some((generation, seen.resident()));
                seen.idle_since = now;
            }
        }
        self.cpu += look.cpu;
        if measured {
            self.judge_cpu(now, thresholds, &mut look);
        }
        look
    }

    fn judge_cpu(&mut self, now: Instant, thresholds: &Thresholds, look: &mut Look) {
        self.looks.push_back((now, self.cpu));
        let old_enough = |look: Option<&(Instant, Duration)>| {
            look.is_some_and(|(at, _)| now - *at >= thresholds.cpu_warning_after)
        };
        while old_enough(self.looks.get(1)) {
            self.looks.pop_front();
        }
        if !old_enough(self.looks.front()) {
            return;
        }
        let (at, before) = self.looks[0];
        let percent = 100 * (self.cpu - before).as_millis() / (now - at).as_millis().max(1);
        let percent = u32::try_from(percent).unwrap_or(u32::MAX);
        look.cpu_percent = Some(percent);
        look.hot = thresholds.cpu_warning > 0 && percent > thresholds.cpu_warning;
        look.warn = look.hot && self.warned.is_none_or(|at| now - at >= REPEAT);
        if look.warn {
            self.warned = Some(now);
        }
    }
}

impl Seen {
    fn take(&mut self, now: Instant, vitals: Vitals, look: &mut Look) {
        let cpu = |vitals: &Vitals| vitals.usage.map_or(Duration::ZERO, |usage| usage.cpu);
        // Of a host that has just gone there is no usage, and then nothing is new.
        look.cpu += cpu(&vitals).saturating_sub(cpu(&self.last));
        look.ignored_finishes += vitals.ignored_finishes.saturating_sub(self.last.ignored_finishes);
        look.in_flight += vitals.in_flight;
        if vitals.in_flight > 0 || vitals.calls_begun != self.last.calls_begun {
            self.idle_since = now;
        }
        if vitals.usage.is_some() {
            self.last = vitals;
            look.resident_bytes += self.resident();
        } else {
            self.last.ignored_finishes = vitals.ignored_finishes;
        }
    }

    fn resident(&self) -> u64 {
        self.last.usage.map_or(0, |usage| usage.resident_bytes)
    }

    /// A host that was over the limit from its start would only be replaced by another such.
    fn idle_and_over(&self, now: Instant, limit: u64) -> bool {
        self.resident() > limit && self.fresh <= limit && now - self.idle_since >= IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::Usage;

    const SECOND: Duration = Duration::from_secs(1);
    const ONE: Generation = Generation(1);
    const MIB: u64 = 1 << 20;
    const THRESHOLDS: Thresholds = Thresholds {
        cpu_warning: 80,
        cpu_warning_after: Duration::from_secs(60),
        idle_memory: Some(64 * MIB),
    };

    fn vitals(cpu: Duration, resident_bytes: u64) -> Vitals {
        Vitals {
            usage: Some(Usage { resident_bytes, cpu }),
            ..Vitals::default()
        }
    }

    /// Looks every 5 s at a host that uses so much of a core.
    struct Clock {
        watch: Watch,
        now: Instant,
        vitals: Vitals,
    }

    impl Clock {
        fn new(fresh: u64) -> Self {
            let now = Instant::now();
            let mut watch = Watch::default();
            let vitals = vitals(Duration::ZERO, fresh);
            watch.started(now, ONE, vitals);
            Clock { watch, now, vitals }
        }

        fn run(&mut self, time: Duration, share: f64) -> Vec<Look> {
            let end = self.now + time;
            let mut looks = Vec::new();
            while self.now < end {
                self.now += EVERY;
                self.vitals.usage.as_mut().unwrap().cpu += EVERY.mul_f64(share);
                looks.push(self.watch.look(self.now, [(ONE, self.vitals)], &THRESHOLDS));
            }
            looks
        }
    }

    fn warnings(looks: &[Look]) -> usize {
        looks.iter().filter(|look| look.warn).count()
    }

    #[test]
    fn a_busy_minute_is_warned_about_once_an_hour() {
        let mut clock = Clock::new(MIB);
        assert_eq!(warnings(&clock.run(SECOND * 60, 1.0)), 0, "a minute is not over");
        let looks = clock.run(SECOND * 60, 1.0);
        assert_eq!(warnings(&looks), 1);
        let last = looks.last().unwrap();
        assert_eq!((last.cpu_percent, last.hot), (Some(100), true));
        assert_eq!(warnings(&clock.run(SECOND * 3400, 1.0)), 0);
        assert_eq!(warnings(&clock.run(SECOND * 3700, 1.0)), 1);
    }

    #[test]
    fn a_busy_moment_is_not_worth_a_warning() {
        let mut clock = Clock::new(MIB);
        for _ in 0..20 {
            let looks = [clock.run(SECOND * 40, 1.0), clock.run(SECOND * 40, 0.0)].concat();
            assert_eq!(warnings(&looks), 0);
        }
        let looks = clock.run(SECOND * 120, 0.0);
        assert_eq!(looks.last().unwrap().cpu_percent, Some(0));
    }

    #[test]
    fn a_warning_that_came_and_went_is_not_told_again_within_the_hour() {
        let mut clock = Clock::new(MIB);
        assert_eq!(warnings(&clock.run(SECOND * 120, 2.0)), 1);
        let calm = clock.run(SECOND * 120, 0.1);
        assert!(!calm.last().unwrap().hot);
        let again = clock.run(SECOND * 120, 2.0);
        assert_eq!((warnings(&again), again.last().unwrap().hot), (0, true));
    }

    #[test]
    fn the_hosts_of_a_connector_count_together_and_across_replacements() {
        let mut watch = Watch::default();
        let start = Instant::now();
        let mut total = Duration::ZERO;
        for number in 1..=10_u64 {
            let (generation, now) = (
                Generation(number),
                start + SECOND * 100 * u32::try_from(number).unwrap(),
            );
            watch.started(now, generation, vitals(SECOND, MIB));
            let look = watch.look(now, [(generation, vitals(SECOND * 5, MIB))], &THRESHOLDS);
            total += look.cpu;
            watch.gone(generation);
        }
        assert_eq!(total, SECOND * 50);
    }

    #[test]
    fn an_idle_host_that_has_grown_is_named_once_a_minute() {
        let mut clock = Clock::new(10 * MIB);
        clock.vitals.usage.as_mut().unwrap().resident_bytes = 100 * MIB;
        clock.vitals.calls_begun = 1;
        let bloated = |looks: Vec<Look>| {
            looks
                .into_iter()
                .filter_map(|look| look.bloated)
                .collect::<Vec<_>>()
        };
        assert_eq!(bloated(clock.run(SECOND * 60, 0.0)), []);
        assert_eq!(bloated(clock.run(SECOND * 10, 0.0)), [(ONE, 100 * MIB)]);
        assert_eq!(bloated(clock.run(SECOND * 50, 0.0)), []);
        clock.vitals.calls_begun = 2;
        assert_eq!(
            bloated(clock.run(SECOND * 60, 0.0)),
            [],
            "it was called meanwhile"
        );
        clock.vitals.in_flight = 1;
        assert_eq!(bloated(clock.run(SECOND * 300, 0.0)), []);
    }

    #[test]
    fn a_host_that_needs_so_much_from_the_start_is_left_alone() {
        let mut clock = Clock::new(70 * MIB);
        assert!(
            clock
                .run(SECOND * 600, 0.0)
                .iter()
                .all(|look| look.bloated.is_none())
        );
    }

    #[test]
    fn ignored_finishes_are_counted_up() {
        let mut clock = Clock::new(MIB);
        clock.vitals.ignored_finishes = 3;
        let counted = |looks: Vec<Look>| looks.iter().map(|look| look.ignored_finishes).sum::<u64>();
        assert_eq!(counted(clock.run(SECOND * 20, 0.0)), 3);
        clock.vitals.ignored_finishes = 5;
        assert_eq!(counted(clock.run(SECOND * 20, 0.0)), 2);
    }
}
