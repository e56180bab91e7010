//! The mock app, asked directly: the truth that the agent's answers are held against.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use demo::program::Program;
use reqwest::Client;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// The token that the app accepts.
pub(crate) const TOKEN: &str = "valid-token";

/// A running mock app on a loopback port of its own.
#[derive(Debug)]
pub(crate) struct MockApp {
    program: Program,
    url: String,
    client: Client,
}

impl MockApp {
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--exit-with-stdin"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = Program::start(&mut command)
            .with_context(|| format!("cannot start the mock app {}", program.display()))?;
        let mut line = String::new();
        let stdout = program.stdout().context("the mock app has no standard output")?;
        BufReader::new(stdout)
            .read_line(&mut line)
            .await
            .context("the mock app says nothing")?;
        let url = line
            .trim_end()
            .strip_prefix("listening on ")
            .with_context(|| format!("the mock app says {line:?} instead of its address"))?
            .to_owned();
        Ok(Self {
            program,
            url,
            client: Client::builder()
                .no_proxy()
                .build()
                .context("cannot set up an HTTP client")?,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads something of the app, without the agent.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(TOKEN);
        let response = request.send().await.context("the mock app cannot be reached")?;
        let status = response.status();
        ensure!(status.is_success(), "the mock app answers {status} to GET {path}");
        response.json().await.context("the mock app's answer is not JSON")
    }

    pub(crate) async fn end(self) {
        self.program.end().await;
    }
}
