//! Who asks, and what they may do.
//!
//! ```text
//! request ── Authorization: Bearer ──▶ TokenStore ──▶ Principal{name, scopes}
//!    ├─ else: client certificate ──▶ client_names ──▶ Principal{name, scopes}
//!    └─ peer's address ──▶ Throttle: delays the answer to a failure, never a valid credential; the listener counts
//!                          handshakes that fail for their certificate there too
//! ```
//!
//! A [`Principal`] is made for every request anew, so that a revoked token or a narrowed scope counts from the next request
//! on, on connections that are already open too. The same holds for a client certificate: expiry, revocation and the names
//! in the configuration are looked at for every request.
//!
//! Every credential that is presented must be valid. If a token is presented, its scopes alone count, so that a certificate
//! never widens what a token was made for.
#![forbid(unsafe_code)]

mod certificates;
mod last_use;
mod principal;
mod throttle;
mod token;
pub mod token_file;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;

pub use last_use::read_last_use;
pub use principal::{Principal, Via};
pub use token_file::{TokenFile, TokenFileError, TokenRecord};

pub(crate) use throttle::Throttle;

use crate::conditions::Conditions;
use crate::config::model::Tls;
use crate::tls::ClientCertificate;
use last_use::LastUse;
use tokens::TokenStore;

/// The other end of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    /// Its address; `None` on the control socket.
    pub(crate) address: Option<std::net::IpAddr>,
    /// What it proved in the TLS handshake.
    pub(crate) certificate: Option<Arc<ClientCertificate>>,
}

/// Why a request is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It carries no credential.
    Absent,
    /// It carries a token that is not valid.
    Invalid,
    /// The configuration wants a client certificate, and the connection has none.
    NoCertificate,
    /// The connection's certificate has expired or is revoked.
    CertificateLapsed,
    /// None of the certificate's names is in `client_names`.
    CertificateUnknown,
}

/// Finds out who asks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Authenticator(Arc<Mode>);

enum Mode {
    /// Bearer tokens from a file.
    Tokens { store: TokenStore, last_use: LastUse },
    /// One token, kept in memory: `dev` with a token.
    Single { digest: [u8; 32], principal: Principal },
    /// Everybody is this one: the control socket, and `dev` on loopback.
    Everybody(Principal),
}

impl Authenticator {
    /// Tokens of `file`; their last use is written below `state_dir`.
    pub(crate) fn tokens(file: PathBuf, state_dir: &Path, conditions: &Conditions) -> Self {
        Authenticator(Arc::new(Mode::Tokens {
            store: TokenStore::new(file, conditions.clone()),
            last_use: LastUse::new(state_dir, conditions.clone()),
        }))
    }

    /// Exactly one token, which may do everything.
    pub(crate) fn single(token: &SecretString) -> Self {
        Authenticator(Arc::new(Mode::Single {
            digest: token::digest(secrecy::ExposeSecret::expose_secret(token)),
            principal: Principal::unrestricted("dev", Via::Dev),
        }))
    }

    /// No credential is needed.
    pub(crate) fn everybody(principal: Principal) -> Self {
        Authenticator(Arc::new(Mode::Everybody(principal)))
    }

    /// Who sent a request with these headers over a connection of `peer`. `tls` is the configuration in force.
    ///
    /// # Errors
    /// If it carries no valid credential, or one that is not valid.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        tls: &Tls,
    ) -> Result<Principal, Denied> {
        let mode = match &*self.0 {
            Mode::Everybody(principal) => return Ok(principal.clone()),
            mode => mode,
        };
        certificates::check(peer, tls)?;
        match bearer(headers) {
            Err(Denied::Absent) => certificates::principal(peer, tls),
            presented => Self::of(mode, presented?),
        }
    }

    /// Whose token this is.
    fn of(mode: &Mode, presented: &str) -> Result<Principal, Denied> {
        let digest = token::digest(presented);
        match mode {
            Mode::Tokens { store, last_use } => {
                let (principal, id) = store.find(&digest).ok_or(Denied::Invalid)?;
                last_use.touch(&id);
                Ok(principal)
            }
            Mode::Single {
                digest: own,
                principal,
            } => token::equal(own, &digest)
                .then(|| principal.clone())
                .ok_or(Denied::Invalid),
            Mode::Everybody(principal) => Ok(principal.clone()),
        }
    }

    /// Sees whether tokens can be accepted now, without waiting for somebody to show one.
    pub(crate) fn look(&self) {
        if let Mode::Tokens { store, .. } = &*self.0 {
            store.refresh();
        }
    }

    /// Writes the last use of tokens down, if there is anything new.
    pub(crate) fn flush(&self) {
        if let Mode::Tokens { last_use, .. } = &*self.0 {
            last_use.flush();
        }
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::Absent)?;
    if values.next().is_some() {
        return Err(Denied::Invalid);
    }
    let text = value.to_str().map_err(|_| Denied::Invalid)?;
    let (scheme, token) = text.split_once(' ').ok_or(Denied::Invalid)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > 512 {
        return Err(Denied::Invalid);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Level;
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    fn ask(auth: &Authenticator, headers: &HeaderMap) -> Result<Principal, Denied> {
        let nobody = Peer {
            address: None,
            certificate: None,
        };
        let config = crate::http::test_config(Path::new("/nowhere"));
        auth.authenticate(headers, &nobody, &config.dispatch.tls)
    }

    fn header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn tokens_of_the_file_are_known_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.json"));
        let scopes = crate::domain::Scopes(vec!["mockapp:read".parse().unwrap()]);
        let token = file.create("lumos", scopes, None).unwrap();
        let auth = Authenticator::tokens(dir.path().join("tokens.json"), dir.path(), &Conditions::default());

        let principal = ask(&auth, &header(&format!("bearer {}", token.expose_secret()))).unwrap();
        assert_eq!(&*principal.name, "lumos");
        assert!(principal.scopes.allow(&"mockapp".parse().unwrap(), Level::Read));
        assert!(!principal.scopes.allow(&"mockapp".parse().unwrap(), Level::Write));

        assert_eq!(ask(&auth, &HeaderMap::new()).unwrap_err(), Denied::Absent);
        for wrong in [
            "Bearer lumos_x",
            "Bearer",
            "Basic dTpw",
            "Bearer ",
            token.expose_secret(),
        ] {
            assert_eq!(
                ask(&auth, &header(wrong)).unwrap_err(),
                Denied::Invalid,
                "{wrong}"
            );
        }
        let mut twice = header(&format!("Bearer {}", token.expose_secret()));
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer other"));
        assert_eq!(ask(&auth, &twice).unwrap_err(), Denied::Invalid);

        auth.flush();
        assert_eq!(read_last_use(dir.path()).len(), 1);
    }

    #[test]
    fn dev_takes_its_one_token() {
        let auth = Authenticator::single(&SecretString::from("lumos_dev"));
        assert!(ask(&auth, &header("Bearer lumos_dev")).unwrap().scopes.is_admin());
        assert_eq!(
            ask(&auth, &header("Bearer lumos_def")).unwrap_err(),
            Denied::Invalid
        );
    }
}
