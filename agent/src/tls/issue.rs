//! Issues the certificates of a private installation: one certificate authority, which Lumos is told to trust, and the
//! server certificates that it signs.
//!
//! The authority can vouch for the agent's own names only (name constraints, RFC 5280 section 4.2.1.10) and for no other
//! authority (path length 0), so that whoever steals its key can impersonate this agent, but nothing else.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls_pki_types::ServerName;
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(86_400);
/// Clocks differ: what is issued now shall be valid for a caller whose clock is behind.
pub(super) const BACKDATED: Duration = Duration::from_secs(3_600);
pub(super) const AUTHORITY_DAYS: u32 = 3_650;
/// The longest that common clients accept.
const SERVER_DAYS: u32 = 397;

/// A certificate and its key, in PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key: PKCS#8, ECDSA on P-256.
    pub private_key: Zeroizing<String>,
}

/// Why no certificate could be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Neither a DNS name nor an IP address.
    #[error("`{0}` is neither a host name nor an IP address")]
    Name(String),
    /// Nothing that a caller can be called.
    #[error("`{0}` is neither a DNS name nor a URI with a host")]
    ClientName(String),
    /// The library refused, for example because the authority's files are not what they should be.
    #[error("the certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// A new authority for `names`, valid for ten years.
///
/// # Errors
/// If a name is neither a DNS name nor an IP address.
pub fn authority(names: &[String], now: Timestamp) -> Result<Issued, IssueError> {
    let mut params = CertificateParams::default();
    let first = names.first().map_or("agent", String::as_str);
    params.distinguished_name = distinguished(&format!("lumos-agent authority of {first}"));
    (params.not_before, params.not_after) = (at(now, BACKDATED, 0), at(now, Duration::ZERO, AUTHORITY_DAYS));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.iter().map(|name| subtree(name)).collect::<Result<_, _>>()?,
        excluded_subtrees: Vec::new(),
    });
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Issued {
        certificate: certificate.pem(),
        private_key: Zeroizing::new(key.serialize_pem()),
    })
}

/// A server certificate for `names`, signed by `authority`, valid for 397 days.
///
/// # Errors
/// If a name is neither a DNS name nor an IP address, or `authority` is not an authority with its key.
pub fn server(authority: &Issued, names: &[String], now: Timestamp) -> Result<Issued, IssueError> {
    for name in names {
        parse(name)?;
    }
    let mut params = CertificateParams::new(names)?;
    let first = names.first().map_or("lumos-agent", String::as_str);
    params.distinguished_name = distinguished(first);
    (params.not_before, params.not_after) = (at(now, BACKDATED, 0), at(now, Duration::ZERO, SERVER_DAYS));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer(authority)?)?;
    Ok(Issued {
        certificate: certificate.pem(),
        private_key: Zeroizing::new(key.serialize_pem()),
    })
}

/// `authority`, ready to sign.
pub(super) fn issuer(authority: &Issued) -> Result<Issuer<'static, KeyPair>, IssueError> {
    let key = KeyPair::from_pem(&authority.private_key)?;
    Ok(Issuer::from_ca_cert_pem(&authority.certificate, key)?)
}

/// `now` less `before`, plus `days`, as rcgen takes it.
pub(super) fn at(now: Timestamp, before: Duration, days: u32) -> time::OffsetDateTime {
    let seconds = u64::try_from(now.as_second())
        .unwrap_or(0)
        .saturating_sub(before.as_secs());
    date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds) + DAY * days
}

pub(super) fn distinguished(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    // X.520 allows 64 characters.
    name.push(
        DnType::CommonName,
        common_name.chars().take(64).collect::<String>(),
    );
    name.push(DnType::OrganizationName, "lumos-agent");
    name
}

fn parse(name: &str) -> Result<ServerName<'_>, IssueError> {
    ServerName::try_from(name).map_err(|_| IssueError::Name(name.escape_debug().to_string()))
}

fn subtree(name: &str) -> Result<GeneralSubtree, IssueError> {
    match parse(name)? {
        ServerName::IpAddress(address) => {
            let address = IpAddr::from(address);
            let bits = if address.is_ipv4() { 32 } else { 128 };
            Ok(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                address, bits,
            )))
        }
        _ => Ok(GeneralSubtree::DnsName(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, UnixTime};

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn verify(authority: &Issued, server: &Issued, name: &str) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        let leaf = CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier
            .verify_server_cert(&leaf, &[], &name, &[], UnixTime::now())
            .map(drop)
    }

    #[test]
    fn clients_accept_the_certificate_for_its_names() {
        let names = names(&["agent.example.com", "localhost", "127.0.0.1", "::1"]);
        let authority = authority(&names, Timestamp::now()).unwrap();
        let server = server(&authority, &names, Timestamp::now()).unwrap();
        for name in ["agent.example.com", "localhost", "127.0.0.1", "::1"] {
            verify(&authority, &server, name).unwrap();
        }
        assert!(verify(&authority, &server, "other.example.com").is_err());
    }

    #[test]
    fn the_authority_vouches_for_nothing_else() {
        let own = authority(&names(&["agent.example.com", "127.0.0.1"]), Timestamp::now()).unwrap();
        for stranger in ["bank.example.org", "10.0.0.1"] {
            let forged = server(&own, &names(&[stranger]), Timestamp::now()).unwrap();
            assert!(verify(&own, &forged, stranger).is_err(), "{stranger}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        assert!(matches!(
            authority(&names(&["a b"]), Timestamp::now()),
            Err(IssueError::Name(_))
        ));
    }
}
