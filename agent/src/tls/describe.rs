//! What a certificate says, for people and for `cert renew`.

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use serde::Serialize;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::domain::Sha256;

/// The facts of one certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Whom it is about.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Subject alternative names: DNS names, IP addresses and URIs.
    pub names: Vec<String>,
    /// From when.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate, as `AB:CD:…`.
    pub fingerprint_sha256: String,
}

/// Describes the first certificate of a PEM text.
///
/// # Errors
/// If there is none.
pub fn describe(pem: &[u8]) -> Result<Description, String> {
    let der =
        CertificateDer::from_pem_slice(pem).map_err(|error| format!("it holds no certificate: {error}"))?;
    describe_der(&der)
}

fn describe_der(der: &CertificateDer<'_>) -> Result<Description, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der)
        .map_err(|error| format!("it is not an X.509 certificate: {error}"))?;
    let names = parsed.subject_alternative_name().ok().flatten();
    Ok(Description {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names: names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(name)
            .collect(),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
        fingerprint_sha256: fingerprint(der),
    })
}

/// Describes every certificate of a PEM text.
///
/// # Errors
/// If there is none, or one of them is broken.
pub fn describe_all(pem: &[u8]) -> Result<Vec<Description>, String> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .map(|der| {
            let der = der.map_err(|error| format!("a certificate in it is broken: {error}"))?;
            describe_der(&der)
        })
        .collect::<Result<_, String>>()?;
    if all.is_empty() {
        return Err("it holds no certificate".into());
    }
    Ok(all)
}

/// The facts of one revocation list.
#[derive(Debug, Clone, Serialize)]
pub struct ListDescription {
    /// Whose certificates it is about.
    pub issuer: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When a new one is due; the agent goes on to use an old one.
    pub next_update: Option<Timestamp>,
    /// How many certificates it revokes.
    pub revoked: usize,
}

/// Describes every revocation list of a PEM text.
///
/// # Errors
/// If there is none, or one of them is broken.
pub fn describe_lists(pem: &[u8]) -> Result<Vec<ListDescription>, String> {
    let all: Vec<_> = CertificateRevocationListDer::pem_slice_iter(pem)
        .map(|der| {
            let der = der.map_err(|error| format!("a revocation list in it is broken: {error}"))?;
            let (_, list) = CertificateRevocationList::from_der(&der)
                .map_err(|error| format!("a revocation list in it is broken: {error}"))?;
            Ok(ListDescription {
                issuer: list.issuer().to_string(),
                issued_at: time(list.last_update().timestamp()),
                next_update: list.next_update().map(|at| time(at.timestamp())),
                revoked: list.iter_revoked_certificates().count(),
            })
        })
        .collect::<Result<_, String>>()?;
    if all.is_empty() {
        return Err("it holds no revocation list".into());
    }
    Ok(all)
}

fn time(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap_or_default()
}

/// SHA-256 of `der` as `AB:CD:…`, the form in which browsers and openssl show it.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    let digest = Sha256::of(der);
    let pairs: Vec<_> = digest
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

/// A name as text. One of a kind that looks like another kind is left out: an authority may well let somebody choose his
/// URI, but not his DNS name.
pub(super) fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) if !name.contains([':', '/', '@']) => Some((*name).to_owned()),
        GeneralName::URI(uri) if uri.contains(':') => Some((*uri).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|b| std::net::IpAddr::from(b).to_string());
            let v6 = || <[u8; 16]>::try_from(*bytes).map(|b| std::net::IpAddr::from(b).to_string());
            v4.or_else(|_| v6()).ok()
        }
        _ => None,
    }
}
