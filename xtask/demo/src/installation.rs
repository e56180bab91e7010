//! A private installation in a directory of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::Command;

/// What `lumos-agent init` has made, and where an agent run from it is to listen.
#[derive(Debug)]
pub struct Installation {
    program: PathBuf,
    directory: PathBuf,
    /// Where calls go.
    pub dispatch: SocketAddr,
    /// Health and metrics.
    pub admin: SocketAddr,
    /// Allows everything.
    pub token: String,
    /// The authority of the server's certificate, as PEM.
    pub ca: Vec<u8>,
}

impl Installation {
    /// Makes one in `directory`, which must not exist.
    ///
    /// # Errors
    /// If the agent's program cannot, or there is no free port.
    pub async fn make(program: &Path, directory: &Path) -> anyhow::Result<Self> {
        run(command(program).arg("init").arg("--dir").arg(directory)).await?;
        let token = create_token(program, &directory.join("agent.toml")).await?;
        let ca = fs::read(directory.join("tls/ca.pem")).context("init made no CA certificate")?;
        Ok(Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            dispatch: free_address()?,
            admin: free_address()?,
            token,
            ca,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `lumos-agent` with `arguments` and this installation's configuration.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.program);
        command
            .args(arguments)
            .env("LUMOS_AGENT_CONFIG", self.directory.join("agent.toml"))
            .env("LUMOS_AGENT__DISPATCH__LISTEN", self.dispatch.to_string())
            .env("LUMOS_AGENT__ADMIN__LISTEN", self.admin.to_string());
        command
    }

    /// Installs a connector as an admin does: by copying its file into the connectors directory.
    ///
    /// # Errors
    /// If the file cannot be copied.
    pub fn drop_in(&self, library: &Path) -> anyhow::Result<()> {
        let name = library
            .file_name()
            .with_context(|| format!("{} is no file", library.display()))?;
        let target = self.directory.join("connectors").join(name);
        fs::copy(library, &target)
            .with_context(|| format!("cannot copy {} to {}", library.display(), target.display()))?;
        Ok(())
    }
}

/// The agent's program without whatever configures an agent of the reader's own.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LUMOS_") {
            command.env_remove(name);
        }
    }
    command
}

async fn create_token(program: &Path, config: &Path) -> anyhow::Result<String> {
    let mut create = command(program);
    create
        .args([
            "token",
            "create",
            "--name",
            "throw-away",
            "--scope",
            "*:*",
            "--config",
        ])
        .arg(config);
    let output = run(&mut create).await?;
    let answer: Value = serde_json::from_slice(&output).context("token create printed no JSON")?;
    answer["token"]
        .as_str()
        .map(str::to_owned)
        .context("token create printed no token")
}

/// Runs a command that ends by itself; gives what it printed.
///
/// # Errors
/// If it cannot be run, or fails.
pub async fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let line = format!("{:?}", command.as_std());
    let output = command
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("cannot run {line}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    bail!(
        "{line}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    )
}

/// A port that was free a moment ago. The agent takes it at once, so a collision is most unlikely.
///
/// # Errors
/// If there is none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free loopback port")?;
    listener.local_addr().context("cannot read a listener's address")
}
