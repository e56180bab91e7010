//! From PEM files to a rustls configuration, with an error for each thing that is commonly wrong with them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::trust::Trust;
use crate::config::model::{Tls, TlsVersion};
use crate::domain::Sha256;
use crate::stamp::Stamp;

/// No certificate chain or key is larger.
const MAX_BYTES: u64 = 1 << 20;

/// What people want to know of the certificate in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// From when on callers refuse it.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate (DER), as callers compare it.
    pub fingerprint_sha256: Sha256,
}

impl CertificateInfo {
    /// Whether callers refuse it by now.
    #[must_use]
    pub fn expired(&self) -> bool {
        self.not_after <= Timestamp::now()
    }
}

/// What is wrong with the certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(
        "cannot read {key} = {}; `lumos-agent init` makes a certificate, or name the files of your own",
        path.display()
    )]
    Unreadable {
        /// Which configuration key names it.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no certificate in the file.
    #[error("{} holds no PEM certificate (`-----BEGIN CERTIFICATE-----`)", path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// A certificate that cannot be parsed.
    #[error("the certificate in {} is not valid X.509: {reason}", path.display())]
    BadCertificate {
        /// Which file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// There is no key in the file.
    #[error(
        "{} holds no usable private key; PKCS#8, PKCS#1 and SEC1 in PEM are understood, without a passphrase",
        path.display()
    )]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// A private key that everybody may read is none.
    #[error("the private key {} is readable by all (mode {mode:03o}); set it with `chmod 0600`", path.display())]
    KeyReadableByAll {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The same on Windows.
    #[cfg(windows)]
    #[error("the private key {} is readable by others; leave that to Administrators, SYSTEM and the agent's account with `icacls`", path.display())]
    KeyReadableByOthers {
        /// Which file.
        path: PathBuf,
    },
    /// Two files that do not belong together.
    #[error(
        "the private key {} does not belong to the certificate {}",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A revocation list that cannot be used.
    #[error("the revocation lists in {} cannot be used: {reason}", path.display())]
    BadRevocationList {
        /// Which file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// rustls refuses the pair.
    #[error("the certificate and key cannot be used: {0}")]
    Unusable(String),
}

/// What handshakes go by.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) server: Arc<ServerConfig>,
    pub(super) pair: Pair,
    /// Whose client certificates count; `None` if nobody's.
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) stamps: Stamps,
}

/// A certificate and its key. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    resolver: Arc<SingleCertAndKey>,
    pub(super) info: CertificateInfo,
}

/// Loads the pair without using it; for `check-config`. An expired certificate is no error: see [`CertificateInfo::expired`].
///
/// # Errors
/// See [`TlsError`].
pub fn check(settings: &Tls) -> Result<CertificateInfo, TlsError> {
    load(settings).map(|loaded| loaded.pair.info)
}

pub(super) fn load(settings: &Tls) -> Result<Loaded, TlsError> {
    // Before reading: a file that changes meanwhile has another stamp at the next look.
    let stamps = stamps(settings);
    let trust = Trust::load(settings, &provider())?.map(Arc::new);
    Loaded::new(settings, Pair::load(settings)?, trust, stamps)
}

/// The one cryptography of this program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Pair {
    pub(super) fn load(settings: &Tls) -> Result<Self, TlsError> {
        let chain = chain(&settings.certificate)?;
        let info = describe(&settings.certificate, &chain[0])?;
        let private = private_key(&settings.private_key)?;
        let pair = pair(settings, chain, private, &provider())?;
        Ok(Pair {
            resolver: Arc::new(SingleCertAndKey::from(pair)),
            info,
        })
    }
}

impl Loaded {
    pub(super) fn new(
        settings: &Tls,
        pair: Pair,
        trust: Option<Arc<Trust>>,
        stamps: Stamps,
    ) -> Result<Self, TlsError> {
        let server = server_config(settings.min_version, &pair, trust.as_deref())?;
        Ok(Loaded {
            server: Arc::new(server),
            pair,
            trust,
            stamps,
        })
    }
}

/// Of certificate, key, client authority and revocation lists.
pub(super) type Stamps = [Option<Stamp>; 4];

/// The stamps of all files; `None` where one is missing or not configured.
pub(super) fn stamps(settings: &Tls) -> Stamps {
    let files = [
        Some(&settings.certificate),
        Some(&settings.private_key),
        settings.client_ca.as_ref(),
        settings.client_crl.as_ref(),
    ];
    files.map(|path| Some(Stamp::of(&std::fs::metadata(path?).ok()?)))
}

pub(super) fn read(key: &'static str, path: &Path) -> Result<(Vec<u8>, std::fs::Metadata), TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        key,
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok((bytes, metadata))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (pem, _) = read("dispatch.tls.certificate", path)?;
    let none = || TlsError::NoCertificate {
        path: path.to_owned(),
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|_| none())?;
    if chain.is_empty() { Err(none()) } else { Ok(chain) }
}

fn describe(path: &Path, certificate: &CertificateDer<'_>) -> Result<CertificateInfo, TlsError> {
    let bad = |reason: String| TlsError::BadCertificate {
        path: path.to_owned(),
        reason,
    };
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| bad(error.to_string()))?;
    let not_after = Timestamp::from_second(parsed.validity().not_after.timestamp())
        .map_err(|error| bad(error.to_string()))?;
    Ok(CertificateInfo {
        not_after,
        fingerprint_sha256: Sha256::of(certificate),
    })
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (pem, metadata) = read("dispatch.tls.private_key", path)?;
    let pem = zeroize::Zeroizing::new(pem);
    refuse_public(path, &metadata)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey {
        path: path.to_owned(),
    })
}

#[cfg(unix)]
fn refuse_public(path: &Path, metadata: &std::fs::Metadata) -> Result<(), TlsError> {
    let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
    if mode & 0o007 == 0 {
        return Ok(());
    }
    Err(TlsError::KeyReadableByAll {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(windows)]
fn refuse_public(path: &Path, _: &std::fs::Metadata) -> Result<(), TlsError> {
    // A file that cannot be examined could not be read either, and was.
    match crate::os::path_facts(path) {
        Ok(facts) if facts.world_readable => Err(TlsError::KeyReadableByOthers {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn pair(
    settings: &Tls,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let signing = provider
        .key_provider
        .load_private_key(key)
        .map_err(|_| TlsError::NoKey {
            path: settings.private_key.clone(),
        })?;
    let pair = CertifiedKey::new(chain, signing);
    pair.keys_match().map_err(|_| TlsError::Mismatch {
        certificate: settings.certificate.clone(),
        key: settings.private_key.clone(),
    })?;
    Ok(pair)
}

fn server_config(
    min_version: TlsVersion,
    pair: &Pair,
    trust: Option<&Trust>,
) -> Result<ServerConfig, TlsError> {
    let versions: &[&rustls::SupportedProtocolVersion] = match min_version {
        TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let clients = trust.map_or_else(WebPkiClientVerifier::no_client_auth, Trust::verifier);
    // Sessions are kept by this configuration: a new authority or list is not got round by resuming an old one.
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Unusable(error.to_string()))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(pair.resolver.clone());
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(server)
}
