//! The service as systemd sees it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::super::finding::{Area, Check, Findings};
use super::super::probe;

const UNIT: &str = "lumos-agent.service";
const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,ExecMainStatus,NeedDaemonReload,StatusText";
/// What of the journal is kept: its end, in bytes.
const JOURNAL: u64 = 2 << 20;
/// Restarts that are more than an upgrade or two.
const RESTARTS: u32 = 3;

type Properties = BTreeMap<String, String>;

pub(in super::super) fn check(found: &mut Findings) {
    if let Some(properties) = properties() {
        judge(&properties, found);
    }
}

/// `None` where there is no systemd, or no such unit.
fn properties() -> Option<Properties> {
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let mut show = Command::new("systemctl");
    show.args(["show", UNIT, "--property", PROPERTIES]);
    let text = probe::output_of(&mut show, 64 << 10)?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let properties: Properties = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (properties.get("LoadState").map(String::as_str) != Some("not-found")).then_some(properties)
}

/// The same in lines, and the end of its journal, for the support bundle; where there are any.
pub(crate) fn told() -> (Option<String>, Option<String>) {
    let Some(properties) = properties() else {
        return (None, None);
    };
    let lines: Vec<String> = properties
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut journal = Command::new("journalctl");
    journal.args([
        "--unit",
        UNIT,
        "--lines",
        "5000",
        "--no-pager",
        "--output",
        "short-iso",
    ]);
    (Some(lines.join("\n")), probe::output_of(&mut journal, JOURNAL))
}

fn judge(properties: &Properties, found: &mut Findings) {
    let of = |name: &str| properties.get(name).map_or("", String::as_str);
    let journal = "see why: journalctl -u lumos-agent -e";
    match of("ActiveState") {
        "failed" => found.failure(
            Check::ServiceFailed,
            format!(
                "{UNIT} has failed ({}, exit code {})",
                of("Result"),
                of("ExecMainStatus")
            ),
            format!("{journal}; put it right, then: systemctl restart lumos-agent"),
        ),
        "active" => found.fine(Area::Service, format!("{UNIT} is {}", of("SubState"))),
        state => found.warning(
            Check::ServiceStopped,
            format!("{UNIT} is {state} ({})", of("SubState")),
            "start it: systemctl start lumos-agent",
        ),
    }
    if of("UnitFileState") == "disabled" {
        found.warning(
            Check::ServiceNotEnabled,
            format!("{UNIT} does not start with the machine"),
            "have it started: systemctl enable lumos-agent",
        );
    }
    let restarts: u32 = of("NRestarts").parse().unwrap_or(0);
    if restarts >= RESTARTS {
        found.warning(
            Check::ServiceRestarted,
            format!("systemd has restarted {UNIT} {restarts} times by itself"),
            journal,
        );
    }
    if of("NeedDaemonReload") == "yes" {
        found.warning(
            Check::ServiceUnitChanged,
            format!("{UNIT} was changed on disk since systemd read it"),
            "have it read: systemctl daemon-reload && systemctl restart lumos-agent",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> String {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let mut found = Findings::default();
        judge(&pairs.collect(), &mut found);
        found.told()
    }

    #[test]
    fn a_service_that_runs_is_fine() {
        let well = [
            ("ActiveState", "active"),
            ("SubState", "running"),
            ("NRestarts", "0"),
        ];
        assert_eq!(told(&well), "");
    }

    #[test]
    fn what_systemd_knows_is_told() {
        let failed = [
            ("ActiveState", "failed"),
            ("Result", "exit-code"),
            ("ExecMainStatus", "64"),
            ("UnitFileState", "disabled"),
        ];
        let flapping = [
            ("ActiveState", "activating"),
            ("SubState", "auto-restart"),
            ("NRestarts", "9"),
            ("NeedDaemonReload", "yes"),
        ];
        insta::assert_snapshot!([told(&failed), told(&flapping)].join("\n"));
    }
}
