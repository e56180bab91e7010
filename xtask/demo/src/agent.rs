//! A throw-away agent: made with its own command line, run on free ports, filled by copying files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use demo::installation::Installation;
use demo::program::Program;
use serde_json::{Value, json};

use crate::client::ApiClient;
use crate::mock_app;

/// How long a start, and the loading of a connector, may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    program: Program,
    client: ApiClient,
    installation: Installation,
}

/// Where the agent's own output goes; `directory` is the demo's.
pub(crate) fn log_file(directory: &Path) -> PathBuf {
    directory.join("agent.log")
}

impl Agent {
    /// Makes a private installation below `directory`, and runs it until it answers.
    pub(crate) async fn start(program: &Path, directory: &Path) -> anyhow::Result<Self> {
        let installation = Installation::make(program, &directory.join("agent")).await?;
        write_private(
            &directory.join("token.header"),
            &format!("Authorization: Bearer {}\n", installation.token),
        )?;
        let log = File::create(log_file(directory)).context("cannot make the agent's log file")?;
        let mut run = installation.command(&["run"]);
        // The mock app is on this machine, whatever proxy leads elsewhere.
        run.env("NO_PROXY", "127.0.0.1");
        run.stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share the log file")?)
            .stderr(log);
        let program = Program::start(&mut run).context("cannot start the agent")?;
        let url = format!("https://{}", installation.dispatch);
        let client = ApiClient::new(&url, &installation.ca, installation.token.clone())?;
        let mut agent = Self {
            program,
            client,
            installation,
        };
        agent
            .wait_until(|_| true)
            .await
            .context("the agent does not come up")?;
        Ok(agent)
    }

    pub(crate) fn url(&self) -> &str {
        self.client.url()
    }

    pub(crate) fn client(&self) -> &ApiClient {
        &self.client
    }

    /// Installs a connector as an admin does: by copying its file into the connectors directory.
    pub(crate) fn drop_in(&self, library: &Path) -> anyhow::Result<()> {
        let name = library
            .file_name()
            .with_context(|| format!("{} is no file", library.display()))?;
        self.installation.drop_in(library)?;
        println!("Dropped {} into the connectors directory.", name.display());
        Ok(())
    }

    /// Waits until so many connectors are served. Gives how long it took.
    pub(crate) async fn wait_for_connectors(&mut self, count: usize) -> anyhow::Result<Duration> {
        let start = Instant::now();
        self.wait_until(|served| served.len() >= count)
            .await
            .with_context(|| {
                format!("the agent does not serve the {count} connectors that were dropped in")
            })?;
        Ok(start.elapsed())
    }

    async fn wait_until(&mut self, enough: impl Fn(&[Value]) -> bool) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let answer = self.client.post("list-connector-app-ids", &json!({})).await;
            let problem = match answer {
                Ok(answer)
                    if answer.body["response"]
                        .as_array()
                        .is_some_and(|served| enough(served)) =>
                {
                    return Ok(());
                }
                Ok(answer) => anyhow::anyhow!("it answers {} {}", answer.status, answer.body),
                Err(error) => error,
            };
            ensure!(
                start.elapsed() < PATIENCE,
                "after {} s: {problem:#}",
                PATIENCE.as_secs()
            );
            tokio::select! {
                () = tokio::time::sleep(BETWEEN_LOOKS) => {}
                result = self.program.ended() => bail!("it ended with {}", result?),
            }
        }
    }

    /// Resolves, as an error, when the agent ends without having been asked to.
    pub(crate) async fn ended_by_itself(&mut self) -> anyhow::Result<()> {
        let status = self.program.ended().await?;
        bail!("the agent ended by itself with {status}")
    }

    pub(crate) async fn end(self) {
        self.program.end().await;
    }

    /// Calls for the reader to repeat. The token is in a file, so that it stands on no command line.
    pub(crate) fn print_lines_to_paste(&self, mock_url: &str) {
        let curl = |path: &str, body: &Value| {
            let options = "-sS -w '\\n' --cacert agent/tls/ca.pem -H @token.header";
            println!("curl {options} -H 'Content-Type: application/json' \\");
            println!("     -d '{body}' {}/connectors/{path}", self.url());
        };
        println!(
            "\nThe agent stays up until you press ctrl-c. To call it yourself, paste into another terminal:\n"
        );
        let directory = self.installation.directory();
        println!("cd {}", directory.parent().unwrap_or(directory).display());
        curl("list-connector-app-ids", &json!({}));
        curl("mockapp/info", &json!({}));
        curl(
            "mockapp/list_accounts",
            &for_mock_app(mock_url, &json!({}), Some(&json!({"size": 5}))),
        );
        let account = json!({"email": "you@example.com", "display_name": "You", "entitlements": []});
        curl("mockapp/create_account", &for_mock_app(mock_url, &account, None));
        curl(
            "example-c/list_accounts",
            &json!({"auth": {"token": {"token": "example-token"}}, "request": {}}),
        );
        println!("curl -sS http://{}/readyz", self.installation.admin);
        println!("curl -sS http://{}/metrics", self.installation.admin);
        println!(
            "\nIn that directory are also the agent's log (agent.log) and its connectors (agent/connectors)."
        );
    }
}

/// A request to the mock app's connector.
pub(crate) fn for_mock_app(mock_url: &str, request: &Value, page: Option<&Value>) -> Value {
    let mut body = json!({
        "auth": {"token": {"token": mock_app::TOKEN}},
        "request": request,
        "settings": {"api_url": mock_url, "account_id": ""},
    });
    if let Some(page) = page {
        body["page"] = page.clone();
    }
    body
}

/// The directory is readable by its owner only, and so is the file on systems that know modes.
fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options
        .open(file)
        .with_context(|| format!("cannot make {}", file.display()))?;
    std::io::Write::write_all(&mut opened, text.as_bytes())
        .with_context(|| format!("cannot write {}", file.display()))
}
