//! Slots, deadlines, cancellation, death, the ladder, shutdown.

use std::time::Duration;

use tokio::time::Instant;

use super::world::{World, app, scripted};
use crate::call::CallError;
use crate::connectors::State;
use crate::domain::{Generation, Level};

const SECOND: Duration = Duration::from_secs(1);

async fn serving(script: &str) -> World {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", script));
    world.until_ready("a", "1.0.0").await;
    world
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_slot_and_the_queue_is_bounded() {
    let world = serving("max=1 call=slow:1000").await;
    let calls: Vec<_> = (0..5)
        .map(|_| world.spawn_call("a", Level::Read, SECOND * 60))
        .collect();
    tokio::time::sleep(SECOND / 10).await;
    let error = world.call("a").await.unwrap_err();
    assert!(matches!(error, CallError::Busy { .. }), "{error:?}");
    for (index, call) in calls.into_iter().enumerate() {
        let answer = call.await.unwrap().unwrap();
        assert_eq!(answer.queued.as_millis() / 900, index as u128);
    }
    world.call("a").await.unwrap();
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_queue_has_sent_nothing() {
    let world = serving("max=1 call=slow:5000").await;
    let first = world.spawn_call("a", Level::Write, SECOND * 60);
    tokio::time::sleep(SECOND / 10).await;
    let second = world.spawn_call("a", Level::Write, SECOND);
    assert_eq!(
        second.await.unwrap().unwrap_err(),
        CallError::DeadlinePassed { sent: false }
    );
    first.await.unwrap().unwrap();
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_global_limit_holds_for_all_connectors() {
    let world = World::configured(|config| config.dispatch.max_in_flight = 2).await;
    for name in ["a", "b"] {
        world.put(&format!("{name}.so"), &scripted(name, "1.0.0", "call=slow:1000"));
        world.until_ready(name, "1.0.0").await;
    }
    let calls = [
        world.spawn_call("a", Level::Read, SECOND * 9),
        world.spawn_call("b", Level::Read, SECOND * 9),
    ];
    tokio::time::sleep(SECOND / 10).await;
    assert!(matches!(world.call("a").await, Err(CallError::Busy { .. })));
    for call in calls {
        call.await.unwrap().unwrap();
    }
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cancels_a_read_and_frees_its_slot() {
    let world = serving("max=1 call=hang").await;
    for _ in 0..3 {
        let call = world.spawn_call("a", Level::Read, SECOND);
        assert_eq!(
            call.await.unwrap().unwrap_err(),
            CallError::DeadlinePassed { sent: true }
        );
    }
    assert_eq!(world.fake.hosts()[0].cancels(), 3);
    world.until("the calls ended", || world.in_flight("a") == 0).await;
    assert_eq!(
        world.row("a").unwrap().generation,
        Some(Generation(1)),
        "a caller's deadline is no reason to replace a host"
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_cancels_a_read_and_not_a_write() {
    let world = serving("call=slow:20000").await;
    for (level, cancels) in [(Level::Write, 0), (Level::Read, 1)] {
        let call = world.spawn_call("a", level, SECOND * 60);
        world.until("in flight", || world.in_flight("a") == 1).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert_eq!(
            (world.fake.hosts()[0].cancels(), world.in_flight("a")),
            (cancels, 1)
        );
        world.until("it ended", || world.in_flight("a") == 0).await;
    }
    assert!(
        world
            .metrics
            .render()
            .contains(r#"calls_in_flight{app_id="a"} 0"#)
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_call_gets_the_connector_a_fresh_host() {
    let world = serving("max=2 call=stuck").await;
    let stuck = world.spawn_call("a", Level::Write, SECOND * 600);
    // A sibling that is not overdue yet when the fresh host serves.
    tokio::time::sleep(SECOND * 60).await;
    let sibling = world.spawn_call("a", Level::Write, SECOND * 600);
    assert_eq!(
        stuck.await.unwrap().unwrap_err(),
        CallError::DeadlinePassed { sent: true }
    );
    fresh_host(&world).await;
    let hosts = world.fake.hosts();
    assert_eq!(
        (hosts[0].cancels(), hosts[0].has_died()),
        (1, false),
        "its siblings have a grace"
    );
    let begun = Instant::now();
    let ended = sibling.await.unwrap();
    assert!(matches!(ended, Err(CallError::HostDied(_))), "{ended:?}");
    assert!(
        begun.elapsed() < SECOND * 31,
        "the grace took {:?}",
        begun.elapsed()
    );
    let told = || {
        reasons(&world)
            .iter()
            .any(|reason| reason == "calls were overdue")
    };
    world.until("the reason is told", told).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_call_without_siblings_loses_its_host_at_once() {
    let world = serving("max=2 call=stuck").await;
    let begun = Instant::now();
    let stuck = world.spawn_call("a", Level::Write, SECOND * 600);
    assert!(stuck.await.unwrap().is_err());
    let hosts = world.fake.hosts();
    world.until("the old host is ended", || hosts[0].has_died()).await;
    // The connector's timeout of 120 s, and the grace of 10 s for cancelling.
    let took = begun.elapsed();
    assert!((SECOND * 130..SECOND * 132).contains(&took), "{took:?}");
    fresh_host(&world).await;
    let reasons = reasons(&world);
    assert!(
        reasons.iter().any(|reason| reason.contains("no other was left")),
        "{reasons:?}"
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_ends_with_the_last_call_that_is_not_overdue() {
    let world = serving("max=2 call=stuck").await;
    let begun = Instant::now();
    let first = world.spawn_call("a", Level::Write, SECOND * 600);
    tokio::time::sleep(SECOND * 20).await;
    let second = world.spawn_call("a", Level::Write, SECOND * 600);
    assert!(first.await.unwrap().is_err());
    assert!(second.await.unwrap().is_err());
    let hosts = world.fake.hosts();
    world.until("the old host is ended", || hosts[0].has_died()).await;
    let took = begun.elapsed();
    assert!((SECOND * 150..SECOND * 152).contains(&took), "{took:?}");
    world.stop().await;
}

async fn fresh_host(world: &World) {
    world
        .until("a fresh host", || {
            world.row("a").unwrap().generation == Some(Generation(2))
        })
        .await;
}

fn reasons(world: &World) -> Vec<String> {
    let detail = world.connectors.show(&app("a")).unwrap();
    detail.transitions.into_iter().map(|step| step.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn a_host_that_dies_fails_its_calls_and_comes_back() {
    let world = serving("call=die").await;
    let error = world.call("a").await.unwrap_err();
    assert!(
        matches!(&error, CallError::HostDied(reason) if reason.contains("SIGSEGV")),
        "{error:?}"
    );
    world
        .until("backing off", || {
            world.row("a").unwrap().state == State::BackingOff
        })
        .await;
    let error = world.call("a").await.unwrap_err();
    assert!(
        matches!(
            error,
            CallError::NotReady {
                state: "backing-off",
                ..
            }
        ),
        "{error:?}"
    );
    world
        .until("back", || world.row("a").unwrap().state == State::Ready)
        .await;
    let row = world.row("a").unwrap();
    assert_eq!(
        (row.generation, row.last_error.unwrap().contains("SIGSEGV")),
        (Some(Generation(2)), true)
    );
    assert!(
        world
            .metrics
            .render()
            .contains(r#"host_exits_total{app_id="a",expected="false"} 1"#)
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_move_to_the_new_generation() {
    let world = serving("max=1 call=slow:30000").await;
    let first = world.spawn_call("a", Level::Read, SECOND * 90);
    tokio::time::sleep(SECOND / 10).await;
    let waiting: Vec<_> = (0..4)
        .map(|_| world.spawn_call("a", Level::Read, SECOND * 90))
        .collect();
    tokio::time::sleep(SECOND / 10).await;
    world.put("a.so", &scripted("a", "2.0.0", "max=1"));
    world.until_ready("a", "2.0.0").await;
    for call in waiting {
        let body = call
            .await
            .unwrap()
            .expect("no queued call fails through a replacement")
            .body;
        assert_eq!(body, r#"{"version":"2.0.0","generation":2}"#);
    }
    let body = first.await.unwrap().unwrap().body;
    assert_eq!(body, r#"{"version":"1.0.0","generation":1}"#);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_lets_calls_end_and_takes_none() {
    let world = serving("call=slow:10000").await;
    let call = world.spawn_call("a", Level::Write, SECOND * 60);
    world.until("in flight", || world.in_flight("a") == 1).await;
    world.shutdown.cancel();
    tokio::time::sleep(SECOND).await;
    assert_eq!(world.call("a").await.unwrap_err(), CallError::Draining);
    call.await.unwrap().unwrap();
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_ever() {
    let world = serving("call=stuck").await;
    let call = world.spawn_call("a", Level::Write, SECOND * 600);
    world.until("in flight", || world.in_flight("a") == 1).await;
    world.stop().await;
    assert!(matches!(call.await.unwrap(), Err(CallError::HostDied(_))));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_while_a_host_starts_leaves_nothing() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", "start=hang"));
    world
        .until("starting", || {
            world.row("a").is_some_and(|row| row.state == State::Starting)
        })
        .await;
    assert!(!world.connectors.first_scan_done());
    let error = world.call("a").await.unwrap_err();
    assert!(
        matches!(
            error,
            CallError::NotReady {
                state: "starting",
                ..
            }
        ),
        "{error:?}"
    );
    world.stop().await;
}
