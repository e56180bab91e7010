//! The agent's log: where it goes, in which form, and at which level.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::{Value, json};

use super::{ok, prepared};
use crate::support::agent::Agent;
use crate::support::home::text;

fn level(agent: &Agent) -> Value {
    agent.installation.json(["status", "--output", "json"])["log"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_is_set_for_a_while_and_survives_a_reload_but_no_restart() {
    let (installation, token) = prepared("log.level = \"WARNING\"\n");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    let requests = |agent: &Agent| agent.log().matches(" request request_id=").count();
    ok(&agent, &token).await;
    assert_eq!(requests(&agent), 0);

    let set = agent.installation.run(["log", "set", "debug", "--for", "20s"]);
    assert!(set.status.success(), "{}", text(&set.stderr));
    assert!(text(&set.stderr).contains("the agent's log has the level DEBUG until "));
    ok(&agent, &token).await;
    agent.eventually("a request's line", |agent| (requests(agent) == 1).then_some(()));

    agent.installation.configure("log.level = \"ERROR\"\n");
    agent.signal(rustix::process::Signal::HUP);
    agent.eventually("the reload", |agent| {
        agent.log().contains("asked to read").then_some(())
    });
    assert_eq!(level(&agent)["level"], "DEBUG");
    let table = text(&agent.installation.run(["status", "--output", "table"]).stdout);
    assert!(table.contains("DEBUG of the agent until "), "{table}");
    agent.eventually("the end of the level", |agent| {
        (level(agent)["level"] == "ERROR").then_some(())
    });

    let own = ["log", "set", "debug", "--connector", "scenario"];
    assert!(agent.installation.run(own).status.success());
    assert_eq!(level(&agent)["overrides"][0]["connector"], "scenario");
    let said = json!({"request": {"said": "two\nlines\u{1b}[31m"}});
    agent
        .call(&token, "scenario", "validate_credentials", &said)
        .await;
    let today = jiff::Zoned::now().date();
    let file = agent.installation.file(&format!("logs/scenario_{today}.log"));
    let lines = agent.eventually("debug lines", |_| {
        let text = fs::read_to_string(&file).ok()?;
        text.contains(" DEBUG ").then_some(text)
    });
    assert!(!lines.contains('\u{1b}'), "{lines}");

    for wrong in [
        ["log", "set", "debug", "--connector", "nobody"],
        ["log", "set", "debug", "--for", "soon"],
    ] {
        assert!(!agent.installation.run(wrong).status.success(), "{wrong:?}");
    }
    let mut agent = agent.kill().start();
    agent.wait_for("scenario", "ready");
    assert_eq!(level(&agent)["overrides"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_has_what_standard_error_has() {
    let (installation, token) = prepared("log.format = \"json\"\n");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    for _ in 0..20 {
        ok(&agent, &token).await;
    }
    let (_, installation) = agent.stop();
    let today = jiff::Zoned::now().date();
    let filed = fs::read_to_string(installation.file(&format!("logs/lumos-agent.{today}.log"))).unwrap();
    let shown = fs::read_to_string(installation.file("stderr.log")).unwrap();
    assert_eq!(filed, shown);
    for line in filed.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(
            event["timestamp"].is_string() && event["level"].is_string(),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_files_all_goes_to_standard_error() {
    let (installation, token) = prepared("log.files = false\nlog.connector_level = \"DEBUG\"\n");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    let said = json!({"request": {"said": "to standard error"}});
    agent
        .call(&token, "scenario", "validate_credentials", &said)
        .await;
    agent.eventually("the connector's line", |agent| {
        agent.log().contains("connector: ").then_some(())
    });
    let (_, installation) = agent.stop();
    assert!(
        !installation.file("logs").exists()
            || fs::read_dir(installation.file("logs")).unwrap().next().is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_gets_levels_and_no_second_time() {
    let (installation, token) = prepared("");
    fs::write(installation.file("stderr.log"), "").unwrap();
    let found = fs::metadata(installation.file("stderr.log")).unwrap();
    let stream = format!("{}:{}", found.dev(), found.ino());
    let mut agent = installation.start_with(&[("JOURNAL_STREAM", &stream)]);
    agent.wait_for("scenario", "ready");
    ok(&agent, &token).await;
    let (_, installation) = agent.stop();
    let log = fs::read_to_string(installation.file("stderr.log")).unwrap();
    for line in log.lines() {
        assert!(
            line.starts_with("<6>INFO ") || line.starts_with("<4>WARN "),
            "{line}"
        );
    }
    assert!(log.contains("<6>INFO request request_id="), "{log}");
}
