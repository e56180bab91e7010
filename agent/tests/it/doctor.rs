//! `doctor`: with and without an agent, with a broken configuration, and with what is wrong put there on purpose.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::agent::Installation;
use crate::support::cc;
use crate::support::connectors::{drop_in, set_mode};
use crate::support::home::text;

/// The report, and whether the exit code fits its verdict.
fn report(installation: &Installation, arguments: &[&str]) -> Value {
    let all = ["doctor", "--output", "json"].iter().chain(arguments).copied();
    let output = installation.run(all);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    let wrong = ["failure", "warning"].contains(&report["verdict"].as_str().unwrap());
    assert_eq!(output.status.code(), Some(i32::from(wrong)), "{report:#}");
    report
}

/// The finding of that name; panics without.
fn finding<'r>(report: &'r Value, id: &str) -> &'r Value {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["id"] == id)
        .unwrap_or_else(|| panic!("no {id} in {report:#}"))
}

fn has(report: &Value, id: &str) -> bool {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().any(|finding| finding["id"] == id)
}

#[test]
fn an_agent_that_is_down_is_the_only_failure_of_a_fresh_installation() {
    let installation = Installation::new();
    let report = report(&installation, &[]);
    assert_eq!(report["counts"]["failure"], 1, "{report:#}");
    assert_eq!(report["findings"][0]["id"], "agent_down");
}

#[test]
fn a_running_agent_and_its_connectors_are_looked_at() {
    let installation = Installation::new();
    installation.configure("");
    let mut agent = installation.start();
    let connectors = agent.installation.connectors();
    drop_in(&cc::connector("ok", &[]), &connectors, "ok.so");
    std::fs::write(connectors.join("text.so"), "no library").unwrap();
    set_mode(&connectors.join("text.so"), 0o644);
    agent.wait_for("fixture", "ready");
    agent.wait_for("text.so", "refused");

    let first = report(&agent.installation, &[]);
    assert!(!has(&first, "agent_down"), "{first:#}");
    let refused = finding(&first, "connector_refused");
    assert_eq!(refused["severity"], "failure");
    assert!(refused["message"].as_str().unwrap().contains("text.so"));

    // The agent goes on with the last good configuration, and says so.
    agent.installation.configure("log.level = \"LOUD\"");
    let broken = agent.eventually("the agent to tell", |agent| {
        let report = report(&agent.installation, &[]);
        has(&report, "config_invalid").then_some(report)
    });
    let unusable = finding(&broken, "configuration_unusable");
    let message = unusable["message"].as_str().unwrap();
    assert!(
        message.contains("log.level") && message.contains("agent.toml:4:"),
        "{message}"
    );
}

#[test]
fn what_stands_in_the_way_is_found_without_an_agent() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let installation = Installation::new();
    installation.configure("");
    set_mode(&installation.file("tls/ca.key"), 0o644);
    std::fs::remove_file(installation.file("tokens.json")).unwrap();
    std::fs::write(installation.connectors().join("text.so"), "no library").unwrap();
    let output = installation
        .command(["doctor", "--output", "json", "--connect"])
        .env("LUMOS_AGENT__DISPATCH__LISTEN", format!("127.0.0.1:{port}"))
        .env("HTTPS_PROXY", "http://joe:canary-1@127.0.0.1:1")
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    assert!(!shown.contains("canary"), "{shown}");
    let report: Value = serde_json::from_str(&shown).unwrap();
    for id in [
        "agent_down",
        "port_taken",
        "permission_too_wide",
        "no_tokens",
        "connector_refused",
        "proxy_unreachable",
        "environment_overrides",
    ] {
        finding(&report, id);
    }
    if cfg!(target_os = "linux") {
        let who = format!("process {}", std::process::id());
        let message = finding(&report, "port_taken")["message"].as_str().unwrap();
        assert!(message.contains(&who), "{message}");
    }
}
