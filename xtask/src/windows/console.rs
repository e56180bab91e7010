//! The agent in a console: calls, connectors that come, are replaced, crash and hang, and both ways to end.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::build::{self, Build};
use super::curl::{Callee, free_port};
use super::wine::{PATIENCE, Running, Wine, eventually};
use crate::run::say;
use crate::workspace::Workspace;

const AGENT: &str = r"C:\lumos\lumos-agent.exe";
const CONFIG: &str = r"C:\lumos\agent\agent.toml";
/// How long the connector under test may take for a call. A crash takes its time under Wine.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A private installation in Wine.
struct Console<'a> {
    workspace: &'a Workspace,
    wine: &'a Wine,
    port: u16,
    admin: u16,
    callee: Callee,
}

pub(crate) fn check(workspace: &Workspace, wine: &Wine, built: &Build) -> anyhow::Result<()> {
    let console = Console::set_up(workspace, wine, built)?;
    let mut agent = console.start()?;
    console.status_is_told()?;
    console.doctor_finds_its_ports()?;
    console.a_taken_port_is_told()?;
    console.connectors_are_dropped_in(built)?;
    console.a_connector_is_replaced_under_a_call()?;
    console.a_crash_hurts_nobody_else()?;
    console.a_hanging_call_hurts_nobody_else()?;
    console.the_program_cannot_be_exchanged()?;
    console.is_measured(&agent)?;
    console.ends_at_ctrl_c(&mut agent)?;
    let mut agent = console.start()?;
    console.callee.wait_for("scenario", true)?;
    console.takes_its_hosts_with_it(&mut agent)
}

impl<'a> Console<'a> {
    fn set_up(workspace: &'a Workspace, wine: &'a Wine, built: &Build) -> anyhow::Result<Self> {
        std::fs::create_dir(wine.drive("lumos"))?;
        std::fs::copy(built.file("lumos-agent.exe"), wine.drive("lumos/lumos-agent.exe"))?;
        let outcome = wine.run(&[AGENT, "init", "--dir", r"C:\lumos\agent", "--output", "json"])?;
        let block: Value = serde_json::from_str(&outcome.stdout).context("init prints no JSON")?;
        let token = block["token"].as_str().context("init gives no token")?;
        let config = wine.drive("lumos/agent/agent.toml");
        let mut text = std::fs::read_to_string(&config)?;
        text.push_str(&format!(
            "\n[connectors.settings.scenario]\ntimeout = \"{}s\"\n",
            TIMEOUT.as_secs()
        ));
        std::fs::write(&config, text)?;
        wine.run(&[AGENT, "--config", CONFIG, "check-config"])?;
        let port = free_port()?;
        let ca = wine.drive("lumos/agent/tls/ca.pem");
        Ok(Console {
            workspace,
            wine,
            port,
            admin: free_port()?,
            callee: Callee::new(port, &ca, token, &wine.scratch(""))?,
        })
    }

    fn start(&self) -> anyhow::Result<Running> {
        let mut command = self.wine.command(&[AGENT, "--config", CONFIG, "run"]);
        self.listen_here(&mut command);
        let begun = Instant::now();
        let agent = self.wine.start(command, &self.wine.scratch("console.log"))?;
        self.callee.wait().with_context(|| self.log())?;
        say(&format!(
            "   answers {:.2} s after its start",
            begun.elapsed().as_secs_f32()
        ));
        Ok(agent)
    }

    fn listen_here(&self, command: &mut Command) {
        command
            .env(
                "LUMOS_AGENT__DISPATCH__LISTEN",
                format!("127.0.0.1:{}", self.port),
            )
            .env("LUMOS_AGENT__ADMIN__LISTEN", format!("127.0.0.1:{}", self.admin));
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.wine.scratch("console.log")).unwrap_or_default()
    }

    /// Over the named pipe.
    fn ask(&self, words: &[&str]) -> anyhow::Result<Value> {
        let words: Vec<&str> = [AGENT, "--config", CONFIG].iter().chain(words).copied().collect();
        let outcome = self.wine.run(&words)?;
        serde_json::from_str(&outcome.stdout).with_context(|| format!("not JSON: {}", outcome.stdout))
    }

    fn status_is_told(&self) -> anyhow::Result<()> {
        let status = self.ask(&["status", "--output", "json"])?;
        ensure!(
            status["dispatch_url"].is_string(),
            "status tells no address: {status}"
        );
        Ok(())
    }

    fn doctor_finds_its_ports(&self) -> anyhow::Result<()> {
        let mut last = String::new();
        let well = eventually("doctor to find the agent's ports", PATIENCE, || {
            let mut doctor = self
                .wine
                .command(&[AGENT, "--config", CONFIG, "doctor", "--output", "json"]);
            self.listen_here(&mut doctor);
            last = self.wine.outcome(doctor)?.stdout;
            let report: Value = serde_json::from_str(&last)?;
            let findings = report["findings"].as_array().context("no findings")?;
            let here = |one: &&Value| one["area"] == "ports" && one["severity"] == "fine";
            // Both listeners; on a busy machine doctor gives up on what takes long.
            Ok(findings.iter().filter(here).count() == 2)
        });
        well.with_context(|| last)
    }

    /// Another agent, where this one listens.
    fn a_taken_port_is_told(&self) -> anyhow::Result<()> {
        self.wine.run(&[AGENT, "init", "--dir", r"C:\lumos\second"])?;
        let mut second = self
            .wine
            .command(&[AGENT, "--config", r"C:\lumos\second\agent.toml", "run"]);
        self.listen_here(&mut second);
        let outcome = self.wine.outcome(second)?;
        ensure!(
            outcome.status.code() == Some(64) && outcome.stderr.contains("another program listens there"),
            "a second agent ends with {}: {}",
            outcome.status,
            outcome.stderr
        );
        say("   doctor knows the agent's ports, and a taken one is told");
        Ok(())
    }

    fn drop_in(&self, library: &std::path::Path, name: &str) -> anyhow::Result<()> {
        // By a program of Windows', so that its rules for files in use count.
        let from = format!("Z:{}", library.display()).replace('/', "\\");
        let to = format!(r"C:\lumos\agent\connectors\{name}");
        self.wine.run(&["cmd", "/c", "copy", "/y", &from, &to]).map(drop)
    }

    fn scenario(&self, build: &str) -> anyhow::Result<PathBuf> {
        let source = self.workspace.path("agent/tests/fixtures/scenario.c");
        let library = self.wine.scratch(&format!("scenario-{build}.dll"));
        build::c_library(self.workspace, &source, &[format!("BUILD=\"{build}\"")], &library)?;
        Ok(library)
    }

    fn connectors_are_dropped_in(&self, built: &Build) -> anyhow::Result<()> {
        let example = self.wine.scratch("example_c.dll");
        let source = self.workspace.path("plugins/examples/c/example_c.c");
        build::c_library(self.workspace, &source, &[], &example)?;
        self.drop_in(&example, "example_c.dll")?;
        self.drop_in(&built.file("mockapp.dll"), "mockapp.dll")?;
        self.drop_in(&self.scenario("a")?, "scenario.dll")?;
        for app_id in ["example-c", "mockapp", "scenario"] {
            self.callee.wait_for(app_id, true).with_context(|| self.log())?;
            let info = self.callee.call(&format!("{app_id}/info"), &json!({}))?;
            ensure!(info["response"]["app_id"] == app_id, "{app_id} answers {info}");
        }
        say("   connectors in C and Rust are served as soon as they are dropped in");
        Ok(())
    }

    fn build_of_scenario(&self, milliseconds: u32) -> anyhow::Result<Value> {
        let body = json!({ "request": { "ms": milliseconds } });
        Ok(self.callee.call("scenario/get_last_activity", &body)?["build"].clone())
    }

    fn a_connector_is_replaced_under_a_call(&self) -> anyhow::Result<()> {
        let other = self.scenario("b")?;
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| self.build_of_scenario(1500));
            // The file is the one that was loaded a moment ago: Windows would refuse to replace a mapped library.
            self.drop_in(&other, "scenario.dll")?;
            let build = slow
                .join()
                .map_err(|_| anyhow::anyhow!("the call's thread is gone"))??;
            ensure!(
                build == "a" || build == "b",
                "a call during the replacement gives {build}"
            );
            anyhow::Ok(())
        })?;
        eventually("the replacement", PATIENCE, || {
            Ok(self.build_of_scenario(0)? == "b")
        })?;
        say("   a DLL is replaced while it is in use, without a failed call");
        Ok(())
    }

    /// The host of a connector writes where there is no memory.
    fn a_crash_hurts_nobody_else(&self) -> anyhow::Result<()> {
        let answer = self
            .callee
            .post("scenario/deactivate_account", &json!({ "request": {} }))?;
        ensure!(
            answer.status == 502 && answer.body["error"]["error_code"] == "connection_closed",
            "a crash gives {} {}",
            answer.status,
            answer.body
        );
        self.callee.call("example-c/info", &json!({}))?;
        let shown = self.ask(&["connector", "show", "scenario", "--output", "json"])?;
        ensure!(
            shown.to_string().contains("access violation"),
            "nothing tells of the crash: {shown}"
        );
        self.scenario_answers_again()?;
        say("   a crashing DLL takes its own calls with it and comes back; others go on");
        Ok(())
    }

    fn a_hanging_call_hurts_nobody_else(&self) -> anyhow::Result<()> {
        // It sleeps for an hour and heeds no cancellation.
        let body = json!({ "request": { "ms": 3_600_000 } });
        let hanging = self.callee.post("scenario/create_account", &body)?;
        ensure!(
            hanging.status == 504,
            "a hanging call gives {} {}",
            hanging.status,
            hanging.body
        );
        let other = self.callee.post("example-c/info", &json!({}))?;
        ensure!(
            other.status == 200 && other.took < hanging.took,
            "the neighbour answers {} after {:?}",
            other.status,
            other.took
        );
        self.scenario_answers_again()?;
        eventually("the end of the host that hangs", PATIENCE, || {
            Ok(self.hosts()?.len() == 3)
        })?;
        say("   a hanging DLL is cancelled, replaced by a fresh host and ended; others go on");
        Ok(())
    }

    fn scenario_answers_again(&self) -> anyhow::Result<()> {
        eventually("the connector to answer again", PATIENCE, || {
            let answer = self
                .callee
                .post("scenario/list_accounts", &json!({ "request": {} }))?;
            Ok(answer.status == 200)
        })
    }

    /// Its hosts are started from that file.
    fn the_program_cannot_be_exchanged(&self) -> anyhow::Result<()> {
        let rename = self.wine.command(&["cmd", "/c", "ren", AGENT, "old.exe"]);
        self.wine.outcome(rename)?;
        ensure!(
            self.wine.drive("lumos/lumos-agent.exe").exists(),
            "the running program could be renamed"
        );
        Ok(())
    }

    fn is_measured(&self, agent: &Running) -> anyhow::Result<()> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
        let resident = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap_or("VmRSS: ?");
        let size = std::fs::metadata(self.wine.drive("lumos/lumos-agent.exe"))?.len();
        say(&format!(
            "   the program has {:.1} MiB; in Wine, with three connectors: {}",
            size as f64 / f64::from(1 << 20),
            resident.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
        Ok(())
    }

    fn ends_at_ctrl_c(&self, agent: &mut Running) -> anyhow::Result<()> {
        // Wine makes a Ctrl-C of it.
        let sent = Command::new("kill")
            .args(["-INT", &agent.pid().to_string()])
            .status()?;
        ensure!(sent.success(), "kill: {sent}");
        let status = agent.ended_within(PATIENCE).with_context(|| self.log())?;
        ensure!(
            status.success(),
            "after Ctrl-C the agent ends with {status}:\n{}",
            self.log()
        );
        ensure!(
            self.log().contains("all calls have ended and all hosts are gone"),
            "the agent did not drain:\n{}",
            self.log()
        );
        say("   Ctrl-C drains it");
        Ok(())
    }

    fn takes_its_hosts_with_it(&self, agent: &mut Running) -> anyhow::Result<()> {
        ensure!(!self.hosts()?.is_empty(), "there are no hosts");
        agent.kill();
        eventually("the end of all hosts", PATIENCE, || Ok(self.hosts()?.is_empty()))?;
        say("   hosts end with an agent that is killed");
        Ok(())
    }

    /// Processes of hosts in this Wine that serve, on this machine.
    fn hosts(&self) -> anyhow::Result<Vec<u32>> {
        let own = self.wine.scratch("prefix").into_os_string().into_encoded_bytes();
        let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
        let mut hosts = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else {
                continue;
            };
            let read = |file: &str| std::fs::read(path.join(file)).unwrap_or_default();
            if contains(&read("cmdline"), b"connector-host") && contains(&read("environ"), &own) {
                hosts.push(pid);
            }
        }
        Ok(hosts)
    }
}
