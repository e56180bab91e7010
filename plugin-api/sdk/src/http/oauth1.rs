//! Signatures of OAuth 1.0a (RFC 5849).
#![forbid(unsafe_code)]

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lumos_connector_models::OAuth1Credential;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Url};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

use crate::error::ConnectorError;

/// RFC 5849, section 3.6: what is not encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signature {
    /// Of RFC 5849; for apps that know no other.
    HmacSha1,
    /// The same with SHA-256.
    HmacSha256,
}

/// Signs requests with OAuth 1.0a.
#[derive(Clone)]
#[must_use = "a signer does nothing until a client has it"]
pub struct OAuth1 {
    credential: OAuth1Credential,
    signature: Signature,
    realm: Option<String>,
}

/// What makes each signature another one.
struct Once {
    nonce: String,
    timestamp: String,
}

impl OAuth1 {
    /// Signs with HMAC-SHA256.
    pub fn new(credential: &OAuth1Credential) -> Self {
        Self {
            credential: credential.clone(),
            signature: Signature::HmacSha256,
            realm: None,
        }
    }

    /// Changes how it signs.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// Names the realm, which some apps want.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The `Authorization` header. The fields of a form are signed; of another body its hash is.
    pub(super) fn sign(
        &self,
        method: &Method,
        url: &Url,
        form: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<String, ConnectorError> {
        let body = body.filter(|_| form.is_empty());
        Ok(self.header(method, url, form, body, Once::new()?))
    }

    fn header(
        &self,
        method: &Method,
        url: &Url,
        form: &[(String, String)],
        body: Option<&[u8]>,
        once: Once,
    ) -> String {
        let name = match self.signature {
            Signature::HmacSha1 => "HMAC-SHA1",
            Signature::HmacSha256 => "HMAC-SHA256",
        };
        let mut oauth = vec![
            ("oauth_consumer_key", self.credential.consumer_key.clone()),
            ("oauth_token", self.credential.token_id.clone()),
            ("oauth_nonce", once.nonce),
            ("oauth_timestamp", once.timestamp),
            ("oauth_signature_method", name.to_owned()),
            ("oauth_version", "1.0".to_owned()),
        ];
        if let Some(body) = body {
            oauth.push(("oauth_body_hash", self.hash(body)));
        }
        let parameters = url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .chain(form.iter().cloned())
            .chain(
                oauth
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone())),
            );
        let base = base_string(method, url, parameters);
        oauth.push(("oauth_signature", self.signature_of(&base)));
        let realm = self
            .realm
            .iter()
            .map(|realm| format!("realm=\"{}\"", encode(realm)));
        let rest = oauth
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", encode(value)));
        format!("OAuth {}", realm.chain(rest).collect::<Vec<_>>().join(","))
    }

    fn signature_of(&self, base: &str) -> String {
        let algorithm = match self.signature {
            Signature::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Signature::HmacSha256 => hmac::HMAC_SHA256,
        };
        let secrets = [&self.credential.consumer_secret, &self.credential.token_secret];
        let key = secrets.map(|secret| encode(secret.expose())).join("&");
        BASE64.encode(hmac::sign(
            &hmac::Key::new(algorithm, key.as_bytes()),
            base.as_bytes(),
        ))
    }

    /// Of the extension "OAuth Request Body Hash".
    fn hash(&self, body: &[u8]) -> String {
        let algorithm = match self.signature {
            Signature::HmacSha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Signature::HmacSha256 => &digest::SHA256,
        };
        BASE64.encode(digest::digest(algorithm, body))
    }
}

impl Once {
    fn new() -> Result<Self, ConnectorError> {
        let mut bytes = [0; 16];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| ConnectorError::internal("the system gives no random numbers"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            nonce: hex::encode(bytes),
            timestamp: now.as_secs().to_string(),
        })
    }
}

/// RFC 5849, section 3.4.1.
fn base_string(method: &Method, url: &Url, parameters: impl Iterator<Item = (String, String)>) -> String {
    let mut pairs: Vec<_> = parameters
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    // `Url` has made the scheme and the host lower case and left out the scheme's own port.
    let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
    [method.as_str(), &place, &pairs.join("&")].map(encode).join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(names: [&str; 4], signature: Signature) -> OAuth1 {
        let [consumer_key, consumer_secret, token_id, token_secret] = names;
        OAuth1::new(&OAuth1Credential {
            consumer_key: consumer_key.to_owned(),
            consumer_secret: consumer_secret.into(),
            token_id: token_id.to_owned(),
            token_secret: token_secret.into(),
        })
        .signature(signature)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn the_base_string_is_that_of_the_rfc() {
        let url = Url::parse("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b").unwrap();
        let rest = pairs(&[
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("c2", ""),
            ("a3", "2 q"),
        ]);
        let query = url.query_pairs().map(|(a, b)| (a.into_owned(), b.into_owned()));
        let base = base_string(&Method::POST, &url, query.chain(rest));
        assert_eq!(
            base,
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26\
             c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26\
             oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_signature_is_that_of_the_rfc() {
        let keys = [
            "dpf43f3p2l4k3l03",
            "kd94hf93k423kf44",
            "nnch734d00sl2jdk",
            "pfkkdhi9sl3r4s00",
        ];
        let url = Url::parse("http://photos.example.net/photos?file=vacation.jpg&size=original").unwrap();
        let all = pairs(&[
            ("file", "vacation.jpg"),
            ("size", "original"),
            ("oauth_consumer_key", keys[0]),
            ("oauth_token", keys[2]),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ]);
        let base = base_string(&Method::GET, &url, all.into_iter());
        let signature = signer(keys, Signature::HmacSha1).signature_of(&base);
        assert_eq!(signature, "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    #[test]
    fn the_header_is_that_of_the_reference() {
        let url = Url::parse("https://app.example/api/users?b=2&a=x%20y").unwrap();
        let once = Once {
            nonce: "nonce".to_owned(),
            timestamp: "1700000000".to_owned(),
        };
        let header = signer(["ck", "c s", "tk", "t&s"], Signature::HmacSha256)
            .realm("realm")
            .header(&Method::POST, &url, &[], Some(br#"{"a": 1}"#), once);
        assert_eq!(header, REFERENCE);
    }

    /// What connector-py 4.278.0 gives.
    const REFERENCE: &str = concat!(
        r#"OAuth realm="realm","#,
        r#"oauth_consumer_key="ck","#,
        r#"oauth_token="tk","#,
        r#"oauth_nonce="nonce","#,
        r#"oauth_timestamp="1700000000","#,
        r#"oauth_signature_method="HMAC-SHA256","#,
        r#"oauth_version="1.0","#,
        r#"oauth_body_hash="%2BdhgKMbg1k4iUYb5astpM4ssWXZN95FiEH9cS7NNExA%3D","#,
        r#"oauth_signature="UCDlRH53x%2B4emk04Z7vehSo4DHpg9NioZrPGtmPpUqk%3D""#,
    );
}
