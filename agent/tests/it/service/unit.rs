//! The unit as packages install it, under a real systemd: everything that it forbids is in force here, and the agent, its
//! connectors and its administrator do their work.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::booted::{Booted, packaging};
use crate::support::connectors::mockapp;
use crate::support::home::{AGENT, text};

const CONNECTOR: &str = "/var/lib/lumos-agent/connectors/mockapp.so";
/// Of `systemd-analyze security`, in tenths.
const EXPOSURE: &str = "15";

#[expect(
    clippy::print_stderr,
    reason = "who reads a test's output should know what was not tested"
)]
fn analyze(args: &[&str]) -> Option<String> {
    let mut command = Command::new("systemd-analyze");
    let output = match command.args(args).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: no systemd-analyze here: {error}");
            return None;
        }
    };
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    Some(said)
}

/// The units, with a program that is there.
fn copies() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["lumos-agent.service", "lumos-agent.socket"] {
        let unit = std::fs::read_to_string(packaging().join(name)).unwrap();
        let unit = unit.replace("/usr/bin/lumos-agent", AGENT);
        std::fs::write(directory.path().join(name), unit).unwrap();
    }
    directory
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    let units = copies();
    let path = |name: &str| units.path().join(name).display().to_string();
    let (service, socket) = (path("lumos-agent.service"), path("lumos-agent.socket"));
    let said = analyze(&["verify", "--man=no", "--recursive-errors=no", &service, &socket]);
    assert!(said.is_none_or(|said| said.trim().is_empty()));
}

#[test]
fn the_exposure_is_low() {
    let unit = packaging().join("lumos-agent.service").display().to_string();
    let threshold = format!("--threshold={EXPOSURE}");
    analyze(&["security", "--offline=true", &threshold, &unit]);
}

/// What `connector show` says once it is ready.
fn ready(booted: &Booted) -> Value {
    booted.eventually("the connector", |booted| {
        let shown = booted.run(["lumos-agent", "connector", "show", "mockapp"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).ok()?;
        (shown["state"] == "ready").then_some(shown)
    })
}

#[test]
fn a_connector_is_dropped_in_confined_and_called() {
    let Some(booted) = Booted::with_package() else {
        return;
    };
    booted.ok(["lumos-agent", "service", "start"]);
    assert_eq!(booted.property("lumos-agent", "ActiveState"), "active");
    booted.put(&mockapp(), CONNECTOR, "755");
    let shown = ready(&booted);
    // Its own walls stand within those of the service, whole.
    assert_eq!(shown["sandbox"]["level"], "full", "{shown}");
    assert_eq!(shown["sandbox"]["seccomp"], true, "{shown}");
    // The agent sees what its hosts use: nothing of the unit hides them from it.
    assert!(
        shown["host"]["resident_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0),
        "{shown}"
    );
    let answer = booted.ok(["lumos-agent", "call", "mockapp", "info"]);
    assert!(answer.contains("\"app_id\":\"mockapp\""), "{answer}");

    let host = booted.outer(&shown["pid"].to_string());
    for pid in [booted.agent_pid(), host] {
        restricted(pid);
    }
    environment_is_bare(host);
    files_are_closed(&booted);
    secrets_stay_readable(&booted);
}

/// What the kernel says of a process in the service.
fn restricted(pid: i32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim_start_matches(':').trim().to_owned()
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(
            u64::from_str_radix(&field(set), 16).unwrap(),
            0,
            "{set}\n{status}"
        );
    }
    assert_eq!(field("NoNewPrivs"), "1");
    assert_eq!(field("Seccomp"), "2");
    assert!(!field("Uid").split_whitespace().any(|uid| uid == "0"), "{status}");
}

/// systemd tells the agent much by variables; a connector gets none of it.
fn environment_is_bare(host: i32) {
    let environment = std::fs::read(format!("/proc/{host}/environ")).unwrap();
    let environment = text(&environment);
    for name in [
        "NOTIFY_SOCKET",
        "WATCHDOG_",
        "LISTEN_",
        "CREDENTIALS_DIRECTORY",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SYSTEMD_EXEC_PID",
        "MAINPID",
        "HOME=",
        "PATH=",
    ] {
        assert!(!environment.contains(name), "{name}: {environment:?}");
    }
}

/// Tries from within the agent's own mounts, as its user.
fn files_are_closed(booted: &Booted) {
    let main = booted.property("lumos-agent", "MainPID");
    let inside = |script: &str| {
        let enter = ["nsenter", "--target", &main, "--mount"];
        let user = [
            "setpriv",
            "--reuid=lumos-agent",
            "--regid=lumos-agent",
            "--clear-groups",
        ];
        let command = enter.into_iter().chain(user).chain(["sh", "-c", script]);
        booted.run(command).status.success()
    };
    assert!(
        inside("touch /var/lib/lumos-agent/x && rm /var/lib/lumos-agent/x"),
        "its state is its own"
    );
    assert!(
        inside("touch /var/log/lumos-agent/x && rm /var/log/lumos-agent/x"),
        "its logs are its own"
    );
    assert!(
        inside("cat /etc/lumos-agent/tls/server.key /etc/lumos-agent/tokens.json"),
        "its secrets are read"
    );
    for forbidden in [
        "touch /etc/lumos-agent/x",
        "touch /var/lib/lumos-agent/connectors/x",
        "rm -f /var/lib/lumos-agent/connectors/mockapp.so",
        "mv /var/lib/lumos-agent/connectors /var/lib/lumos-agent/y",
        "cat /etc/lumos-agent/tls/ca.key",
        "echo x >> /etc/lumos-agent/agent.toml",
        "echo x >> /etc/lumos-agent/tokens.json",
        "ls /root",
        "touch /usr/x",
        "echo 1 > /proc/sys/kernel/core_pattern",
    ] {
        assert!(!inside(forbidden), "{forbidden}");
    }
    // Not for want of permissions alone: the same as root, who would have them.
    for read_only in [
        "/etc",
        "/usr",
        "/var/lib",
        "/var/lib/lumos-agent/connectors",
        "/sys/fs/cgroup",
    ] {
        let script = format!("mkdir {read_only}/x 2>&1 | grep 'Read-only file system'");
        booted.ok(["nsenter", "--target", &main, "--mount", "sh", "-c", &script]);
    }
    // The part of the tree of cgroups that is delegated, and no other.
    let own = format!("/sys/fs/cgroup{}", booted.property("lumos-agent", "ControlGroup"));
    assert!(
        inside(&format!("mkdir {own}/x && rmdir {own}/x")),
        "hosts get cgroups below {own}"
    );
    assert!(!inside("mkdir /sys/fs/cgroup/x"));
}

/// Root's commands write so that the service can read.
fn secrets_stay_readable(booted: &Booted) {
    let status = || -> Value {
        let status = booted.ok(["lumos-agent", "status", "--output", "json"]);
        serde_json::from_str(&status).unwrap()
    };
    let old = status()["certificate"]["fingerprint_sha256"].clone();
    booted.ok(["lumos-agent", "cert", "renew"]);
    booted.ok(["lumos-agent", "token", "create", "--name", "x", "--scope", "*:*"]);
    let status = booted.eventually("the renewed certificate", |_| {
        let status = status();
        (status["certificate"]["fingerprint_sha256"] != old).then_some(status)
    });
    assert_eq!(status["token_error"], Value::Null, "{status}");
    assert_eq!(status["config_error"], Value::Null, "{status}");
}

#[test]
fn a_reload_tells_whether_it_is_in_force_and_a_bad_start_is_not_repeated() {
    let Some(booted) = Booted::with_package() else {
        return;
    };
    booted.ok(["lumos-agent", "service", "start"]);
    booted.ok(["systemctl", "reload", "lumos-agent"]);
    booted.ok(["sh", "-c", "echo 'nonsense = 1' >> /etc/lumos-agent/agent.toml"]);
    let refused = booted.run(["systemctl", "reload", "lumos-agent"]);
    assert!(!refused.status.success());
    booted.eventually("the status", |booted| {
        let status = booted.property("lumos-agent", "StatusText");
        (status.contains("unknown key `nonsense`")
            && booted.property("lumos-agent", "ActiveState") == "active")
            .then_some(())
    });
    let refused = booted.run(["systemctl", "restart", "lumos-agent"]);
    assert!(!refused.status.success());
    booted.eventually("the end", |booted| {
        (booted.property("lumos-agent", "ActiveState") == "failed").then_some(())
    });
    assert_eq!(booted.property("lumos-agent", "ExecMainStatus"), "64");
    assert_eq!(booted.property("lumos-agent", "NRestarts"), "0");
}

#[test]
fn an_agent_that_hangs_is_started_anew() {
    let Some(booted) = Booted::with_package() else {
        return;
    };
    let short = b"[Service]\nWatchdogSec=2\nRestartSec=100ms\nTimeoutAbortSec=2\n";
    booted.write(
        short,
        "/etc/systemd/system/lumos-agent.service.d/short.conf",
        "644",
    );
    booted.ok(["systemctl", "daemon-reload"]);
    booted.ok(["lumos-agent", "service", "start"]);
    let old = booted.agent_pid();
    let stopped = rustix::process::Pid::from_raw(old).unwrap();
    rustix::process::kill_process(stopped, rustix::process::Signal::STOP).unwrap();
    booted.eventually("a fresh agent", |booted| {
        (booted.property("lumos-agent", "NRestarts") == "1"
            && booted.property("lumos-agent", "ActiveState") == "active")
            .then_some(())
    });
    assert_ne!(booted.agent_pid(), old);
    assert!(booted.journal().contains("watchdog"), "{}", booted.journal());
}

#[test]
fn credentials_of_systemd_are_used_and_their_originals_are_roots() {
    let Some(booted) = Booted::with_package() else {
        return;
    };
    booted.ok([
        "mv",
        "/etc/lumos-agent/tls/server.key",
        "/etc/lumos-agent/credentials/key",
    ]);
    booted.ok([
        "sh",
        "-c",
        "chown root: /etc/lumos-agent/credentials/key; chmod 600 /etc/lumos-agent/credentials/key",
    ]);
    let named = "s|^# private_key = .*|private_key = \"credential:lumos_key\"|";
    booted.ok(["sed", "-i", named, "/etc/lumos-agent/agent.toml"]);
    booted.ok(["lumos-agent", "service", "start"]);
    let status = booted.ok(["lumos-agent", "status", "--output", "json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert!(
        status["certificate"]["fingerprint_sha256"].is_string(),
        "{status}"
    );
    // While it runs, root can check the configuration with the credential in its place.
    booted.ok(["lumos-agent", "check-config"]);
    booted.ok(["lumos-agent", "service", "stop"]);
    let checked = booted.run(["lumos-agent", "check-config"]);
    assert_eq!(checked.status.code(), Some(64));
    assert!(text(&checked.stderr).contains("/run/credentials/lumos-agent.service/lumos_key"));
    assert!(
        !Path::new("/run/credentials/lumos-agent.service").exists(),
        "nothing of it is this machine's"
    );
}
