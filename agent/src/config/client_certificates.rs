//! Whether what `[dispatch.tls]` says about client certificates fits together and can be used.

use super::certificate::Finding;
use super::model::{ClientAuth, Tls};
use super::semantics::refused;
use crate::tls::TlsError;

const AUTHORITY: &str = "dispatch.tls.client_ca";
const MAKE: &str = "make one: lumos-agent cert client --name NAME; or name another PEM file";

/// Everything that stands against accepting client certificates as configured.
pub(super) fn check(tls: &Tls) -> Vec<Finding> {
    if tls.client_ca.is_none() {
        return without_authority(tls);
    }
    let mut findings = Vec::new();
    if let Err(error) = crate::tls::check_clients(tls) {
        findings.push(unusable(&error));
    }
    if tls.client_names.is_empty() && tls.client_auth == ClientAuth::Optional {
        findings.push(Finding {
            key: AUTHORITY,
            message: "is set, but dispatch.tls.client_names gives no certificate leave to do anything".into(),
            help: "add client_names = { \"NAME\" = [\"*:read\"] }, or write client_auth = \"required\" to ask for a certificate besides the token".into(),
            fatal: false,
        });
    }
    findings
}

fn without_authority(tls: &Tls) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut impossible = |key, message: &str, help: &str| {
        findings.push(Finding {
            key,
            message: message.into(),
            help: help.into(),
            fatal: true,
        });
    };
    if !tls.client_names.is_empty() {
        impossible(
            "dispatch.tls.client_names",
            "is given, but no certificate authority vouches for such names",
            "set dispatch.tls.client_ca too, or delete client_names and use tokens",
        );
    }
    if tls.client_auth == ClientAuth::Required {
        impossible(
            "dispatch.tls.client_auth",
            "is \"required\", but no certificate authority says which certificates count",
            "set dispatch.tls.client_ca too, or delete client_auth and use tokens",
        );
    }
    if tls.client_crl.is_some() {
        impossible(
            "dispatch.tls.client_crl",
            "is given, but without dispatch.tls.client_ca there is nothing to revoke",
            "set dispatch.tls.client_ca too, or delete client_crl",
        );
    }
    findings
}

fn unusable(error: &TlsError) -> Finding {
    let (key, message, help) = match error {
        TlsError::Unreadable { key, path, source } => (*key, refused(path, source.kind()), MAKE),
        TlsError::NoCertificate { path } => (
            AUTHORITY,
            format!("names {}, which holds no certificate", path.display()),
            "give a PEM file with the certificate of the authority that signs client certificates",
        ),
        TlsError::BadCertificate { path, reason } => (
            AUTHORITY,
            format!("names {}, which can't be used: {reason}", path.display()),
            "give a PEM file with the certificate of the authority that signs client certificates",
        ),
        TlsError::BadRevocationList { path, reason } => (
            "dispatch.tls.client_crl",
            format!("names {}, which can't be used: {reason}", path.display()),
            "give a PEM file with the authority's revocation list",
        ),
        other => (AUTHORITY, format!("can't be used: {other}"), MAKE),
    };
    Finding {
        key,
        message,
        help: help.into(),
        fatal: true,
    }
}
