//! `docs/container.md`, done as it stands.

use std::fs;

use anyhow::{Context, ensure};

use super::base::{BASE, BUILDER};
use super::engine::Engine;
use crate::run::say;
use crate::workspace::Workspace;

/// Marks the blocks that are done here; `sh` ones are commands, the `yaml` one is the part of a Pod.
const MARK: &str = "container";
/// Waits for the agent that a block has started, as its reader does.
const READY: &str = "for i in $(seq 300); do podman exec lumos-agent lumos-agent status --ready >/dev/null 2>&1 && exit 0; \
                     sleep 0.2; done; podman logs lumos-agent >&2; exit 1";
/// The account that the guide asks the mock app for.
const ACCOUNT: &str = r#""integration_specific_id":"user-000001""#;

pub(super) struct Guide {
    commands: Vec<String>,
    pod: String,
}

impl Guide {
    pub(super) fn read(workspace: &Workspace) -> anyhow::Result<Self> {
        let text = fs::read_to_string(workspace.path("docs/container.md"))?;
        let blocks = |language: &str| -> Vec<String> {
            let begin = format!("```{language} {MARK}\n");
            let parts = text.split(begin.as_str()).skip(1);
            let block = |part: &str| part.split("```").next().map(str::to_owned);
            parts.filter_map(block).collect()
        };
        let pod = blocks("yaml").pop().context("the guide shows no Pod")?;
        Ok(Guide {
            commands: blocks("sh"),
            pod,
        })
    }

    /// Runs every block. Only `podman build` is told more, since no registry is asked.
    pub(super) fn follow(&self, workspace: &Workspace, engine: &Engine) -> anyhow::Result<()> {
        let root = workspace.path("");
        let local = format!(
            "cd {}\npodman build --build-arg BASE={BASE} --build-arg BUILDER={BUILDER} ",
            root.display()
        );
        let mut answers = 0;
        for block in &self.commands {
            let said = engine.shell(&block.replace("podman build ", &local))?;
            answers += said.matches(ACCOUNT).count();
            if block.contains("podman run -d") {
                engine.shell(READY)?;
            }
        }
        ensure!(
            answers == 2,
            "the mock app answered {answers} times, and the guide asks it twice"
        );
        say(&format!(
            "   {} blocks of commands, two answers",
            self.commands.len()
        ));
        Ok(())
    }

    /// The Pod's variables, as podman takes them.
    pub(super) fn variables(&self) -> anyhow::Result<String> {
        let pairs = self.pod.lines().filter_map(|line| {
            let (name, value) = line
                .trim()
                .strip_prefix("- { name: LUMOS_")?
                .strip_suffix(" }")?
                .split_once(", value: ")?;
            Some(format!("-e LUMOS_{name}={value}"))
        });
        let pairs: Vec<String> = pairs.collect();
        ensure!(pairs.len() > 3, "the Pod sets {pairs:?}");
        Ok(pairs.join(" "))
    }

    /// The commands of its probes.
    pub(super) fn probes(&self) -> anyhow::Result<Vec<String>> {
        let commands = self.pod.lines().filter_map(|line| {
            let (_, command) = line.split_once("command: [")?;
            Some(command.split(']').next()?.replace(", ", " "))
        });
        let commands: Vec<String> = commands.collect();
        ensure!(commands.len() == 2, "the Pod has other probes: {commands:?}");
        Ok(commands)
    }
}
