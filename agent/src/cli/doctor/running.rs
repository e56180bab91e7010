//! The running agent: whether it answers, whether it is of this version, and what it says is wrong.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Area, Check, Finding, Findings, Severity};
use crate::connectors::Listing;
use crate::control::client::{Client, ClientError};
use crate::domain::AppId;

/// The control socket of an agent that is well answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an agent says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(super) version: String,
    pub(super) pid: u32,
    pub(super) draining: bool,
    pub(super) config_file: String,
    pub(super) conditions: Vec<Told>,
    pub(super) connectors: Vec<Listing>,
    /// What holds connectors to their memory, and where or why.
    pub(super) memory_limits: Option<(String, String)>,
    /// All of it, for the support bundle.
    pub(crate) status: Value,
}

/// A condition, of which a newer agent may know more than this command.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Told {
    name: String,
    severity: String,
    #[serde(default)]
    since: String,
    message: String,
    #[serde(default)]
    remedy: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Absence {
    Down(String),
    Silent(String),
    NotPermitted(String),
}

/// Asks the agent on this machine.
pub(crate) async fn ask(client: &Client) -> Result<Running, Absence> {
    let asked = tokio::time::timeout(PATIENCE, client.get("/control/status")).await;
    let reply = match asked {
        Err(_) => {
            return Err(Absence::Silent(format!(
                "it gave no answer within {} s",
                PATIENCE.as_secs()
            )));
        }
        Ok(Err(ClientError::NotPermitted(socket))) => return Err(Absence::NotPermitted(socket)),
        Ok(Err(error @ ClientError::Unreachable { .. })) => return Err(Absence::Down(error.to_string())),
        Ok(Err(error)) => return Err(Absence::Silent(error.to_string())),
        Ok(Ok(reply)) => reply,
    };
    match serde_json::from_slice::<Value>(&reply.body) {
        Ok(status) if reply.status.is_success() => Ok(Running::of(status)),
        _ => Err(Absence::Silent(format!("it answered {}", reply.status.as_u16()))),
    }
}

impl Running {
    /// The connectors, one row for each file.
    pub(crate) fn listings(&self) -> &[Listing] {
        &self.connectors
    }

    /// Their names, each once, as far as they are fit to be a file's.
    pub(crate) fn app_ids(&self) -> Vec<AppId> {
        let names = self.connectors.iter().filter_map(|row| row.app_id.parse().ok());
        let mut names: Vec<AppId> = names.collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whatever can be made out: an agent of another version is worth as much as it tells.
    fn of(status: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let limits = &status["memory_limits"];
        Running {
            version: text(&status["version"]),
            pid: status["pid"]
                .as_u64()
                .and_then(|pid| pid.try_into().ok())
                .unwrap_or(0),
            draining: status["state"] == "draining",
            config_file: text(&status["config_file"]),
            conditions: list(&status["conditions"])
                .into_iter()
                .filter_map(|one| serde_json::from_value(one).ok())
                .collect(),
            connectors: list(&status["connectors"])
                .into_iter()
                .filter_map(|one| serde_json::from_value(one).ok())
                .collect(),
            memory_limits: limits["by"]
                .as_str()
                .map(|by| (by.to_owned(), text(&limits["note"]))),
            status,
        }
    }
}

pub(super) fn judge(asked: &Result<Running, Absence>, config_file: &str, found: &mut Findings) {
    let agent = match asked {
        Ok(agent) => agent,
        Err(absence) => return absent(absence, found),
    };
    let own = env!("CARGO_PKG_VERSION");
    if agent.version != own {
        found.warning(
            Check::AgentOtherVersion,
            format!("the running agent is {}, this command is {own}", agent.version),
            "restart the agent, so that what is installed runs",
        );
    }
    if agent.draining {
        found.warning(
            Check::AgentDraining,
            "the agent is about to stop: new calls are refused",
            "start it again if it was not meant to stop",
        );
    }
    if agent.config_file != config_file {
        found.warning(
            Check::AgentOtherConfiguration,
            format!("the running agent was started with {}", agent.config_file),
            format!(
                "ask about that one: lumos-agent --config {} doctor",
                agent.config_file
            ),
        );
    }
    agent
        .conditions
        .iter()
        .for_each(|condition| told(condition, found));
    found.fine(Area::Agent, format!("it runs as process {}", agent.pid));
}

/// As the agent says it, under its own name.
fn told(condition: &Told, found: &mut Findings) {
    let severity = match condition.severity.as_str() {
        "error" => Severity::Failure,
        _ => Severity::Warning,
    };
    let since = match condition.since.get(..16) {
        Some(since) => format!(" (since {}Z)", since.replace('T', " ")),
        None => String::new(),
    };
    found.0.push(Finding {
        severity,
        area: Area::Agent,
        id: Some(condition.name.clone().into()),
        message: format!("{}{since}", condition.message),
        remedy: (!condition.remedy.is_empty()).then(|| condition.remedy.clone()),
    });
}

fn absent(absence: &Absence, found: &mut Findings) {
    match absence {
        Absence::Down(why) => found.failure(
            Check::AgentDown,
            why,
            "start it: `systemctl start lumos-agent` or `lumos-agent service start`; in a private installation `lumos-agent run`",
        ),
        Absence::Silent(why) => found.failure(
            Check::AgentSilent,
            format!("the agent is there, but cannot be asked: {why}"),
            "see whether its process is stopped or overloaded; restart it if need be",
        ),
        Absence::NotPermitted(socket) => found.warning(
            Check::AgentNotPermitted,
            format!("this user may not ask the agent ({socket})"),
            "run doctor as root, or as the user whom the installation belongs to",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(asked: &Result<Running, Absence>) -> String {
        let mut found = Findings::default();
        judge(asked, "/etc/lumos-agent/agent.toml", &mut found);
        found.told()
    }

    fn status() -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"), "pid": 7, "state": "running",
            "config_file": "/etc/lumos-agent/agent.toml", "conditions": [], "connectors": [],
        })
    }

    #[test]
    fn an_agent_that_is_well_is_fine() {
        assert_eq!(findings(&Ok(Running::of(status()))), "");
    }

    #[test]
    fn what_the_agent_says_is_wrong_is_told_under_its_name() {
        let mut wrong = status();
        wrong["version"] = "9.9.9".into();
        wrong["state"] = "draining".into();
        wrong["config_file"] = "/other/agent.toml".into();
        wrong["conditions"] = json!([
            {"name": "disk_full", "severity": "error", "since": "2026-05-01T01:02:03.4Z", "message": "no space in /a", "remedy": "make some"},
            {"name": "of_the_future", "severity": "warning", "message": "something new"},
            {"not": "understood"},
        ]);
        let cases = [
            findings(&Ok(Running::of(wrong))).replace(env!("CARGO_PKG_VERSION"), "VERSION"),
            findings(&Err(Absence::Down("it is not running".into()))),
            findings(&Err(Absence::Silent("it gave no answer within 5 s".into()))),
            findings(&Err(Absence::NotPermitted("/x/control.sock".into()))),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }
}
