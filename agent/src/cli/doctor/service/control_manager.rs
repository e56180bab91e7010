//! The service as Windows' service control manager sees it.

use super::super::finding::{Area, Check, Findings};

/// What the manager tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `running`, `stopped`, `starting`, …
    pub(crate) state: &'static str,
    /// How it ended, if it has and that was a failure.
    pub(crate) failure: Option<String>,
    /// Whether it starts with the machine.
    pub(crate) automatic: bool,
}

#[cfg(windows)]
pub(in super::super) fn check(found: &mut Findings) {
    if let Some(seen) = crate::cli::service::seen() {
        judge(&seen, found);
    }
}

/// The same in lines, and the end of its log, for the support bundle. The Event Log is the administrator's to export.
#[cfg(windows)]
pub(crate) fn told() -> (Option<String>, Option<String>) {
    let lines = crate::cli::service::seen().map(|seen| {
        format!(
            "state={}\nfailure={}\nautomatic={}",
            seen.state,
            seen.failure.as_deref().unwrap_or("-"),
            seen.automatic
        )
    });
    (lines, None)
}

fn judge(seen: &Seen, found: &mut Findings) {
    match (seen.state, &seen.failure) {
        ("running", _) => found.fine(Area::Service, "the service LumosAgent runs"),
        ("stopped", Some(failure)) => found.failure(
            Check::ServiceFailed,
            format!("the service LumosAgent has failed: it {failure}"),
            "see why in the Event Log (Application, source LumosAgent); put it right, then: lumos-agent service start",
        ),
        (state, _) => found.warning(
            Check::ServiceStopped,
            format!("the service LumosAgent is {state}"),
            "start it: lumos-agent service start",
        ),
    }
    if !seen.automatic {
        found.warning(
            Check::ServiceNotEnabled,
            "the service LumosAgent does not start with the machine",
            "have it started: sc.exe config LumosAgent start= delayed-auto",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: &'static str, failure: Option<&str>, automatic: bool) -> String {
        let mut found = Findings::default();
        let seen = Seen {
            state,
            failure: failure.map(str::to_owned),
            automatic,
        };
        judge(&seen, &mut found);
        found.told()
    }

    #[test]
    fn a_service_that_runs_is_fine() {
        assert_eq!(told("running", None, true), "");
    }

    #[test]
    fn what_the_manager_knows_is_told() {
        insta::assert_snapshot!(
            [
                told("stopped", Some("ended with exit code 64"), true),
                told("stopped", None, false)
            ]
            .join("\n")
        );
    }
}
