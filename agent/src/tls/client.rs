//! A caller's certificate, looked at anew for every request: a connection may outlive what its handshake found.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::ServerTls;
use super::describe;
use super::trust::Trust;

/// More names than this of one certificate are not looked at.
const MAX_NAMES: usize = 100;

/// The certificate that a connection's handshake accepted.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    names: Vec<String>,
    not_after: Timestamp,
    fingerprint: String,
    tls: Arc<ServerTls>,
    /// Under what it was last found good.
    verified: ArcSwap<Trust>,
}

/// Why a certificate that once was accepted no longer is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lapsed {
    /// Its time is over.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// No client certificates are accepted any more.
    #[error("no authority for client certificates is configured any more")]
    NoAuthority,
    /// Revoked, or of an authority that does not count any more.
    #[error("{0}")]
    Refused(String),
}

impl ClientCertificate {
    /// Of a chain that a handshake under `trust` accepted; `None` if the first certificate cannot be read after all.
    pub(super) fn new(chain: &[CertificateDer<'_>], tls: Arc<ServerTls>, trust: Arc<Trust>) -> Option<Self> {
        let leaf = chain.first()?;
        let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(describe::name)
            .take(MAX_NAMES)
            .map(|name| normal(&name))
            .collect();
        Some(ClientCertificate {
            names,
            not_after: Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()?,
            fingerprint: describe::fingerprint(leaf),
            chain: chain
                .iter()
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
            tls,
            verified: ArcSwap::new(trust),
        })
    }

    /// Its subject alternative names, as [`normal`] writes them.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// SHA-256 of it, for the log.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether it still counts. Cheap, unless authority or revocation list have changed since the last look.
    ///
    /// # Errors
    /// If its time is over, or the authority now in force does not vouch for it.
    pub(crate) fn check(&self) -> Result<(), Lapsed> {
        if self.not_after < Timestamp::now() {
            return Err(Lapsed::Expired(self.not_after));
        }
        let trust = self.tls.trust().ok_or(Lapsed::NoAuthority)?;
        if Arc::ptr_eq(&self.verified.load(), &trust) {
            return Ok(());
        }
        trust
            .verify(&self.chain)
            .map_err(|error| Lapsed::Refused(error.to_string()))?;
        self.verified.store(trust);
        Ok(())
    }
}

/// A name as it is compared: DNS names without regard to case, everything else (URIs, IP addresses) as it stands.
pub(crate) fn normal(name: &str) -> String {
    if name.contains(':') {
        name.to_owned()
    } else {
        name.to_ascii_lowercase()
    }
}
