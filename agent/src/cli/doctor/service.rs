//! The service, as systemd sees it. Only for the configuration of the packaged installation: a private one is run by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::finding::{Area, Check, Findings};
use super::probe;

pub(crate) const UNIT: &str = "lumos-agent.service";
const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,ExecMainStatus,NeedDaemonReload,StatusText";
/// Restarts that are more than an upgrade or two.
const RESTARTS: u32 = 3;

type Properties = BTreeMap<String, String>;

pub(super) fn check(found: &mut Findings) {
    if let Some(properties) = properties() {
        judge(&properties, found);
    }
}

/// `None` where there is no systemd, or no such unit.
pub(crate) fn properties() -> Option<Properties> {
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
