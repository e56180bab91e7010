//! What hosts use: shown, counted, warned about, and a reason for a fresh one.

use std::time::Duration;

use super::world::{World, scripted};
use crate::domain::Generation;
use crate::hosting::Vitals;
use crate::os::Usage;

const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

fn use_of(cpu: Duration, resident_bytes: u64) -> impl FnOnce(&mut Vitals) {
    move |vitals| vitals.usage = Some(Usage { resident_bytes, cpu })
}

#[tokio::test(start_paused = true)]
async fn a_busy_connector_is_warned_about_and_measured() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    let host = world.fake.hosts()[0].clone();
    for second in 0..120 {
        host.set_vitals(use_of(SECOND * second * 3 / 2, 40 * MIB));
        host.set_vitals(|vitals| vitals.ignored_finishes = 7);
        tokio::time::sleep(SECOND).await;
    }
    let row = world.row("a").unwrap();
    let warning = row.warning.unwrap();
    assert!(
        warning.contains("150 % of a core over the last 60 s, more than its cpu_warning of 80 %"),
        "{warning}"
    );
    let facts = row.host.unwrap();
    assert_eq!(facts.cpu_percent, Some(150));
    assert_eq!(
        (facts.resident_bytes, facts.ignored_finishes),
        (Some(40 * MIB), 7)
    );
    let metrics = world.metrics.render();
    for line in [
        r#"connector_resident_memory_bytes{app_id="a"} 41943040"#,
        r#"connector_ignored_finishes_total{app_id="a"} 7"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let cpu = r#"connector_cpu_seconds_total{app_id="a"} "#;
    let seconds = metrics.lines().find_map(|line| line.split_once(cpu)).unwrap().1;
    assert!(seconds.parse::<f64>().unwrap() > 170.0, "{seconds}");

    world.reconfigure(|config| config.connectors.cpu_warning = 0);
    world
        .until("no warning", || world.row("a").unwrap().warning.is_none())
        .await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_host_that_has_grown_is_replaced_without_a_failed_call() {
    let world = World::configured(|config| config.connectors.idle_memory_limit = Some(64 * MIB)).await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    let host = world.fake.hosts()[0].clone();
    host.set_vitals(use_of(SECOND, 100 * MIB));
    for _ in 0..60 {
        world.call("a").await.unwrap();
        tokio::time::sleep(SECOND * 3).await;
    }
    assert_eq!(
        world.row("a").unwrap().generation,
        Some(Generation(1)),
        "it is not idle"
    );
    world.until("the old host is gone", || host.has_died()).await;
    world.call("a").await.unwrap();
    let row = world.row("a").unwrap();
    assert_eq!((row.generation, row.last_error), (Some(Generation(2)), None));
    let detail = world.connectors.show(&"a".parse().unwrap()).unwrap();
    assert!(
        detail.transitions.iter().any(|step| step
            .reason
            .contains("idle and holds 100.0 MiB of memory, over connectors.idle_memory_limit of 64.0 MiB")),
        "{:#?}",
        detail.transitions
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_walls_are_outdated_is_replaced_without_a_failed_call() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", "call=slow:5000"));
    world.until_ready("a", "1.0.0").await;
    let host = world.fake.hosts()[0].clone();
    let call = world.spawn_call("a", crate::domain::Level::Write, SECOND * 60);
    world.until("in flight", || world.in_flight("a") == 1).await;
    host.become_outdated();
    world
        .until("a fresh host", || {
            world.row("a").unwrap().generation == Some(Generation(2))
        })
        .await;
    assert!(!host.has_died(), "its call goes on");
    call.await.unwrap().unwrap();
    world.until("the old host is gone", || host.has_died()).await;
    world.stop().await;
}
