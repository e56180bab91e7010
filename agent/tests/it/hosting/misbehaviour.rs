//! Connectors that misbehave, each contained in its host.

use super::*;
use crate::support::cc;

async fn died(capability: &str) -> (String, Bench) {
    let bench = Bench::new();
    let host = bench.start(cc::connector("bad", &[])).await;
    let answer = ask(&host, capability, "{}").await;
    let exit = host.exited().await;
    assert!(!exit.expected);
    assert_eq!(answer, Err(HostCallError::Died(exit.reason.clone())));
    assert!(!exists(host.pid()));
    assert!(matches!(
        host.begin(&call("info", "{}"), LONG),
        Err(HostCallError::Closed)
    ));
    (exit.reason, bench)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_it_ended_is_told() {
    assert_eq!(died("segfault").await.0, "killed by signal 11 (SIGSEGV)");
    assert_eq!(died("exit").await.0, "exit code 0");
    assert_eq!(died("exit3").await.0, "exit code 3");
}

/// Shows that `cargo xtask asan` watches connectors and not only the agent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_sanitizer_sees_an_overflow_where_it_is_built_in() {
    if cc::sanitized() {
        let (reason, bench) = died("overflow").await;
        assert_eq!(reason, "exit code 1");
        let log = bench.log();
        assert!(log.contains("heap-buffer-overflow"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_channel_ends_the_host() {
    let reason = died("garbage").await.0;
    assert!(reason.starts_with("protocol error: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_channel_ends_the_host() {
    let reason = died("closes").await.0;
    assert!(
        reason == "exit code 71" || reason.contains("closed its channel"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_left_behind_does_not_keep_the_host_alive() {
    let (reason, bench) = died("fork").await;
    assert_eq!(reason, "killed by signal 9 (SIGKILL)");
    let log = bench.log();
    let left: i32 = log.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let left = rustix::process::Pid::from_raw(left).unwrap();
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_over_the_limit_ends_the_host() {
    if cc::sanitized() {
        eprintln!("skipped: the sanitizer's own memory does not fit within a data limit");
        return;
    }
    let bench = Bench::new();
    let mut spec = bench.spec(cc::connector("bad", &[]));
    spec.memory_limit = Some(100 * 1024 * 1024);
    let host = bench.launcher.start(spec).await.unwrap().host;
    let answer = ask(&host, "eats", "{}").await;
    let Err(HostCallError::Died(reason)) = answer else {
        panic!("{answer:?}");
    };
    assert!(reason.contains("over its memory_limit of 100.0 MiB"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_none_are_told_apart() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("bad", &[])).await;
    for (capability, says) in [("notjson", "not JSON"), ("notutf8", "not UTF-8 from byte 1")] {
        match ask(&host, capability, "{}").await {
            Err(HostCallError::InvalidAnswer(text)) => assert!(text.contains(says), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    for (capability, says) in [
        ("forgets", "returned OK without"),
        ("status", "a status that the ABI does not have"),
    ] {
        let answer: serde_json::Value =
            serde_json::from_slice(&ask(&host, capability, "{}").await.unwrap()).unwrap();
        assert_eq!(answer["error"]["error_code"], "internal_error");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_first_finish_counts() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("bad", &[])).await;
    for _ in 0..10 {
        assert_eq!(ask(&host, "twice", "{}").await.unwrap(), r#"{"n": 1}"#);
    }
    assert_eq!(host.drain(LONG).await.reason, "drained");
    let log = bench.log();
    assert_eq!(log.matches("which is not open").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_never_ends_is_waited_for_and_then_killed() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("bad", &[])).await;
    let mut never = begin(&host, "never", "{}");
    let exit = host.drain(Duration::from_millis(300)).await;
    assert_eq!(
        (exit.reason.as_str(), exit.expected),
        ("1 calls did not end in time", true)
    );
    assert!(matches!(never.answer().await, Err(HostCallError::Died(_))));
    assert!(!exists(host.pid()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overdue_calls_are_waited_for_only_beside_others() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("bad", &[])).await;
    let (overdue, sibling) = (begin(&host, "never", "{}"), begin(&host, "never", "{}"));
    overdue.overdue();
    assert!(ask(&host, "info", "{}").await.is_ok(), "it still takes calls");
    let draining = host.clone();
    let drained = tokio::spawn(async move { draining.drain(LONG).await });
    let patience = Duration::from_millis(300);
    assert!(
        tokio::time::timeout(patience, host.exited()).await.is_err(),
        "its sibling may end by itself"
    );
    sibling.overdue();
    let exit = drained.await.unwrap();
    assert_eq!(
        (exit.reason.as_str(), exit.expected),
        ("calls were overdue, and no other was left", true)
    );
    assert!(!exists(host.pid()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_lines_holds_up_nobody() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("bad", &[])).await;
    assert_eq!(ask(&host, "logs", "{}").await.unwrap(), "{}");
    assert!(ask(&host, "info", "{}").await.is_ok());
    host.drain(LONG).await;
    assert!(bench.log().lines().count() < 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_of_one_launcher_do_not_share_a_fate() {
    let bench = Bench::new();
    let bad = bench.start(cc::connector("bad", &[])).await;
    let good = bench.start(cc::connector("ok", &[])).await;
    assert!(ask(&bad, "segfault", "{}").await.is_err());
    assert_eq!(ask(&good, "echo", "{}").await.unwrap(), "{}");
    good.drain(LONG).await;
}
