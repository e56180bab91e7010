//! The life of a package: installed, set up, run, upgraded while it runs, removed, purged.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::PREVIOUS;
use super::root::{Base, Root};
use super::systems::System;
use crate::run::say;

const CONFIG: &str = "/etc/lumos-agent/agent.toml";
/// Writes down what it is asked for, in place of a service manager that does not run in the root.
const SYSTEMCTL: &str = "#!/bin/sh\necho \"$*\" >>/run/systemctl.calls\n";
const CALLS: &str = "/run/systemctl.calls";
const PATIENCE: Duration = Duration::from_secs(120);

/// Goes through it, from the previous version on.
pub(super) fn check(base: &Base, system: &dyn System, previous: &Path, current: &Path) -> anyhow::Result<()> {
    let root = base.unpack()?;
    let before = root.picture()?;

    let told = system.install(&root, previous)?;
    ensure!(
        told.contains("lumos-agent init"),
        "the installation does not say what comes next:\n{told}"
    );
    ensure!(
        !root.file(CONFIG).exists(),
        "the installation has configured the agent by itself"
    );
    let config = set_up(&root)?;
    let mock_app = MockApp::start(&root)?;
    let agent = Agent::start(&root)?;
    root.output(&[
        "lumos-agent",
        "connector",
        "install",
        "/usr/lib/lumos-agent/connectors/mockapp.so",
    ])?;
    mock_app.is_reached(&root)?;
    say("   installed, set up, and the mock app has answered through it");
    agent.is_measured(&root)?;

    upgrade(&root, system, current)?;
    ensure!(
        fs::read_to_string(root.file(CONFIG))? == config,
        "the upgrade has changed {CONFIG}"
    );
    mock_app
        .is_reached(&root)
        .context("the agent, during the upgrade")?;
    agent.end()?;
    let agent = Agent::start(&root)?;
    mock_app
        .is_reached(&root)
        .context("the agent, after the upgrade")?;
    agent.end()?;
    drop(mock_app);
    say("   upgraded, with its configuration and connector");

    remove(&root, system)?;
    if system.purge(&root)? {
        compare(&before, &root)?;
        say("   removed and purged, nothing is left");
    }
    Ok(())
}

/// What an administrator does first. The ports are free ones, for this machine may run another agent.
fn set_up(root: &Root) -> anyhow::Result<String> {
    root.output(&[
        "lumos-agent",
        "init",
        "--host",
        "agent.example.com",
        "--output",
        "json",
    ])?;
    let file = root.file(CONFIG);
    let text = fs::read_to_string(&file).context("init wrote no configuration")?;
    let edited = text
        .replace("# listen = \"0.0.0.0:8443\"", "listen = \"127.0.0.1:0\"")
        .replace("# listen = \"127.0.0.1:10002\"", "listen = \"127.0.0.1:0\"");
    ensure!(
        edited.matches("\nlisten = ").count() == 2,
        "the configuration has other listeners"
    );
    fs::write(&file, &edited)?;
    Ok(edited)
}

/// With the service running, as far as the package can tell: it may be restarted, and neither stopped nor enabled.
fn upgrade(root: &Root, system: &dyn System, current: &Path) -> anyhow::Result<()> {
    let version = system.installed(root)?;
    ensure!(
        version == format!("{PREVIOUS}-1"),
        "{version} is installed, not {PREVIOUS}"
    );
    pretend_systemd(root)?;
    system.install(root, current)?;
    let version = system.installed(root)?;
    ensure!(
        version != format!("{PREVIOUS}-1"),
        "the version is still {version}"
    );
    let calls = asked(root)?;
    ensure!(
        calls.contains("try-restart lumos-agent.service"),
        "the upgrade does not restart the service:\n{calls}"
    );
    let others = calls.lines().filter(|call| {
        let words: Vec<&str> = call.split_whitespace().collect();
        words
            .iter()
            .any(|word| ["start", "stop", "restart", "enable", "disable"].contains(word))
    });
    let others: Vec<&str> = others.collect();
    ensure!(
        others.is_empty(),
        "the upgrade does more to the service than that: {others:?}"
    );
    Ok(())
}

fn remove(root: &Root, system: &dyn System) -> anyhow::Result<()> {
    fs::write(root.file(CALLS), "")?;
    system.remove(root)?;
    let calls = asked(root)?;
    ensure!(
        calls.contains(system.stops()),
        "the service was not stopped:\n{calls}"
    );
    fs::remove_dir_all(root.file("/run/systemd"))?;
    fs::remove_file(root.file("/usr/bin/systemctl"))?;
    for gone in [
        "/usr/bin/lumos-agent",
        "/usr/lib/systemd/system/lumos-agent.service",
    ] {
        ensure!(!root.file(gone).exists(), "{gone} is there after the removal");
    }
    for kept in [
        CONFIG,
        "/etc/lumos-agent/tokens.json",
        "/var/lib/lumos-agent/connectors/mockapp.so",
        "/var/log/lumos-agent",
    ] {
        ensure!(root.file(kept).exists(), "the removal has taken {kept} with it");
    }
    Ok(())
}

fn compare(
    before: &std::collections::BTreeMap<std::path::PathBuf, String>,
    root: &Root,
) -> anyhow::Result<()> {
    let after = root.picture()?;
    let left: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    ensure!(left.is_empty(), "left behind: {left:?}");
    let lost: Vec<_> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    ensure!(lost.is_empty(), "taken away: {lost:?}");
    let changed: Vec<_> = before
        .iter()
        .filter(|(path, content)| after.get(*path) != Some(content))
        .collect();
    ensure!(changed.is_empty(), "other accounts than before: {changed:?}");
    Ok(())
}

fn pretend_systemd(root: &Root) -> anyhow::Result<()> {
    fs::create_dir_all(root.file("/run/systemd/system"))?;
    let systemctl = root.file("/usr/bin/systemctl");
    fs::write(&systemctl, SYSTEMCTL)?;
    let allowed = Command::new("chmod").arg("755").arg(&systemctl).status()?;
    ensure!(
        allowed.success(),
        "cannot make {} executable",
        systemctl.display()
    );
    Ok(())
}

fn asked(root: &Root) -> anyhow::Result<String> {
    fs::read_to_string(root.file(CALLS)).context("systemctl was never called")
}

/// The agent, as its service would run it.
struct Agent(Child);

impl Agent {
    fn start(root: &Root) -> anyhow::Result<Self> {
        let user = [
            "setpriv",
            "--reuid=lumos-agent",
            "--regid=lumos-agent",
            "--clear-groups",
        ];
        let rest = [
            "--no-new-privs",
            "--bounding-set=-all",
            "/usr/bin/lumos-agent",
            "run",
        ];
        let mut command = root.command(user.iter().chain(&rest));
        let begun = Instant::now();
        let mut agent = Agent(command.stderr(Stdio::inherit()).spawn()?);
        let deadline = begun + PATIENCE;
        loop {
            if let Some(status) = agent.0.try_wait()? {
                anyhow::bail!("the agent has ended: {status}");
            }
            match root.try_output(&["lumos-agent", "status", "--output", "json"])? {
                Ok(_) => {
                    say(&format!(
                        "   answers {:.2} s after its start",
                        begun.elapsed().as_secs_f32()
                    ));
                    return Ok(agent);
                }
                Err(told) => ensure!(Instant::now() < deadline, "the agent is not there: {told}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// For the table of the README: with one connector, and nothing to do.
    fn is_measured(&self, root: &Root) -> anyhow::Result<()> {
        let pid = self.0.id();
        let size = fs::metadata(root.file("/usr/bin/lumos-agent"))?.len();
        let own = kibibytes(&format!("/proc/{pid}/smaps_rollup"), "Rss:")?;
        let mut hosts = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let children = fs::read_to_string(thread?.path().join("children"))?;
            for child in children.split_whitespace() {
                hosts += kibibytes(&format!("/proc/{child}/smaps_rollup"), "Pss:")?;
            }
        }
        let mebibytes = |kibibytes: u64| kibibytes as f64 / 1024.0;
        say(&format!(
            "   the program has {:.1} MiB; resident {:.1} MiB, its host {:.1} MiB more",
            mebibytes(size / 1024),
            mebibytes(own),
            mebibytes(hosts)
        ));
        Ok(())
    }

    /// As the service manager ends it.
    fn end(mut self) -> anyhow::Result<()> {
        crate::run::run(Command::new("kill").arg(self.0.id().to_string()))?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.0.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "the agent does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        ensure!(status.success(), "the agent ends with {status}");
        Ok(())
    }
}

fn kibibytes(file: &str, field: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
    let value = text.lines().find_map(|line| line.strip_prefix(field));
    let number = value.and_then(|value| value.trim().strip_suffix(" kB")?.trim().parse().ok());
    number.with_context(|| format!("{file} has no {field}"))
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It has ended already, or a test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The mock app's server of the package.
struct MockApp {
    process: Child,
    url: String,
}

impl MockApp {
    fn start(root: &Root) -> anyhow::Result<Self> {
        let mut command = root.command(["/usr/lib/lumos-agent/mockapp-server", "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let out = process.stdout.take().context("no standard output")?;
        BufReader::new(out).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let app = MockApp {
            process,
            url: url.unwrap_or_default(),
        };
        ensure!(
            !app.url.is_empty(),
            "the mock app does not say where it listens: {line:?}"
        );
        Ok(app)
    }

    /// A real answer, through the agent and the connector. The connector may still be starting.
    fn is_reached(&self, root: &Root) -> anyhow::Result<()> {
        let request = json!({
            "auth": {"token": {"token": "valid-token"}},
            "settings": {"api_url": self.url, "account_id": ""},
            "request": {},
        });
        let call = [
            "lumos-agent",
            "call",
            "mockapp",
            "list_accounts",
            "--json",
            &request.to_string(),
        ];
        let deadline = Instant::now() + PATIENCE;
        let answer = loop {
            match root.try_output(&call)? {
                Ok(answer) => break answer,
                Err(told) => ensure!(Instant::now() < deadline, "no answer: {told}"),
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        let answer: Value = serde_json::from_str(&answer).context("the answer is not JSON")?;
        let accounts = answer["response"].as_array().map_or(0, Vec::len);
        ensure!(accounts > 0, "the answer holds no account: {answer}");
        Ok(())
    }
}

impl Drop for MockApp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
