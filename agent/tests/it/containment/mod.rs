//! Whatever a connector does, the agent and the other connectors go on: misbehaving connectors in a real agent, called over
//! HTTPS, beside a well-behaved one under constant load of which no call may fail.

mod calling;
mod machine;
mod starting;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation, PATIENCE};
use crate::support::cc;
use crate::support::connectors::drop_in;
use crate::support::load::{Load, Sample, p99};
use crate::support::residue::Residue;
use crate::support::scenario::{Scenario, build};

/// Callers of the well-behaved connector.
const CALLERS: usize = 4;
/// How long it is measured alone.
const ALONE: Duration = Duration::from_secs(2);

/// An agent with a well-behaved connector under load.
struct Stage {
    agent: Agent,
    token: String,
    client: reqwest::Client,
    load: Load,
    begun: Instant,
    joined: Instant,
    before: Residue,
}

impl Stage {
    /// Measures the well-behaved connector alone, and what the agent holds then.
    async fn new(configuration: &str) -> Self {
        Self::prepared(configuration, Installation::start).await
    }

    /// The same, with an agent that is started in another way.
    async fn prepared(configuration: &str, start: impl FnOnce(Installation) -> Agent) -> Self {
        let installation = Installation::new();
        installation.configure(configuration);
        let token = installation.token("test", &["*:*", "admin"]);
        let neighbour = build(&Scenario::default());
        drop_in(&neighbour, &installation.connectors(), "scenario.so");
        let mut agent = start(installation);
        agent.wait_for("scenario", "ready");
        let client = agent.client();
        let load = Load::start(
            &agent,
            &token,
            "scenario/list_accounts",
            CALLERS,
            |_, _| json!({"request": {}}),
        );
        let begun = Instant::now();
        let mut stage = Stage {
            before: Residue::of(&agent),
            agent,
            token,
            client,
            load,
            begun,
            joined: begun,
        };
        stage.rows().await;
        tokio::time::sleep(ALONE).await;
        stage.before = Residue::of(&stage.agent);
        stage.joined = Instant::now();
        stage
    }

    fn install(&self, library: &Path, app_id: &str) {
        drop_in(
            library,
            &self.agent.installation.connectors(),
            &format!("{app_id}.so"),
        );
    }

    fn remove(&self, app_id: &str) {
        fs::remove_file(self.agent.installation.connectors().join(format!("{app_id}.so"))).unwrap();
    }

    /// `GET /connectors`
    async fn rows(&self) -> Vec<Value> {
        let request = self.client.get(&self.agent.base_url).bearer_auth(&self.token);
        let rows: Value = request.send().await.unwrap().json().await.unwrap();
        rows.as_array().unwrap().clone()
    }

    async fn row(&self, name: &str) -> Option<Value> {
        let rows = self.rows().await;
        rows.into_iter()
            .find(|row| row["app_id"] == name || row["file"] == format!("{name}.so"))
    }

    /// Waits until the row of a connector is as `wanted` says, and returns it.
    async fn until(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let row = self.row(name).await;
            if let Some(row) = row.as_ref().filter(|row| wanted(row)) {
                return row.clone();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited too long for {name} to be {what}; it is {row:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn call(&self, app_id: &str, capability: &str, timeout_ms: Option<u64>) -> (u16, Value) {
        let url = format!("{}/{app_id}/{capability}", self.agent.base_url);
        let mut request = self.client.post(url).bearer_auth(&self.token);
        if let Some(ms) = timeout_ms {
            request = request.header("X-Lumos-Timeout-Ms", ms);
        }
        let body = json!({"auth": {"token": {"token": "x"}}, "request": {}});
        let response = request.json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// A connector's own log.
    fn log_of(&self, app_id: &str) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.agent.installation.file("logs"))
            .unwrap()
            .flatten()
        {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!("{app_id}_"))
            {
                text += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap());
            }
        }
        text
    }

    /// Waits until `text` stands in a connector's log.
    async fn until_logged(&self, app_id: &str, text: &str) {
        let begun = Instant::now();
        while !self.log_of(app_id).contains(text) {
            assert!(
                begun.elapsed() < PATIENCE,
                "no {text:?} in the log of {app_id}: {:.2000}",
                self.log_of(app_id)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What was said of each step in a connector's life.
    fn reasons(&self, app_id: &str) -> Vec<String> {
        let show = ["connector", "show", app_id, "--output", "json"];
        let detail = self.agent.installation.json(show);
        let transitions = detail["transitions"].as_array().unwrap().iter();
        transitions
            .map(|transition| transition["reason"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The end: nothing is left behind, no call of the well-behaved connector has failed. Tells its speed.
    #[expect(clippy::print_stdout, reason = "measured, not asserted")]
    async fn end(self, name: &str) {
        let begun = Instant::now();
        loop {
            let left = Residue::of(&self.agent).beyond(&self.before);
            if left.is_empty() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "left behind: {left:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let over = Instant::now();
        let samples = self.load.stop().await;
        let all = || samples.iter().flatten();
        let (alone, beside) = (p99(all(), self.begun, self.joined), p99(all(), self.joined, over));
        println!(
            "{name}: p99 of the well-behaved connector {:?} alone ({} calls), {:?} beside the others ({} calls)",
            alone.0, alone.1, beside.0, beside.1
        );
        let failed: Vec<_> = all()
            .filter(|sample| !is_fine(sample))
            .map(|sample| (sample.status, &sample.answer))
            .collect();
        assert!(
            failed.is_empty(),
            "{} calls failed: {:?}",
            failed.len(),
            failed.first()
        );
        let (code, _) = self.agent.stop();
        assert_eq!(code, Some(0));
    }
}

fn is_fine(sample: &Sample) -> bool {
    sample.status == 200 && sample.answer["build"] == "a"
}

/// The rogue of that name, with a fault from the start.
fn rogue(app_id: &str, fault: u32) -> std::path::PathBuf {
    cc::connector(
        "rogue",
        &[&format!("APP_ID=\"{app_id}\""), &format!("FAULT={fault}")],
    )
}
