//! Agents under measurement.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use demo::installation::Installation;
use demo::program::Program;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::{Target, trusting};

/// How long a start may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A running agent.
pub(crate) struct Agent {
    program: Program,
    pub(crate) installation: Installation,
}

impl Agent {
    /// Runs an agent until it serves `connectors` of them. Gives how long that took as well.
    pub(crate) async fn start(
        installation: Installation,
        isolation: &str,
        connectors: usize,
    ) -> anyhow::Result<(Self, Duration)> {
        let log =
            fs::File::create(installation.directory().join("agent.log")).context("cannot make a log")?;
        let mut run = installation.command(&["run"]);
        run.env("LUMOS_AGENT__CONNECTORS__ISOLATION", isolation);
        // All load comes from one caller.
        run.env("LUMOS_AGENT__DISPATCH__MAX_IN_FLIGHT_PER_CALLER", "512");
        run.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let begun = Instant::now();
        let program = Program::start(&mut run).context("cannot start the agent")?;
        let agent = Self {
            program,
            installation,
        };
        while agent.served().await.unwrap_or(0) < connectors {
            ensure!(
                begun.elapsed() < PATIENCE,
                "the agent does not serve {connectors} connectors"
            );
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok((agent, begun.elapsed()))
    }

    /// How many connectors are ready.
    async fn served(&self) -> anyhow::Result<usize> {
        let mut socket = TcpStream::connect(self.installation.admin).await?;
        let request = "GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let info: Value = serde_json::from_str(body)?;
        let connectors = info["connectors"].as_array().context("no list")?;
        Ok(connectors.iter().filter(|one| one["state"] == "ready").count())
    }

    pub(crate) fn target(&self) -> anyhow::Result<Target> {
        Ok(Target {
            address: self.installation.dispatch,
            token: self.installation.token.clone(),
            tls: trusting(&self.installation.ca)?,
        })
    }

    /// The processes: the agent first, then its hosts.
    pub(crate) fn processes(&self) -> anyhow::Result<(u32, Vec<u32>)> {
        let agent = self.program.id().context("the agent has ended")?;
        let mut hosts = Vec::new();
        for thread in fs::read_dir(format!("/proc/{agent}/task")).context("cannot look at the agent")? {
            let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
            hosts.extend(
                children
                    .split_whitespace()
                    .filter_map(|id| id.parse::<u32>().ok()),
            );
        }
        Ok((agent, hosts))
    }

    pub(crate) async fn end(self) -> Installation {
        self.program.end().await;
        self.installation
    }
}

/// KiB that `field` of the file tells, as `VmRSS` of `status`.
pub(crate) fn kib(file: &Path, field: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{} tells no {field}", file.display()))
}
