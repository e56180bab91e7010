//! Calls as the cloud makes them, from the outside of Wine: curl on Linux, over loopback, with TLS and a token.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::wine::{PATIENCE, eventually};

/// An agent to be called.
#[derive(Debug)]
pub(crate) struct Callee {
    port: u16,
    ca: PathBuf,
    token: PathBuf,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) took: Duration,
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot take a port")?;
    Ok(listener.local_addr()?.port())
}

impl Callee {
    /// `directory` is for the token, which stands on no command line.
    pub(crate) fn new(port: u16, ca: &Path, token: &str, directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join(format!("{port}.header"));
        std::fs::write(&file, format!("Authorization: Bearer {token}\n"))?;
        Ok(Callee {
            port,
            ca: ca.to_owned(),
            token: file,
        })
    }

    /// `POST /connectors/{path}`.
    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "60"])
            .args([
                "--write-out",
                "\n%{http_code}",
                "--header",
                "Content-Type: application/json",
            ])
            .arg("--cacert")
            .arg(&self.ca)
            .arg("--header")
            .arg(format!("@{}", self.token.display()))
            .args(["--data", &body.to_string()])
            .arg(format!("https://localhost:{}/connectors/{path}", self.port))
            .output()
            .context("cannot run curl")?;
        let took = begun.elapsed();
        ensure!(
            output.status.success(),
            "{path}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let text = String::from_utf8(output.stdout).context("the answer is no text")?;
        let (body, status) = text.rsplit_once('\n').context("curl prints no status")?;
        Ok(Answer {
            status: status.parse().context("curl prints no status")?,
            body: serde_json::from_str(body).with_context(|| format!("{path}: not JSON: {body}"))?,
            took,
        })
    }

    /// A call that must succeed.
    pub(crate) fn call(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.post(path, body)?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// Waits until the agent answers.
    pub(crate) fn wait(&self) -> anyhow::Result<()> {
        let nothing = serde_json::json!({});
        let mut last = None;
        eventually("the agent to answer", PATIENCE, || {
            match self.post("list-connector-app-ids", &nothing) {
                Ok(answer) if answer.status == 200 => return Ok(true),
                Ok(answer) => last = Some(format!("{} {}", answer.status, answer.body)),
                Err(error) => last = Some(format!("{error:#}")),
            }
            Ok(false)
        })
        .with_context(|| last.unwrap_or_default())
    }

    /// Waits until the connector is served, or no longer is.
    pub(crate) fn wait_for(&self, app_id: &str, served: bool) -> anyhow::Result<()> {
        let nothing = serde_json::json!({});
        eventually(&format!("{app_id} to be served: {served}"), PATIENCE, || {
            let list = self.call("list-connector-app-ids", &nothing)?;
            let there = list["response"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == app_id));
            Ok(there == served)
        })
    }
}
