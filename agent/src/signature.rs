//! Detached minisign signatures of connectors: `NAME.so.minisig` beside `NAME.so`.
//!
//! Which file is meant by a signature is said by its content alone; its comments decide nothing here. Only prehashed
//! signatures are taken, minisign's default since version 0.10: they are checked in one pass over a file of any size.
#![forbid(unsafe_code)]

use std::io::{self, Read};

use minisign_verify::{Error, Signature};

use crate::domain::{KeyId, TrustedKey};

/// What is added to a library's name for that of its signature.
pub(crate) const END: &str = ".minisig";
/// The largest signature file in bytes. Its comments are the only part without a length of its own.
pub(crate) const MAX_BYTES: u64 = 16 * 1024;

/// Why a signature counts for nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    /// Not the four lines that minisign writes.
    #[error("its signature is not a minisign signature; sign it with `minisign -Sm FILE`")]
    Malformed,
    /// Made over the content instead of its hash.
    #[error(
        "its signature is of the old kind that is not prehashed; sign it again with `minisign -SHm FILE`"
    )]
    Legacy,
    /// By a key that is not in the configuration.
    #[error(
        "it is signed by key {0}, which is not among connectors.trusted_keys; if you trust its holder, add the public key there"
    )]
    UnknownKey(KeyId),
    /// By the right key, for something else.
    #[error(
        "its signature by key {0} is for another content: one of the two files is older, or was changed; copy both again"
    )]
    Mismatch(KeyId),
    /// The content could not be read.
    #[error("its content cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Checks that `text`, a signature file, is one of `content` by one of `keys`. Blocks; reads `content` to its end.
///
/// # Errors
/// See [`SignatureError`].
pub(crate) fn verify(
    text: &[u8],
    content: &mut impl Read,
    keys: &[TrustedKey],
) -> Result<KeyId, SignatureError> {
    let text = std::str::from_utf8(text).map_err(|_| SignatureError::Malformed)?;
    let signature = Signature::decode(text).map_err(|_| SignatureError::Malformed)?;
    let id = text.lines().nth(1).and_then(KeyId::of_encoded);
    let id = id.ok_or(SignatureError::Malformed)?;
    let named: Vec<&TrustedKey> = keys.iter().filter(|key| key.id() == id).collect();
    if named.is_empty() {
        return Err(SignatureError::UnknownKey(id));
    }
    let verifiers = named.iter().map(|key| key.key().verify_stream(&signature));
    let mut verifiers = verifiers
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| match error {
            Error::UnsupportedLegacyMode => SignatureError::Legacy,
            _ => SignatureError::Malformed,
        })?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        for verifier in &mut verifiers {
            verifier.update(&buffer[..read]);
        }
    }
    let fits = verifiers.iter_mut().any(|verifier| verifier.finalize().is_ok());
    fits.then_some(id).ok_or(SignatureError::Mismatch(id))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use minisign::KeyPair;

    use super::*;

    /// A signature of `content`.
    pub(crate) fn sign(pair: &KeyPair, content: &[u8]) -> String {
        let signature = minisign::sign(None, &pair.sk, Cursor::new(content), Some("a test"), None);
        signature.unwrap().to_string()
    }

    /// A new key pair, and its public half as the configuration has it.
    pub(crate) fn key() -> (KeyPair, TrustedKey) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let public = pair.pk.to_base64().parse().unwrap();
        (pair, public)
    }

    fn outcome(text: &str, content: &[u8], keys: &[TrustedKey]) -> Result<KeyId, String> {
        verify(text.as_bytes(), &mut Cursor::new(content), keys).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn only_the_content_that_was_signed_passes() {
        let ((pair, key), (_, other)) = (key(), key());
        let text = sign(&pair, b"content");
        let id = key.id();
        let keys = [other.clone(), key];
        assert_eq!(outcome(&text, b"content", &keys), Ok(id));
        assert_eq!(outcome(&text, b"contend", &keys), Err(format!("Mismatch({id})")));
        assert_eq!(
            outcome(&text, b"content", &[other]),
            Err(format!("UnknownKey({id})"))
        );
        assert_eq!(
            outcome(&text.replace("a test", "another"), b"content", &keys),
            Err(format!("Mismatch({id})")),
            "the trusted comment is signed too"
        );
    }

    #[test]
    fn half_a_signature_is_none() {
        let (pair, key) = key();
        let text = sign(&pair, b"content");
        for end in (0..text.trim_end().len()).filter(|end| text.is_char_boundary(*end)) {
            let outcome = outcome(&text[..end], b"content", std::slice::from_ref(&key));
            assert_eq!(outcome, Err("Malformed".into()), "{end}");
        }
    }

    /// From minisign's own test: a signature that is not prehashed.
    #[test]
    fn the_old_kind_is_named() {
        let key: TrustedKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
            .parse()
            .unwrap();
        let text = "untrusted comment: signature from minisign secret key\n\
            RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
            trusted comment: timestamp:1555779966\tfile:test\n\
            QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";
        assert_eq!(outcome(text, b"test", &[key]), Err("Legacy".into()));
    }
}
