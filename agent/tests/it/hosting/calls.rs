//! Calls of a connector that behaves.

use std::sync::Arc;

use lumos_agent::hosting::{CancelReason, HostCallError};

use super::*;
use crate::support::cc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_come_back_byte_for_byte() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    for body in [
        r#"{"a":  1}"#.to_owned(),
        "[]".to_owned(),
        format!("\"{}\"", "ä".repeat(500_000)),
    ] {
        assert_eq!(ask(&host, "echo", body.clone()).await.unwrap(), body);
    }
    assert_eq!(
        ask(&host, "thread", "{}").await.unwrap(),
        r#"{"from": "a thread"}"#
    );
    assert_eq!(host.in_flight(), 0);
    assert!(host.vitals().usage.unwrap().resident_bytes > 100_000);
    let exit = host.drain(LONG).await;
    assert_eq!((exit.reason.as_str(), exit.expected), ("drained", true));
    assert!(bench.log().contains("destroyed"));
    assert!(!exists(host.pid()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_a_host() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    let tasks: Vec<_> = (0..16)
        .map(|caller| {
            let host = host.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    let body = format!("{{\"caller\": {caller}, \"number\": {number}}}");
                    let capability = if number % 10 == 0 { "thread" } else { "echo" };
                    let answer = ask(&host, capability, body.clone()).await.unwrap();
                    assert!(answer == body || capability == "thread");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_flow_within_the_budget() {
    let bench = Bench::with_budget(8 * 1024 * 1024);
    let host = bench.start(cc::connector("ok", &[])).await;
    for size in [65_536, 65_537, 524_288, 524_289, 3_000_000, 7_000_000] {
        let answer = ask(&host, "big", size.to_string()).await.unwrap();
        assert_eq!(answer.len(), size);
        assert!(answer.starts_with(b"{\"fill\": \"xx") && answer.ends_with(b"xx\"}"));
    }
    // Three of them do not fit at once: they wait for one another while a small one passes.
    let large: Vec<_> = (0..3).map(|_| begin(&host, "big", "5000000")).collect();
    let large = large
        .into_iter()
        .map(|mut call| tokio::spawn(async move { call.answer().await.unwrap().len() }));
    let large: Vec<_> = large.collect();
    assert_eq!(ask(&host, "echo", "{}").await.unwrap(), "{}");
    for call in large {
        assert_eq!(
            tokio::time::timeout(LONG, call).await.unwrap().unwrap(),
            5_000_000
        );
    }
    let too_large = ask(&host, "big", "9000000").await;
    assert_eq!(too_large, Err(HostCallError::TooLarge(8 * 1024 * 1024)));
    assert_eq!(ask(&host, "echo", "{}").await.unwrap(), "{}");
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_over_the_limit_is_not_sent() {
    let bench = Bench::new();
    let mut spec = bench.spec(cc::connector("ok", &[]));
    spec.max_response_bytes = 1_000_000;
    let host = bench.launcher.start(spec).await.unwrap().host;
    assert_eq!(
        ask(&host, "big", "1000001").await,
        Err(HostCallError::TooLarge(1_000_000))
    );
    assert_eq!(ask(&host, "big", "1000000").await.unwrap().len(), 1_000_000);
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_below_zero_becomes_an_envelope() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    for (capability, code, message) in [
        (
            "refuse",
            "bad_request",
            "The connector does not accept the request",
        ),
        ("fail", "internal_error", "it \"broke\""),
        (
            "no-such",
            "not_implemented",
            "The connector does not have this capability",
        ),
    ] {
        let answer = ask(&host, capability, "{}").await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["is_error"], true);
        assert_eq!(answer["error"]["error_code"], code);
        assert_eq!(answer["error"]["message"], message);
        assert_eq!(answer["error"]["app_id"], "fixture");
        assert_eq!(answer["error"]["error_metadata"]["retryable"], false);
    }
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_is_told_so() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    let mut slow = begin(&host, "slow", "{}");
    // The echo shows that the host has read past the slow one.
    ask(&host, "echo", "{}").await.unwrap();
    slow.cancel(CancelReason::Deadline);
    let answer: serde_json::Value = serde_json::from_slice(&slow.answer().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["error_code"], "request_timeout");
    assert_eq!(answer["error"]["message"], "seen");
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_lets_calls_end_and_takes_no_new_ones() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    let mut slow = begin(&host, "slow", "{}");
    let draining = tokio::spawn({
        let host = host.clone();
        async move { host.drain(LONG).await }
    });
    while host.begin(&call("echo", "{}"), LONG).is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(
        host.begin(&call("echo", "{}"), LONG),
        Err(HostCallError::Closed)
    ));
    slow.cancel(CancelReason::Shutdown);
    slow.answer().await.unwrap();
    assert_eq!(draining.await.unwrap().reason, "drained");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_writes_is_logged_and_masked() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    let mut call = call("log", "\"canary-0815\"");
    call.secrets = Arc::new(["canary-0815".into()]);
    host.begin(&call, LONG).unwrap().answer().await.unwrap();
    host.drain(LONG).await;
    let log = bench.log();
    assert!(log.contains("ERROR [gen 1] [req-7] \"***\""), "{log}");
    assert!(log.contains("INFO [gen 1] [stdout] out \"***\""), "{log}");
    assert!(log.contains("ERROR [gen 1] [stderr] err \"***\""), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_sees_only_the_environment_it_is_given() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    let names: Vec<String> = serde_json::from_slice(&ask(&host, "env", "{}").await.unwrap()).unwrap();
    assert!(names.contains(&"FIXTURE".to_owned()), "{names:?}");
    for hidden in ["PATH", "HOME", "CARGO_MANIFEST_DIR"] {
        assert!(!names.contains(&hidden.to_owned()), "{names:?}");
    }
    host.drain(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_closed_off_and_ends_with_its_last_user() {
    let bench = Bench::new();
    let host = bench.start(cc::connector("ok", &[])).await;
    let pid = host.pid();
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let status = read("status");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:\t"))
        .unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    for signal in [1, 2, 15] {
        assert!(
            ignored & (1 << (signal - 1)) != 0,
            "signal {signal} is not ignored"
        );
    }
    assert!(
        read("limits")
            .lines()
            .any(|line| line.starts_with("Max core file size        0"))
    );
    assert_eq!(read("cmdline"), "lumos-agent\0connector-host\0");
    assert!(status.contains("Seccomp:\t2"), "{status}");
    assert!(
        read("limits")
            .lines()
            .any(|line| line.starts_with("Max open files            256                  256"))
    );
    let mut descriptors: Vec<u32> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    // The sandbox holds on to a few entries of /proc, which it cannot read through these (O_PATH).
    descriptors.retain(|number| {
        let info = read(&format!("fdinfo/{number}"));
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let held = u32::from_str_radix(flags.trim(), 8).unwrap() & 0o10_000_000 != 0;
        let target = std::fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
        assert!(!held || target.starts_with("/proc"), "{}", target.display());
        // What the host's own threads wait at.
        let waits =
            target.starts_with("anon_inode:[eventpoll]") || target.starts_with("anon_inode:[eventfd]");
        !held && !waits
    });
    descriptors.sort_unstable();
    assert_eq!(descriptors, [0, 1, 2, 3, 4]);
    let watcher = host.clone();
    let exited = tokio::spawn(async move { watcher.exited().await });
    assert!(exists(pid));
    host.kill("the test is over");
    drop(host);
    let exit = tokio::time::timeout(LONG, exited).await.unwrap().unwrap();
    assert_eq!((exit.reason.as_str(), exit.expected), ("the test is over", true));
    assert!(!exists(pid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_was_taken_is_answered_even_if_the_host_is_told_to_drain() {
    let bench = Bench::new();
    for _ in 0..15 {
        let host = bench.start(cc::connector("ok", &[])).await;
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let host = host.clone();
                tokio::spawn(async move {
                    // Until the host takes no more: the last ones race with the DRAIN.
                    while let Ok(mut taken) = host.begin(&call("echo", "{}"), LONG) {
                        let answer = tokio::time::timeout(LONG, taken.answer()).await;
                        assert_eq!(answer.expect("an answer in time").unwrap(), "{}");
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let exit = host.drain(LONG).await;
        assert_eq!((exit.reason.as_str(), exit.expected), ("drained", true));
        for caller in callers {
            caller.await.unwrap();
        }
    }
}
