//! A file comes, changes and goes: what is served, what is refused, and what is said about it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation};
use crate::support::connectors::{drop_in, set_mode};
use crate::support::scenario::{Scenario, build};

async fn build_id(agent: &Agent, token: &str) -> Value {
    agent
        .call(token, "scenario", "list_accounts", &json!({"request": {}}))
        .await
        .1["build"]
        .clone()
}

fn agent() -> (Agent, String) {
    let installation = Installation::new();
    let token = installation.token("test", &["*:*"]);
    (installation.start(), token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_file_is_served_and_a_deleted_one_is_not() {
    let (mut agent, token) = agent();
    let (status, answer) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (404, &json!("not_found"))
    );

    drop_in(
        &build(&Scenario::default()),
        &agent.installation.connectors(),
        "scenario.so",
    );
    agent.wait_for("scenario", "ready");
    assert_eq!(build_id(&agent, &token).await, "a");

    fs::remove_file(agent.installation.connectors().join("scenario.so")).unwrap();
    agent.eventually("the connector to go", |agent| {
        agent.row("scenario").is_none().then_some(())
    });
    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_end_after_the_file_is_deleted() {
    let (mut agent, token) = agent();
    drop_in(
        &build(&Scenario::default()),
        &agent.installation.connectors(),
        "scenario.so",
    );
    agent.wait_for("scenario", "ready");
    let slow = {
        let (client, url, token) = (agent.client(), agent.base_url.clone(), token.clone());
        tokio::spawn(async move {
            let request = client
                .post(format!("{url}/scenario/get_last_activity"))
                .bearer_auth(token);
            request
                .json(&json!({"request": {"ms": 2500}}))
                .send()
                .await
                .unwrap()
                .status()
                .as_u16()
        })
    };
    agent.eventually("the call to begin", |agent| {
        agent
            .row("scenario")
            .filter(|row| row["in_flight"] == 1)
            .map(|_| ())
    });
    fs::remove_file(agent.installation.connectors().join("scenario.so")).unwrap();
    let (mut gone, mut waited) = (0, 0);
    while gone != 404 && waited < 200 {
        gone = agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0;
        waited += 1;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(gone, 404);
    assert_eq!(slow.await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_copy_is_served_once_it_is_whole() {
    let (mut agent, token) = agent();
    let library = fs::read(build(&Scenario::default())).unwrap();
    let path = agent.installation.connectors().join("scenario.so");
    let mut file = fs::File::create(&path).unwrap();
    for part in library.chunks(2048) {
        file.write_all(part).unwrap();
        file.flush().unwrap();
        tokio::time::sleep(Duration::from_millis(80)).await;
        if let Some(row) = agent.row("scenario.so").or_else(|| agent.row("scenario")) {
            assert_ne!(row["state"], "ready", "served before the last byte");
        }
    }
    drop(file);
    agent.wait_for("scenario", "ready");
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn overwriting_a_loaded_file_swaps_without_a_failed_call() {
    let (mut agent, token) = agent();
    let path = agent.installation.connectors().join("scenario.so");
    fs::copy(build(&Scenario::default()), &path).unwrap();
    set_mode(&path, 0o644);
    agent.wait_for("scenario", "ready");

    let next = build(&Scenario {
        build: "b",
        ..Scenario::default()
    });
    // In place: the same inode, truncated and written anew, as `cp` does.
    fs::copy(next, &path).unwrap();
    let begun = std::time::Instant::now();
    loop {
        let (status, answer) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        if answer["build"] == "b" {
            break;
        }
        assert!(
            begun.elapsed() < crate::support::agent::PATIENCE,
            "the new build never served: {}",
            agent.log()
        );
    }
    let detail = agent
        .installation
        .json(["connector", "show", "scenario", "--output", "json"]);
    let generations: Vec<_> = detail["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["generation"])
        .collect();
    assert!(
        generations.contains(&&json!(1)) && generations.contains(&&json!(2)),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rescan_finds_what_no_event_told() {
    let installation = Installation::new();
    let token = installation.token("test", &["*:*"]);
    let mut agent = installation.start_with(&[("LUMOS_AGENT__CONNECTORS__RESCAN_INTERVAL", "1s")]);
    // The kernel watches the inode: a directory put in the old one's place is silent.
    let directory = agent.installation.connectors();
    fs::rename(&directory, agent.installation.file("elsewhere")).unwrap();
    fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o755);
    drop_in(&build(&Scenario::default()), &directory, "scenario.so");
    agent.wait_for("scenario", "ready");
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_serves_the_same_and_remembers() {
    let (mut agent, token) = agent();
    drop_in(
        &build(&Scenario::default()),
        &agent.installation.connectors(),
        "scenario.so",
    );
    let before = agent.wait_for("scenario", "ready");
    let (code, installation) = agent.stop();
    assert_eq!(code, Some(0));

    let mut agent = installation.start();
    let after = agent.wait_for("scenario", "ready");
    assert_eq!(after["sha256"], before["sha256"]);
    assert!(
        after["generation"].as_u64() > before["generation"].as_u64(),
        "{after}"
    );
    assert_eq!(build_id(&agent, &token).await, "a");
    let detail = agent
        .installation
        .json(["connector", "show", "scenario", "--output", "json"]);
    let reasons = detail["transitions"].as_array().unwrap();
    assert!(
        reasons.iter().any(|t| t["generation"] == before["generation"]),
        "{detail}"
    );
    assert!(
        reasons.iter().all(|t| !t["reason"].as_str().unwrap().is_empty()),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_bad_file_serves_the_last_good_one() {
    let (mut agent, token) = agent();
    let path = agent.installation.connectors().join("scenario.so");
    drop_in(
        &build(&Scenario::default()),
        &agent.installation.connectors(),
        "scenario.so",
    );
    agent.wait_for("scenario", "ready");
    let installation = agent.kill();
    fs::write(&path, "not a library at all, whatever its name says").unwrap();

    let mut agent = installation.start();
    let row = agent.eventually("the last good one with its error", |agent| {
        agent
            .row("scenario")
            .filter(|row| row["state"] == "ready" && !row["last_error"].is_null())
    });
    assert!(row["last_error"].as_str().unwrap().contains("text file"), "{row}");
    assert_eq!(build_id(&agent, &token).await, "a");
}

/// Puts a bad file over a served one and into a place of its own; expects the same refusal in the list, in
/// `GET /connectors` and in the log, and that the old one goes on.
async fn refused(make: impl Fn(&Path), expected: &str) {
    let (mut agent, token) = agent();
    let directory = agent.installation.connectors();
    drop_in(&build(&Scenario::default()), &directory, "scenario.so");
    agent.wait_for("scenario", "ready");

    make(&directory.join("stray.so"));
    let served = directory.join("scenario.so");
    fs::remove_file(&served).unwrap();
    make(&served);

    let stray = agent.eventually("the stray file to be refused", |agent| {
        agent.row("stray.so").filter(|row| row["state"] == "refused")
    });
    let row = agent.eventually("the error of the replaced file", |agent| {
        agent.row("scenario").filter(|row| !row["last_error"].is_null())
    });
    for row in [&stray, &row] {
        let error = row["last_error"].as_str().unwrap();
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
    assert_eq!(row["state"], "ready", "{row}");
    assert_eq!(build_id(&agent, &token).await, "a");

    let url = &agent.base_url;
    let listed: Value = agent
        .client()
        .get(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(listed.to_string().contains(expected), "{listed}");
    assert!(agent.log().contains(expected), "{}", agent.log());
    insta::assert_snapshot!(
        format!("refused {expected}").replace(' ', "_"),
        stray["last_error"].as_str().unwrap().replace(
            agent.installation.path().to_str().unwrap().trim_end_matches('/'),
            "DIR"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symlink_is_refused() {
    let target = build(&Scenario {
        app_id: "other",
        ..Scenario::default()
    });
    refused(|path| symlink(&target, path).unwrap(), "symbolic link").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_writable_file_is_refused() {
    let library = build(&Scenario {
        app_id: "other",
        ..Scenario::default()
    });
    let make = |path: &Path| {
        fs::copy(&library, path).unwrap();
        set_mode(path, 0o666);
    };
    refused(make, "others than its owner may write").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_file_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let library = build(&Scenario {
        app_id: "other",
        ..Scenario::default()
    });
    let make = |path: &Path| {
        fs::copy(&library, path).unwrap();
        set_mode(path, 0o644);
        std::os::unix::fs::chown(path, Some(12345), None).unwrap();
    };
    refused(make, "12345").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_file_is_refused() {
    refused(
        |path| fs::write(path, "#!/bin/sh\necho this is no library\n".repeat(50)).unwrap(),
        "text file",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_without_the_symbol_is_refused() {
    let library = crate::support::cc::connector("no_symbol", &[]);
    let make = |path: &Path| {
        fs::copy(&library, path).unwrap();
    };
    refused(make, "lumos_connector_entry_v1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_abi_is_refused() {
    let library = build(&Scenario {
        abi_major: 9,
        ..Scenario::default()
    });
    let make = |path: &Path| {
        fs::copy(&library, path).unwrap();
    };
    refused(make, "ABI").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_for_another_cpu_is_refused() {
    let mut library = fs::read(build(&Scenario::default())).unwrap();
    // e_machine (offset 18): 183 is AArch64, 62 x86-64.
    let other: u16 = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    library[18..20].copy_from_slice(&other.to_le_bytes());
    refused(|path| fs::write(path, &library).unwrap(), "is built for").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_app_id_is_refused() {
    let (mut agent, token) = agent();
    let directory = agent.installation.connectors();
    drop_in(&build(&Scenario::default()), &directory, "scenario.so");
    agent.wait_for("scenario", "ready");
    let liar = build(&Scenario {
        info_app_id: Some("somebody-else"),
        ..Scenario::default()
    });
    drop_in(&liar, &directory, "scenario.so");
    let row = agent.eventually("the error", |agent| {
        agent.row("scenario").filter(|row| !row["last_error"].is_null())
    });
    assert!(
        row["last_error"].as_str().unwrap().contains("somebody-else"),
        "{row}"
    );
    assert_eq!(row["state"], "ready", "{row}");
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_becomes_another_connector_is_refused() {
    let (mut agent, token) = agent();
    let directory = agent.installation.connectors();
    drop_in(&build(&Scenario::default()), &directory, "scenario.so");
    agent.wait_for("scenario", "ready");
    drop_in(
        &build(&Scenario {
            app_id: "other",
            ..Scenario::default()
        }),
        &directory,
        "scenario.so",
    );
    let row = agent.eventually("the error", |agent| {
        agent.row("scenario").filter(|row| !row["last_error"].is_null())
    });
    assert!(row["last_error"].as_str().unwrap().contains("other"), "{row}");
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_gone_at_the_start_takes_nothing_out_of_service() {
    let (mut agent, token) = agent();
    let (here, away) = (
        agent.installation.connectors(),
        agent.installation.file("elsewhere"),
    );
    drop_in(&build(&Scenario::default()), &here, "scenario.so");
    agent.wait_for("scenario", "ready");
    let (_, installation) = agent.stop();
    fs::rename(&here, &away).unwrap();
    assert_eq!(installation.run(["check-config"]).status.code(), Some(64));

    let mut agent = installation.start();
    let row = agent.wait_for("scenario", "ready");
    let told = row["last_error"].as_str().unwrap();
    assert!(told.contains("cannot be listed"), "{told}");
    assert_eq!(build_id(&agent, &token).await, "a");

    // Nor does it hold up other changes of the configuration.
    let fewer = "connectors.settings.scenario.max_in_flight = 2";
    agent.installation.configure(fewer);
    agent.signal(rustix::process::Signal::HUP);
    let row = agent.eventually("the change to be in force", |agent| {
        agent
            .row("scenario")
            .filter(|now| now["generation"].as_u64() > row["generation"].as_u64())
    });
    assert_eq!(build_id(&agent, &token).await, "a");

    fs::rename(&away, &here).unwrap();
    let back = agent.eventually("the directory to be listed", |agent| {
        agent.row("scenario").filter(|row| row["last_error"].is_null())
    });
    assert_eq!(
        (&back["state"], &back["generation"]),
        (&json!("ready"), &row["generation"])
    );
    fs::remove_file(here.join("scenario.so")).unwrap();
    agent.eventually("the connector to go", |agent| {
        agent.row("scenario").is_none().then_some(())
    });
}
