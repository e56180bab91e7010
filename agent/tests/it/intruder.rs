//! A connector that tries to get at everything that is not its own, in a real agent: see `fixtures/intruder.c`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation};
use crate::support::cc;
use crate::support::connectors::drop_in;
use crate::support::scenario::{Scenario, build};

const CANARY: &str = "canary-in-a-siblings-environment";

/// Those that must fail, each with a refusal and not by accident: EFAULT, say, would mean that it was let in.
const ATTACKS: &[&str] = &[
    "read the TLS key",
    "read the CA key",
    "read the token file",
    "read the configuration",
    "read the agent's log",
    "write the token file",
    "plant a file in the state",
    "read the control cookie",
    "ask the control socket",
    "drop a connector",
    "move a connector in",
    "open the directory to everybody",
    "truncate a connector",
    "delete a connector",
    "process_vm_readv of a sibling",
    "a sibling's /proc/PID/mem",
    "a sibling's environment",
    "a sibling's command line",
    "ptrace of a sibling",
    "kill a sibling",
    "limit the agent",
    "pin the agent",
    "renice the agent",
    "kill the agent",
    "kill everybody",
];

/// An agent with the intruder and a well-behaved connector beside it.
fn agent_with_an_intruder() -> (Agent, String) {
    let installation = Installation::new();
    installation.configure(&format!(
        "connectors.settings.scenario.environment = {{ SCENARIO_SECRET = \"{CANARY}\" }}\n"
    ));
    let token = installation.token("test", &["*:*"]);
    drop_in(
        &cc::connector("intruder", &[]),
        &installation.connectors(),
        "intruder.so",
    );
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let mut agent = installation.start();
    agent.wait_for("intruder", "ready");
    agent.wait_for("scenario", "ready");
    (agent, token)
}

/// The processes that any thread of `pid` has started.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// An address at which `pid` has readable memory, where this process may know it.
fn some_address(pid: u32) -> Option<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    Some(maps.split('-').next()?.to_owned()).filter(|address| !address.is_empty())
}

/// The request that says where to aim. Every path in it exists and can be read by this process, so by the agent's user.
fn targets(agent: &Agent, intruder: u32) -> Value {
    let file = |name: &str| {
        let path = agent.installation.file(name);
        assert!(path.exists(), "{} does not exist", path.display());
        path.to_str().unwrap().to_owned()
    };
    let sibling = children(agent.pid())
        .into_iter()
        .find(|pid| *pid != intruder && runs_host(*pid))
        .unwrap();
    let mut request = json!({
        "agent": agent.pid().to_string(),
        "sibling": sibling.to_string(),
        "key": file("tls/server.key"),
        "ca_key": file("tls/ca.key"),
        "tokens": file("tokens.json"),
        "config": file("agent.toml"),
        "log": file("stderr.log"),
        "state": file("state"),
        "socket": file("state/control.sock"),
        "cookie": file("state/control.cookie"),
        "connectors": file("connectors"),
    });
    if let Some(address) = some_address(sibling) {
        request["address"] = address.into();
    }
    json!({ "request": request })
}

fn runs_host(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
        line.split(|byte| *byte == 0)
            .any(|word| word == b"connector-host")
    })
}

/// What must be as it was when the attacks are over.
fn contents(agent: &Agent) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: &Path| (path.to_owned(), fs::read(path).unwrap());
    let mut files: BTreeMap<_, _> = ["tokens.json", "agent.toml", "tls/server.key", "tls/ca.key"]
        .map(|name| read(&agent.installation.file(name)))
        .into();
    let connectors = fs::read_dir(agent.installation.connectors()).unwrap().flatten();
    files.extend(connectors.map(|entry| read(&entry.path())));
    files
}

#[tokio::test]
async fn a_connector_reaches_neither_its_neighbours_nor_the_agent() {
    let (agent, token) = agent_with_an_intruder();
    let (status, first) = agent
        .call(&token, "intruder", "list_accounts", &json!({"request": {}}))
        .await;
    assert_eq!(status, 200, "{first}");
    if first["landlock"].as_i64().unwrap() < 1 {
        println!("skipped: this kernel has no Landlock, so the connector is not isolated");
        return;
    }
    let row = agent.row("intruder").unwrap();
    assert_eq!(row["isolation_level"], row["sandbox"]["level"], "{row}");
    assert_eq!(row["isolation_level"], "full", "{row}");
    let intruder = u32::try_from(first["pid"].as_u64().unwrap()).unwrap();
    let targets = targets(&agent, intruder);
    let before = contents(&agent);

    let (status, answer) = agent.call(&token, "intruder", "list_accounts", &targets).await;
    assert_eq!(status, 200, "{answer}\n{}", agent.log());
    for attack in ATTACKS {
        let result = answer["attempts"][attack].as_str().unwrap_or("not tried");
        assert!(
            ["EPERM", "EACCES"].contains(&result),
            "{attack}: {result}\n{answer:#}"
        );
    }
    assert_eq!(
        answer["attempts"]["write to its own directory"], "ok",
        "{answer:#}"
    );

    assert_eq!(contents(&agent), before);
    assert!(!agent.installation.file("state/planted").exists());
    let sibling: u32 = targets["request"]["sibling"].as_str().unwrap().parse().unwrap();
    assert!(children(agent.pid()).contains(&sibling), "the sibling is gone");
    let (status, answer) = agent
        .call(&token, "scenario", "list_accounts", &json!({"request": {}}))
        .await;
    assert_eq!(status, 200, "{answer}");
    assert!(agent.row("dropped.so").is_none());
    let status = agent.installation.run(["status", "--output", "table"]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(!status.contains("not fully isolated"), "{status}");

    let scratch = agent.installation.file("state/scratch");
    let names = |path: &Path| fs::read_dir(path).map_or(0, Iterator::count);
    assert_eq!(names(&scratch), 2, "one for each host");
    let (_, installation) = agent.stop();
    assert_eq!(names(&installation.file("state/scratch")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_is_switched_off_is_shown_and_warned_about() {
    let installation = Installation::new();
    installation.configure("connectors.settings.scenario.sandbox.enabled = false\n");
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let mut agent = installation.start();
    let row = agent.wait_for("scenario", "ready");
    assert_eq!(row["isolation_level"], "none", "{row}");
    let status = agent.installation.run(["status", "--output", "table"]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(
        status.contains("not fully isolated   scenario none: the sandbox is switched off"),
        "{status}"
    );
    let warned = agent.log().matches("not fully isolated").count();
    assert_eq!(warned, 1, "{}", agent.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_widening_does_not_open_what_is_the_agents() {
    let installation = Installation::new();
    let outbox = tempfile::tempdir().unwrap();
    let tokens = installation.file("tokens.json");
    installation.configure(&format!(
        "[connectors.settings.intruder.sandbox]\nread = [\"{}\"]\nwrite = [\"{}\", \"connectors\"]\n",
        tokens.display(),
        outbox.path().display(),
    ));
    let token = installation.token("test", &["*:*"]);
    drop_in(
        &cc::connector("intruder", &[]),
        &installation.connectors(),
        "intruder.so",
    );
    let mut agent = installation.start();
    let row = agent.wait_for("intruder", "ready");
    let notes = row["sandbox"]["notes"].to_string();
    if row["isolation_level"] == "none" {
        println!("skipped: this kernel has no Landlock: {notes}");
        return;
    }
    for refused in ["tokens.json", "connectors"] {
        assert!(
            notes.contains(&format!(
                "{refused} was not opened to the connector: it belongs to the agent"
            )),
            "{notes}"
        );
    }
    let aim = json!({"request": {"tokens": tokens, "connectors": agent.installation.connectors()}});
    let (status, answer) = agent.call(&token, "intruder", "list_accounts", &aim).await;
    assert_eq!(status, 200, "{answer}");
    for attack in ["read the token file", "write the token file", "drop a connector"] {
        assert_eq!(answer["attempts"][attack], "EACCES", "{answer:#}");
    }
}
