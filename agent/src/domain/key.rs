//! Minisign public keys, and the ids by which signatures name them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::PublicKey;
use serde::{Deserialize, Serialize};

/// What a signature calls its key: 16 upper-case hexadecimal digits, as `minisign` prints them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(u64);

/// The text is no key id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 16 hexadecimal digits")]
pub struct KeyIdError;

impl KeyId {
    /// The id in the base64 of a key or of a signature: both hold it after two bytes that name the algorithm.
    pub(crate) fn of_encoded(base64: &str) -> Option<Self> {
        let bytes = STANDARD.decode(base64.trim()).ok()?;
        let id = bytes.get(2..10)?.first_chunk::<8>()?;
        Some(KeyId(u64::from_le_bytes(*id)))
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| digits);
        number.map(KeyId).ok_or(KeyIdError)
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A public key whose signatures are trusted, given as the second line of `minisign.pub`: `RW…`, 56 characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedKey {
    id: KeyId,
    key: PublicKey,
}

/// The text is no minisign public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a minisign public key is the line of 56 characters in minisign.pub that begins with RW")]
pub struct TrustedKeyError;

impl TrustedKey {
    /// What signatures call it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key itself.
    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl FromStr for TrustedKey {
    type Err = TrustedKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = PublicKey::from_base64(text).map_err(|_| TrustedKeyError)?;
        let id = KeyId::of_encoded(text).ok_or(TrustedKeyError)?;
        Ok(TrustedKey { id, key })
    }
}

impl TryFrom<String> for TrustedKey {
    type Error = TrustedKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of minisign's own releases, and the id that its manual names.
    const KNOWN: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn a_key_tells_its_id() {
        let key: TrustedKey = KNOWN.parse().unwrap();
        assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
        assert_eq!("E7620F1842B4E81F".parse(), Ok(key.id()));
    }

    #[test]
    fn rubbish_is_no_key() {
        for text in ["", "RW", &KNOWN[1..], &KNOWN.replace("RW", "RX"), "minisign.pub"] {
            assert_eq!(text.parse::<TrustedKey>(), Err(TrustedKeyError), "{text}");
        }
        for text in ["", "+7620F1842B4E81F", "E7620F1842B4E81", "G7620F1842B4E81F"] {
            assert_eq!(text.parse::<KeyId>(), Err(KeyIdError), "{text}");
        }
    }
}
