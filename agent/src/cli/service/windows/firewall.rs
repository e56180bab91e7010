//! Windows' firewall: callers reach the agent's port.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The rule's name, by which it is found again.
const RULE: &str = "name=Lumos Agent (HTTPS)";

/// Lets callers reach `program` at `address`. Not needed where it listens on this machine alone.
///
/// # Errors
/// What netsh said.
pub(super) fn open(program: &Path, address: SocketAddr) -> Result<(), String> {
    close();
    if address.ip().is_loopback() {
        return Ok(());
    }
    let program = format!("program={}", program.display());
    let port = format!("localport={}", address.port());
    let rule = [
        "add",
        "rule",
        RULE,
        "dir=in",
        "action=allow",
        "protocol=TCP",
        &port,
        &program,
    ];
    let output = netsh(&rule)
        .output()
        .map_err(|error| format!("netsh cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout)
        .trim()
        .escape_debug()
        .to_string())
}

/// Takes the rule away, if it is there.
pub(super) fn close() {
    let removed: io::Result<_> = netsh(&["delete", "rule", RULE]).output();
    // It fails where there is no such rule.
    drop(removed);
}

fn netsh(words: &[&str]) -> Command {
    let system = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let mut command = Command::new(PathBuf::from(system).join(r"System32\netsh.exe"));
    command
        .args(["advfirewall", "firewall"])
        .args(words)
        .stdin(Stdio::null());
    command
}
