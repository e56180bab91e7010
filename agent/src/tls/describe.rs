//! What a certificate says, for people and for `cert renew`.

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use x509_parser::extensions::GeneralName;

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
    let (_, parsed) = x509_parser::parse_x509_certificate(&der)
        .map_err(|error| format!("it is not an X.509 certificate: {error}"))?;
    let time = |at: i64| Timestamp::from_second(at).unwrap_or_default();
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
        fingerprint_sha256: fingerprint(&der),
    })
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
