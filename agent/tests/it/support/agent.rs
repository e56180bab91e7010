//! A real agent: the binary, initialised by its own `init`, over real TLS on free loopback ports.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::home::{Home, text};
use serde_json::Value;

/// How long anything may take before a test gives up. Generous: machines are slow, and nothing is asserted on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An initialised private installation, not running.
pub(crate) struct Installation {
    home: Home,
}

/// A running agent; killed when dropped.
pub(crate) struct Agent {
    /// Where it is installed.
    pub(crate) installation: Installation,
    /// `https://127.0.0.1:PORT/connectors`
    pub(crate) base_url: String,
    /// `http://127.0.0.1:PORT`
    pub(crate) admin_url: String,
    child: Child,
}

impl Installation {
    /// Runs `init`.
    pub(crate) fn new() -> Self {
        Installation { home: Home::new() }
    }

    /// Its directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.home.file("")
    }

    /// A file of it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.file(name)
    }

    /// The watched directory.
    pub(crate) fn connectors(&self) -> PathBuf {
        self.file("connectors")
    }

    /// Makes the configuration anew: the paths of this installation, and `toml`.
    pub(crate) fn configure(&self, toml: &str) {
        let paths =
            "agent.state_dir = \"state\"\nconnectors.directory = \"connectors\"\nlog.directory = \"logs\"\n";
        self.home.configure(&format!("{paths}{toml}\n"));
    }

    /// Makes the configuration anew, paths and all.
    pub(crate) fn configure_all(&self, toml: &str) {
        self.home.configure(toml);
    }

    /// A command line with this installation's configuration and a clean environment.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.command_of(Path::new(super::home::AGENT), args)
    }

    fn command_of<S: AsRef<OsStr>>(&self, program: &Path, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.home.command_of(program, &[]);
        command.env("LUMOS_AGENT_CONFIG", self.file("agent.toml"));
        command.env("LUMOS_AGENT__DISPATCH__LISTEN", "127.0.0.1:0");
        command.env("LUMOS_AGENT__ADMIN__LISTEN", "127.0.0.1:0");
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed, and parses what it prints.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", text(&output.stdout)))
    }

    /// What `connector validate` says of a connector, which need not pass its checks: fixtures have little of an API.
    pub(crate) fn report(&self, library: &str) -> Value {
        let output = self.run(["connector", "validate", library]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
    }

    /// Makes a token and returns it.
    pub(crate) fn token(&self, name: &str, scopes: &[&str]) -> String {
        let mut args = vec!["token", "create", "--name", name];
        for scope in scopes {
            args.extend(["--scope", scope]);
        }
        self.json(args)["token"].as_str().unwrap().to_owned()
    }

    /// Starts the daemon and waits until it listens.
    pub(crate) fn start(self) -> Agent {
        self.start_with(&[])
    }

    /// The same, with further environment variables.
    pub(crate) fn start_with(self, environment: &[(&str, &str)]) -> Agent {
        let mut command = self.command(["run"]);
        command.envs(environment.iter().copied());
        self.launch(command)
    }

    /// The same, with a copy of the agent.
    pub(crate) fn start_copy(self, program: &Path) -> Agent {
        let command = self.command_of(program, ["run"]);
        self.launch(command)
    }

    /// The same, as the only process of a cgroup.
    pub(crate) fn start_in(self, cgroup: &Path) -> Agent {
        let script = format!(
            "echo $$ > {}/cgroup.procs && exec {} run",
            cgroup.display(),
            super::home::AGENT
        );
        let command = self.command_of(Path::new("/bin/sh"), ["-c", &script]);
        self.launch(command)
    }

    /// The same, on a dispatch listener that this process holds and hands over as systemd does.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_on(self, socket: &std::net::TcpListener) -> Agent {
        let command = self.activated(socket.try_clone().unwrap().into(), "dispatch");
        self.launch(command)
    }

    /// The daemon's command, with `descriptor` as what systemd hands over under `name`.
    #[cfg(target_os = "linux")]
    pub(crate) fn activated(&self, descriptor: std::os::fd::OwnedFd, name: &str) -> Command {
        let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$; exec \"$0\" run";
        let mut command = self.command_of(Path::new("/bin/sh"), ["-c", script, super::home::AGENT]);
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", name);
        command.stdin(descriptor);
        command
    }

    /// The same, with `etc` in the place of `/etc`.
    pub(crate) fn start_with_etc(self, etc: &Path) -> Agent {
        let script = format!(
            "mount --bind {} /etc && exec {} run",
            etc.display(),
            super::home::AGENT
        );
        let mut command = self.command_of(Path::new("unshare"), ["--mount", "sh", "-c"]);
        command.arg(script);
        self.launch(command)
    }

    fn launch(self, mut command: Command) -> Agent {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.file("stderr.log"))
            .unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut agent = Agent {
            installation: self,
            base_url: String::new(),
            admin_url: String::new(),
            child,
        };
        let status = agent.eventually("the agent to listen", |agent| {
            if let Some(status) = agent.child.try_wait().unwrap() {
                panic!("the agent ended with {status}:\n{}", agent.log());
            }
            let output = agent.installation.run(["status", "--output", "json"]);
            output
                .status
                .success()
                .then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
        });
        agent.base_url = format!(
            "{}/connectors",
            status["dispatch_url"].as_str().unwrap().trim_end_matches('/')
        )
        .replace("/connectors/connectors", "/connectors");
        agent.admin_url = status["admin_url"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('/')
            .to_owned();
        agent
    }
}

impl Agent {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written to stderr.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.installation.file("stderr.log")).unwrap_or_default()
    }

    /// Polls `probe` until it gives something.
    #[track_caller]
    pub(crate) fn eventually<T>(&mut self, what: &str, mut probe: impl FnMut(&mut Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = probe(self) {
                return found;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited too long for {what}; the agent's log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The row of one connector, by app_id or file name, if there is one.
    pub(crate) fn row(&self, name: &str) -> Option<Value> {
        let rows = self.installation.json(["connector", "list", "--output", "json"]);
        rows.as_array()
            .unwrap()
            .iter()
            .find(|row| row["app_id"] == name || row["file"] == name)
            .cloned()
    }

    /// Waits until a connector (or file) is in `state`, and returns its row.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, name: &str, state: &str) -> Value {
        self.eventually(&format!("{name} to be {state}"), |agent| {
            agent.row(name).filter(|row| row["state"] == state)
        })
    }

    /// An HTTPS client that trusts this agent's CA and nothing else.
    pub(crate) fn client(&self) -> reqwest::Client {
        self.client_builder().build().unwrap()
    }

    /// The same, to be changed.
    pub(crate) fn client_builder(&self) -> reqwest::ClientBuilder {
        // Two tests may get here first at the same time; the loser's error only says that it is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = std::fs::read(self.installation.file("tls/ca.pem")).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .no_proxy()
            .timeout(PATIENCE)
    }

    /// Calls a capability.
    pub(crate) async fn call(
        &self,
        token: &str,
        app_id: &str,
        capability: &str,
        body: &Value,
    ) -> (u16, Value) {
        let url = format!("{}/{app_id}/{capability}", self.base_url);
        let response = self
            .client()
            .post(url)
            .bearer_auth(token)
            .json(body)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end and returns the exit code and the installation.
    pub(crate) fn ended(mut self) -> (Option<i32>, Installation) {
        let status = self.eventually("the agent to stop", |agent| agent.child.try_wait().unwrap());
        (status.code(), self.take_installation())
    }

    /// Asks for a graceful stop and returns the exit code and the installation.
    pub(crate) fn stop(self) -> (Option<i32>, Installation) {
        self.signal(rustix::process::Signal::TERM);
        self.ended()
    }

    /// Kills it without warning.
    pub(crate) fn kill(mut self) -> Installation {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.take_installation()
    }

    fn take_installation(&mut self) -> Installation {
        let gone = Installation { home: Home::empty() };
        std::mem::replace(&mut self.installation, gone)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
