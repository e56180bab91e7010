//! A new agent takes the place of the old one under constant load: no connection is refused, no answer lost.

use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::traffic::{Target, Traffic};
use crate::support::agent::Installation;
use crate::support::booted::Booted;
use crate::support::connectors::drop_in;
use crate::support::home::AGENT;
use crate::support::raw;
use crate::support::scenario::{Scenario, build};

/// As systemd does it, without systemd: the test holds the listening socket.
#[test]
fn on_a_socket_that_somebody_holds_nothing_is_lost() {
    let installation = Installation::new();
    installation.configure("");
    let token = installation.token("test", &["*:*"]);
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://{}/connectors", socket.local_addr().unwrap());
    let ca = std::fs::read(installation.file("tls/ca.pem")).unwrap();

    let mut agent = installation.start_on(&socket);
    // The socket's address counts, and is shown.
    assert_eq!(agent.base_url, base_url);
    let status = agent.installation.json(["status", "--output", "json"]);
    assert_eq!(status["activated"], serde_json::json!(["dispatch"]));
    let row = agent.wait_for("scenario", "ready");
    assert!(!holds(&row["pid"], &socket), "a host has the listener");
    assert!(holds(&agent.pid().into(), &socket));
    let target = Target { base_url, token, ca };
    let traffic = Traffic::start(target, None);
    for _ in 0..3 {
        traffic.goes_on(60);
        let (code, installation) = agent.stop();
        assert_eq!(code, Some(0));
        agent = installation.start_on(&socket);
    }
    traffic.goes_on(60);
    assert_eq!(traffic.stop(), Vec::<String>::new(), "{}", agent.log());
}

/// Sends a request on a connection that is kept, and gives the head of its answer.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, token: &str) -> String {
    let request = format!(
        "POST /connectors/scenario/list_accounts HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    // The connector's answer is an object on one line, the last of what comes.
    while !read.ends_with(b"}") {
        let count = stream.read_buf(&mut read).await.unwrap();
        assert_ne!(count, 0, "no answer: {:?}", String::from_utf8_lossy(&read));
    }
    let text = String::from_utf8(read).unwrap().to_ascii_lowercase();
    assert!(text.starts_with("http/1.1 200 "), "{text}");
    text.split("\r\n\r\n").next().unwrap().to_owned()
}

/// Moments that load hits rarely: a connection that is quiet, and one that was accepted but has not said anything yet.
#[tokio::test]
async fn what_is_open_when_the_agent_is_told_to_stop_gets_a_last_answer() {
    let installation = Installation::new();
    installation.configure("");
    let token = installation.token("test", &["*:*"]);
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut agent = installation.start_on(&socket);
    agent.wait_for("scenario", "ready");

    let silent = tokio::net::TcpStream::connect(raw::host(&agent)).await.unwrap();
    // Accepted after the silent one, which so is accepted too.
    let mut kept = raw::connect(&agent, b"http/1.1").await;
    assert!(!ask(&mut kept, &token).await.contains("connection: close"));
    agent.signal(rustix::process::Signal::TERM);
    // Quiet for most of the time; each request is answered, until one is told that it was the last.
    while !ask(&mut kept, &token).await.contains("connection: close") {
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let mut silent = raw::shake_hands(&agent, b"http/1.1", silent).await;
    assert!(ask(&mut silent, &token).await.contains("connection: close"));
    assert_eq!(agent.ended().0, Some(0));
}

/// Whether a process has that socket open.
fn holds(pid: &Value, socket: &TcpListener) -> bool {
    let link = |path: &Path| std::fs::read_link(path).unwrap_or_default();
    let own = link(Path::new(&format!("/proc/self/fd/{}", socket.as_raw_fd())));
    let mut open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    open.any(|entry| link(&entry.path()) == own)
}

#[test]
fn a_restart_by_systemd_loses_nothing() {
    let Some(booted) = Booted::with_package() else {
        return;
    };
    let library = build(&Scenario::default());
    booted.put(&library, "/var/lib/lumos-agent/connectors/scenario.so", "755");
    let traffic = on_the_socket(&booted);
    let before = booted.agent_pid();
    booted.put(Path::new(AGENT), "/usr/bin/lumos-agent", "755");
    booted.ok(["systemctl", "restart", "lumos-agent"]);
    traffic.goes_on(60);
    assert_ne!(booted.agent_pid(), before);
    assert_eq!(traffic.stop(), Vec::<String>::new(), "{}", booted.journal());
}

/// Starts the agent with the socket that systemd holds, and calls that do not end.
fn on_the_socket(booted: &Booted) -> Traffic {
    booted.ok(["systemctl", "enable", "--quiet", "--now", "lumos-agent.socket"]);
    booted.ok(["lumos-agent", "service", "start"]);
    let create = ["token", "create", "--name", "test", "--scope", "*:*"];
    let made = booted.ok(std::iter::once("lumos-agent").chain(create));
    let made: Value = serde_json::from_str(&made).unwrap();
    let target = Target {
        base_url: "https://127.0.0.1:8443/connectors".into(),
        token: made["token"].as_str().unwrap().into(),
        ca: booted.ok(["cat", "/etc/lumos-agent/tls/ca.pem"]).into_bytes(),
    };
    let traffic = Traffic::start(target, Some(booted.network()));
    traffic.goes_on(60);
    traffic
}

/// Two versions of the package, an older one first: `cargo xtask package --check` makes them and names them here.
const PACKAGES: [&str; 2] = ["LUMOS_TEST_DEB_BEFORE", "LUMOS_TEST_DEB"];

/// dpkg and the package's own scripts, on a running system, with everything that they ask of systemd.
#[test]
fn an_upgrade_of_the_package_loses_nothing() {
    let [Some(before), Some(after)] = PACKAGES.map(std::env::var_os) else {
        return eprintln!("SKIPPED: no package is named by {PACKAGES:?}");
    };
    let Some(booted) = Booted::new() else {
        return;
    };
    booted.put(Path::new(&before), "/root/before.deb", "644");
    booted.put(Path::new(&after), "/root/after.deb", "644");
    // Images of containers keep packages from touching services with it; a machine has none.
    booted.ok(["rm", "-f", "/usr/sbin/policy-rc.d"]);
    booted.ok(["dpkg", "--install", "/root/before.deb"]);
    booted.ok(["lumos-agent", "init", "--host", "agent.example.com"]);
    let library = build(&Scenario::default());
    booted.put(&library, "/var/lib/lumos-agent/connectors/scenario.so", "755");
    let traffic = on_the_socket(&booted);
    let (agent, version) = (booted.agent_pid(), installed(&booted));
    booted.ok(["dpkg", "--install", "/root/after.deb"]);
    traffic.goes_on(60);
    assert_ne!(booted.agent_pid(), agent, "the agent was not restarted");
    assert_ne!(installed(&booted), version);
    assert_eq!(traffic.stop(), Vec::<String>::new(), "{}", booted.journal());

    booted.ok(["dpkg", "--purge", "lumos-agent"]);
    for unit in ["lumos-agent.service", "lumos-agent.socket"] {
        assert_eq!(booted.property(unit, "ActiveState"), "inactive", "{unit}");
    }
    let left = "ls -d /etc/lumos-agent /var/lib/lumos-agent /var/log/lumos-agent; getent passwd lumos-agent";
    let left = booted.run(["sh", "-c", left]);
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

fn installed(booted: &Booted) -> String {
    booted.ok(["dpkg-query", "--show", "--showformat=${Version}", "lumos-agent"])
}
