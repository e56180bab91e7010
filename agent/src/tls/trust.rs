//! Which client certificates count: those that the configured authority vouches for and has not revoked.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::load::{TlsError, read};
use crate::config::model::{ClientAuth, Tls};

/// The authority and its revocation lists, as read at one time.
pub(super) struct Trust {
    verifier: Arc<dyn ClientCertVerifier>,
    /// When the first of the revocation lists should have been replaced.
    pub(super) lists_until: Option<Timestamp>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("lists_until", &self.lists_until)
            .finish_non_exhaustive()
    }
}

/// Loads what `settings` says about client certificates without using it.
pub(crate) fn check_clients(settings: &Tls) -> Result<(), TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Trust::load(settings, &provider).map(drop)
}

impl Trust {
    /// `None` where the configuration names no authority.
    pub(super) fn load(settings: &Tls, provider: &Arc<CryptoProvider>) -> Result<Option<Self>, TlsError> {
        let Some(authority) = &settings.client_ca else {
            return Ok(None);
        };
        let (lists, lists_until) = match &settings.client_crl {
            Some(path) => revocation_lists(path)?,
            None => (Vec::new(), None),
        };
        let roots = Arc::new(roots(authority)?);
        // Where there are lists, each certificate of a chain must be covered by one, and a list that has not been replaced
        // in time goes on to count: better an old list than none.
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).with_crls(lists);
        if settings.client_auth == ClientAuth::Optional {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder
            .build()
            .map_err(|error| TlsError::Unusable(error.to_string()))?;
        Ok(Some(Trust {
            verifier,
            lists_until,
        }))
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.verifier.clone()
    }

    /// Whether `chain` counts at this moment.
    pub(super) fn verify(&self, chain: &[CertificateDer<'static>]) -> Result<(), rustls::Error> {
        let (leaf, rest) = chain
            .split_first()
            .ok_or(rustls::Error::NoCertificatesPresented)?;
        self.verifier
            .verify_client_cert(leaf, rest, UnixTime::now())
            .map(drop)
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let (pem, _) = read("dispatch.tls.client_ca", path)?;
    let none = || TlsError::NoCertificate {
        path: path.to_owned(),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots
            .add(certificate.map_err(|_| none())?)
            .map_err(|error| TlsError::BadCertificate {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
    }
    if roots.is_empty() { Err(none()) } else { Ok(roots) }
}

type Lists = (Vec<CertificateRevocationListDer<'static>>, Option<Timestamp>);

fn revocation_lists(path: &Path) -> Result<Lists, TlsError> {
    let (pem, _) = read("dispatch.tls.client_crl", path)?;
    let bad = |reason: String| TlsError::BadRevocationList {
        path: path.to_owned(),
        reason,
    };
    let mut until: Option<Timestamp> = None;
    let mut lists = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(&pem) {
        let list = list.map_err(|error| bad(error.to_string()))?;
        let (_, parsed) =
            CertificateRevocationList::from_der(&list).map_err(|error| bad(error.to_string()))?;
        let next = parsed.next_update().map(|at| at.timestamp());
        let next = next.and_then(|at| Timestamp::from_second(at).ok());
        until = [until, next].into_iter().flatten().min();
        lists.push(list);
    }
    if lists.is_empty() {
        return Err(bad("there is none in it (`-----BEGIN X509 CRL-----`)".into()));
    }
    Ok((lists, until))
}
