//! Keeping within the app's rate limits.

use std::sync::Mutex;
use std::time::Duration;

use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::http::Retry;
use lumos_connector_sdk::prelude::*;
use lumos_connector_sdk::rate_limit::RateLimit;

use crate::scripted::{Answer, Ctx, Scripted, answer, connector, request};

const FIXED: RateLimit = RateLimit::fixed("fixed", 2, Duration::from_secs(60));
const ADAPTIVE: RateLimit = RateLimit::adaptive("adaptive", 100, Duration::from_secs(60));

fn ok() -> Answer {
    answer(200, "", "done")
}

fn limited(limit: &RateLimit) -> Harness {
    let limit = limit.clone();
    connector(move |ctx: Ctx| {
        let limit = limit.clone();
        async move {
            let api = ctx.http(&ctx.settings.url)?.rate_limit(&limit);
            api.get("/x").send().await
        }
    })
}

fn with(url: &str, rate_limit: Json) -> Json {
    let mut document = request(url);
    document["rate_limit"] = rate_limit;
    document
}

fn mode(url: &str, mode: &str) -> Json {
    with(url, json!({"caller_override_mode": mode}))
}

fn seconds(waits: &[Duration]) -> Vec<u64> {
    waits
        .iter()
        .map(|wait| wait.as_secs_f64().round() as u64)
        .collect()
}

#[test]
fn calls_of_a_tenant_share_the_limit_and_others_have_their_own() {
    let app = Scripted::start([ok()]);
    let harness = limited(&FIXED);
    let long = json!({"max_execution_time": 55});
    let other = {
        let mut other = with(&app.url, long.clone());
        other["auth"]["token"]["token"] = "another".into();
        other
    };
    for remaining in [1, 0] {
        let given = harness.call("read", with(&app.url, long.clone()));
        let state = &given["rate_limit"]["current_state"]["fixed"];
        assert_eq!(
            (&state["remaining"], &state["limit"]),
            (&json!(remaining), &json!(2))
        );
        assert_eq!(state["source"], "sdk_counter");
    }
    let late = harness.call("read", with(&app.url, long));
    assert_eq!(late["error"]["error_code"], "budget_exhausted");
    let wait = late["error"]["error_metadata"]["retry_after_seconds"]
        .as_i64()
        .unwrap();
    assert!((55..=60).contains(&wait), "{late}");
    assert_eq!(harness.call("read", other)["response"]["body"], "done");
    assert_eq!((app.requests().len(), harness.waits().len()), (3, 0));
}

#[test]
fn concurrent_requests_never_exceed_the_window() {
    let app = Scripted::start([ok()]);
    let sent = std::sync::Arc::new(Mutex::new(0));
    let counted = sent.clone();
    let harness = connector(move |ctx: Ctx| {
        let counted = counted.clone();
        async move {
            let api = ctx.http(&ctx.settings.url)?.rate_limit(&FIXED);
            let request = || api.get("/x").send();
            let answers = futures_util::future::join_all((0..3).map(|_| request())).await;
            *counted.lock().unwrap() = answers.iter().filter(|answer| answer.is_ok()).count();
            request().await
        }
    });
    let given = harness.call("read", with(&app.url, json!({"max_execution_time": 50})));
    assert_eq!(given["error"]["error_code"], "budget_exhausted");
    assert_eq!(*sent.lock().unwrap(), 2);
    assert_eq!(app.requests().len(), 2);
}

#[test]
fn a_call_waits_for_its_turn() {
    let app = Scripted::start([ok()]);
    let harness = limited(&FIXED);
    let document = mode(&app.url, "enforce");
    // The harness gives a call 60 s, so that the wait of a window is just too long; half of it passes here.
    let known = json!({"fixed": {"limit": 2, "remaining": 0, "window_seconds": 30}});
    let mut first = document;
    first["rate_limit"]["last_known_state"] = known;
    assert_eq!(harness.call("read", first)["response"]["body"], "done");
    assert_eq!(seconds(&harness.waits()), [30]);
}

#[test]
fn each_mode_waits_and_repeats_as_it_should() {
    let refusal = || answer(429, "Retry-After: 3\r\n", "");
    // Mode, whether it repeats, whether it keeps within the window.
    for (name, repeats, keeps) in [
        ("enforce", true, true),
        ("retry_only", true, false),
        ("enforce_no_retry", false, true),
        ("bypass", false, false),
    ] {
        let app = Scripted::start([refusal(), ok()]);
        let harness = limited(&FIXED);
        let given = harness.call("read", mode(&app.url, name));
        assert_eq!(given.get("response").is_some(), repeats, "{name}: {given}");
        assert_eq!(app.requests().len(), if repeats { 2 } else { 1 }, "{name}");
        if !repeats {
            assert_eq!(given["error"]["error_metadata"]["retry_after_seconds"], 3);
        }
        let app = Scripted::start([ok()]);
        let harness = limited(&FIXED);
        let codes: Vec<Json> = (0..3)
            .map(|_| harness.call("read", mode(&app.url, name))["error"]["error_code"].clone())
            .collect();
        let last = if keeps {
            json!("budget_exhausted")
        } else {
            json!(null)
        };
        assert_eq!(codes, [json!(null), json!(null), last], "{name}");
    }
}

#[test]
fn the_limit_and_then_the_caller_choose_the_mode() {
    let app = Scripted::start([answer(429, "", "")]);
    let harness = limited(&FIXED.mode(RateLimitMode::Bypass));
    let given = harness.call("read", mode(&app.url, "enforce"));
    assert_eq!(given["error"]["error_code"], "rate_limit");
    assert_eq!(app.requests().len(), 1);
    // Without a word from anybody a write only tries again.
    let app = Scripted::start([ok()]);
    let harness = limited(&FIXED);
    for _ in 0..3 {
        assert_eq!(
            harness.call("change", request(&app.url))["response"]["body"],
            "done"
        );
    }
}

#[test]
fn the_app_s_headers_lead_an_adaptive_limit() {
    let headers = "X-RateLimit-Limit: 50\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 20\r\n";
    let app = Scripted::start([answer(200, headers, "done"), ok()]);
    let harness = limited(&ADAPTIVE);
    let given = harness.call("read", request(&app.url));
    let state = &given["rate_limit"]["current_state"]["adaptive"];
    assert_eq!((&state["remaining"], &state["limit"]), (&json!(0), &json!(50)));
    assert_eq!(state["source"], "api_headers");
    harness.call("read", request(&app.url));
    assert_eq!(seconds(&harness.waits()), [20]);
}

#[test]
fn state_comes_back_to_a_connector_that_was_just_started() {
    let app = Scripted::start([ok()]);
    let first = limited(&FIXED);
    first.call("read", request(&app.url));
    let known = first.call("read", request(&app.url))["rate_limit"]["current_state"].clone();
    let second = limited(&FIXED);
    let given = second.call(
        "read",
        with(
            &app.url,
            json!({"last_known_state": known, "max_execution_time": 50}),
        ),
    );
    assert_eq!(given["error"]["error_code"], "budget_exhausted", "{known}");
}

#[test]
fn a_refusal_without_429_counts_and_repetitions_end() {
    let app = Scripted::start([answer(403, "", "You have exceeded your rate limit.")]);
    let limit = ADAPTIVE.retry(Retry::times(2).first_wait(Duration::from_secs(1)));
    let harness = limited(&limit);
    let given = harness.call("read", request(&app.url));
    assert_eq!(given["error"]["error_code"], "rate_limit");
    assert_eq!(given["error"]["status_code"], 403);
    assert!(
        given["error"]["error_metadata"]["retry_after_seconds"]
            .as_i64()
            .is_some()
    );
    assert_eq!(app.requests().len(), 3);
}
