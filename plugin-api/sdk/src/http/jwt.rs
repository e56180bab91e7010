//! Signed JSON Web Tokens (RFC 7519) from a JWT credential.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use lumos_connector_models::{JwtCredential, Secret};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair};
use ring::{error::KeyRejected, hmac};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::error::{ConnectorError, ErrorKind};

/// How long a token of [`HttpClient::jwt`](super::HttpClient::jwt) is valid.
pub(super) const VALIDITY: Duration = Duration::from_secs(20 * 60);

/// Signs the credential's header and claims, as issued now (`iat`) and valid for `validity` (`exp`).
///
/// The header's `alg` decides how: HS256, HS384, HS512 with the secret itself; RS256, RS384, RS512, PS256, PS384, PS512,
/// ES256, ES384, EdDSA with a private key in PEM (of elliptic curves in PKCS #8). Without it, HS256.
///
/// # Errors
/// `invalid_value` for another `alg`, or for a secret that is no such key.
pub fn sign_jwt(credential: &JwtCredential, validity: Duration) -> Result<Secret, ConnectorError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    sign_at(credential, now, validity)
}

fn sign_at(credential: &JwtCredential, now: Duration, validity: Duration) -> Result<Secret, ConnectorError> {
    let algorithm = match credential.headers.alg.as_str() {
        "" => "HS256",
        algorithm => algorithm,
    };
    let plain = |_| ConnectorError::internal("a JSON Web Token's parts cannot be written");
    let mut header = serde_json::to_value(&credential.headers).map_err(plain)?;
    header["alg"] = algorithm.into();
    if let Value::Object(members) = &mut header {
        // RFC 7515, section 4.1.11: not if it is empty.
        members
            .retain(|name, value| (name != "crit" || *value != json!([])) && (name != "typ" || value != ""));
    }
    let mut claims = serde_json::to_value(&credential.claims).map_err(plain)?;
    claims["iat"] = now.as_secs().into();
    claims["exp"] = (now + validity).as_secs().into();
    let text = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    );
    let signature = signature_of(algorithm, &credential.secret, text.as_bytes())?;
    Ok(format!("{text}.{}", BASE64.encode(signature)).into())
}

fn signature_of(algorithm: &str, secret: &Secret, text: &[u8]) -> Result<Vec<u8>, ConnectorError> {
    let with_secret = |algorithm| {
        let key = hmac::Key::new(algorithm, secret.expose().as_bytes());
        Ok(hmac::sign(&key, text).as_ref().to_vec())
    };
    let rsa = |encoding| with_rsa(encoding, secret, text);
    match algorithm {
        "HS256" => with_secret(hmac::HMAC_SHA256),
        "HS384" => with_secret(hmac::HMAC_SHA384),
        "HS512" => with_secret(hmac::HMAC_SHA512),
        "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
        "RS384" => rsa(&signature::RSA_PKCS1_SHA384),
        "RS512" => rsa(&signature::RSA_PKCS1_SHA512),
        "PS256" => rsa(&signature::RSA_PSS_SHA256),
        "PS384" => rsa(&signature::RSA_PSS_SHA384),
        "PS512" => rsa(&signature::RSA_PSS_SHA512),
        "ES256" => with_ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, secret, text),
        "ES384" => with_ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, secret, text),
        "EdDSA" => {
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8(secret)?).map_err(|_| unfit())?;
            Ok(key.sign(text).as_ref().to_vec())
        }
        _ => Err(invalid(
            "The JSON Web Token's algorithm (alg) is not one that can be signed with.",
        )),
    }
}

fn with_rsa(
    encoding: &'static dyn RsaEncoding,
    secret: &Secret,
    text: &[u8],
) -> Result<Vec<u8>, ConnectorError> {
    let key = match private_key(secret)? {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(unfit()),
    };
    let key = key.map_err(|_: KeyRejected| unfit())?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(encoding, &SystemRandom::new(), text, &mut signature)
        .map_err(|_| unfit())?;
    Ok(signature)
}

fn with_ecdsa(
    algorithm: &'static EcdsaSigningAlgorithm,
    secret: &Secret,
    text: &[u8],
) -> Result<Vec<u8>, ConnectorError> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8(secret)?, &random).map_err(|_| unfit())?;
    let signature = key.sign(&random, text).map_err(|_| unfit())?;
    Ok(signature.as_ref().to_vec())
}

fn pkcs8(secret: &Secret) -> Result<Vec<u8>, ConnectorError> {
    match private_key(secret)? {
        PrivateKeyDer::Pkcs8(der) => Ok(der.secret_pkcs8_der().to_vec()),
        _ => Err(unfit()),
    }
}

fn private_key(secret: &Secret) -> Result<PrivateKeyDer<'static>, ConnectorError> {
    PrivateKeyDer::from_pem_slice(secret.expose().as_bytes()).map_err(|_| unfit())
}

fn unfit() -> ConnectorError {
    invalid("The secret is not a private key in PEM that fits the JSON Web Token's algorithm (alg).")
}

fn invalid(message: &str) -> ConnectorError {
    ConnectorError::of(ErrorKind::InvalidConfiguration).with_message(message)
}

#[cfg(test)]
mod tests {
    use lumos_connector_models::{JwtClaims, JwtHeaders};
    use ring::signature::{KeyPair, UnparsedPublicKey, VerificationAlgorithm};

    use super::*;

    fn credential(alg: &str, secret: &str) -> JwtCredential {
        JwtCredential {
            headers: JwtHeaders {
                alg: alg.to_owned(),
                typ: "JWT".to_owned(),
                ..Default::default()
            },
            claims: JwtClaims {
                iss: "issuer".to_owned(),
                ..Default::default()
            },
            secret: secret.into(),
        }
    }

    fn sign(alg: &str, secret: &str) -> Result<String, ConnectorError> {
        let token = sign_at(
            &credential(alg, secret),
            Duration::from_secs(1_700_000_000),
            VALIDITY,
        )?;
        Ok(token.expose().to_owned())
    }

    fn pem(der: &[u8]) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    fn assert_verifies(token: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) {
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64.decode(signature).unwrap();
        UnparsedPublicKey::new(algorithm, public)
            .verify(text.as_bytes(), &signature)
            .unwrap();
    }

    #[test]
    fn header_and_claims_say_what_they_should() {
        let token = sign("", "a secret of at least thirty-two bytes").unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let part = |index: usize| -> Value {
            serde_json::from_slice(&BASE64.decode(parts[index]).unwrap()).unwrap()
        };
        assert_eq!(part(0)["alg"], "HS256");
        assert_eq!(part(0).get("crit"), None);
        assert_eq!(part(1)["iss"], "issuer");
        assert_eq!(
            (&part(1)["iat"], &part(1)["exp"]),
            (&json!(1_700_000_000), &json!(1_700_001_200))
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret of at least thirty-two bytes");
        let text = format!("{}.{}", parts[0], parts[1]);
        hmac::verify(&key, text.as_bytes(), &BASE64.decode(parts[2]).unwrap()).unwrap();
    }

    #[test]
    fn keys_sign_what_their_public_halves_verify() {
        let random = SystemRandom::new();
        let fixed = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(fixed, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(fixed, der.as_ref(), &random).unwrap();
        let token = sign("ES256", &pem(der.as_ref())).unwrap();
        assert_verifies(
            &token,
            &signature::ECDSA_P256_SHA256_FIXED,
            key.public_key().as_ref(),
        );

        let der = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        let token = sign("EdDSA", &pem(der.as_ref())).unwrap();
        assert_verifies(&token, &signature::ED25519, key.public_key().as_ref());

        let text = include_str!("../../tests/data/rsa.pem");
        let PrivateKeyDer::Pkcs8(der) = PrivateKeyDer::from_pem_slice(text.as_bytes()).unwrap() else {
            panic!("the key is in PKCS #8")
        };
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        let token = sign("RS256", text).unwrap();
        assert_verifies(
            &token,
            &signature::RSA_PKCS1_2048_8192_SHA256,
            key.public().as_ref(),
        );
        let token = sign("PS512", text).unwrap();
        assert_verifies(
            &token,
            &signature::RSA_PSS_2048_8192_SHA512,
            key.public().as_ref(),
        );
    }

    #[test]
    fn what_cannot_sign_is_told_without_the_secret() {
        for (alg, secret) in [
            ("RS256", "s3cret"),
            ("ES256", "s3cret"),
            ("none", "s3cret"),
            ("EdDSA", &pem(b"s3cret")),
        ] {
            let error = sign(alg, secret).unwrap_err();
            assert!(!error.message().contains("s3cret"));
        }
    }
}
