//! What a credential may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::{AppId, Level};

/// One permission: `admin`, or `connector-glob:read|write|*` such as `mockapp:read`, `hr-*:*` or `*:write`.
/// `write` does not include `read`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// All connectors, all levels, and the administration of the agent.
    Admin,
    /// Some connectors at some levels.
    Connectors {
        /// Matches an app_id, without regard to case; `*` and `?` are wild.
        pattern: String,
        /// The one level it allows; `None` for both.
        level: Option<Level>,
    },
}

/// Why a text is not a [`Scope`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope; write `admin`, or CONNECTOR:LEVEL where CONNECTOR is an app_id (`*` and `?` are wild) and LEVEL is read, write or *, for example `mockapp:read`"
)]
pub struct ScopeError(String);

impl Scope {
    /// Whether it allows calls of `level` on `app_id`.
    #[must_use]
    pub fn allows(&self, app_id: &AppId, level: Level) -> bool {
        match self {
            Scope::Admin => true,
            Scope::Connectors { level: Some(own), .. } if *own != level => false,
            Scope::Connectors { .. } => self.covers(app_id),
        }
    }

    /// Whether it says anything about `app_id`, at whatever level: such connectors appear in its listings.
    #[must_use]
    pub fn covers(&self, app_id: &AppId) -> bool {
        match self {
            Scope::Admin => true,
            Scope::Connectors { pattern, .. } => {
                WildMatch::new(&pattern.to_ascii_lowercase()).matches(&app_id.as_str().to_ascii_lowercase())
            }
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "admin" {
            return Ok(Scope::Admin);
        }
        let wrong = || ScopeError(text.chars().take(80).collect());
        let (pattern, level) = text.split_once(':').ok_or_else(wrong)?;
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"_-*?".contains(&byte);
        if pattern.is_empty() || pattern.len() > 64 || !pattern.bytes().all(alphabet) {
            return Err(wrong());
        }
        let level = match level {
            "read" => Some(Level::Read),
            "write" => Some(Level::Write),
            "*" => None,
            _ => return Err(wrong()),
        };
        Ok(Scope::Connectors {
            pattern: pattern.to_owned(),
            level,
        })
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Admin => f.write_str("admin"),
            Scope::Connectors {
                pattern,
                level: Some(level),
            } => write!(f, "{pattern}:{level}"),
            Scope::Connectors { pattern, level: None } => write!(f, "{pattern}:*"),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All that one credential may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(pub Vec<Scope>);

impl Scopes {
    /// Whether any of them allows calls of `level` on `app_id`.
    #[must_use]
    pub fn allow(&self, app_id: &AppId, level: Level) -> bool {
        self.0.iter().any(|scope| scope.allows(app_id, level))
    }

    /// Whether any of them says anything about `app_id`.
    #[must_use]
    pub fn cover(&self, app_id: &AppId) -> bool {
        self.0.iter().any(|scope| scope.covers(app_id))
    }

    /// Whether `admin` is among them.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0.contains(&Scope::Admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn levels_do_not_include_one_another() {
        let app: AppId = "mockapp".parse().unwrap();
        assert!(scope("mockapp:read").allows(&app, Level::Read));
        assert!(!scope("mockapp:read").allows(&app, Level::Write));
        assert!(!scope("mockapp:write").allows(&app, Level::Read));
        assert!(scope("mock*:*").allows(&app, Level::Write));
        assert!(!scope("other:*").allows(&app, Level::Read));
        assert!(scope("admin").allows(&app, Level::Write));
        assert!(scope("MOCKAPP:read").allows(&app, Level::Read));
    }

    #[test]
    fn round_trips() {
        for text in ["admin", "a:read", "a-*:write", "*:*"] {
            assert_eq!(scope(text).to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_scope() {
        for bad in [
            "", "mockapp", "mockapp:", ":read", "a:b:read", "a:rw", "a b:read", "Admin", "é:read",
        ] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }
}
