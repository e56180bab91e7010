//! The report: what is wrong, the worst first, then one line about what is fine.

use jiff::Timestamp;
use serde::Serialize;

use super::finding::{Finding, Findings, Severity};
use crate::cli::output::printable;

/// What `doctor --output json` prints. Members are added, never changed or removed.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Of this command.
    pub(crate) version: &'static str,
    pub(crate) checked_at: Timestamp,
    pub(crate) config_file: String,
    /// The worst severity that was found.
    pub(crate) verdict: Severity,
    pub(crate) counts: Counts,
    /// The worst first.
    pub(crate) findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Counts {
    pub(crate) failure: usize,
    pub(crate) warning: usize,
    pub(crate) note: usize,
    pub(crate) fine: usize,
}

impl Report {
    pub(super) fn of(found: Findings, config_file: String) -> Self {
        let mut findings = found.0;
        findings.sort_by_key(|finding| (finding.severity, finding.area));
        findings.dedup();
        let count = |severity| {
            findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        Report {
            version: env!("CARGO_PKG_VERSION"),
            checked_at: Timestamp::now(),
            config_file,
            verdict: findings.first().map_or(Severity::Fine, |worst| worst.severity),
            counts: Counts {
                failure: count(Severity::Failure),
                warning: count(Severity::Warning),
                note: count(Severity::Note),
                fine: count(Severity::Fine),
            },
            findings,
        }
    }

    /// Whether somebody has to do something.
    pub(crate) fn is_wrong(&self) -> bool {
        self.verdict <= Severity::Warning
    }

    /// For a person. `all` shows what is fine too, line by line.
    pub(crate) fn text(&self, all: bool) -> String {
        let mut lines = Vec::new();
        for finding in &self.findings {
            if finding.severity == Severity::Fine && !all {
                continue;
            }
            let label = match finding.severity {
                Severity::Failure => "FAILURE",
                Severity::Warning => "WARNING",
                Severity::Note => "note",
                Severity::Fine => "fine",
            };
            let message = printable(&finding.message);
            lines.push(format!("{label:8} {}: {message}", finding.area.word()));
            if let Some(remedy) = &finding.remedy {
                lines.push(format!("{:8} > {}", "", printable(remedy)));
            }
        }
        if !all {
            lines.extend(self.fine());
        }
        lines.push(self.summary());
        lines.join("\n")
    }

    /// The areas about which there is nothing to say.
    fn fine(&self) -> Option<String> {
        let wrong = |area| {
            let mut about = self.findings.iter().filter(|finding| finding.area == area);
            about.any(|finding| finding.severity <= Severity::Warning)
        };
        let mut areas = Vec::new();
        for finding in &self.findings {
            let word = finding.area.word();
            if finding.severity == Severity::Fine && !wrong(finding.area) && !areas.contains(&word) {
                areas.push(word);
            }
        }
        (!areas.is_empty()).then(|| format!("{:8} {} (--all shows each)", "fine", areas.join(", ")))
    }

    fn summary(&self) -> String {
        let number = |count: usize, word: &str| {
            let end = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {word}{end}"))
        };
        let counts = &self.counts;
        let parts = [
            number(counts.failure, "failure"),
            number(counts.warning, "warning"),
            number(counts.note, "note"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return "All is fine.".into();
        }
        format!("{}.", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Area, Check};
    use super::*;

    fn sample() -> Report {
        let mut findings = Findings::default();
        findings.fine(Area::Clock, "it is set");
        findings.note(Check::FirewallActive, "ufw is active", "open the port");
        findings.fine(Area::Disk, "12 GiB are free for state");
        findings.warning(Check::TokenExpired, "token `ci` has expired", "revoke it");
        findings.failure(Check::AgentDown, "it is not running\u{1b}[2J", "start it");
        findings.failure(Check::ConfigurationUnusable, "no such key", "delete it");
        Report::of(findings, "/etc/lumos-agent/agent.toml".into())
    }

    #[test]
    fn the_worst_comes_first_and_what_is_fine_is_one_line() {
        insta::assert_snapshot!(sample().text(false));
        insta::assert_snapshot!("all", sample().text(true));
    }

    #[test]
    fn notes_alone_are_not_wrong() {
        assert!(sample().is_wrong());
        let mut findings = Findings::default();
        findings.note(Check::FirewallActive, "ufw is active", "open the port");
        assert!(!Report::of(findings, String::new()).is_wrong());
        let nothing = Report::of(Findings::default(), String::new());
        assert_eq!(nothing.text(false), "All is fine.");
    }

    #[test]
    fn names_are_unique_and_documented() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/troubleshooting.md");
        let text = std::fs::read_to_string(file).unwrap();
        let mut seen = std::collections::HashSet::new();
        for check in Check::ALL {
            assert!(seen.insert(check.id()), "{} is there twice", check.id());
            let row = format!("| `{}` |", check.id());
            assert!(text.contains(&row), "docs/troubleshooting.md has no row {row}");
        }
        for name in crate::conditions::Name::ALL {
            let row = format!("| `{}` |", name.as_str());
            assert!(text.contains(&row), "docs/troubleshooting.md has no row {row}");
        }
    }
}
