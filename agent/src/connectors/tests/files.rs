//! From a file to a connector, and back.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::world::{World, app, scripted};
use crate::call::CallError;
use crate::config::model::ConnectorSettings;
use crate::connectors::State;
use crate::domain::{Level, Sha256};

#[tokio::test(start_paused = true)]
async fn a_file_becomes_a_connector_and_its_deletion_ends_it() {
    let world = World::new().await;
    world
        .until("the first scan", || world.connectors.first_scan_done())
        .await;
    assert!(matches!(world.call("a").await, Err(CallError::NotFound(_))));
    world.put("a.so", &scripted("a", "1.0.0", ""));
    let row = world.until_ready("a", "1.0.0").await;
    assert_eq!(row.file.as_deref(), Some("a.so"));
    assert_eq!(row.capabilities, ["info"]);
    assert_eq!(world.connectors.ready(), [app("a")]);
    assert!(world.connectors.info(&app("A")).is_some());
    assert_eq!(
        world.call("a").await.unwrap().body,
        r#"{"version":"1.0.0","generation":1}"#
    );
    fs::remove_file(world.path("a.so")).unwrap();
    world.until("removal", || world.row("a").is_none()).await;
    assert!(matches!(world.call("a").await, Err(CallError::NotFound(_))));
    assert_eq!(world.fake.alive(), 0);
    let detail = world.connectors.show(&app("a")).unwrap();
    assert_eq!(detail.listing.state, State::Stopped);
    assert!(world.connectors.show(&app("never")).is_none());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_copy_is_served_once_it_is_whole() {
    let world = World::new().await;
    let bytes = scripted("a", "1.0.0", &"x".repeat(3000));
    let mut file = fs::File::create(world.path("a.so")).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o644)).unwrap();
    for (index, chunk) in bytes.chunks(500).enumerate() {
        file.write_all(chunk).unwrap();
        let pause = if index == 3 { 1500 } else { 100 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if index == 3 {
            let row = world.until_error("a", "incomplete").await;
            assert_eq!(row.state, State::Discovered);
        }
    }
    world.until_ready("a", "1.0.0").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn overwriting_swaps_generations_without_a_failed_call() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", "call=slow:50"));
    world.until_ready("a", "1.0.0").await;
    let mut last = 0;
    for version in 1..6 {
        let text = format!("1.0.{version}");
        world.overwrite(
            "a.so",
            &scripted("a", &text, &format!("call=slow:50 {}", "y".repeat(version))),
        );
        while world.row("a").unwrap().version.as_deref() != Some(text.as_str()) {
            let body = world
                .call("a")
                .await
                .expect("no call fails through a replacement")
                .body;
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let generation = body["generation"].as_u64().unwrap();
            assert!(generation >= last, "answers go backwards");
            last = generation;
        }
    }
    world.until("old hosts gone", || world.fake.alive() == 1).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_told_and_the_old_one_goes_on() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    let cases: [(&[u8], &str); 4] = [
        (b"just text\n", "text file"),
        (
            &scripted("a", "1.1.0", "inspect=no-entry-symbol"),
            "no-entry-symbol",
        ),
        (
            &scripted("a", "1.2.0", "start=refuse:old-abi-major"),
            "old-abi-major",
        ),
        (&scripted("other", "1.3.0", "zz"), "wrong app_id"),
    ];
    for (bytes, message) in cases {
        world.overwrite("a.so", bytes);
        let row = world.until_error("a", message).await;
        assert_eq!(
            (row.state, row.version.as_deref()),
            (State::Ready, Some("1.0.0")),
            "{message}"
        );
        world.call("a").await.unwrap();
    }
    let detail = world.connectors.show(&app("a")).unwrap();
    let refused = detail
        .transitions
        .iter()
        .filter(|step| step.state == State::Refused)
        .count();
    assert_eq!(refused, 4, "{:#?}", detail.transitions);
    world.put("a.so", &scripted("a", "2.0.0", "longer"));
    assert_eq!(world.until_ready("a", "2.0.0").await.last_error, None);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn files_that_are_no_connector_have_a_row_of_their_own() {
    let world = World::new().await;
    world.put("text.so", b"hello\n");
    world.put("later.tar.gz", b"x");
    world.put("notes.txt", b"x");
    world.put(".hidden.so", b"x");
    std::os::unix::fs::symlink("text.so", world.path("link.so")).unwrap();
    world
        .until("three rows", || {
            world
                .connectors
                .list()
                .iter()
                .filter(|row| row.state == State::Refused)
                .count()
                == 3
        })
        .await;
    let rows: Vec<String> = world
        .connectors
        .list()
        .iter()
        .map(|row| row.app_id.clone())
        .collect();
    assert_eq!(rows, ["later", "link", "text"]);
    assert!(
        world
            .row("later")
            .unwrap()
            .last_error
            .unwrap()
            .contains("not supported by this version")
    );
    assert!(world.connectors.first_scan_done());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn permissions_put_right_are_noticed() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    fs::set_permissions(world.path("a.so"), fs::Permissions::from_mode(0o666)).unwrap();
    world.until_error("a", "chmod go-w").await;
    fs::set_permissions(world.path("a.so"), fs::Permissions::from_mode(0o644)).unwrap();
    world.until_ready("a", "1.0.0").await;
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    world.put("b.so", &scripted("b", "1.0.0", ""));
    world.until_error("b", "directory").await;
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    world.until_ready("b", "1.0.0").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_higher_version_is_served_and_the_other_shadowed() {
    let world = World::new().await;
    world.put("old.so", &scripted("a", "1.9.0", ""));
    world.until_ready("a", "1.9.0").await;
    world.put("new.so", &scripted("a", "1.10.0", ""));
    world.until_ready("a", "1.10.0").await;
    let shadowed = |file: &str| {
        let list = world.connectors.list();
        list.iter()
            .any(|row| row.state == State::Shadowed && row.file.as_deref() == Some(file))
    };
    world
        .until("the old one is shadowed", || shadowed("old.so"))
        .await;
    fs::remove_file(world.path("new.so")).unwrap();
    world.until_ready("a", "1.9.0").await;
    world
        .until("no row but one", || world.connectors.list().len() == 1)
        .await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_cannot_be_listed_deletes_nothing() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    let (here, away) = (world.path(""), world.dir.path().join("away"));
    fs::rename(&here, &away).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.call("a").await.unwrap();
    fs::rename(&away, &here).unwrap();
    world.overwrite("a.so", &scripted("a", "2.0.0", "longer"));
    world.until_ready("a", "2.0.0").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_events_the_rescan_finds_everything() {
    let world = World::new().await;
    let config = world.config.borrow().as_ref().clone();
    world.stop().await;
    let world = World::over(world.dir, config, false).await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    fs::remove_file(world.path("a.so")).unwrap();
    world.until("removal", || world.row("a").is_none()).await;
    world.put("b.so", &scripted("b", "1.0.0", ""));
    world.connectors.rescan().await;
    assert!(world.row("b").is_some(), "a rescan has looked when it returns");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn switching_off_and_on_in_the_configuration() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", ""));
    world.until_ready("a", "1.0.0").await;
    let settings = |enabled| ConnectorSettings {
        enabled,
        ..ConnectorSettings::default()
    };
    world.reconfigure(|config| drop(config.connectors.settings.insert(app("a"), settings(false))));
    world
        .until("stopped", || world.row("a").unwrap().state == State::Stopped)
        .await;
    let error = world.call("a").await.unwrap_err();
    assert!(
        matches!(error, CallError::NotReady { state: "stopped", .. }),
        "{error:?}"
    );
    world.reconfigure(|config| drop(config.connectors.settings.insert(app("a"), settings(true))));
    world.until_ready("a", "1.0.0").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_pinned_content_is_loaded() {
    let world = World::configured(|config| config.connectors.require_pinned = true).await;
    let bytes = scripted("a", "1.0.0", "");
    world.put("a.so", &bytes);
    world.until_error("a", "require_pinned").await;
    assert_eq!(
        world.fake.inspected(),
        0,
        "unpinned content is not even looked at by the loader"
    );
    let pin = |content: &[u8]| ConnectorSettings {
        sha256: vec![Sha256::of(content)],
        ..ConnectorSettings::default()
    };
    world.reconfigure(|config| drop(config.connectors.settings.insert(app("a"), pin(&bytes))));
    world.until_ready("a", "1.0.0").await;
    world.reconfigure(|config| drop(config.connectors.settings.insert(app("a"), pin(b"other"))));
    world.until_error("a", "SHA-256").await;
    world
        .until("not served", || world.connectors.ready().is_empty())
        .await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn hosts_start_a_few_at_a_time() {
    let world = World::new().await;
    for index in 0..12 {
        world.put(
            &format!("c{index}.so"),
            &scripted(&format!("c{index}"), "1.0.0", ""),
        );
    }
    world
        .until("all ready", || world.connectors.ready().len() == 12)
        .await;
    assert!(
        (2..=4).contains(&world.fake.most_starting()),
        "{}",
        world.fake.most_starting()
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_in_flight_outlives_the_file() {
    let world = World::new().await;
    world.put("a.so", &scripted("a", "1.0.0", "call=slow:20000"));
    world.until_ready("a", "1.0.0").await;
    let call = world.spawn_call("a", Level::Write, Duration::from_secs(60));
    world.until("in flight", || world.in_flight("a") == 1).await;
    fs::remove_file(world.path("a.so")).unwrap();
    world
        .until("draining", || world.row("a").unwrap().state == State::Draining)
        .await;
    assert!(matches!(world.call("a").await, Err(CallError::NotFound(_))));
    call.await.unwrap().unwrap();
    world.until("removal", || world.row("a").is_none()).await;
    world.stop().await;
}
