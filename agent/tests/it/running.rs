//! The daemon as a process, administered by its own commands.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cc;
use crate::support::home::{Home, text};
use crate::support::scenario::{self, Scenario};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running agent; killed when dropped.
struct Agent {
    home: Home,
    process: Child,
}

const CONFIGURATION: &str = "agent.state_dir = \"state\"\nconnectors.directory = \"connectors\"\nlog.directory = \"logs\"\n\
    dispatch.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n";

impl Agent {
    fn start() -> Self {
        let home = Home::new();
        home.configure(CONFIGURATION);
        let log = fs::File::create(home.path().join("log")).unwrap();
        let config = home.file("agent.toml");
        let process = home
            .command(&["run"])
            .env("LUMOS_AGENT_CONFIG", config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let agent = Agent { home, process };
        agent.until("the agent answers", || {
            agent.home.run(&["status"]).status.success()
        });
        agent
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A command that must succeed, and its JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.home.run(arguments);
        assert!(
            output.status.success(),
            "{}\n{}",
            self.home.transcript(&output),
            self.log()
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn admin(&self, path: &str) -> (u16, String) {
        let url = self.json(&["status"])["admin_url"].as_str().unwrap().to_owned();
        let address = url.strip_prefix("http://").unwrap().to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the agent does not end\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A call over HTTPS with a token; the exit code and what was printed.
    fn remote(&self, token: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let url = self.json(&["status"])["dispatch_url"]
            .as_str()
            .unwrap()
            .to_owned();
        let ca = self.home.file("tls/ca.pem");
        let output = self
            .home
            .command(&["call", "--url", &url, "--ca", ca.to_str().unwrap()])
            .args(arguments)
            .env("LUMOS_AGENT_TOKEN", token)
            .output()
            .unwrap();
        (output.status.code(), text(&output.stdout))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn connectors_are_installed_called_and_removed() {
    let agent = Agent::start();
    let library = cc::connector("ok", &[]);
    let installed = agent.json(&["connector", "install", library.to_str().unwrap()]);
    assert_eq!(installed["state"], "ready");
    assert_eq!(
        agent.json(&["call", "fixture", "echo", "--json", "{\"a\": 1}"]),
        json!({"a": 1})
    );

    let failed = agent.home.run(&["call", "fixture", "fail"]);
    assert_eq!(failed.status.code(), Some(1));
    let unknown = agent.home.run(&["call", "nobody", "info"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stdout).contains("not_found"));

    let shown = agent.json(&["connector", "show", "fixture"]);
    let states: Vec<_> = shown["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["state"].clone())
        .collect();
    assert!(states.contains(&json!("ready")), "{states:?}");

    let refused = agent.home.path().join("text.so");
    fs::write(&refused, "not a library").unwrap();
    let output = agent
        .home
        .run(&["connector", "install", refused.to_str().unwrap()]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        agent.home.transcript(&output)
    );

    assert!(
        agent
            .home
            .run(&["connector", "remove", "fixture"])
            .status
            .success()
    );
    assert_eq!(agent.json(&["connector", "list"]), json!([]));
    let again = agent.home.run(&["connector", "remove", "fixture"]);
    assert_eq!(again.status.code(), Some(1));
}

/// The file that gives way says so, which is no failure of the one that was installed.
#[test]
fn a_higher_version_takes_over_from_a_file_under_another_name() {
    let agent = Agent::start();
    let of = |version: &'static str| {
        scenario::build(&Scenario {
            version,
            ..Scenario::default()
        })
    };
    let by_hand = agent.home.file("connectors/by-hand.so");
    fs::copy(of("1.0.0"), &by_hand).unwrap();
    agent.until("the file is served", || {
        agent.json(&["connector", "list"])[0]["state"] == "ready"
    });
    let newer = of("2.0.0");
    let installed = agent.json(&["connector", "install", newer.to_str().unwrap()]);
    assert_eq!(
        (
            &installed["state"],
            &installed["version"],
            &installed["generation"]
        ),
        (&json!("ready"), &json!("2.0.0"), &json!(2))
    );
    let older = of("0.9.0");
    let output = agent.home.run(&["connector", "install", older.to_str().unwrap()]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        agent.home.transcript(&output)
    );
    assert!(text(&output.stderr).contains("`by-hand.so` offers the same connector"));
}

#[test]
fn tokens_count_at_once() {
    let agent = Agent::start();
    let library = cc::connector("ok", &[]);
    agent.json(&["connector", "install", library.to_str().unwrap()]);
    let made = agent.json(&["token", "create", "--name", "reader", "--scope", "fixture:read"]);
    let token = made["token"].as_str().unwrap();

    assert_eq!(agent.remote(token, &["fixture", "info"]).0, Some(0));
    // Custom capabilities count as writes.
    let (code, answer) = agent.remote(token, &["fixture", "echo"]);
    assert_eq!(code, Some(77), "{answer}");
    assert!(answer.contains("permission_denied"));

    assert!(agent.home.run(&["token", "revoke", "reader"]).status.success());
    let mut last = (None, String::new());
    agent.until("the token is refused", || {
        last = agent.remote(token, &["fixture", "info"]);
        last.0 == Some(77)
    });
    assert!(last.1.contains("unauthorized"), "{}", last.1);
}

#[test]
fn a_bad_configuration_is_told_and_the_last_good_one_stays() {
    let agent = Agent::start();
    assert_eq!(agent.admin("/healthz").0, 200);
    agent
        .home
        .configure(&format!("{CONFIGURATION}log.level = \"LOUD\"\n"));
    let conditions = || agent.json(&["status"])["conditions"].clone();
    agent.until("the error is told", || {
        conditions()[0]["name"] == "config_invalid"
    });
    let (status, body) = agent.admin("/readyz");
    assert_eq!(status, 200);
    assert!(
        body.contains("agent.toml:6:13") && body.contains("log.level"),
        "{body}"
    );

    agent
        .home
        .configure(&format!("{CONFIGURATION}log.level = \"DEBUG\"\n"));
    agent.signal(rustix::process::Signal::HUP);
    agent.until("the error is gone", || conditions() == json!([]));
}

#[test]
fn a_renewed_certificate_is_taken_up() {
    let agent = Agent::start();
    let before = agent.json(&["status"])["certificate"]["fingerprint_sha256"].clone();
    agent.json(&["cert", "renew"]);
    agent.until("the new certificate is in force", || {
        agent.json(&["status"])["certificate"]["fingerprint_sha256"] != before
    });
    let token = agent.json(&["token", "create", "--name", "x", "--scope", "*:*"])["token"].clone();
    let (code, answer) = agent.remote(token.as_str().unwrap(), &["nobody", "info"]);
    assert_eq!(code, Some(1), "{answer}");
}

#[test]
fn signals_end_it() {
    let mut agent = Agent::start();
    agent.signal(rustix::process::Signal::TERM);
    assert!(agent.ended().success(), "{}", agent.log());
    assert_eq!(agent.home.run(&["status"]).status.code(), Some(69));
}

#[test]
fn a_second_agent_of_the_same_state_is_refused() {
    let agent = Agent::start();
    let second = agent.home.run(&["run", "--log-level", "error"]);
    assert_eq!(second.status.code(), Some(1));
    insta::assert_snapshot!(agent.home.transcript(&second));
}

#[test]
fn a_connector_is_called_without_an_agent() {
    let home = Home::empty();
    let library = cc::connector("ok", &[]);
    let library = library.to_str().unwrap();
    let output = home
        .command(&["call", "--file", library, "echo", "--json", "[1]"])
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout).trim()),
        (Some(0), "[1]")
    );

    let gz = home.path().join("answer.json.gz");
    let result = [
        "call",
        "--file",
        library,
        "echo",
        "--result-file-path",
        gz.to_str().unwrap(),
    ];
    assert!(home.command(&result).output().unwrap().status.success());
    let mut answer = String::new();
    flate2::read::GzDecoder::new(fs::File::open(&gz).unwrap())
        .read_to_string(&mut answer)
        .unwrap();
    assert_eq!(answer, "{}");

    let report = home
        .command(&["connector", "validate", library])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["manifest"]["app_id"], "fixture");
}

#[cfg(target_os = "linux")]
#[test]
fn the_agent_writes_no_core_file_and_may_open_all_files_that_it_is_allowed() {
    let agent = Agent::start();
    let limits = fs::read_to_string(format!("/proc/{}/limits", agent.process.id())).unwrap();
    let of = |name: &str| -> Vec<String> {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    assert_eq!(of("Max core file size")[0], "0");
    let files = of("Max open files");
    assert_eq!(files[0], files[1], "the soft limit is the hard one");
}
