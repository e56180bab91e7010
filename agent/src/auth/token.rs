//! What a token looks like, and what is kept of it: 256 random bits with a prefix that secret scanners recognise, of which
//! only the SHA-256 is stored. No salt and no slow hash: there is nothing to guess in 256 bits.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What every token begins with.
const PREFIX: &str = "lumos_";

/// A fresh token.
pub(crate) fn generate() -> Result<SecretString, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
    Ok(SecretString::from(format!("{PREFIX}{}", *text)))
}

/// What is stored and compared.
pub(crate) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares without telling by its time where the two differ.
pub(crate) fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn tokens_are_long_and_differ() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        assert_eq!(a.expose_secret().len(), PREFIX.len() + 43);
        assert!(a.expose_secret().starts_with(PREFIX));
        assert!(!equal(&digest(a.expose_secret()), &digest(b.expose_secret())));
        assert!(equal(&digest(a.expose_secret()), &digest(a.expose_secret())));
    }
}
