//! Whether the clock can be right: certificates, tokens and logs go by it.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::finding::{Area, Check, Findings};
use crate::config::Config;
use crate::os;

/// What is closer than this is no evidence.
const SLACK: Duration = Duration::from_secs(5 * 60);
/// How long the clock is watched.
const WATCHED: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Facts {
    now: SystemTime,
    /// Things that bear a date which cannot lie ahead.
    past: Vec<(String, SystemTime)>,
    /// By how much the clock went further than time did, while it was watched.
    jumped: Duration,
    synchronised: Option<bool>,
}

pub(super) fn check(config: Option<&Config>, found: &mut Findings) {
    judge(&gather(config), found);
}

fn gather(config: Option<&Config>) -> Facts {
    let (begun, started) = (Instant::now(), SystemTime::now());
    std::thread::sleep(WATCHED);
    let passed = begun.elapsed();
    let now = SystemTime::now();
    let jumped = match now.duration_since(started) {
        Ok(told) => told.abs_diff(passed),
        Err(back) => back.duration() + passed,
    };
    let paths = config.map(|config| {
        let tls = &config.dispatch.tls;
        [
            &config.file,
            &tls.certificate,
            &config.agent.token_file,
            &config.agent.state_dir,
        ]
    });
    let dated = |path: &std::path::PathBuf| {
        let modified = std::fs::metadata(path).and_then(|found| found.modified()).ok()?;
        Some((path.display().to_string(), modified))
    };
    Facts {
        now,
        past: paths.into_iter().flatten().filter_map(dated).collect(),
        jumped,
        synchronised: os::clock_follows_a_source(),
    }
}

fn judge(facts: &Facts, found: &mut Findings) {
    const SET: &str = "set the clock, and let a service such as chrony or systemd-timesyncd keep it right";
    let ahead = facts.past.iter().find(|(_, at)| *at > facts.now + SLACK);
    if let Some((what, at)) = ahead {
        found.failure(
            Check::ClockWrong,
            format!(
                "the clock says {}, but {what} was changed at {}",
                shown(facts.now),
                shown(*at)
            ),
            SET,
        );
    }
    if facts.jumped > Duration::from_secs(1) {
        found.warning(
            Check::ClockJumps,
            format!(
                "the clock went off by {} s while it was watched",
                facts.jumped.as_secs()
            ),
            "see what sets it: two time services, or the virtual machine's host besides one",
        );
    }
    if facts.synchronised == Some(false) {
        found.note(
            Check::ClockNotSynchronised,
            "the kernel knows of no source that the clock follows",
            "start chrony or systemd-timesyncd, unless the virtual machine's host sets the clock",
        );
    }
    found.fine(Area::Clock, format!("it says {}", shown(facts.now)));
}

fn shown(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(past_minutes: i64, jumped: u64, synchronised: Option<bool>) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let at = match u64::try_from(past_minutes) {
            Ok(ahead) => now + Duration::from_secs(ahead * 60),
            Err(_) => now - Duration::from_secs(past_minutes.unsigned_abs() * 60),
        };
        let mut found = Findings::default();
        let facts = Facts {
            now,
            past: vec![("agent.toml".into(), at)],
            jumped: Duration::from_secs(jumped),
            synchronised,
        };
        judge(&facts, &mut found);
        found.told()
    }

    #[test]
    fn a_clock_that_is_behind_what_has_happened_is_wrong() {
        assert_eq!(told(-10, 0, None), "");
        assert_eq!(told(1, 0, Some(true)), "");
        insta::assert_snapshot!([told(90, 0, None), told(0, 3600, Some(false))].join("\n"));
    }

    #[test]
    fn this_machine_can_be_asked() {
        let facts = gather(None);
        assert!(facts.jumped < Duration::from_secs(600) && facts.past.is_empty());
    }
}
