//! Asking systemd, through its own commands.

use std::io;
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use crate::cli::exit::{Exit, Failure};

/// What `service status` tells.
const PROPERTIES: &str = "LoadState,FragmentPath,UnitFileState,ActiveState,ActiveEnterTimestamp,Result,MainPID,NRestarts,StatusText";

/// Runs `program`, whose messages go to standard error.
pub(super) fn run(program: &str, args: &[&str]) -> Result<(), Failure> {
    let shown = format!("{program} {}", args.join(" "));
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(
            Exit::Failed,
            format!("`{shown}` failed ({status})"),
            "see its message above",
        )),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("`{shown}` can't be run: {error}"),
            "install systemd's own commands",
        )),
    }
}

/// What systemd knows of `unit`, all as text; empty if it does not answer.
pub(super) fn show(unit: &str) -> Value {
    let output = Command::new("systemctl")
        .args(["show", unit, "--property", PROPERTIES])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    parse(&String::from_utf8_lossy(&text))
}

fn parse(text: &str) -> Value {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let properties: Map<String, Value> = pairs
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    properties.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_may_hold_anything_behind_the_first_sign() {
        let shown = parse("MainPID=7\nStatusText=a=b\nResult=\nrubbish\n");
        assert_eq!(
            shown,
            serde_json::json!({"MainPID": "7", "StatusText": "a=b", "Result": ""})
        );
    }
}
