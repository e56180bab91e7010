//! What the system allows the agent: open files, core files, memory held by the kernel.

use super::finding::{Area, Check, Findings};
use super::running::Running;
use crate::config::Config;

/// Descriptors that the agent needs besides those of its connections.
const OWN: u64 = 256;
/// Descriptors of one connector: channels, logs, files.
const CONNECTOR: u64 = 16;

#[derive(Debug)]
struct Facts {
    /// Hard limit of open files, of the agent or, where none runs, of this command. The agent raises the soft one to it.
    open_files: Option<u64>,
    /// Bytes of a core file that the running agent may write.
    core: Option<u64>,
    wanted: u64,
    /// Whether the configuration limits a connector's memory.
    limited: bool,
    /// What holds connectors to that, and where or why.
    guard: Option<(String, String)>,
    running: bool,
}

pub(super) fn check(config: &Config, running: Option<&Running>, found: &mut Findings) {
    judge(&gather(config, running), found);
}

fn gather(config: &Config, running: Option<&Running>) -> Facts {
    let process = running.map_or_else(|| "self".to_owned(), |agent| agent.pid.to_string());
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).ok();
    let hard = |name: &str| {
        let line = limits
            .as_ref()?
            .lines()
            .find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().nth(1)?.parse().unwrap_or(u64::MAX))
    };
    let connectors = running.map_or(8, |agent| agent.connectors.len() as u64);
    let settings = config.connectors.settings.values();
    Facts {
        open_files: hard("Max open files"),
        core: running.and_then(|_| hard("Max core file size")),
        wanted: u64::from(config.dispatch.max_connections) + OWN + connectors * CONNECTOR,
        limited: config.connectors.memory_limit.is_some()
            || settings.into_iter().any(|one| one.memory_limit.is_some()),
        guard: running.and_then(|agent| agent.memory_limits.clone()),
        running: running.is_some(),
    }
}

fn judge(facts: &Facts, found: &mut Findings) {
    if let Some(files) = facts.open_files {
        if files < facts.wanted {
            let whose = if facts.running {
                "the agent"
            } else {
                "a process started from here"
            };
            found.warning(
                Check::OpenFilesLow,
                format!(
                    "{whose} may open {files} files, but dispatch.max_connections and the connectors can need {}",
                    facts.wanted
                ),
                "raise LimitNOFILE in the service's unit (or `ulimit -n`), or lower dispatch.max_connections",
            );
        } else {
            found.fine(Area::Limits, format!("{files} files may be open"));
        }
    }
    if facts.core.is_some_and(|bytes| bytes > 0) {
        found.warning(
            Check::CoreFiles,
            "the agent may write core files, which would hold credentials",
            "restart it with the lumos-agent of this version, which forbids them",
        );
    }
    if let Some((by, why)) = &facts.guard
        && by == "sampled"
    {
        let message = format!("the agent watches its connectors' memory itself: {why}");
        const DELEGATE: &str = "where systemd runs the agent, Delegate=memory in its unit has the kernel hold them to memory_limit";
        if facts.limited {
            found.warning(Check::MemoryNotDelegated, message, DELEGATE);
        } else {
            found.note(Check::MemoryNotDelegated, message, DELEGATE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(open_files: u64, core: u64, limited: bool, by: &str) -> String {
        let mut found = Findings::default();
        let facts = Facts {
            open_files: Some(open_files),
            core: Some(core),
            wanted: 900,
            limited,
            guard: Some((by.into(), "no cgroup is delegated".into())),
            running: true,
        };
        judge(&facts, &mut found);
        found.told()
    }

    #[test]
    fn what_the_system_withholds_is_told() {
        assert_eq!(told(1024, 0, true, "cgroup"), "");
        insta::assert_snapshot!([told(512, 1, true, "sampled"), told(1024, 0, false, "sampled")].join("\n"));
    }
}
