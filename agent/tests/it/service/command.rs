//! `lumos-agent service`, for an agent that came without a package.

use std::path::Path;

use serde_json::Value;

use crate::support::booted::Booted;
use crate::support::home::{AGENT, Home, text};

const UNIT: &str = "/etc/systemd/system/lumos-agent.service";

#[test]
fn a_program_becomes_a_service_and_goes_again() {
    let Some(booted) = Booted::new() else { return };
    booted.put(Path::new(AGENT), "/usr/local/bin/lumos-agent", "755");
    let agent = |args: &[&str]| {
        let mut command = vec!["/usr/local/bin/lumos-agent"];
        command.extend(args);
        let output = booted.run(command);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, said) = agent(&["service", "start"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("not installed"), "{said}");
    let (code, _, said) = agent(&["service", "install"]);
    assert_eq!(code, Some(64), "without a configuration: {said}");

    booted.ok(["/usr/local/bin/lumos-agent", "init", "--dir", "/srv/lumos"]);
    let config = ["--config", "/srv/lumos/agent.toml"];
    let with = |args: &[&str]| agent(&[args, &config].concat());
    for _ in 0..2 {
        let (code, _, said) = with(&["service", "install"]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, _, said) = agent(&["service", "start"]);
    assert_eq!(code, Some(0), "{said}\n{}", booted.journal());
    let (code, shown, _) = agent(&["service", "status", "--output", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown["state"], "active", "{shown}");
    assert_eq!(shown["packaged"], false, "{shown}");
    assert_eq!(shown["starts_with_the_machine"], true, "{shown}");
    assert_eq!(shown["unit_file"], UNIT, "{shown}");
    let (code, status, _) = with(&["status", "--output", "json"]);
    assert_eq!(code, Some(0), "{status}");

    // What somebody has edited is left as it is.
    booted.ok(["sed", "-i", "s/^WatchdogSec=.*/WatchdogSec=5min/", UNIT]);
    for command in ["install", "uninstall"] {
        let (code, _, said) = with(&["service", command]);
        assert_eq!(code, Some(1));
        assert!(said.contains(UNIT) && said.contains("edited"), "{said}");
    }
    assert!(booted.ok(["cat", UNIT]).contains("WatchdogSec=5min"));
    booted.ok(["rm", UNIT]);
    assert_eq!(with(&["service", "install"]).0, Some(0));

    let (code, _, said) = agent(&["service", "stop"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(agent(&["service", "status"]).0, Some(69));
    let (code, _, said) = agent(&["service", "uninstall"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!booted.run(["test", "-e", UNIT]).status.success());
    booted.ok(["test", "-s", "/srv/lumos/tokens.json"]);
}

#[test]
fn a_packages_service_is_the_packages() {
    let Some(booted) = Booted::with_package() else {
        return;
    };
    for command in ["install", "uninstall"] {
        let output = booted.run(["lumos-agent", "service", command]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains("belongs to a package"),
            "{}",
            text(&output.stderr)
        );
    }
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "lumos-agent",
        "service",
        "stop",
    ];
    assert_eq!(booted.run(nobody).status.code(), Some(77));
}

#[test]
fn root_does_not_run_what_is_the_services() {
    let Some(booted) = Booted::with_package() else {
        return;
    };
    let refused = booted.run(["lumos-agent", "run"]);
    assert_eq!(refused.status.code(), Some(77));
    let told = text(&refused.stderr);
    assert!(told.contains("lumos-agent service start"), "{told}");
    booted.ok(["lumos-agent", "service", "start"]);
}

#[test]
fn without_systemd_it_says_so() {
    if Path::new("/run/systemd/system").exists() || !rustix::process::geteuid().is_root() {
        return;
    }
    let home = Home::new();
    let output = home.run(&["service", "install"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("systemd does not run on this machine"), "{said}");
}
