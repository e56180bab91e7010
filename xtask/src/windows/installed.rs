//! The installer and the service: from an empty machine over an upgrade to the removal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::build::{self, Build};
use super::curl::{Callee, free_port};
use super::msi;
use super::wine::{PATIENCE, Wine, eventually};
use crate::run::say;
use crate::workspace::Workspace;

const AGENT: &str = r"C:\Program Files\Lumos\Agent\lumos-agent.exe";
const ENVIRONMENT: &str = r"HKLM\System\CurrentControlSet\Control\Session Manager\Environment";
const SERVICE: &str = r"HKLM\System\CurrentControlSet\Services\LumosAgent";
const EVENTS: &str = r"HKLM\System\CurrentControlSet\Services\EventLog\Application\LumosAgent";
/// Prints the text of each event whose code is on its command line, as Event Viewer finds it.
const EVENT_TEXTS: &str = r#"
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
    HMODULE from = LoadLibraryExA(words[1], NULL, LOAD_LIBRARY_AS_DATAFILE);
    char *line[] = {"the line of the log", NULL};
    for (int i = 2; i < count; i++) {
        char text[4096];
        DWORD flags = FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_ARGUMENT_ARRAY;
        if (!FormatMessageA(flags, from, strtoul(words[i], NULL, 0), 0, text, sizeof text, (va_list *)line))
            return 1;
        printf("%s\n", text);
    }
    return 0;
}
"#;

/// Asks the service control manager what `sc` of Wine cannot: `control CODE` or, for state and checkpoint, `status`.
const MANAGER: &str = r#"
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **words)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = OpenServiceA(manager, "LumosAgent", SERVICE_ALL_ACCESS);
    SERVICE_STATUS_PROCESS now;
    SERVICE_STATUS status;
    DWORD size;
    if (count == 3 && strcmp(words[1], "control") == 0) {
        if (ControlService(service, strtoul(words[2], NULL, 0), &status))
            return 0;
        fprintf(stderr, "error %lu\n", GetLastError());
        return 1;
    }
    if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&now, sizeof now, &size))
        return 1;
    printf("%lu %lu\n", now.dwCurrentState, now.dwCheckPoint);
    return 0;
}
"#;
/// `SERVICE_CONTROL_PARAMCHANGE`, `SERVICE_STOP_PENDING`
const PARAMCHANGE: &str = "6";
const STOP_PENDING: u32 = 3;
/// Longer than a few checkpoints.
const SLOW_CALL: Duration = Duration::from_secs(10);

/// A machine that the installer runs on.
struct Machine<'a> {
    wine: &'a Wine,
    port: u16,
}

pub(crate) fn check(
    workspace: &Workspace,
    wine: &Wine,
    built: &Build,
    installer: &Path,
) -> anyhow::Result<()> {
    let machine = Machine {
        wine,
        port: free_port()?,
    };
    machine
        .lives(workspace, built, installer)
        .with_context(|| machine.log())
}

impl Machine<'_> {
    fn lives(&self, workspace: &Workspace, built: &Build, installer: &Path) -> anyhow::Result<()> {
        self.use_free_ports()?;
        self.refuses_what_others_have_prepared(built)?;
        self.install(installer)?;
        self.is_set_up()?;
        self.events_have_texts(workspace)?;
        let callee = self.callee()?;
        callee.wait()?;
        self.loads_while_it_runs(built, &callee)?;
        self.reads_its_configuration_again(&callee)?;
        let manager = self.program(workspace, "manager", MANAGER)?;
        self.reloads_when_told_to(&manager)?;
        self.drains_with_checkpoints(workspace, &manager, &callee)?;
        self.stops_and_starts(&callee)?;

        let newer = msi::make_version(workspace, built, "99.0.0")?;
        let upgraded = self.upgrade(&newer, &callee);
        std::fs::remove_file(&newer)?;
        upgraded
    }

    /// What the service has logged.
    fn log(&self) -> String {
        let logs = std::fs::read_dir(self.wine.drive("ProgramData/Lumos/Agent/logs"));
        let own = logs.into_iter().flatten().flatten().filter(|log| {
            let name = log.file_name();
            name.to_string_lossy().starts_with("lumos-agent.")
        });
        own.filter_map(|log| std::fs::read_to_string(log.path()).ok())
            .collect()
    }

    /// The installer makes a configuration with the usual ports, which may be taken where this runs.
    fn use_free_ports(&self) -> anyhow::Result<()> {
        let admin = free_port()?;
        for (name, port) in [("DISPATCH", self.port), ("ADMIN", admin)] {
            let name = format!("LUMOS_AGENT__{name}__LISTEN");
            let address = format!("127.0.0.1:{port}");
            self.wine
                .run(&["reg", "add", ENVIRONMENT, "/v", &name, "/d", &address, "/f"])?;
        }
        self.wine.restart()
    }

    /// Everybody may make directories in ProgramData, before the agent is installed.
    fn refuses_what_others_have_prepared(&self, built: &Build) -> anyhow::Result<()> {
        let home = self.wine.drive("ProgramData/Lumos/Agent");
        std::fs::create_dir_all(&home)?;
        std::fs::write(
            home.join("agent.toml"),
            "[connectors.settings.mockapp]\nenabled = true\n",
        )?;
        crate::run::run(std::process::Command::new("chmod").arg("777").arg(&home))?;
        let program = format!("Z:{}", built.file("lumos-agent.exe").display()).replace('/', "\\");
        let outcome = self
            .wine
            .outcome(self.wine.command(&[&program, "service", "install"]))?;
        ensure!(
            outcome.status.code() == Some(77) && outcome.stderr.contains("others may write to it"),
            "a directory that others may have filled: {} {}",
            outcome.status,
            outcome.stderr
        );
        std::fs::remove_dir_all(self.wine.drive("ProgramData/Lumos"))?;
        say("   a directory that others may have filled is refused");
        Ok(())
    }

    fn install(&self, installer: &Path) -> anyhow::Result<()> {
        let file = format!("Z:{}", installer.display()).replace('/', "\\");
        self.wine.run(&["msiexec", "/i", &file, "/qn"]).map(drop)
    }

    fn agent(&self, words: &[&str]) -> anyhow::Result<String> {
        let words: Vec<&str> = std::iter::once(&AGENT).chain(words).copied().collect();
        self.wine.run(&words).map(|outcome| outcome.stdout)
    }

    fn registry(&self, key: &str) -> anyhow::Result<String> {
        self.wine
            .run(&["reg", "query", key])
            .map(|outcome| outcome.stdout)
    }

    /// The service as it is described, and everything beside it.
    fn is_set_up(&self) -> anyhow::Result<()> {
        let status: Value = serde_json::from_str(&self.agent(&["service", "status", "--output", "json"])?)?;
        ensure!(
            status["state"] == "running" && status["starts_with_the_machine"] == true,
            "the service is {status}"
        );
        let service = self.registry(SERVICE)?;
        ensure!(
            service.contains(r"NT SERVICE\LumosAgent"),
            "the service's account: {service}"
        );
        ensure!(
            service.contains("\"C:\\Program Files\\Lumos\\Agent\\lumos-agent.exe\" run --service"),
            "the service's command is not quoted: {service}"
        );
        ensure!(
            self.registry(EVENTS)?.contains(AGENT),
            "the source of events is not registered"
        );
        ensure!(
            self.registry(ENVIRONMENT)?
                .contains(r"C:\Program Files\Lumos\Agent\"),
            "the program is not in PATH"
        );
        for file in [
            "agent.toml",
            "tls/ca.pem",
            "tls/server.key",
            "connectors",
            "state",
        ] {
            let path = self.wine.drive("ProgramData/Lumos/Agent").join(file);
            ensure!(path.exists(), "the installer made no {}", path.display());
        }
        say("   the installer sets up and starts the service");
        Ok(())
    }

    /// Compiles a program in C.
    fn program(&self, workspace: &Workspace, name: &str, source: &str) -> anyhow::Result<PathBuf> {
        let file = self.wine.scratch(&format!("{name}.c"));
        let program = self.wine.scratch(&format!("{name}.exe"));
        std::fs::write(&file, source)?;
        let mut cc = workspace.command(crate::need::MINGW_CC);
        crate::run::run(cc.arg("-o").arg(&program).arg(&file))?;
        Ok(program)
    }

    fn events_have_texts(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let program = self.program(workspace, "events", EVENT_TEXTS)?;
        let page = std::fs::read_to_string(workspace.path("docs/windows-events.md"))?;
        let mut codes = Vec::new();
        for row in page.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let severity = match cells[2] {
                "Information" => 1_u32,
                "Warning" => 2,
                "Error" => 3,
                _ => continue,
            };
            codes.push((severity << 30 | cells[1].parse::<u32>()?).to_string());
        }
        ensure!(
            codes.len() > 20,
            "docs/windows-events.md has {} events",
            codes.len()
        );
        let mut words = vec![program.display().to_string(), AGENT.to_owned()];
        words.extend(codes.iter().cloned());
        let texts = self.wine.run(&words)?.stdout;
        let found = texts.matches("the line of the log").count();
        ensure!(
            found == codes.len(),
            "{found} of {} events have texts:\n{texts}",
            codes.len()
        );
        say(&format!(
            "   all {found} events of the catalogue have their texts in the program"
        ));
        Ok(())
    }

    fn callee(&self) -> anyhow::Result<Callee> {
        let made = self.agent(&["token", "create", "--name", "lumos", "--scope", "*:*"])?;
        let made: Value = serde_json::from_str(&made).context("token create prints no JSON")?;
        let token = made["token"].as_str().context("there is no token")?;
        let ca = self.wine.drive("ProgramData/Lumos/Agent/tls/ca.pem");
        Callee::new(self.port, &ca, token, &self.wine.scratch(""))
    }

    fn loads_while_it_runs(&self, built: &Build, callee: &Callee) -> anyhow::Result<()> {
        let library = self.wine.drive("ProgramData/Lumos/Agent/connectors/mockapp.dll");
        std::fs::copy(built.file("mockapp.dll"), library)?;
        callee.wait_for("mockapp", true)?;
        let info = callee.call("mockapp/info", &json!({}))?;
        ensure!(info["response"]["app_id"] == "mockapp", "mockapp answers {info}");
        say("   the service serves HTTPS and loads a DLL that is dropped in");
        Ok(())
    }

    fn reads_its_configuration_again(&self, callee: &Callee) -> anyhow::Result<()> {
        let config = self.wine.drive("ProgramData/Lumos/Agent/agent.toml");
        let mut text = std::fs::read_to_string(&config)?;
        text.push_str("\n[connectors.settings.mockapp]\nenabled = false\n");
        std::fs::write(&config, text)?;
        callee.wait_for("mockapp", false)?;
        let text = std::fs::read_to_string(&config)?.replace("enabled = false", "enabled = true");
        std::fs::write(&config, text)?;
        callee.wait_for("mockapp", true)
    }

    /// `sc control LumosAgent paramchange`
    fn reloads_when_told_to(&self, manager: &Path) -> anyhow::Result<()> {
        self.wine
            .run(&[manager.as_os_str(), "control".as_ref(), PARAMCHANGE.as_ref()])?;
        eventually("the reload in the log", PATIENCE, || {
            Ok(self
                .log()
                .contains("asked to read the configuration again: it is in force"))
        })?;
        say("   the service control manager has the configuration read again");
        Ok(())
    }

    /// A call in flight ends with its answer, while the manager is told that something is going on.
    fn drains_with_checkpoints(
        &self,
        workspace: &Workspace,
        manager: &Path,
        callee: &Callee,
    ) -> anyhow::Result<()> {
        let library = self.wine.drive("ProgramData/Lumos/Agent/connectors/scenario.dll");
        let source = workspace.path("agent/tests/fixtures/scenario.c");
        build::c_library(workspace, &source, &["BUILD=\"a\"".to_owned()], &library)?;
        callee.wait_for("scenario", true)?;
        let status = || -> anyhow::Result<(u32, u32)> {
            let told = self.wine.run(&[manager.as_os_str(), "status".as_ref()])?.stdout;
            let (state, checkpoint) = told.trim().split_once(' ').context("no status")?;
            Ok((state.parse()?, checkpoint.parse()?))
        };
        let mut checkpoints = Vec::new();
        std::thread::scope(|scope| {
            let body = json!({ "request": { "ms": SLOW_CALL.as_secs() * 1000 } });
            let slow = scope.spawn(move || callee.call("scenario/get_last_activity", &body));
            eventually("the call in flight", PATIENCE, || {
                let shown = self.agent(&["connector", "show", "scenario", "--output", "json"])?;
                let shown: Value = serde_json::from_str(&shown)?;
                Ok(shown["in_flight"] == 1)
            })?;
            let stop = scope.spawn(|| self.agent(&["service", "stop"]));
            while !stop.is_finished() {
                let (state, checkpoint) = status()?;
                if state == STOP_PENDING {
                    checkpoints.push(checkpoint);
                }
            }
            let ended = |_| anyhow::anyhow!("a thread is gone");
            stop.join().map_err(ended)??;
            slow.join().map_err(ended)?.context("the call in flight")
        })?;
        ensure!(
            checkpoints.is_sorted() && checkpoints.first() < checkpoints.last(),
            "checkpoints while it drains: {checkpoints:?}"
        );
        std::fs::remove_file(&library)?;
        self.agent(&["service", "start"])?;
        callee.wait_for("mockapp", true)?;
        say("   a stop lets a call in flight end, and counts checkpoints meanwhile");
        Ok(())
    }

    fn stops_and_starts(&self, callee: &Callee) -> anyhow::Result<()> {
        self.agent(&["service", "stop"])?;
        let stopped = self.wine.outcome(
            self.wine
                .command(&[AGENT, "service", "status", "--output", "json"]),
        )?;
        ensure!(
            stopped.status.code() == Some(69) && stopped.stdout.contains("\"stopped\""),
            "after its stop the service is {}",
            stopped.stdout
        );
        ensure!(
            callee.post("mockapp/info", &json!({})).is_err(),
            "a stopped service answers"
        );
        self.agent(&["service", "start"])?;
        callee.wait_for("mockapp", true)?;
        say("   the service stops and starts, and knows its connectors again");
        Ok(())
    }

    /// Configuration, token and connector are the same afterwards, and stay after the removal.
    fn upgrade(&self, newer: &Path, callee: &Callee) -> anyhow::Result<()> {
        let kept = [
            "agent.toml",
            "tokens.json",
            "tls/server.key",
            "connectors/mockapp.dll",
        ];
        let read = || -> anyhow::Result<Vec<Vec<u8>>> {
            let home = self.wine.drive("ProgramData/Lumos/Agent");
            kept.iter()
                .map(|file| Ok(std::fs::read(home.join(file))?))
                .collect()
        };
        let before = read()?;
        self.install(newer)?;
        callee.wait_for("mockapp", true)?;
        ensure!(read()? == before, "the upgrade has changed one of {kept:?}");
        say("   an upgrade keeps configuration, tokens and connectors");

        let file = format!("Z:{}", newer.display()).replace('/', "\\");
        self.wine.run(&["msiexec", "/x", &file, "/qn"])?;
        eventually("the end of the service", PATIENCE, || {
            Ok(callee.post("mockapp/info", &json!({})).is_err())
        })?;
        let gone = |key: &str| -> anyhow::Result<bool> {
            let outcome = self.wine.outcome(self.wine.command(&["reg", "query", key]))?;
            Ok(!outcome.status.success())
        };
        ensure!(gone(SERVICE)?, "the removal leaves the service");
        ensure!(gone(EVENTS)?, "the removal leaves the source of events");
        ensure!(
            !self
                .wine
                .drive("Program Files/Lumos/Agent/lumos-agent.exe")
                .exists(),
            "the removal leaves the program"
        );
        ensure!(read()? == before, "the removal has changed one of {kept:?}");
        say("   the removal leaves nothing but configuration, tokens, connectors and state");
        Ok(())
    }
}
