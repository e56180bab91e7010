//! The rules of the machine, each as a story; `random.rs` tries them all together.

use std::collections::{HashMap, HashSet};

use super::lane::QUARANTINE_AFTER;
use super::*;
use crate::hosting::Manifest;

mod random;

fn artifact(content: u8) -> Arc<Artifact> {
    let json = format!(r#"{{"app_id":"a","version":"1.0.{content}"}}"#);
    Arc::new(Artifact {
        file: "a.so".into(),
        sha256: Sha256::of(&[content]),
        manifest: Arc::new(Manifest::parse(json.as_bytes()).unwrap()),
        library: format!("/store/{content}").into(),
        signed_by: None,
    })
}

/// The world around a machine: carries its actions out and checks every invariant at each of them.
struct World {
    machine: Machine,
    /// Generations whose start has neither ended nor been given up.
    starting: HashMap<Generation, Arc<Artifact>>,
    alive: HashMap<Generation, Arc<Artifact>>,
    ending: HashSet<Generation>,
    route: Option<Generation>,
    timers: HashMap<Timer, Duration>,
    used: HashSet<Generation>,
    stopping: bool,
    notes: Vec<Note>,
    /// Whether hosts that die have answered before.
    answered: bool,
}

impl World {
    fn new() -> Self {
        World {
            machine: Machine::new(Generation(1), true),
            starting: HashMap::new(),
            alive: HashMap::new(),
            ending: HashSet::new(),
            route: None,
            timers: HashMap::new(),
            used: HashSet::new(),
            stopping: false,
            notes: Vec::new(),
            answered: false,
        }
    }

    fn step(&mut self, event: Event) {
        match &event {
            Event::HostReady(generation) => {
                if let Some(artifact) = self.starting.remove(generation) {
                    self.alive.insert(*generation, artifact);
                }
            }
            Event::StartFailed { generation, .. } => {
                self.starting.remove(generation);
            }
            Event::HostGone { generation, .. } => {
                self.alive.remove(generation);
                self.ending.remove(generation);
            }
            Event::Timer(timer) => {
                self.timers.remove(timer);
            }
            Event::Removed | Event::Enabled(false) | Event::Shutdown => self.stopping = true,
            Event::Candidate(_) | Event::Enabled(true) => self.stopping = false,
            _ => {}
        }
        let dead_route = self
            .route
            .filter(|generation| !self.alive.contains_key(generation));
        for action in self.machine.step(event, 0.5) {
            self.act(action);
        }
        if let Some(dead) = dead_route {
            assert_ne!(self.route, Some(dead), "a dead host keeps the route");
        }
        self.check();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start(generation, artifact) => {
                assert!(
                    self.used.insert(generation),
                    "generation {generation} is used twice"
                );
                assert!(
                    self.used.iter().all(|used| *used <= generation),
                    "generations go backwards"
                );
                self.starting.insert(generation, artifact);
                assert_eq!(self.starting.len(), 1, "two starts at one time");
            }
            Action::Route(generation) => {
                assert!(
                    self.alive.contains_key(&generation),
                    "the route goes to a host that is not there"
                );
                assert!(!self.ending.contains(&generation));
                self.route = Some(generation);
            }
            Action::Unroute => self.route = None,
            Action::Drain(generation, _) => {
                assert!(self.alive.contains_key(&generation), "draining what is not there");
                assert_ne!(self.route, Some(generation), "draining what still gets calls");
                assert!(self.ending.insert(generation), "drained twice");
            }
            Action::Kill(generation, _) => {
                let known =
                    self.starting.remove(&generation).is_some() || self.alive.contains_key(&generation);
                assert!(known, "killing what is not there");
            }
            Action::Arm(timer, after) => {
                assert!(after <= Duration::from_secs(600));
                self.timers.insert(timer, after);
            }
            Action::Disarm(timer) => {
                self.timers.remove(&timer);
            }
            Action::Note(note) => self.notes.push(note),
        }
    }

    fn check(&self) {
        let serving = self.machine.serving().map(|(generation, _)| generation);
        assert_eq!(self.route, serving, "the route is not what serves");
        for generation in self.alive.keys() {
            let known = serving == Some(*generation) || self.ending.contains(generation);
            assert!(known, "generation {generation} is forgotten");
        }
        let state = self.machine.state();
        assert_eq!(state == State::Ready, serving.is_some());
        let idle = self.starting.is_empty() && serving.is_none();
        let wanted = self.machine.wanted().is_some() && self.machine.enabled && !self.machine.shutdown;
        if self.machine.until_restart() {
            assert!(idle, "it is said to be beyond help while something serves");
            assert!(!wanted || state == State::Quarantined);
        } else if wanted && idle && state != State::Refused {
            let retry = self.timers.keys().any(|timer| matches!(timer, Timer::Retry(_)));
            assert!(
                retry,
                "nothing serves and nothing is going to: {:?}",
                self.machine
            );
        }
        if self.machine.finished() {
            assert!(self.alive.is_empty() && self.starting.is_empty() && self.route.is_none());
        }
    }

    fn started(&self) -> Generation {
        *self.starting.keys().next().expect("something starts")
    }

    fn ready(&mut self) -> Generation {
        let generation = self.started();
        self.step(Event::HostReady(generation));
        generation
    }

    fn fail(&mut self, refused: bool) {
        let generation = self.started();
        let reason = "it would not".into();
        self.step(Event::StartFailed {
            generation,
            refused,
            reason,
        });
    }

    fn die(&mut self, generation: Generation) {
        let reason = "killed by signal 11".into();
        self.step(Event::HostGone {
            generation,
            reason,
            answered: self.answered,
        });
    }

    fn retry(&mut self) {
        let mut timers = self.timers.keys().copied();
        let retry = timers
            .find(|timer| matches!(timer, Timer::Retry(_)))
            .expect("a retry is pending");
        self.step(Event::Timer(retry));
    }

    fn serving(&self) -> Option<u64> {
        self.route.map(|generation| generation.0)
    }

    fn version(&self) -> String {
        self.machine.serving().unwrap().1.manifest.version.to_string()
    }
}

#[test]
fn a_new_generation_starts_beside_the_old_one_and_takes_over() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    assert_eq!(world.machine.state(), State::Starting);
    let first = world.ready();
    world.step(Event::Candidate(artifact(2)));
    assert_eq!(
        world.serving(),
        Some(1),
        "the old one serves while the new one starts"
    );
    world.ready();
    assert_eq!(world.serving(), Some(2));
    assert!(world.ending.contains(&first));
    world.die(first);
    assert_eq!(world.machine.state(), State::Ready);
}

#[test]
fn a_failing_file_leaves_the_old_one_serving() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    world.ready();
    world.step(Event::Candidate(artifact(2)));
    world.fail(false);
    assert_eq!(world.serving(), Some(1));
    assert_eq!(world.machine.last_error(), Some("it would not"));
    world.retry();
    world.fail(true);
    assert_eq!(
        (
            world.serving(),
            world.timers.contains_key(&Timer::Retry(Role::Wanted))
        ),
        (Some(1), false)
    );
    world.step(Event::Candidate(artifact(3)));
    world.ready();
    assert_eq!(
        (world.version().as_str(), world.machine.last_error()),
        ("1.0.3", None)
    );
}

#[test]
fn later_files_coalesce_while_one_drains() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    let first = world.ready();
    world.step(Event::Candidate(artifact(2)));
    world.ready();
    world.step(Event::Candidate(artifact(3)));
    world.step(Event::Candidate(artifact(4)));
    assert!(world.starting.is_empty());
    world.die(first);
    world.ready();
    assert_eq!((world.version().as_str(), world.serving()), ("1.0.4", Some(3)));
}

#[test]
fn a_newer_file_replaces_one_that_is_starting() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    world.step(Event::Candidate(artifact(2)));
    world.ready();
    assert_eq!((world.version().as_str(), world.serving()), ("1.0.2", Some(2)));
}

#[test]
fn crashes_back_off_until_quarantine_and_never_for_ever() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    let mut waits = Vec::new();
    for round in 0..14 {
        let generation = world.ready();
        world.die(generation);
        waits.push(world.timers[&Timer::Retry(Role::Wanted)].as_secs());
        let quarantined = round + 1 >= QUARANTINE_AFTER;
        let expected = if quarantined {
            State::Quarantined
        } else {
            State::BackingOff
        };
        assert_eq!(world.machine.state(), expected);
        world.retry();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600]);
    world.ready();
    world.step(Event::Timer(Timer::Health));
    assert_eq!(world.machine.last_error(), None);
    let generation = world.machine.serving().unwrap().0;
    world.die(generation);
    assert_eq!(
        world.timers[&Timer::Retry(Role::Wanted)].as_secs(),
        1,
        "ten minutes of health reset the back-off"
    );
}

#[test]
fn a_build_that_dies_three_times_early_is_rolled_back() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    let mut previous = world.ready();
    world.step(Event::Candidate(artifact(2)));
    for round in 1..=3 {
        let bad = world.ready();
        world.die(previous);
        world.die(bad);
        previous = world.ready();
        assert_eq!(world.version(), "1.0.1", "the last good one helps out");
        if round < 3 {
            world.retry();
        }
    }
    assert_eq!(world.machine.verdict, Verdict::RolledBack);
    assert!(!world.timers.contains_key(&Timer::Retry(Role::Wanted)));
    world.step(Event::Candidate(artifact(3)));
    world.ready();
    assert_eq!(world.version(), "1.0.3");
}

#[test]
fn an_older_version_does_not_stand_in_for_one_that_has_answered() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    let first = world.ready();
    world.step(Event::Candidate(artifact(2)));
    let second = world.ready();
    world.die(first);
    world.answered = true;
    world.die(second);
    assert!(world.starting.is_empty());
    assert_eq!(world.machine.state(), State::BackingOff);
    world.retry();
    world.ready();
    assert_eq!(world.version(), "1.0.2");
}

#[test]
fn after_a_restart_a_bad_file_falls_back_to_the_last_good() {
    let mut world = World::new();
    world.step(Event::LastGood(artifact(1)));
    world.step(Event::Candidate(artifact(2)));
    world.fail(true);
    world.ready();
    assert_eq!(world.version(), "1.0.1");
    assert_eq!(world.machine.last_error(), Some("it would not"));
}

#[test]
fn an_overdue_call_gets_a_fresh_host_and_the_siblings_a_grace() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    let stuck = world.ready();
    world.step(Event::Overdue(stuck));
    world.step(Event::Overdue(stuck));
    assert_eq!(world.serving(), Some(1));
    world.ready();
    assert_eq!((world.version().as_str(), world.serving()), ("1.0.1", Some(2)));
    assert_eq!(world.timers.get(&Timer::Siblings), Some(&SIBLING_GRACE));
    let actions = world.machine.step(Event::Timer(Timer::Siblings), 0.5);
    assert!(matches!(actions[..], [Action::Kill(generation, _)] if generation == stuck));
}

fn in_the_agent() -> World {
    let mut world = World::new();
    world.machine.place(true);
    world.step(Event::Candidate(artifact(1)));
    world
}

#[test]
fn an_overdue_call_inside_the_agent_fails_the_generation_until_restart() {
    let mut world = in_the_agent();
    let stuck = world.ready();
    world.step(Event::Overdue(stuck));
    world.step(Event::Overdue(stuck));
    assert_eq!(
        (world.serving(), world.machine.state()),
        (None, State::Quarantined)
    );
    assert!(world.machine.until_restart());
    assert!(world.machine.last_error().unwrap().contains("restart the agent"));
    assert_eq!(
        world.timers.keys().collect::<Vec<_>>(),
        [&Timer::Siblings],
        "nothing is retried"
    );
    let actions = world.machine.step(Event::Timer(Timer::Siblings), 0.5);
    assert!(matches!(actions[..], [Action::Kill(generation, _)] if generation == stuck));
    world.die(stuck);
    world.step(Event::SettingsChanged);
    world.step(Event::Enabled(false));
    world.step(Event::Enabled(true));
    assert!(world.starting.is_empty(), "the same code is not loaded again");
    assert_eq!(world.machine.state(), State::Quarantined);
}

#[test]
fn another_content_or_a_host_process_helps_after_it_failed_inside_the_agent() {
    let mut world = in_the_agent();
    let stuck = world.ready();
    world.step(Event::Overdue(stuck));
    world.machine.place(false);
    world.step(Event::SettingsChanged);
    world.ready();
    assert_eq!((world.version().as_str(), world.serving()), ("1.0.1", Some(2)));

    let mut world = in_the_agent();
    let stuck = world.ready();
    world.step(Event::Overdue(stuck));
    world.step(Event::Candidate(artifact(2)));
    world.ready();
    assert_eq!((world.version().as_str(), world.serving()), ("1.0.2", Some(2)));
    assert_eq!(world.machine.last_error(), None);
    world.step(Event::Candidate(artifact(1)));
    assert!(world.starting.is_empty(), "the first one stays barred");
    assert!(
        world
            .machine
            .last_error()
            .unwrap()
            .contains("failed inside this agent before")
    );
    assert_eq!(world.machine.state(), State::Ready);
}

#[test]
fn a_start_inside_the_agent_that_hangs_is_not_repeated() {
    let mut world = in_the_agent();
    let generation = world.started();
    world.starting.clear();
    let reason = "create took too long".to_owned();
    world.step(Event::StartStuck { generation, reason });
    assert_eq!(world.machine.state(), State::Quarantined);
    assert!(world.timers.is_empty() && world.starting.is_empty());
    assert!(world.machine.last_error().unwrap().contains("restart the agent"));
}

#[test]
fn failing_starts_inside_the_agent_are_repeated_five_times() {
    let mut world = in_the_agent();
    for _ in 1..QUARANTINE_AFTER {
        world.fail(false);
        world.retry();
    }
    world.fail(false);
    assert!(world.machine.until_restart() && world.timers.is_empty());
    assert!(world.machine.last_error().unwrap().contains("5 times"));
}

#[test]
fn the_last_good_content_stands_in_for_one_that_cannot_be_loaded_into_the_agent() {
    let mut world = World::new();
    world.machine.place(true);
    world.step(Event::LastGood(artifact(1)));
    world.step(Event::Candidate(artifact(2)));
    let generation = world.started();
    world.starting.clear();
    world.step(Event::StartStuck {
        generation,
        reason: "create took too long".into(),
    });
    world.ready();
    assert_eq!(world.version(), "1.0.1");
}

#[test]
fn switching_off_and_on() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    let first = world.ready();
    world.step(Event::Enabled(false));
    assert_eq!((world.machine.state(), world.serving()), (State::Stopped, None));
    world.die(first);
    assert!(!world.machine.finished());
    world.step(Event::Enabled(true));
    world.ready();
    assert_eq!(world.serving(), Some(2));
}

#[test]
fn removal_and_return() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    let first = world.ready();
    world.step(Event::Removed);
    assert_eq!(
        (world.machine.state(), world.machine.finished()),
        (State::Draining, false)
    );
    world.step(Event::Candidate(artifact(1)));
    world.ready();
    world.die(first);
    world.step(Event::Removed);
    world.die(Generation(2));
    assert!(world.machine.finished());
}

#[test]
fn changed_settings_get_a_fresh_host() {
    let mut world = World::new();
    world.step(Event::Candidate(artifact(1)));
    world.ready();
    world.step(Event::SettingsChanged);
    world.ready();
    assert_eq!(world.serving(), Some(2));
}
