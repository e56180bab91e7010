//! What a change of the configuration means for a generation that serves.

use std::time::Duration;

use super::world::{World, scripted};
use crate::config::Config;
use crate::config::model::Isolation;
use crate::connectors::State;
use crate::domain::Generation;

/// Longer than a driver takes to follow; time is paused here.
const A_WHILE: Duration = Duration::from_secs(5);

type Change = fn(&mut Config);

async fn generation(world: &World) -> u64 {
    tokio::time::sleep(A_WHILE).await;
    let row = world.row("a").unwrap();
    assert_eq!(row.state, State::Ready, "{row:?}");
    row.generation.map_or(0, |Generation(number)| number)
}

fn walls(config: &mut Config) {
    let connectors = &mut config.connectors;
    connectors.max_open_files += 1;
    connectors.memory_limit = Some(1 << 30);
    // Protected from connectors, and so part of a sandbox.
    config.agent.token_file.push("moved");
}

#[tokio::test(start_paused = true)]
async fn inside_the_agent_only_what_counts_there_makes_a_generation() {
    let world = World::configured(|config| config.connectors.isolation = Isolation::InProcess).await;
    world.put("a.so", &scripted("a", "1.0.0", "max=4"));
    world.until_ready("a", "1.0.0").await;
    let changes: [(Change, u64); 4] = [
        (walls, 1),
        // More than the connector takes.
        (|config| config.connectors.max_in_flight = 100, 1),
        (|config| config.connectors.max_in_flight = 3, 2),
        (|config| config.dispatch.max_response_bytes += 1, 3),
    ];
    for (step, (change, expected)) in changes.into_iter().enumerate() {
        world.reconfigure(change);
        assert_eq!(generation(&world).await, expected, "change {step}");
    }
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_is_replaced_when_its_walls_change() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", "max=4"));
    world.until_ready("a", "1.0.0").await;
    world.reconfigure(walls);
    assert_eq!(generation(&world).await, 2);
    world.reconfigure(|config| config.connectors.max_in_flight = 100);
    assert_eq!(generation(&world).await, 2);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_interval_between_listings_follows_the_configuration() {
    let world = World::new().await;
    let mut config = world.config.borrow().as_ref().clone();
    world.stop().await;
    config.connectors.rescan_interval = Duration::from_secs(3600);
    let world = World::over(world.dir, config, false).await;
    world
        .until("the first scan", || world.connectors.first_scan_done())
        .await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(
        world.row("a").is_none(),
        "without events nothing is seen before the interval is over"
    );
    world.reconfigure(|config| config.connectors.rescan_interval = Duration::from_secs(1));
    world.until_ready("a", "1.0.0").await;
    world.put("b.so", &scripted("b", "1.0.0", ""));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.row("b").map(|row| row.state), Some(State::Ready));
    world.stop().await;
}
