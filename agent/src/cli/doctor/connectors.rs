//! Each connector: as the running agent has it, or its file as the agent would judge it.

use std::path::{Path, PathBuf};

use super::finding::{Area, Check, Findings};
use super::running::Running;
use crate::config::Config;
use crate::connectors::{Inspected, Listing, State, inspect};

/// As much of a log's end as is looked through.
const TAIL: u64 = 256 << 10;

pub(super) fn check(config: &Config, running: Option<&Running>, found: &mut Findings) {
    match running {
        Some(agent) => {
            none(agent.connectors.is_empty(), config, found);
            agent.connectors.iter().for_each(|listing| judge(listing, found));
            for listing in &agent.connectors {
                logged(&config.log.directory, &listing.app_id, found);
            }
        }
        None => match inspect(config) {
            Ok(files) => {
                none(files.is_empty(), config, found);
                files.iter().for_each(|file| judge_file(file, found));
            }
            Err(error) => found.failure(
                Check::ConnectorsUnreadable,
                format!(
                    "{} cannot be listed: {error}",
                    config.connectors.directory.display()
                ),
                "make it, or let the agent's user read it",
            ),
        },
    }
}

fn none(so: bool, config: &Config, found: &mut Findings) {
    if so {
        found.note(
            Check::NoConnectors,
            format!("no connector is in {}", config.connectors.directory.display()),
            "install one: lumos-agent connector install FILE",
        );
    }
}

fn judge(listing: &Listing, found: &mut Findings) {
    let app_id = &listing.app_id;
    let why = listing.last_error.as_deref().unwrap_or("it gave no reason");
    let show = format!("its history: lumos-agent connector show {app_id}");
    let file = listing.file.as_deref().unwrap_or(app_id);
    match listing.state {
        State::Ready if listing.last_error.is_some() => found.warning(
            Check::ConnectorNotReplaced,
            format!("{app_id} serves, but something newer does not: {why}"),
            show,
        ),
        State::Ready => found.fine(
            Area::Connectors,
            format!("{app_id} {} serves", listing.version.as_deref().unwrap_or("")),
        ),
        State::Refused => found.failure(
            Check::ConnectorRefused,
            format!("{file} is refused: {why}"),
            format!(
                "put a file in its place that passes `lumos-agent connector validate`, or take {file} away"
            ),
        ),
        State::Quarantined => found.failure(
            Check::ConnectorQuarantined,
            format!("{app_id} failed too often and is retried rarely: {why}"),
            format!("install a build that works, or restart the agent once the cause is gone; {show}"),
        ),
        State::BackingOff => found.failure(
            Check::ConnectorBackingOff,
            format!("{app_id} failed and is started again soon: {why}"),
            show,
        ),
        State::Shadowed => found.warning(
            Check::ConnectorShadowed,
            format!("{file} is not served, for another file holds a higher version of {app_id}"),
            format!("take {file} away"),
        ),
        State::Stopped if listing.file.is_some() => found.note(
            Check::ConnectorSwitchedOff,
            format!("{app_id} is switched off"),
            format!("enabled = false stands in [connectors.settings.{app_id}]"),
        ),
        State::Stopped => {}
        State::Discovered | State::Verifying | State::Starting | State::Draining => found.note(
            Check::ConnectorStarting,
            format!("{app_id} is about to start or to end"),
            "ask again in a moment",
        ),
    }
    if let Some(warning) = &listing.warning {
        found.warning(
            Check::ConnectorWarning,
            format!("{app_id}: {warning}"),
            show_of(app_id),
        );
    }
}

fn show_of(app_id: &str) -> String {
    format!("what it uses and may use: lumos-agent connector show {app_id}")
}

fn judge_file(file: &Inspected, found: &mut Findings) {
    match &file.refusal {
        Some(why) => found.failure(
            Check::ConnectorRefused,
            format!("{} would be refused: {why}", file.name),
            "",
        ),
        None => found.fine(Area::Connectors, format!("{} may be loaded", file.name)),
    }
}

/// How many errors are at the end of the connector's newest log. What they say is for those who may read the log.
fn logged(directory: &Path, app_id: &str, found: &mut Findings) {
    let Some(path) = newest(directory, app_id) else {
        return;
    };
    let text = crate::cli::doctor::tail(&path, TAIL).unwrap_or_default();
    let errors = text.lines().filter(|line| is_error(line)).count();
    if errors > 0 {
        found.note(
            Check::ConnectorLogErrors,
            format!("{app_id} has logged {errors} errors of late"),
            format!("read them: {}", path.display()),
        );
    }
}

fn newest(directory: &Path, app_id: &str) -> Option<PathBuf> {
    let prefix = format!("{app_id}_");
    let entries = std::fs::read_dir(directory).ok()?.flatten();
    let own = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let day = name.strip_prefix(&prefix)?.strip_suffix(".log")?;
        let dated = day.parse::<jiff::civil::Date>().is_ok();
        dated.then(|| entry.path())
    });
    own.max()
}

fn is_error(line: &str) -> bool {
    [" ERROR ", " CRITICAL ", "\"ERROR\"", "\"CRITICAL\""]
        .iter()
        .any(|word| line.contains(word))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn listing(app_id: &str, state: State) -> Listing {
        serde_json::from_value(serde_json::json!({
            "app_id": app_id, "version": "1.0.0", "kind": "native", "state": state, "generation": 1, "sha256": null,
            "since": "2026-05-01T00:00:00Z", "last_error": null, "in_flight": 0, "capabilities": [],
            "file": format!("lib{app_id}.so"), "isolation": "process", "pid": 1,
        }))
        .unwrap()
    }

    #[test]
    fn every_state_is_told_with_what_to_do() {
        let states = [
            State::Ready,
            State::Refused,
            State::Quarantined,
            State::BackingOff,
            State::Shadowed,
            State::Stopped,
            State::Starting,
        ];
        let mut found = Findings::default();
        for state in states {
            judge(&listing("okta", state), &mut found);
        }
        let mut older = listing("okta", State::Ready);
        older.last_error = Some("it does not answer to info".into());
        older.warning = Some("it uses 97 % of a core".into());
        judge(&older, &mut found);
        judge_file(
            &Inspected {
                name: "text.so".into(),
                refusal: Some("it is a text file".into()),
            },
            &mut found,
        );
        insta::assert_snapshot!(found.told());
    }

    #[test]
    fn errors_are_counted_in_the_newest_log() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        write("okta_2026-04-30.log", "x ERROR old\n");
        write(
            "okta_2026-05-01.log",
            "a ERROR secret-text\nb INFO fine\nc CRITICAL more\n",
        );
        write("okta_extra_2026-05-02.log", "x ERROR of another\n");
        let mut found = Findings::default();
        logged(home.path(), "okta", &mut found);
        let told = found.told();
        assert!(
            told.contains("okta has logged 2 errors") && !told.contains("secret-text"),
            "{told}"
        );
    }
}
