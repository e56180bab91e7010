//! The name of a connector.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Identifies a connector: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`, no `__` (that separates sections in environment variables),
/// no device name of Windows. Two that differ in case only are the same connector, since files and environment variables
/// are named after it; the spelling is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(Arc<str>);

/// Why a text is not an [`AppId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppIdError {
    /// Empty, longer than 64 bytes, or a character outside the alphabet.
    #[error("app_id `{0}` is not 1 to 64 letters, digits, `_` or `-`, beginning with a letter or digit")]
    Shape(String),
    /// Two underscores in a row.
    #[error("app_id `{0}` contains `__`, which separates sections in environment variables")]
    DoubleUnderscore(String),
    /// `con`, `nul`, `com1`, …: no file can have such a name on Windows.
    #[error("app_id `{0}` is a device name of Windows")]
    Device(String),
}

const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

impl AppId {
    /// The name as it was spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppId {
    type Err = AppIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let begins_well = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !begins_well || text.len() > 64 || !text.bytes().all(alphabet) {
            return Err(AppIdError::Shape(
                text.chars()
                    .take(80)
                    .collect::<String>()
                    .escape_debug()
                    .to_string(),
            ));
        }
        if text.contains("__") {
            return Err(AppIdError::DoubleUnderscore(text.to_owned()));
        }
        if DEVICES.iter().any(|device| device.eq_ignore_ascii_case(text)) {
            return Err(AppIdError::Device(text.to_owned()));
        }
        Ok(AppId(text.into()))
    }
}

impl TryFrom<String> for AppId {
    type Error = AppIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl PartialEq for AppId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for AppId {}

impl Hash for AppId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl PartialOrd for AppId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AppId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0
            .bytes()
            .map(|b| b.to_ascii_lowercase())
            .cmp(other.0.bytes().map(|b| b.to_ascii_lowercase()))
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_alphabet() {
        for good in ["a", "mockapp", "0kta", "My-App_2", &"x".repeat(64)] {
            assert_eq!(good.parse::<AppId>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for bad in ["", "_a", "-a", "a.b", "a/b", "..", "ä", "a b", &"x".repeat(65)] {
            assert!(matches!(bad.parse::<AppId>(), Err(AppIdError::Shape(_))), "{bad}");
        }
        assert!(matches!(
            "a__b".parse::<AppId>(),
            Err(AppIdError::DoubleUnderscore(_))
        ));
        assert!(matches!("Com7".parse::<AppId>(), Err(AppIdError::Device(_))));
    }

    #[test]
    fn case_does_not_distinguish() {
        let (a, b): (AppId, AppId) = ("MockApp".parse().unwrap(), "mockapp".parse().unwrap());
        assert_eq!(a, b);
        assert!(std::collections::HashSet::from([a]).contains(&b));
    }
}
