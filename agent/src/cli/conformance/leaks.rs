//! Whether descriptors or threads pile up with the calls.

use std::time::Duration;

use serde_json::json;

use super::probe::Probe;
use super::{Check, Outcome, needs_no_request};

/// Calls before the first look: pools and caches fill with them.
const WARM_UP: u32 = 128;
/// Calls between the looks. What each of them leaves behind adds up to far more than the tolerance.
const CALLS: u32 = 512;
/// What may come and go by itself.
const TOLERANCE: u64 = 8;
/// How long what is on its way out may take.
const SETTLE: Duration = Duration::from_secs(12);
const GLANCE: Duration = Duration::from_millis(100);

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: u64,
    threads: u64,
}

impl Held {
    /// What the system says of the process; `None` where it does not.
    fn by(pid: u32) -> Option<Held> {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.count() as u64;
        let directory = format!("/proc/{pid}/fd");
        let descriptors = match std::fs::read_dir(&directory) {
            Ok(entries) => entries.count() as u64,
            // A host shows its descriptors to nobody but the administrator; since Linux 6.2 their number stands here.
            Err(_) => std::fs::metadata(&directory)
                .ok()
                .map(|found| found.len())
                .filter(|count| *count > 0)?,
        };
        Some(Held { descriptors, threads })
    }

    fn grew_over(self, before: Held) -> bool {
        self.descriptors > before.descriptors + TOLERANCE || self.threads > before.threads + TOLERANCE
    }
}

pub(super) async fn check(host: &Probe<'_>, pid: u32, at_once: u32, capabilities: &[String]) -> Check {
    let name = "leaks";
    let finding = async {
        many(host, WARM_UP, at_once, capabilities).await?;
        let Some(before) = Held::by(pid) else {
            return Ok(None);
        };
        many(host, CALLS, at_once, capabilities).await?;
        let deadline = std::time::Instant::now() + SETTLE;
        loop {
            let after = Held::by(pid).ok_or("the host is gone")?;
            if !after.grew_over(before) {
                return Ok(Some(format!(
                    "{} descriptors and {} threads before {CALLS} calls, {} and {} after them",
                    before.descriptors, before.threads, after.descriptors, after.threads
                )));
            }
            if std::time::Instant::now() > deadline {
                return Err(format!(
                    "{CALLS} calls left {} descriptors instead of {}, and {} threads instead of {}",
                    after.descriptors, before.descriptors, after.threads, before.threads
                ));
            }
            tokio::time::sleep(GLANCE).await;
        }
    };
    match finding.await {
        Ok(Some(detail)) => super::check(name, Ok(detail)),
        Ok(None) => Check {
            name,
            outcome: Outcome::Skipped,
            detail: "this system does not tell what a host holds".to_owned(),
        },
        Err(detail) => super::check(name, Err(detail)),
    }
}

/// Calls of all capabilities in turn, with requests that are refused.
async fn many(host: &Probe<'_>, calls: u32, at_once: u32, capabilities: &[String]) -> Result<(), String> {
    let mut names = capabilities
        .iter()
        .map(String::as_str)
        .filter(|name| !needs_no_request(name))
        .collect::<Vec<_>>();
    names.push("info");
    let mut done = 0;
    for name in names.into_iter().cycle() {
        if done >= calls {
            return Ok(());
        }
        for answer in host.together(name, &json!([]), at_once).await {
            answer?;
        }
        done += at_once;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handful_more_is_no_leak() {
        let held = |descriptors, threads| Held { descriptors, threads };
        assert!(!held(18, 8).grew_over(held(10, 8)));
        assert!(held(19, 8).grew_over(held(10, 8)));
        assert!(held(10, 17).grew_over(held(10, 8)));
    }
}
