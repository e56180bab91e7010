//! What vouches for a connector's file: its signature and its pin, judged before anything of it is loaded.

use std::ffi::OsString;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::throwaway::Copy;
use crate::config::Config;
use crate::connectors::{pinned, pinned_by_anyone};
use crate::domain::{AppId, KeyId};
use crate::signature::{self, SignatureError};

/// What `connector validate` says about the signature.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Standing {
    /// The trusted key that it is signed by.
    pub(super) signed_by: Option<KeyId>,
    /// Why there is none.
    pub(super) reason: Option<String>,
}

/// Where the signature of `library` is looked for.
pub(super) fn beside(library: &Path) -> PathBuf {
    let mut name = OsString::from(library);
    name.push(signature::END);
    name.into()
}

/// The signature file of `library`, if there is one.
pub(super) fn read(library: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let path = beside(library);
    let failed = |error: &std::io::Error| Failure::file("read", &path, error);
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let mut text = Vec::new();
    file.take(signature::MAX_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|error| failed(&error))?;
    Ok(Some(text))
}

/// Whose signature `copy` carries; without a configuration nobody's counts.
///
/// # Errors
/// If there is a signature that is damaged or by a trusted key for another content.
pub(super) fn standing(config: Option<&Config>, copy: &Copy) -> Result<Standing, Failure> {
    let nobody = |reason: String| Standing {
        signed_by: None,
        reason: Some(reason),
    };
    let Some(text) = &copy.signature else {
        let path = beside(copy.original());
        return Ok(nobody(format!("there is no {}", path.display())));
    };
    let keys = config.map_or(&[][..], |config| &config.connectors.trusted_keys);
    let outcome = if text.len() as u64 > signature::MAX_BYTES {
        Err(SignatureError::Malformed)
    } else {
        signature::verify(text, &mut Cursor::new(&copy.content), keys)
    };
    match outcome {
        Ok(by) => Ok(Standing {
            signed_by: Some(by),
            reason: None,
        }),
        Err(error @ SignatureError::UnknownKey(_)) => Ok(nobody(error.to_string())),
        Err(error) => Err(refused(copy, &error.to_string())),
    }
}

/// Whether the agent of `config` would load this content at all, whatever connector it is.
///
/// # Errors
/// If it would not, with what to do.
pub(super) fn admit(config: &Config, copy: &Copy) -> Result<(), Failure> {
    let standing = standing(Some(config), copy)?;
    if let Some(reason) = standing.reason.filter(|_| config.connectors.require_signed) {
        return Err(Failure::new(
            Exit::Failed,
            format!("{}: {reason}", copy.original().display()),
            "connectors.require_signed is set: install it with the signature of a trusted key beside it",
        ));
    }
    pinned_by_anyone(config, copy.sha256).map_err(|text| refused(copy, &text))
}

/// Whether the pins of `app_id` allow this content.
///
/// # Errors
/// If they do not, with the pin to add.
pub(super) fn admit_as(config: &Config, copy: &Copy, app_id: &AppId) -> Result<(), Failure> {
    pinned(config, app_id, copy.sha256).map_err(|text| refused(copy, &text))
}

fn refused(copy: &Copy, text: &str) -> Failure {
    Failure {
        exit: Exit::Failed,
        message: format!("{}: {text}", copy.original().display()),
        help: None,
    }
}
