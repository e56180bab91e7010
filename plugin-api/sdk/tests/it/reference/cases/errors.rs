//! Every way in which a capability can fail.

use lumos_connector_sdk::ErrorKind;
use lumos_connector_sdk::prelude::*;
use serde_json::Value;

use super::{Case, case};

pub(super) fn errors() -> Vec<Case> {
    let fail = |name: &str, request: Value| {
        let body = json!({"request": request, "auth": {"token": {"token": "t"}}, "settings": {}});
        case("failing", "fail", name, body)
    };
    let mut cases = vec![
        fail("dressed", json!({"how": "dressed"})),
        fail("blank", json!({"how": "ConflictError", "text": "  "})),
    ];
    for how in ["connect", "read_timeout", "closed", "not_json"] {
        cases.push(fail(how, json!({"how": how})));
    }
    let status = |status: u16, text: &str, kind: Option<&str>| {
        let name = format!(
            "{status} {} {}",
            kind.unwrap_or("untyped"),
            text.chars().take(12).collect::<String>().escape_debug()
        );
        fail(
            &name,
            json!({"how": "status", "status": status, "text": text, "content_type": kind}),
        )
    };
    for code in (400..=431).chain([451]).chain(500..=511).chain([599]) {
        cases.push(status(
            code,
            r#"{"detail": "it's \"so\""}"#,
            Some("application/json"),
        ));
    }
    for text in [
        "",
        "[1e22, 1.5e-7, 0.0001, 1e16, 1e15, -0.0, 12345678901234567890]",
        "{}",
        "[]",
        "0",
        "null",
        "\"word\"",
        r#"[1, 2.5, true, null, {"a": "b\nc"}]"#,
        "some\n  lines \tof text",
        "<!DOCTYPE html><p>s3cret",
        "  <html>s3cret",
        "  \n ",
    ] {
        cases.push(status(500, text, None));
    }
    cases.push(status(502, "no markup", Some("text/html; charset=utf-8")));
    cases.push(status(500, &"long ".repeat(200), Some("text/plain")));
    cases.push(status(
        500,
        &format!("\"{}\"", "x".repeat(9000)),
        Some("application/json"),
    ));
    for kind in ErrorKind::ALL {
        cases.push(fail(kind.name(), json!({"how": kind.name()})));
        cases.push(fail(
            &format!("{} said", kind.name()),
            json!({"how": kind.name(), "text": " why "}),
        ));
    }
    for code in ErrorCode::ALL {
        let how = format!("code:{code}");
        cases.push(fail(&how, json!({"how": how, "text": "why"})));
    }
    for code in [
        "api_error",
        "not_implemented",
        "unexpected_error",
        "unauthenticated",
        "client_call_error",
        "not_found",
        "rate_limit",
    ] {
        let how = format!("old_code:{code}");
        cases.push(fail(&how, json!({"how": how, "text": "why"})));
    }
    cases
}
