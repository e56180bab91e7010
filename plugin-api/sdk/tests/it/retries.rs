//! Which requests are sent again, and when.

use std::time::Duration;

use lumos_connector_sdk::http::Retry;
use lumos_connector_sdk::prelude::*;

use crate::scripted::{Answer, Ctx, Scripted, answer, connector, request};

fn ok() -> Answer {
    answer(200, "", "done")
}

#[test]
fn a_read_is_repeated_until_it_succeeds() {
    let app = Scripted::start([answer(503, "", ""), None, answer(502, "", ""), ok()]);
    let harness = connector(|ctx: Ctx| async move {
        let api = ctx.http(&ctx.settings.url)?.retry(Retry::times(3));
        api.get("/x").send().await
    });
    let given = harness.call("read", request(&app.url));
    assert_eq!(given["response"]["body"], "done", "{given}");
    assert_eq!(app.requests().len(), 4);
    let waits = harness.waits();
    assert_eq!(waits.len(), 3);
    for (wait, whole) in waits.iter().zip([500, 1000, 2000]) {
        let whole = Duration::from_millis(whole);
        assert!(whole / 2 <= *wait && *wait <= whole, "{waits:?}");
    }
}

#[test]
fn a_write_that_may_have_been_done_is_not_repeated() {
    for (first, code) in [
        (None, "connection_closed"),
        (answer(502, "", ""), "bad_gateway"),
        (answer(503, "", ""), "service_error"),
        (answer(504, "", ""), "bad_gateway"),
        (answer(500, "Retry-After: 1\r\n", ""), "bad_gateway"),
        (answer(303, "Location: /away\r\n", ""), "connection_closed"),
        (
            answer(303, "Location: https://127.0.0.1:9/\r\n", ""),
            "connection_timeout",
        ),
    ] {
        let app = Scripted::start([first.clone(), None, ok()]);
        let harness = connector(|ctx: Ctx| async move {
            let api = ctx.http(&ctx.settings.url)?.retry(Retry::times(3));
            api.post("/x").json(&json!({"a": 1})).send().await
        });
        let given = harness.call("change", request(&app.url));
        assert_eq!(given["error"]["error_code"], code, "{first:?}");
        let posts = app
            .requests()
            .iter()
            .filter(|sent| sent.starts_with("POST"))
            .count();
        assert_eq!(posts, 1, "{first:?}");
    }
}

#[test]
fn a_write_that_was_refused_is_repeated_when_the_app_says() {
    for status in [429, 503] {
        let app = Scripted::start([answer(status, "Retry-After: 7\r\n", ""), ok()]);
        let harness = connector(|ctx: Ctx| async move {
            let api = ctx.http(&ctx.settings.url)?.retry(Retry::times(3));
            api.post("/x").json(&json!({"a": 1})).send().await
        });
        let given = harness.call("change", request(&app.url));
        assert_eq!(given["response"]["body"], "done");
        assert_eq!(harness.waits(), [Duration::from_secs(7)]);
        let requests = app.requests();
        assert!(
            requests.iter().all(|sent| sent.ends_with(r#"{"a":1}"#)),
            "{requests:?}"
        );
    }
}

#[test]
fn a_post_that_may_be_done_twice_is_repeated() {
    let app = Scripted::start([None, ok()]);
    let harness = connector(|ctx: Ctx| async move {
        let api = ctx.http(&ctx.settings.url)?.retry(Retry::times(1));
        api.post("/search").repeatable().send().await
    });
    assert_eq!(
        harness.call("change", request(&app.url))["response"]["body"],
        "done"
    );
}

#[test]
fn without_a_connection_anything_is_tried_again() {
    let harness = connector(|ctx: Ctx| async move {
        let api = ctx.http(&ctx.settings.url)?.retry(Retry::times(2));
        api.post("/x").send().await
    });
    let given = harness.call("change", request("http://127.0.0.1:9"));
    assert_eq!(given["error"]["error_code"], "connection_timeout");
    assert_eq!(harness.waits().len(), 2);
}

#[test]
fn no_wait_goes_beyond_the_deadline_or_the_longest() {
    let app = Scripted::start([answer(429, "Retry-After: 50\r\n", "")]);
    let harness = connector(|ctx: Ctx| async move {
        let api = ctx.http(&ctx.settings.url)?.retry(Retry::times(3));
        api.get("/x").send().await
    });
    let mut document = request(&app.url);
    document["rate_limit"] = json!({"max_execution_time": 40});
    let given = harness.call("read", document);
    assert_eq!(given["error"]["error_metadata"]["retry_after_seconds"], 50);
    assert_eq!((app.requests().len(), harness.waits().len()), (1, 0));

    let app = Scripted::start([answer(429, "Retry-After: 61\r\n", "")]);
    let given = harness.call("read", request(&app.url));
    assert_eq!(given["error"]["error_metadata"]["retry_after_seconds"], 61);
    assert_eq!(app.requests().len(), 1);
}

#[test]
fn nothing_is_repeated_unasked() {
    let app = Scripted::start([answer(503, "Retry-After: 1\r\n", ""), ok()]);
    let harness = connector(|ctx: Ctx| async move { ctx.http(&ctx.settings.url)?.get("/x").send().await });
    let given = harness.call("read", request(&app.url));
    assert_eq!(given["error"]["error_code"], "service_error");
    assert_eq!(app.requests().len(), 1);
}

#[test]
fn each_attempt_is_a_line_without_a_secret() {
    let app = Scripted::start([answer(503, "", "an answer"), ok()]);
    let harness = connector(|ctx: Ctx| async move {
        let api = ctx
            .http(&ctx.settings.url)?
            .token(&ctx.auth)
            .retry(Retry::times(3));
        api.get("/x").query("key", "s3cret").send().await
    });
    harness.call("read", request(&app.url));
    let lines: Vec<String> = harness.log_lines().into_iter().map(|(_, line)| line).collect();
    let name = format!("GET {}/x", app.url);
    assert!(
        lines[0].starts_with(&format!("{name}: 503, 9 bytes, ")),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with(&format!("{name}: attempt 1 failed, ")),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with(&format!("{name}: 200, 4 bytes, ")),
        "{lines:?}"
    );
    let all = lines.join("\n");
    assert!(
        !all.contains("s3cret") && !all.contains("t0ken") && !all.contains("an answer"),
        "{all}"
    );
}
