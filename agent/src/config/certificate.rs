//! Whether the server's certificate and key can be used, said in terms of the configuration's keys.

use std::path::Path;
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::semantics::{open_to_all, refused};

/// One thing about the pair.
pub(super) struct Finding {
    /// The key that names the file.
    pub(super) key: &'static str,
    /// To follow the key's name.
    pub(super) message: String,
    /// The remedy.
    pub(super) help: String,
    /// Whether it keeps the agent from serving.
    pub(super) fatal: bool,
}

const CERTIFICATE: &str = "dispatch.tls.certificate";
const KEY: &str = "dispatch.tls.private_key";
const RENEW: &str = "issue a new one: lumos-agent cert renew; or name another file";
const PAIR: &str = "issue a new pair: lumos-agent cert renew; or name another file";
const NO_ACCESS: &str =
    "run this as root or as the user that the installation belongs to, for example with sudo";
const MAKE: &str = "make one: lumos-agent init, or name another file";
/// Days before its end from which on a certificate is worth a warning.
const SOON: i64 = 14;

fn fatal(key: &'static str, message: String, help: impl Into<String>) -> Finding {
    Finding {
        key,
        message,
        help: help.into(),
        fatal: true,
    }
}

/// Everything that stands against serving with the pair.
pub(super) fn check(certificate: &Path, key: &Path, now: SystemTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    let chain = chain(certificate).map_err(|finding| findings.push(finding)).ok();
    let private = private_key(key).map_err(|finding| findings.push(finding)).ok();
    findings.extend(key_permissions(key));
    let Some(chain) = chain else {
        return findings;
    };
    if let Some(leaf) = chain.first() {
        findings.extend(validity(certificate, leaf, now));
    }
    if let Some(private) = private
        && let Err(error) = CertifiedKey::from_der(chain, private, &ring::default_provider())
    {
        findings.push(unfit(key, certificate, &error));
    }
    findings
}

/// The remedy for a file that can't be read; `missing` where there is none.
fn unread(error: &std::io::Error, missing: &'static str) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => NO_ACCESS,
        _ => missing,
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Finding> {
    let bytes = std::fs::read(file)
        .map_err(|error| fatal(CERTIFICATE, refused(file, error.kind()), unread(&error, MAKE)))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => {
            let message = format!("names {}, which holds no certificate", file.display());
            Err(fatal(
                CERTIFICATE,
                message,
                "give a PEM file that begins with the server's certificate",
            ))
        }
        Err(error) => {
            let message = format!("names {}, which is not valid PEM: {error}", file.display());
            Err(fatal(
                CERTIFICATE,
                message,
                "give a PEM file that begins with the server's certificate",
            ))
        }
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Finding> {
    let bytes =
        std::fs::read(file).map_err(|error| fatal(KEY, refused(file, error.kind()), unread(&error, PAIR)))?;
    let bytes = zeroize::Zeroizing::new(bytes);
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let message = format!("names {}, which holds no private key", file.display());
        fatal(
            KEY,
            message,
            "give a PEM file with the key of the certificate, without a password",
        )
    })
}

fn key_permissions(file: &Path) -> Option<Finding> {
    let found = std::fs::metadata(file).ok()?;
    let mode = open_to_all(&found)?;
    let message = format!(
        "names {}, which everyone on this machine can read (mode {mode:o})",
        file.display()
    );
    Some(fatal(
        KEY,
        message,
        format!(
            "close it: chmod 600 {}; and renew it if others had access",
            file.display()
        ),
    ))
}

fn validity(file: &Path, leaf: &CertificateDer<'_>, now: SystemTime) -> Option<Finding> {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else {
        let message = format!("names {}, which is not an X.509 certificate", file.display());
        return Some(fatal(CERTIFICATE, message, RENEW));
    };
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let (begin, end) = (
        parsed.validity().not_before.timestamp(),
        parsed.validity().not_after.timestamp(),
    );
    let date = |at: i64| {
        let date = jiff::Timestamp::from_second(at).unwrap_or_default();
        date.strftime("%Y-%m-%d %H:%M UTC").to_string()
    };
    if now > end {
        let message = format!("names {}, which expired on {}", file.display(), date(end));
        return Some(fatal(CERTIFICATE, message, RENEW));
    }
    if now < begin {
        let message = format!(
            "names {}, which is not valid before {}",
            file.display(),
            date(begin)
        );
        return Some(fatal(
            CERTIFICATE,
            message,
            "set this machine's clock, or issue a new one: lumos-agent cert renew",
        ));
    }
    (end - now < SOON * 86_400).then(|| Finding {
        fatal: false,
        ..fatal(
            CERTIFICATE,
            format!("names {}, which expires on {}", file.display(), date(end)),
            RENEW,
        )
    })
}

fn unfit(key: &Path, certificate: &Path, error: &rustls::Error) -> Finding {
    match error {
        rustls::Error::InconsistentKeys(_) => fatal(
            KEY,
            format!(
                "names {}, which is not the key of {}",
                key.display(),
                certificate.display()
            ),
            "give the key that the certificate was issued for, or issue a new pair: lumos-agent cert renew",
        ),
        other => fatal(
            KEY,
            format!("names {}, which can't be used: {other}", key.display()),
            "give an ECDSA, Ed25519 or RSA key, or issue a new pair: lumos-agent cert renew",
        ),
    }
}
