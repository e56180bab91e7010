use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::layer::SubscriberExt as _;

use super::catalogue::CANNOT_START;
use super::*;

type Written = Arc<Mutex<Vec<(u16, String)>>>;

fn log() -> (EventLog, Written) {
    let written = Written::default();
    let into = written.clone();
    let log = EventLog::to(Box::new(move |event, text| {
        into.lock().unwrap().push((event.id, text.to_owned()));
    }));
    (log.unwrap(), written)
}

fn written(log: &EventLog, written: &Written) -> Vec<(u16, String)> {
    log.flush();
    std::mem::take(&mut *written.lock().unwrap())
}

#[test]
fn events_get_the_numbers_of_the_catalogue() {
    let (log, out) = log();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(url = "https://localhost:8443", "the agent serves");
        tracing::info!("nobody's business");
        tracing::error!(condition = "disk_full", "no space");
        tracing::info!(condition = "disk_full", "no longer so");
        tracing::warn!(app_id = "a\nb", "connector {}", "quarantined");
        tracing::warn!("something else");
        tracing::error!("something worse");
    });
    let expected = [
        (100, "the agent serves url=https://localhost:8443"),
        (602, "no space condition=disk_full"),
        (110, "no longer so condition=disk_full"),
        (303, "connector quarantined app_id=a\\nb"),
        (900, "something else"),
        (901, "something worse"),
    ];
    let expected: Vec<_> = expected.map(|(id, text)| (id, text.to_owned())).into();
    assert_eq!(written(&log, &out), expected);
}

#[test]
fn a_flood_of_one_kind_leaves_room_for_others() {
    let (log, out) = log();
    for _ in 0..50 {
        log.push(&OTHER_WARNING, "again".into());
    }
    log.push(&OTHER_ERROR, "at last".into());
    let seen = written(&log, &out);
    let again = seen.iter().filter(|(id, _)| *id == OTHER_WARNING.id).count();
    assert_eq!(again, MOST as usize);
    assert!(seen.contains(&(OTHER_ERROR.id, "at last".into())), "{seen:?}");
    let left_out = format!("events were left out: 40 of event {}", OTHER_WARNING.id);
    assert!(seen.contains(&(LEFT_OUT.id, left_out)), "{seen:?}");
}

#[test]
fn numbers_are_used_once_and_every_message_is_one_that_the_agent_logs() {
    assert!(EVENTS.is_sorted_by(|a, b| a.id < b.id));
    let mut sources = String::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    for event in EVENTS.iter().filter(|event| !event.condition) {
        let state = event
            .message
            .strip_prefix("connector ")
            .filter(|word| *word != "removed");
        let logged = match state {
            // A connector's states are logged by one line of code.
            Some(state) => {
                sources.contains("\"connector {state}\"") && sources.contains(&format!("\"{state}\""))
            }
            None => sources.contains(event.message),
        };
        assert!(logged, "nothing logs \"{}\" (event {})", event.message, event.id);
    }
}

#[test]
fn every_condition_has_a_number() {
    use crate::conditions::{Name, Severity};
    for name in Name::ALL {
        let event = EVENTS
            .iter()
            .find(|event| event.condition && event.message == name.as_str());
        let severity = match name.severity() {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
        };
        assert_eq!(
            event.map(|event| event.severity.name()),
            Some(severity),
            "{name:?}"
        );
    }
}

/// All sources but the catalogue itself.
fn read_sources(directory: &Path, text: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name() != Some("event_log".as_ref()) {
            read_sources(&path, text);
        } else if path.is_file() {
            text.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
    // These are logged by this module.
    text.push_str(CANNOT_START.message);
    text.push_str(LEFT_OUT.message);
}

#[test]
fn the_documented_catalogue_is_current() {
    let mut page = String::from(include_str!("page.md"));
    for event in EVENTS {
        let message = match event.message {
            "" => "any other message of this level".to_owned(),
            name if event.condition => format!("(condition `{name}`)"),
            message => message.to_owned(),
        };
        let (id, severity) = (event.id, event.severity.name());
        let _ = writeln!(page, "| {id} | {severity} | {message} | {} |", event.advice);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/windows-events.md");
    if std::env::var_os("LUMOS_UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == page,
        "docs/windows-events.md is not what the catalogue says; run `LUMOS_UPDATE_DOCS=1 cargo test -p lumos-agent --lib event_log`"
    );
}
