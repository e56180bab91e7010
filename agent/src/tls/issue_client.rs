//! Issues client certificates: an authority of their own, which vouches for callers and never for a server, the certificates
//! that it signs, and the list of those that it has revoked.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use rustls_pki_types::DnsName;
use zeroize::Zeroizing;

use super::issue::{AUTHORITY_DAYS, BACKDATED, IssueError, Issued, at, distinguished, issuer};

/// The list is written anew whenever something is revoked; there is nobody who would do so in between.
const LIST_DAYS: u32 = AUTHORITY_DAYS;

/// A new authority for client certificates, valid for ten years.
///
/// # Errors
/// If the library refuses.
pub fn authority(now: Timestamp) -> Result<Issued, IssueError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished("lumos-agent authority of callers");
    (params.not_before, params.not_after) = (at(now, BACKDATED, 0), at(now, Duration::ZERO, AUTHORITY_DAYS));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Issued {
        certificate: certificate.pem(),
        private_key: Zeroizing::new(key.serialize_pem()),
    })
}

/// A certificate for the caller `name`, a DNS name or a URI, valid until `until`, with the given serial number.
///
/// # Errors
/// If `name` is neither, or `authority` is not an authority with its key.
pub fn client(
    authority: &Issued,
    name: &str,
    serial: &[u8],
    now: Timestamp,
    until: Timestamp,
) -> Result<Issued, IssueError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(name);
    params.subject_alt_names = vec![subject(name)?];
    params.serial_number = Some(SerialNumber::from_slice(serial));
    (params.not_before, params.not_after) = (at(now, BACKDATED, 0), at(until, Duration::ZERO, 0));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer(authority)?)?;
    Ok(Issued {
        certificate: certificate.pem(),
        private_key: Zeroizing::new(key.serialize_pem()),
    })
}

/// The list of `revoked` certificates, by serial number and time, in PEM.
///
/// # Errors
/// If `authority` is not an authority with its key.
pub fn revocation_list(
    authority: &Issued,
    revoked: &[(Vec<u8>, Timestamp)],
    now: Timestamp,
) -> Result<String, IssueError> {
    let list = CertificateRevocationListParams {
        this_update: at(now, BACKDATED, 0),
        next_update: at(now, Duration::ZERO, LIST_DAYS),
        crl_number: SerialNumber::from(u64::try_from(now.as_second()).unwrap_or(0)),
        issuing_distribution_point: None,
        revoked_certs: revoked
            .iter()
            .map(|(serial, since)| RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: at(*since, Duration::ZERO, 0),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    Ok(list.signed_by(&issuer(authority)?)?.pem()?)
}

fn subject(name: &str) -> Result<SanType, IssueError> {
    let wrong = || IssueError::ClientName(name.escape_debug().to_string());
    let text = || Ia5String::try_from(name).map_err(|_| wrong());
    if url::Url::parse(name).is_ok_and(|url| url.has_host()) {
        return Ok(SanType::URI(text()?));
    }
    DnsName::try_from(name).map_err(|_| wrong())?;
    Ok(SanType::DnsName(text()?))
}
