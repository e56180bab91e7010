//! Names of log files: whose, of which day, and which part of it.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::Date;

use crate::domain::AppId;

/// Whose log it is. The agent's own name is none that a connector can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::telemetry) enum Stem {
    /// `lumos-agent.{yyyy-MM-dd}.log`
    Agent,
    /// `{app_id}_{yyyy-MM-dd}.log`
    Connector(AppId),
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) stem: Stem,
    pub(super) day: Date,
    /// Parts of a day that are complete are numbered; the one that grows has no number.
    pub(super) part: Option<u32>,
}

const AGENT: &str = "lumos-agent";

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stem {
            Stem::Agent => write!(f, "{AGENT}.{}", self.day)?,
            Stem::Connector(app_id) => write!(f, "{app_id}_{}", self.day)?,
        }
        match self.part {
            Some(part) => write!(f, ".{part}.log"),
            None => f.write_str(".log"),
        }
    }
}

impl Name {
    /// `None` for files that are no log of ours.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_suffix(".log")?;
        let (rest, part) = match rest.rsplit_once('.') {
            Some((whole, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (whole, Some(number.parse().ok()?))
            }
            _ => (rest, None),
        };
        let (stem, day) = rest.split_at_checked(rest.len().checked_sub(10)?)?;
        let stem = match stem.strip_suffix('_') {
            Some(app_id) => Stem::Connector(app_id.parse().ok()?),
            None if stem.strip_suffix('.') == Some(AGENT) => Stem::Agent,
            None => return None,
        };
        let day = day.parse().ok()?;
        Some(Name { stem, day, part })
    }

    /// The older first.
    pub(super) fn by_age(&self, other: &Self) -> Ordering {
        let key = |name: &Name| (name.day, name.part.unwrap_or(u32::MAX));
        key(self).cmp(&key(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_others() {
        for name in [
            "mock_app_2026-11-21.log",
            "mockapp_2026-11-21.12.log",
            "lumos-agent.2026-11-21.log",
            "lumos-agent.2026-11-21.3.log",
            "lumos-agent_2026-11-21.log",
        ] {
            assert_eq!(Name::parse(name).unwrap().to_string(), name);
        }
        let connector = Name::parse("lumos-agent_2026-11-21.log").unwrap();
        assert_ne!(connector.stem, Stem::Agent);
        for other in [
            "mockapp.log",
            "a_2026-11-21.txt",
            "_2026-11-21.log",
            "a_2026-13-21.log",
            "a_21.log",
            ".log",
            "other.2026-11-21.log",
            "a_2026-11-21.x.log",
            "ü_2026-11-2ü.log",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
