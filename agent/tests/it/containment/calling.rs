//! Connectors that start well and misbehave in a call.

use super::*;
use crate::support::connectors::rust_rogue;
use crate::support::residue::peak_memory;

/// What the caller gets.
enum Gets {
    /// 200 and this `response`.
    Response(&'static str),
    /// 200 and anything.
    Anything,
    /// 200 and an error envelope of the connector.
    OwnError(&'static str),
    /// An error of the agent's.
    Error(u16, &'static str),
}
use Gets::{Anything, Error, OwnError, Response};

/// One way to misbehave. Each has a connector of its own, so that they do not meddle with one another.
struct Case {
    app_id: &'static str,
    capability: &'static str,
    timeout_ms: Option<u64>,
    gets: Gets,
    /// Stands in the connector's log; and in its status, if the host is lost.
    cause: &'static str,
    /// Whether the host must be another one afterwards.
    loses_host: bool,
}

const fn survives(app_id: &'static str, capability: &'static str, gets: Gets, cause: &'static str) -> Case {
    Case {
        app_id,
        capability,
        timeout_ms: None,
        gets,
        cause,
        loses_host: false,
    }
}

const fn dies(app_id: &'static str, capability: &'static str, gets: Gets, cause: &'static str) -> Case {
    Case {
        app_id,
        capability,
        timeout_ms: None,
        gets,
        cause,
        loses_host: true,
    }
}

const DIED: Gets = Error(502, "connection_closed");
const LATE: Gets = Error(504, "request_timeout");
const INVALID: Gets = Error(502, "invalid_response");

const CASES: &[Case] = &[
    dies("never-finishes", "never", LATE, "overstayed"),
    dies("deadlocks", "deadlock", LATE, "overstayed"),
    dies("busy-loops", "busy", LATE, "overstayed"),
    survives("finishes-twice", "twice", Response("1"), "which is not open"),
    Case {
        timeout_ms: Some(300),
        ..survives(
            "finishes-after-cancel",
            "list_accounts",
            LATE,
            "which is not open",
        )
    },
    survives("finishes-elsewhere", "elsewhere", Response("\"elsewhere\""), ""),
    survives("haunts", "haunt", Response("\"haunted\""), ""),
    dies("segfaults", "segfault", DIED, "SIGSEGV"),
    dies("aborts", "abort", DIED, "SIGABRT"),
    dies("overflows", "overflow", DIED, "killed by signal"),
    dies("exits", "exit", DIED, "exit code 0"),
    survives("answers-1-gib", "huge", INVALID, "larger than"),
    survives("answers-no-utf8", "not_utf8", INVALID, "not UTF-8"),
    survives("answers-no-json", "not_json", INVALID, "not JSON"),
    survives(
        "floods-output",
        "flood_output",
        Response("\"flooded\""),
        "lines dropped",
    ),
    survives(
        "floods-log",
        "flood_log",
        Response("\"flooded\""),
        "lines dropped",
    ),
    dies("closes-descriptors", "close", DIED, "the host ended"),
    survives("daemonises", "daemonise", Anything, ""),
    dies("daemonises-and-dies", "daemonise_and_die", DIED, "SIGKILL"),
    survives("changes-directory", "chdir", Anything, ""),
    survives("takes-signals", "signals", Response("\"handled\""), ""),
    survives("leaks-threads", "threads", Response("\"leaked\""), ""),
    dies("throws", "throw", DIED, "SIGABRT"),
    survives(
        "rust-rogue",
        "list_accounts",
        OwnError("internal_error"),
        "panic at agent/tests/fixtures/rust-rogue/src/lib.rs:10",
    ),
];

const CONFIGURATION: &str = "log.connector_level = \"WARNING\"
connectors.settings.never-finishes.timeout = \"1s\"
connectors.settings.deadlocks.timeout = \"1s\"
connectors.settings.busy-loops.timeout = \"1s\"
";

fn library(app_id: &str) -> std::path::PathBuf {
    match app_id {
        "throws" => cc::cxx_connector("throws"),
        "rust-rogue" => rust_rogue(),
        _ => rogue(app_id, 0),
    }
}

/// A capability that is in order.
fn harmless(app_id: &str) -> &'static str {
    match app_id {
        "rust-rogue" => "info",
        _ => "fine",
    }
}

impl Case {
    async fn run(&self, stage: &Stage) {
        let app_id = self.app_id;
        let before = stage.until(app_id, "ready", |row| row["state"] == "ready").await;
        let (status, answer) = stage.call(app_id, self.capability, self.timeout_ms).await;
        self.check(status, &answer);
        if !self.cause.is_empty() {
            stage.until_logged(app_id, self.cause).await;
        }
        if self.loses_host {
            let fresh = |row: &Value| row["state"] == "ready" && row["pid"] != before["pid"];
            let after = stage.until(app_id, "served by a fresh host", fresh).await;
            let said = after["last_error"].as_str().unwrap_or_default();
            let status_cause = if self.cause == "overstayed" {
                "did not end within the connector's timeout"
            } else {
                self.cause.trim_start_matches("the host ")
            };
            assert!(said.contains(status_cause), "{app_id}: {after}");
            assert!(
                after["generation"].as_u64() > before["generation"].as_u64(),
                "{app_id}"
            );
        }
        for _ in 0..10 {
            let (status, answer) = stage.call(app_id, harmless(app_id), None).await;
            assert_eq!(status, 200, "{app_id}: {answer}");
        }
        if !self.loses_host {
            let after = stage.row(app_id).await.unwrap();
            assert_eq!(after["pid"], before["pid"], "{app_id} lost its host: {after}");
        }
    }

    fn check(&self, status: u16, answer: &Value) {
        let (app_id, error) = (self.app_id, &answer["error"]);
        match self.gets {
            Anything => assert_eq!(status, 200, "{app_id}: {answer}"),
            Response(json) => {
                let expected: Value = serde_json::from_str(json).unwrap();
                assert_eq!(
                    (status, &answer["response"]),
                    (200, &expected),
                    "{app_id}: {answer}"
                );
            }
            OwnError(code) => assert_eq!(
                (status, &error["error_code"]),
                (200, &json!(code)),
                "{app_id}: {answer}"
            ),
            Error(expected, code) => {
                assert_eq!(
                    (status, &error["error_code"]),
                    (expected, &json!(code)),
                    "{app_id}: {answer}"
                );
                assert_eq!(error["raised_by"], "lumos-agent", "{app_id}");
                // All but one are writes to the agent: nobody knows what became of them.
                let read = self.capability == "list_accounts";
                assert_eq!(error["error_metadata"]["retryable"], read, "{app_id}: {answer}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_call_does_to_its_host_harms_nobody_else() {
    let stage = Stage::new(CONFIGURATION).await;
    for case in CASES {
        stage.install(&library(case.app_id), case.app_id);
    }
    for case in CASES {
        stage
            .until(case.app_id, "ready", |row| row["state"] == "ready")
            .await;
    }
    let memory = peak_memory(stage.agent.pid());
    futures_util::future::join_all(CASES.iter().map(|case| case.run(&stage))).await;

    // A panic in a task of its own: the capability lives to tell.
    let (status, answer) = stage.call("rust-rogue", "validate_credentials", None).await;
    assert_eq!(
        (status, &answer["response"]["valid"]),
        (200, &json!(true)),
        "{answer}"
    );
    stage.until_logged("rust-rogue", "rust-rogue/src/lib.rs:16").await;
    let (status, _) = stage.call("throws", "throw_in_thread", None).await;
    assert_eq!(status, 502);
    let grown = peak_memory(stage.agent.pid()) - memory;
    assert!(grown < 256 << 20, "the agent grew by {grown} bytes");

    for case in CASES {
        stage.remove(case.app_id);
    }
    let gone = |reason: &String| reason == "drained";
    let begun = Instant::now();
    while !stage.reasons("haunts").iter().any(gone) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", stage.reasons("haunts"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.end("misbehaving in calls").await;
}
