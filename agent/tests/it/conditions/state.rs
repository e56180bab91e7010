//! Damaged files of the state directory, and a client authority that is gone.

use std::fs;
use std::path::Path;

use super::{condition, ok, prepared, until_over, until_raised};
use crate::support::home::text;

/// The files that the agent keeps, but for the copies of libraries, which are checked by their digest.
const FILES: [&str; 4] = [
    "state/connectors.json",
    "state/token-use.json",
    "state/history/scenario.jsonl",
    "state/control.cookie",
];

fn damage(file: &Path, how: &str) {
    let before = fs::read(file).unwrap_or_default();
    let after = match how {
        "empty" => Vec::new(),
        "truncated" => before[..before.len() / 2].to_vec(),
        "garbage" => vec![0xff; before.len()],
        _ => b"{\"version\": 99, \"files\": {}}\n".to_vec(),
    };
    fs::write(file, after).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_state_is_put_aside_and_rebuilt_from_the_folder() {
    let (mut installation, token) = prepared("");
    for how in ["", "empty", "truncated", "garbage", "another version"] {
        if !how.is_empty() {
            for file in FILES {
                damage(&installation.file(file), how);
            }
            for copy in fs::read_dir(installation.file("state/store")).unwrap() {
                let copy = copy.unwrap().path();
                let bytes = fs::read(&copy).unwrap();
                fs::remove_file(&copy).unwrap();
                fs::write(&copy, &bytes[..bytes.len() / 2]).unwrap();
            }
        }
        let mut agent = installation.start();
        agent.wait_for("scenario", "ready");
        ok(&agent, &token).await;
        if how == "garbage" {
            let told = condition(&agent, "state_file_damaged").unwrap();
            assert!(told["message"].as_str().unwrap().contains(".damaged-"), "{told}");
        }
        if how == "another version" {
            assert!(
                agent
                    .log()
                    .contains("connectors.json was damaged: it is of version 99")
            );
        }
        let (code, stopped) = agent.stop();
        assert_eq!(code, Some(0));
        installation = stopped;
        // Written at the end, for the next damage.
        assert!(installation.file("state/token-use.json").exists());
    }
    let aside = |directory: &str| {
        let entries = fs::read_dir(installation.file(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".damaged-")).count()
    };
    assert_eq!(aside("state"), 8, "{}", aside("state"));
    assert_eq!(aside("state/history"), 2, "{}", aside("state/history"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_history_does_not_make_numbers_begin_anew() {
    let (installation, token) = prepared("");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    let (_, installation) = agent.stop();
    let mut agent = installation.start();
    let before = agent.wait_for("scenario", "ready")["generation"]
        .as_u64()
        .unwrap();
    let (_, installation) = agent.stop();
    fs::write(installation.file("state/history/scenario.jsonl"), "").unwrap();
    let mut agent = installation.start();
    let after = agent.wait_for("scenario", "ready")["generation"]
        .as_u64()
        .unwrap();
    assert!(after > before, "{after} after {before}");
    ok(&agent, &token).await;
}

#[test]
fn a_damaged_token_file_keeps_the_agent_from_starting() {
    let (installation, _) = prepared("");
    let file = installation.file("tokens.json");
    let whole = fs::read(&file).unwrap();
    for how in ["empty", "truncated", "garbage", "another version"] {
        fs::write(&file, &whole).unwrap();
        damage(&file, how);
        let damaged = fs::read(&file).unwrap();
        for command in [["run"], ["check-config"]] {
            let refused = installation.run(command);
            let told = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(64), "{how}: {told}");
            assert!(
                told.contains("agent.token_file") && told.contains("backup"),
                "{told}"
            );
        }
        let create = installation.run(["token", "create", "--name", "n", "--scope", "*:*"]);
        assert_eq!(create.status.code(), Some(1), "{how}");
        assert_eq!(fs::read(&file).unwrap(), damaged, "nothing is overwritten");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_authority_that_is_gone_stays_in_force() {
    let (installation, token) = prepared("[dispatch.tls]\nclient_ca = \"tls/client-ca.pem\"\n");
    installation.json(["cert", "client", "--name", "lumos.example.com"]);
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    let file = agent.installation.file("tls/client-ca.pem");
    let away = agent.installation.file("tls/away.pem");
    fs::rename(&file, &away).unwrap();
    agent.signal(rustix::process::Signal::HUP);
    until_raised(&mut agent, "client_ca_not_loaded");
    ok(&agent, &token).await;

    // The server's own certificate is renewed all the same.
    let before = agent.installation.json(["status", "--output", "json"])["certificate"].clone();
    agent.installation.json(["cert", "renew"]);
    agent.eventually("the new certificate", |agent| {
        let now = agent.installation.json(["status", "--output", "json"])["certificate"].clone();
        (now != before).then_some(())
    });
    assert!(condition(&agent, "client_ca_not_loaded").is_some());
    ok(&agent, &token).await;

    fs::rename(&away, &file).unwrap();
    until_over(&mut agent, "client_ca_not_loaded");
}
