//! Whose signature lies beside a library, checked against the private copy.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{Owners, Refusal, open, unreadable};
use crate::config::Config;
use crate::domain::{KeyId, TrustedKey};
use crate::signature::{self, SignatureError};

/// The keys that count, and whether one must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connectors) struct Signers {
    pub(super) keys: Vec<TrustedKey>,
    pub(super) required: bool,
}

/// A signature that counts.
pub(super) struct Signature {
    pub(super) by: KeyId,
    /// The signature file.
    pub(super) text: Vec<u8>,
}

impl Signers {
    /// Those of `config`.
    pub(in crate::connectors) fn of(config: &Config) -> Self {
        Signers {
            keys: config.connectors.trusted_keys.clone(),
            required: config.connectors.require_signed,
        }
    }

    /// The trusted key that a stored content was signed by, as far as it still counts.
    pub(in crate::connectors) fn of_stored(&self, signature: &[u8], library: &Path) -> Option<KeyId> {
        signature::verify(signature, &mut File::open(library).ok()?, &self.keys).ok()
    }

    /// Checks what lies beside `name` against `copy`. None if no signature counts and none is needed; a signature by a
    /// trusted key that does not fit is a refusal in any case. Moves the position in `copy`.
    pub(super) fn check(
        &self,
        directory: &Path,
        name: &str,
        owners: &Owners,
        mut copy: &File,
    ) -> Result<Option<Signature>, Refusal> {
        if self.keys.is_empty() && !self.required {
            return Ok(None);
        }
        let beside = format!("{name}{}", signature::END);
        let Some(text) = read(directory, &beside, owners)? else {
            return self.unsigned(format!(
                "it is not signed: there is no {beside}, and connectors.require_signed is set; put its signature beside it"
            ));
        };
        copy.seek(SeekFrom::Start(0))
            .map_err(|error| unreadable(&error))?;
        match signature::verify(&text, &mut copy, &self.keys) {
            Ok(by) => Ok(Some(Signature { by, text })),
            Err(error @ SignatureError::UnknownKey(_)) => self.unsigned(error.to_string()),
            Err(SignatureError::Unreadable(error)) => Err(unreadable(&error)),
            Err(error) => Err(Refusal::File(error.to_string())),
        }
    }

    fn unsigned(&self, why: String) -> Result<Option<Signature>, Refusal> {
        if self.required {
            Err(Refusal::File(why))
        } else {
            Ok(None)
        }
    }
}

/// The signature file; none if there is none. The same rules hold for it as for the library.
fn read(directory: &Path, name: &str, owners: &Owners) -> Result<Option<Vec<u8>>, Refusal> {
    let told = |text: String| format!("its signature {name}: {text}");
    let file = match open::open(directory, name, owners) {
        Ok(file) => file,
        // It was not there to be opened.
        Err(Refusal::Changing) => return Ok(None),
        Err(Refusal::File(text)) => return Err(Refusal::File(told(text))),
        Err(Refusal::Surroundings(text)) => return Err(Refusal::Surroundings(told(text))),
        Err(other) => return Err(other),
    };
    let mut text = Vec::new();
    file.take(signature::MAX_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|error| unreadable(&error))?;
    if text.len() as u64 > signature::MAX_BYTES {
        return Err(Refusal::File(SignatureError::Malformed.to_string()));
    }
    Ok(Some(text))
}
