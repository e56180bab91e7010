//! Seals on page tokens: a token that was changed, or that belongs to another listing, is refused.
//!
//! The key is made of what stays the same while a listing is read: the app, the capability, the tenant's settings and its
//! credentials, but for access tokens, which are renewed. So it needs no keeping, survives a restart, and differs from
//! tenant to tenant. Nobody without the tenant's credentials can make a token; of a tenant that has access tokens only, the
//! seal still shows accidents and mix-ups.
#![forbid(unsafe_code)]

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fingerprint;

/// Length of a seal in bytes.
const LENGTH: usize = 16;
const BLOCK: usize = 64;

/// What a listing's tokens are sealed with.
#[derive(Clone)]
pub(crate) struct Key([u8; BLOCK]);

impl Key {
    /// The key for a listing of one tenant.
    pub(crate) fn new(app_id: &str, capability: &str, document: &Value) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"lumos page token 1");
        let mut parts = vec![app_id.to_owned(), capability.to_owned()];
        for name in ["settings", "auth", "credentials"] {
            let mut part = document.get(name).cloned().unwrap_or_default();
            forget_access_tokens(&mut part);
            parts.push(fingerprint::canonical(&part));
        }
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self::of(&digest.finalize())
    }

    fn of(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        match block.get_mut(..key.len()) {
            Some(start) => start.copy_from_slice(key),
            None => block[..32].copy_from_slice(&Sha256::digest(key)),
        }
        Self(block)
    }

    /// HMAC-SHA-256 (RFC 2104).
    fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let padded = |pad: u8| self.0.map(|byte| byte ^ pad);
        let inner = Sha256::new().chain_update(padded(0x36)).chain_update(bytes);
        let outer = Sha256::new().chain_update(padded(0x5c));
        outer.chain_update(inner.finalize()).finalize().into()
    }

    /// `bytes` behind their seal.
    pub(super) fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        let mut sealed = self.mac(bytes)[..LENGTH].to_vec();
        sealed.extend_from_slice(bytes);
        sealed
    }

    /// What is behind the seal, if that is whole.
    pub(super) fn open<'a>(&self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (seal, bytes) = sealed.split_at_checked(LENGTH)?;
        let expected = self.mac(bytes);
        // In constant time: how much of a seal is right must not show.
        let difference = seal
            .iter()
            .zip(&expected)
            .fold(0, |difference, (a, b)| difference | (a ^ b));
        (difference == 0).then_some(bytes)
    }
}

fn forget_access_tokens(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.shift_remove("access_token");
            members.values_mut().for_each(forget_access_tokens);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_access_tokens),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_seal_is_that_of_the_standard() {
        // RFC 4231, test cases 2 and 6.
        let mac = |key: &[u8], text: &[u8]| hex::encode(Key::of(key).mac(text));
        assert_eq!(
            mac(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            mac(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_listing_keeps_its_key_while_its_access_token_is_renewed() {
        let sealed =
            |app: &str, capability: &str, document: Value| Key::new(app, capability, &document).seal(b"x");
        let oauth = |token: &str, settings: &str| json!({"auth": {"oauth": {"access_token": token}}, "settings": {"a": settings}, "page": token});
        let first = sealed("app", "list", oauth("one", "s"));
        assert_eq!(first, sealed("app", "list", oauth("two", "s")));
        assert_ne!(first, sealed("app", "list", oauth("one", "t")));
        assert_ne!(first, sealed("app", "find", oauth("one", "s")));
        assert_ne!(first, sealed("ap", "plist", oauth("one", "s")));
        let token = |token: &str| json!({"auth": {"token": {"token": token}}});
        assert_ne!(
            sealed("app", "list", token("one")),
            sealed("app", "list", token("two"))
        );
    }

    #[test]
    fn what_was_changed_is_refused() {
        let key = Key::of(b"key");
        let sealed = key.seal(b"position");
        assert_eq!(key.open(&sealed), Some(&b"position"[..]));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(key.open(&changed), None, "byte {index}");
        }
        assert_eq!(key.open(&sealed[..LENGTH - 1]), None);
        assert_eq!(Key::of(b"other").open(&sealed), None);
    }
}
