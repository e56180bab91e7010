//! Facts of the system: what it is, how much of it there is, and who may do what with the agent's files.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::Config;

/// Entries of one directory.
const ENTRIES: usize = 500;

/// Kernel, distribution, processors, memory, limits, cgroup, and the names of the variables; no value of any.
pub(super) fn facts() -> String {
    let mut text = String::new();
    let _ = writeln!(text, "lumos-agent {}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let _ = writeln!(text, "privileged: {}", crate::os::current_user_is_privileged());
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let _ = writeln!(text, "processors: {processors}");
    let files = [
        ("/etc/os-release", 40),
        ("/proc/version", 1),
        ("/proc/uptime", 1),
        ("/proc/loadavg", 1),
        ("/proc/meminfo", 6),
        ("/proc/pressure/memory", 2),
        ("/proc/self/limits", 20),
        ("/proc/self/cgroup", 5),
        ("/sys/kernel/security/lsm", 1),
    ];
    for (file, lines) in files {
        let found = std::fs::read_to_string(file).unwrap_or_default();
        if !found.is_empty() {
            let _ = writeln!(text, "\n{file}");
            found.lines().take(lines).for_each(|line| {
                let _ = writeln!(text, "  {line}");
            });
        }
    }
    let mut names: Vec<String> = std::env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    let _ = writeln!(
        text,
        "\nvariables of this command, without values\n  {}",
        names.join(" ")
    );
    text
}

/// Names, owners, modes and sizes; no content.
pub(super) fn files(config: &Config) -> String {
    let mut text = String::new();
    let tls = config.dispatch.tls.certificate.parent();
    let directories = [
        config.file.parent(),
        tls,
        Some(&*config.agent.state_dir),
        Some(&*config.connectors.directory),
        Some(&*config.log.directory),
    ];
    for directory in directories.into_iter().flatten() {
        let _ = writeln!(text, "{}", describe(directory));
        let mut entries: Vec<_> = std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        entries.sort();
        for path in entries.iter().take(ENTRIES) {
            let _ = writeln!(text, "  {}", describe(path));
        }
        text.push('\n');
    }
    text
}

fn describe(path: &Path) -> String {
    match crate::os::path_facts(path) {
        Ok(facts) => {
            let right = |so: bool, word: &'static str| if so { word } else { "-" };
            format!(
                "{:?} {} group:{}{} others:{}{} {:>10} {}",
                facts.kind,
                facts.owner,
                right(facts.group_readable, "r"),
                right(facts.group_writable, "w"),
                right(facts.world_readable, "r"),
                right(facts.world_writable, "w"),
                facts.stamp.size,
                path.display()
            )
        }
        Err(error) => format!("{}: {error}", path.display()),
    }
}
