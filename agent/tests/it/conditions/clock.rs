//! The system's clock is set while the agent runs: forward, back, past the end of its certificate.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use serde_json::json;

use super::{measured, ok, prepared, until_over, until_raised};
use crate::support::agent::{Agent, Installation};
use crate::support::cc;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The wall clock of one agent.
struct Clock(File);

impl Clock {
    fn set_by(&self, seconds: i64) {
        self.0.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}

fn started(installation: Installation) -> (Agent, Clock) {
    let path = installation.file("clock");
    fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
    let clock = Clock(File::options().write(true).open(&path).unwrap());
    let library = cc::connector("clock", &[]);
    let mut agent = installation.start_with(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("CLOCK_OFFSET", path.to_str().unwrap()),
    ]);
    agent.wait_for("scenario", "ready");
    (agent, clock)
}

async fn status(agent: &Agent, token: &str) -> u16 {
    let (status, _) = agent.call(token, "scenario", "list_accounts", &json!({})).await;
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_when_the_clock_is_set_and_tokens_end_by_the_new_time() {
    if cc::sanitized() {
        return;
    }
    let (installation, token) = prepared("dispatch.timeout = \"60s\"\n");
    let create = [
        "token",
        "create",
        "--name",
        "short",
        "--scope",
        "*:*",
        "--expires",
        "30m",
    ];
    let short = installation.json(create)["token"].as_str().unwrap().to_owned();
    let (mut agent, clock) = started(installation);
    assert_eq!(status(&agent, &short).await, 200);

    for (by, short_is_valid) in [(HOUR, false), (0, true), (-HOUR, true), (0, true)] {
        // One call is under way while the clock is set; its deadline is sooner than the hour.
        let slow = json!({"request": {"ms": 1500}});
        let under_way = agent.call(&token, "scenario", "get_last_activity", &slow);
        let set = async {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            clock.set_by(by);
        };
        let ((answered, answer), ()) = tokio::join!(under_way, set);
        assert_eq!(answered, 200, "{by}: {answer}");
        ok(&agent, &token).await;
        let expected = if short_is_valid { 200 } else { 401 };
        assert_eq!(status(&agent, &short).await, expected, "{by}");
        if by == HOUR {
            let told = until_raised(&mut agent, "clock_set");
            assert!(told["message"].as_str().unwrap().contains("forward by"), "{told}");
        }
    }
    assert_eq!(
        agent.row("scenario").unwrap()["generation"],
        1,
        "no host was lost"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_served_with_an_alarm() {
    if cc::sanitized() {
        return;
    }
    let (installation, token) = prepared("");
    let (mut agent, clock) = started(installation);
    let status = agent.installation.json(["status", "--output", "json"]);
    let end: jiff::Timestamp = status["certificate"]["not_after"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let left = end.as_second() - jiff::Timestamp::now().as_second();

    clock.set_by(left - 7 * DAY);
    until_raised(&mut agent, "certificate_expires_soon");
    clock.set_by(left + HOUR);
    until_raised(&mut agent, "certificate_expired");
    until_over(&mut agent, "certificate_expires_soon");
    assert!(measured(&agent, "certificate_expired").await);
    assert!(agent.log().contains("the certificate expired at"));
    ok(&agent, &token).await;
    clock.set_by(0);
    until_over(&mut agent, "certificate_expired");
}
