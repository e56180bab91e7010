//! All rules together against random happenings.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Happening {
    Candidate(u8),
    LastGood(u8),
    Removed,
    Enabled(bool),
    SettingsChanged,
    /// Where generations are started from now on: inside the agent or not.
    Place(bool),
    Ready,
    Failed(bool),
    Stuck,
    Dies(usize, bool),
    Overdue(usize),
    Fires(usize),
    Stray(u64),
    Shutdown,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0_u8..4).prop_map(Happening::Candidate),
        1 => (0_u8..4).prop_map(Happening::LastGood),
        1 => Just(Happening::Removed),
        1 => any::<bool>().prop_map(Happening::Enabled),
        1 => Just(Happening::SettingsChanged),
        1 => any::<bool>().prop_map(Happening::Place),
        1 => Just(Happening::Stuck),
        8 => Just(Happening::Ready),
        3 => any::<bool>().prop_map(Happening::Failed),
        4 => (0_usize..4, any::<bool>()).prop_map(|(index, answered)| Happening::Dies(index, answered)),
        2 => (0_usize..4).prop_map(Happening::Overdue),
        5 => (0_usize..5).prop_map(Happening::Fires),
        1 => (0_u64..30).prop_map(Happening::Stray),
        1 => Just(Happening::Shutdown),
    ]
}

fn pick<T: Copy + Ord>(items: impl Iterator<Item = T>, index: usize) -> Option<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    (!items.is_empty()).then(|| items[index % items.len()])
}

fn order(timer: Timer) -> u8 {
    match timer {
        Timer::Retry(Role::Wanted) => 0,
        Timer::Retry(Role::Good) => 1,
        Timer::Probation => 2,
        Timer::Health => 3,
        Timer::Siblings => 4,
    }
}

fn happen(world: &mut World, happening: Happening) {
    match happening {
        Happening::Candidate(content) => world.step(Event::Candidate(artifact(content))),
        Happening::LastGood(content) => world.step(Event::LastGood(artifact(content))),
        Happening::Removed => world.step(Event::Removed),
        Happening::Enabled(enabled) => world.step(Event::Enabled(enabled)),
        Happening::SettingsChanged => world.step(Event::SettingsChanged),
        Happening::Place(in_process) => {
            world.machine.place(in_process);
            world.step(Event::SettingsChanged);
        }
        Happening::Stuck if !world.starting.is_empty() => {
            let generation = world.started();
            world.starting.remove(&generation);
            let reason = "it hangs".into();
            world.step(Event::StartStuck { generation, reason });
        }
        Happening::Ready if !world.starting.is_empty() => {
            world.ready();
        }
        Happening::Failed(refused) if !world.starting.is_empty() => world.fail(refused),
        Happening::Dies(index, answered) => {
            world.answered = answered;
            if let Some(generation) = pick(world.alive.keys().copied(), index) {
                world.die(generation);
            }
        }
        Happening::Overdue(index) => {
            if let Some(generation) = pick(world.alive.keys().copied(), index) {
                world.step(Event::Overdue(generation));
            }
        }
        Happening::Fires(index) => {
            let mut timers: Vec<Timer> = world.timers.keys().copied().collect();
            timers.sort_by_key(|timer| order(*timer));
            if !timers.is_empty() {
                world.step(Event::Timer(timers[index % timers.len()]));
            }
        }
        Happening::Stray(number) => {
            let generation = Generation(number + 1000);
            world.step(Event::HostReady(generation));
            world.die(generation);
            world.step(Event::Overdue(generation));
        }
        Happening::Shutdown => world.step(Event::Shutdown),
        Happening::Ready | Happening::Failed(_) | Happening::Stuck => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// [`World::check`] holds whatever happens, and a connector that is then removed ends.
    #[test]
    fn invariants_hold(happenings in proptest::collection::vec(happening(), 1..80)) {
        let mut world = World::new();
        for happening in happenings {
            happen(&mut world, happening);
        }
        world.step(Event::Removed);
        while let Some(generation) = pick(world.alive.keys().copied(), 0) {
            world.die(generation);
        }
        prop_assert!(world.machine.finished());
        prop_assert!(world.starting.is_empty());
    }

    /// However it got there: once starts succeed and hosts live, the file's content is served.
    #[test]
    fn a_good_file_ends_up_served(happenings in proptest::collection::vec(happening(), 1..60)) {
        let mut world = World::new();
        for happening in happenings.into_iter().filter(|happening| !matches!(happening, Happening::Shutdown)) {
            happen(&mut world, happening);
        }
        world.step(Event::Enabled(true));
        world.step(Event::Candidate(artifact(200)));
        for _ in 0..20 {
            if let Some(generation) = pick(world.ending.iter().copied(), 0) {
                world.die(generation);
            }
            happen(&mut world, Happening::Ready);
        }
        prop_assert_eq!(world.version(), "1.0.200");
    }
}
