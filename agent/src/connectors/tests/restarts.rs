//! What an agent knows of the one before it.

use std::fs;

use super::world::{World, app, put, scripted};
use crate::connectors::State;
use crate::domain::Generation;

#[tokio::test(start_paused = true)]
async fn a_restart_serves_the_same_set() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.put("b.so", &scripted("b", "1.0.0", ""));
    world.put("gone.so", &scripted("gone", "1.0.0", ""));
    world
        .until("all ready", || world.connectors.ready().len() == 3)
        .await;
    let world = world
        .restart(|directory| fs::remove_file(directory.join("gone.so")).unwrap())
        .await;
    world
        .until("the first scan", || world.connectors.first_scan_done())
        .await;
    assert_eq!(world.connectors.ready(), [app("a"), app("b")]);
    assert_eq!(world.fake.inspected(), 0, "what was inspected once is known");
    let detail = world.connectors.show(&app("a")).unwrap();
    assert_eq!(detail.listing.generation, Some(Generation(2)));
    let told: Vec<_> = detail
        .transitions
        .iter()
        .map(|step| (step.generation.unwrap().0, step.state))
        .collect();
    let life = [State::Starting, State::Ready, State::Draining, State::Stopped];
    let expected: Vec<_> = life
        .map(|state| (1, state))
        .into_iter()
        .chain([(2, State::Starting), (2, State::Ready)])
        .collect();
    assert_eq!(told, expected);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_gone_bad_meanwhile_falls_back_to_the_last_good_copy() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    let world = world
        .restart(|directory| put(directory, "a.so", b"scribbled over\n"))
        .await;
    let row = world.until_ready("a", "1.0.0").await;
    assert!(row.last_error.unwrap().contains("text file"));
    world.call("a").await.unwrap();
    // The fallback itself survives a restart.
    let world = world.restart(|_| {}).await;
    world.until_ready("a", "1.0.0").await;
    // A library that is whole but will not start.
    let world = world
        .restart(|directory| put(directory, "a.so", &scripted("a", "2.0.0", "start=refuse:no-way")))
        .await;
    let row = world.until_ready("a", "1.0.0").await;
    assert!(row.last_error.unwrap().contains("no-way"));
    world.put("a.so", &scripted("a", "3.0.0", "fine"));
    world.until_ready("a", "3.0.0").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_private_copy_is_not_fallen_back_to() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    let row = world.until_ready("a", "1.0.0").await;
    let copy = world
        .dir
        .path()
        .join(format!("state/store/{}.so", row.sha256.unwrap()));
    let world = world
        .restart(|directory| {
            put(directory, "a.so", b"scribbled over\n");
            fs::remove_file(&copy).unwrap();
            fs::write(&copy, scripted("a", "1.0.0", "tampered")).unwrap();
        })
        .await;
    let row = world.until_error("a", "text file").await;
    assert_eq!(row.state, State::Refused);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_served_goes_on_while_the_directory_cannot_be_listed_from_the_start() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.put("gone.so", &scripted("gone", "1.0.0", ""));
    world.put("damaged.so", &scripted("damaged", "1.0.0", ""));
    let ready = |count| move |world: &World| world.connectors.ready().len() == count;
    world.until("three ready", || ready(3)(&world)).await;
    let sha256 = world.row("damaged").unwrap().sha256.unwrap();
    let copy = world.dir.path().join(format!("state/store/{sha256}.so"));
    let (here, away) = (world.path(""), world.dir.path().join("away"));
    let world = world
        .restart(|directory| {
            fs::remove_file(directory.join("gone.so")).unwrap();
            fs::remove_file(&copy).unwrap();
            fs::write(&copy, scripted("damaged", "1.0.0", "tampered")).unwrap();
            fs::rename(directory, &away).unwrap();
        })
        .await;
    let row = world.until_ready("a", "1.0.0").await;
    assert_eq!(row.generation, Some(Generation(2)));
    let told = row.last_error.unwrap();
    assert!(told.contains("cannot be listed"), "{told}");
    world
        .until("all that can be served", || {
            ready(2)(&world) && world.connectors.first_scan_done()
        })
        .await;
    world.call("a").await.unwrap();
    world.call("gone").await.unwrap();
    let row = world.row("damaged").unwrap();
    assert_eq!((row.state, row.generation), (State::Refused, None), "{row:?}");

    fs::rename(&away, &here).unwrap();
    world
        .until("the directory is back", || {
            world.row("a").unwrap().last_error.is_none() && ready(2)(&world)
        })
        .await;
    assert_eq!(world.connectors.ready(), [app("a"), app("damaged")]);
    assert_eq!(world.row("a").unwrap().generation, Some(Generation(2)));
    world.until("removal", || world.row("gone").is_none()).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_changed_while_the_directory_could_not_be_listed_counts_when_it_is_back() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    // The last content before the restart, not the one before it, though only that is proven.
    world.put("a.so", &scripted("a", "2.0.0", "longer"));
    world.until_ready("a", "2.0.0").await;
    let (here, away) = (world.path(""), world.dir.path().join("away"));
    let world = world
        .restart(|directory| fs::rename(directory, &away).unwrap())
        .await;
    world.until_ready("a", "2.0.0").await;
    put(&away, "a.so", &scripted("a", "3.0.0", "even longer"));
    put(&away, "b.so", &scripted("b", "1.0.0", ""));
    fs::rename(&away, &here).unwrap();
    world.until_ready("a", "3.0.0").await;
    world.until_ready("b", "1.0.0").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_knows_nothing_waits_for_the_directory() {
    let world = World::new().await;
    let (here, away) = (world.path(""), world.dir.path().join("away"));
    let world = world
        .restart(|directory| fs::rename(directory, &away).unwrap())
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(!world.connectors.first_scan_done());
    fs::rename(&away, &here).unwrap();
    world
        .until("the first scan", || world.connectors.first_scan_done())
        .await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_stays_bound_to_its_connector_across_restarts() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    let world = world
        .restart(|directory| put(directory, "a.so", &scripted("b", "1.0.0", "other")))
        .await;
    let row = world.until_ready("a", "1.0.0").await;
    assert!(row.last_error.unwrap().contains("wrong app_id"));
    fs::remove_file(world.path("a.so")).unwrap();
    world
        .until("removal", || world.connectors.list().is_empty())
        .await;
    world.put("a.so", &scripted("b", "1.0.0", "other"));
    world.until_ready("b", "1.0.0").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn old_copies_are_deleted() {
    let world = World::new().await;
    for patch in 0..6 {
        world.put(
            "a.so",
            &scripted("a", &format!("1.0.{patch}"), &"x".repeat(patch)),
        );
        world.until_ready("a", &format!("1.0.{patch}")).await;
    }
    let copies = || {
        fs::read_dir(world.dir.path().join("state/store"))
            .unwrap()
            .count()
    };
    world.until("two copies are left", || copies() == 2).await;
    world.stop().await;
}
