//! What the service manager hears of the agent: that it is ready, and one line on how it is.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::connectors::State;
use crate::http::admin::Health;
use crate::manager::Manager;

/// How often it is looked whether the agent is ready.
const SOON: Duration = Duration::from_millis(20);
/// Then it is called ready all the same: it serves what it can, and the status says what it waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether the line has changed.
const LOOK: Duration = Duration::from_secs(1);

/// Says READY once the agent is, then keeps the line up to date until `stop` fires.
pub(super) async fn announce(manager: Manager, health: Arc<Health>, url: String, stop: CancellationToken) {
    let ready = async {
        while !health.is_ready() {
            tokio::time::sleep(SOON).await;
        }
    };
    let waited = stop
        .run_until_cancelled(tokio::time::timeout(PATIENCE, ready))
        .await;
    if waited.is_none() {
        return;
    }
    let mut told = line(&health, &url);
    manager.ready(&told);
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let now = line(&health, &url);
        // What is said while it stops is the last word.
        if now != told && !health.stopping() && !health.draining.is_cancelled() {
            manager.status(&now);
            told = now;
        }
    }
}

fn line(health: &Health, url: &str) -> String {
    let rows = health.backend.list();
    let ready = rows.iter().filter(|row| row.state == State::Ready).count();
    let broken: Vec<&str> = rows
        .iter()
        .filter(|row| matches!(row.state, State::BackingOff | State::Quarantined | State::Refused))
        .map(|row| row.app_id.as_str())
        .collect();
    let mut line = format!("serves {url}; connectors ready: {ready}");
    if !broken.is_empty() {
        line = format!("{line}; not served: {}", broken.join(", "));
    }
    let reasons = health.reasons();
    for problem in reasons.iter().chain(&health.problems()) {
        line = format!("{line}; {problem}");
    }
    line
}
