//! Whether a connector behaves: what `connector validate` tries on it, without an account in the app.
//!
//! Requests are made so that the connector must refuse them, or, to have a call that can be cancelled, so that its settings
//! lead to a listener of ours that never answers. No write is ever asked for with a request that it could do.

mod leaks;
mod probe;
mod schema;

use std::time::Duration;

use bytes::Bytes;
use lumos_connector_models::{ErrorResponse, Info};
use serde::Serialize;
use serde_json::{Value, json};

use self::probe::{Probe, Silent};
use super::exit::Failure;
use super::throwaway::{Copy, Report};
use crate::hosting::Host;

/// How long a cancelled call may go on: what the agent grants one before it starts a fresh host.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connector may take until it turns to its app.
const CONNECT: Duration = Duration::from_secs(3);
/// Calls at the same time, if the connector takes so many.
const MOST: u32 = 32;
const ROUNDS: u32 = 4;
const DRAIN: Duration = Duration::from_secs(5);
/// How long the end of a host may take to be known.
const END: Duration = Duration::from_secs(2);
const ENDED: &str = "the host ended in a check before";

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    /// Which.
    pub(super) name: &'static str,
    /// How it went.
    pub(super) outcome: Outcome,
    /// What was found; for a failure, what is wrong.
    pub(super) detail: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it should.
    Pass,
    /// Not as it should.
    Fail,
    /// It could not be tried.
    Skipped,
}

impl Outcome {
    /// As it stands in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Skipped => "skipped",
        }
    }
}

/// What is wrong, or what is right, in words.
type Finding = Result<String, String>;

fn check(name: &'static str, finding: Finding) -> Check {
    let (outcome, detail) = match finding {
        Ok(detail) => (Outcome::Pass, detail),
        Err(detail) => (Outcome::Fail, detail),
    };
    Check {
        name,
        outcome,
        detail,
    }
}

/// Tries all, whatever fails.
///
/// # Errors
/// If no host can be started any more.
pub(super) async fn run(copy: &Copy, report: &Report) -> Result<Vec<Check>, Failure> {
    let calls = report.manifest.max_concurrency.clamp(1, MOST);
    let started = copy.start(&report.manifest, calls).await?;
    let info: Value = serde_json::from_str(report.info.get()).unwrap_or_default();
    let response = &info["response"];
    let host = Probe::new(&started.host, &report.manifest.app_id);
    let mut checks = vec![
        check("abi", Ok(abi(report))),
        check("manifest", Ok(manifest(report))),
        check("info", about(report, response)),
        check("schemas", schema::check(response)),
        check("errors", errors(&host, &report.capabilities).await),
    ];
    let then = cancellation(&host, response, &report.capabilities);
    next(&mut checks, &started.host, "cancellation", then).await;
    let then = async { check("concurrency", concurrency(&host, &started.info, calls).await) };
    next(&mut checks, &started.host, "concurrency", then).await;
    let then = leaks::check(&host, started.host.pid(), calls, &report.capabilities);
    next(&mut checks, &started.host, "leaks", then).await;
    // What it logged of a thousand refusals helps nobody.
    started.host.drain(DRAIN).await;
    Ok(checks)
}

/// Makes a check, unless the host ended in one before, which has told why.
async fn next(checks: &mut Vec<Check>, host: &Host, name: &'static str, check: impl Future<Output = Check>) {
    let ended = match checks.last() {
        // A call learns of the end a moment before everybody does.
        Some(last) if last.outcome == Outcome::Fail => tokio::time::timeout(END, host.exited()).await.is_ok(),
        Some(last) => last.detail == ENDED,
        None => false,
    };
    checks.push(match ended {
        false => check.await,
        true => Check {
            name,
            outcome: Outcome::Skipped,
            detail: ENDED.to_owned(),
        },
    });
}

fn abi(report: &Report) -> String {
    let built = report
        .manifest
        .abi
        .as_deref()
        .unwrap_or("an unnamed minor version");
    format!("it is loaded, created and destroyed; it was built for {built}")
}

fn manifest(report: &Report) -> String {
    let manifest = &report.manifest;
    format!(
        "{} {}, {} calls at a time",
        manifest.app_id, manifest.version, manifest.max_concurrency
    )
}

/// That `info` has the members and types of the API, and says the same as the manifest.
fn about(report: &Report, response: &Value) -> Finding {
    let info: Info =
        serde_json::from_value(response.clone()).map_err(|error| format!("response: {error}"))?;
    if info.version != report.manifest.version.to_string() {
        return Err(format!(
            "version is `{}`, in the manifest it is `{}`",
            info.version, report.manifest.version
        ));
    }
    let mut names = info.capabilities.clone();
    names.sort();
    names.dedup();
    if names.len() != info.capabilities.len() {
        return Err("a capability is listed twice".to_owned());
    }
    if let Some(name) = names
        .iter()
        .find(|name| !info.capability_schema.contains_key(*name))
    {
        return Err(format!("capability_schema lacks {name}"));
    }
    Ok(format!("{} capabilities", names.len()))
}

/// Capabilities that answer whatever the request.
fn needs_no_request(capability: &str) -> bool {
    matches!(capability, "info" | "app_info")
}

/// That every capability refuses what is no request, and says so in the API's form.
async fn errors(host: &Probe<'_>, capabilities: &[String]) -> Finding {
    let bad = [json!([]), json!({"request": "not an object"})];
    let mut asked = 0;
    for capability in capabilities.iter().filter(|name| !needs_no_request(name)) {
        for document in &bad {
            let answer = host.call(capability, document).await;
            let answer = answer.map_err(|error| format!("{capability}, asked with {document}: {error}"))?;
            let wrong = |reason| format!("{capability}, asked with {document}: {reason}");
            envelope(host, &answer).map_err(wrong)?;
            asked += 1;
        }
    }
    let unknown = host.call("no_such_capability", &json!({"request": {}})).await?;
    envelope(host, &unknown).map_err(|reason| format!("a capability that it does not have: {reason}"))?;
    Ok(format!(
        "{asked} bad requests and an unknown capability were refused as they should"
    ))
}

/// That `answer` is an error of the API.
fn envelope(host: &Probe<'_>, answer: &Bytes) -> Result<(), String> {
    let value: Value =
        serde_json::from_slice(answer).map_err(|error| format!("the answer is not JSON: {error}"))?;
    if value["is_error"] != true {
        return Err("the answer is not an error (`is_error` is not true)".to_owned());
    }
    let envelope: ErrorResponse = serde_json::from_value(value)
        .map_err(|error| format!("the error is not in the form of the API: {error}"))?;
    let error = envelope.error;
    if error.message.is_empty() {
        return Err("the error has no message".to_owned());
    }
    if !error.app_id.eq_ignore_ascii_case(host.app_id()) {
        return Err(format!("the error names the app_id `{}`", error.app_id));
    }
    Ok(())
}

/// That a call under way ends soon when nobody waits for it any more.
async fn cancellation(host: &Probe<'_>, info: &Value, capabilities: &[String]) -> Check {
    let name = "cancellation";
    let wanted = ["validate_credentials", "list_accounts"];
    let capability = wanted
        .into_iter()
        .find(|name| capabilities.iter().any(|has| has == name));
    let Some(capability) = capability else {
        let detail = format!("it has none of {}, which are safe to try", wanted.join(", "));
        return Check {
            name,
            outcome: Outcome::Skipped,
            detail,
        };
    };
    match cancel(host, info, capability).await {
        Ok(Some(detail)) => check(name, Ok(detail)),
        Ok(None) => Check {
            name,
            outcome: Outcome::Skipped,
            detail: format!(
                "{capability} ended before it could be cancelled: no setting leads it to a listener of ours"
            ),
        },
        Err(detail) => check(name, Err(detail)),
    }
}

async fn cancel(host: &Probe<'_>, info: &Value, capability: &str) -> Result<Option<String>, String> {
    let app = Silent::listen()
        .await
        .map_err(|error| format!("can't listen on this machine: {error}"))?;
    let document = probe::leading_to(&app.url, info);
    let mut call = host.begin(capability, &document)?;
    let mut kept = None;
    tokio::select! {
        stream = app.reached() => kept = stream,
        answer = call.answer() => return answer.map(|_| None).map_err(|error| error.to_string()),
        () = tokio::time::sleep(CONNECT) => {}
    }
    call.cancel(crate::hosting::CancelReason::Deadline);
    let begun = std::time::Instant::now();
    let outcome = tokio::time::timeout(GRACE, call.answer()).await;
    drop(kept);
    match outcome {
        Err(_) => Err(format!(
            "{capability} waits for its app {} s after it was cancelled; the agent would start a fresh host",
            GRACE.as_secs()
        )),
        Ok(Err(error)) => Err(format!("{capability}, cancelled: {error}")),
        Ok(Ok(_)) => {
            host.call("info", &json!({})).await?;
            let took = begun.elapsed().as_millis();
            Ok(Some(format!(
                "{capability} ended {took} ms after it was cancelled"
            )))
        }
    }
}

/// That calls at the same time do not disturb each other.
async fn concurrency(host: &Probe<'_>, info: &Bytes, calls: u32) -> Finding {
    for _ in 0..ROUNDS {
        for answer in host.together("info", &json!({}), calls).await {
            if answer? != *info {
                return Err(format!(
                    "of {calls} calls of info at the same time, one got another answer"
                ));
            }
        }
    }
    Ok(format!("{ROUNDS} times {calls} calls at the same time"))
}
