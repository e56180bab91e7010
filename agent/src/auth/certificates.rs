//! Client certificates as credentials: from their names to what these may do.

use std::sync::Arc;

use super::{Denied, Peer, Principal, Via};
use crate::config::model::{ClientAuth, Tls};
use crate::domain::{Scope, Scopes};
use crate::tls::client::normal;

/// Before anything else: is the connection's certificate, if it has one, still good, and has it one where it must?
pub(super) fn check(peer: &Peer, tls: &Tls) -> Result<(), Denied> {
    let Some(certificate) = &peer.certificate else {
        let required = tls.client_ca.is_some() && tls.client_auth == ClientAuth::Required;
        return if required {
            Err(Denied::NoCertificate)
        } else {
            Ok(())
        };
    };
    certificate.check().map_err(|lapsed| {
        tracing::warn!(
            peer = ?peer.address,
            names = ?certificate.names(),
            fingerprint = certificate.fingerprint(),
            reason = %lapsed,
            "a client certificate is not accepted any more"
        );
        Denied::CertificateLapsed
    })
}

/// Who the certificate's holder is, by the names in force. [`check`] comes before.
pub(super) fn principal(peer: &Peer, tls: &Tls) -> Result<Principal, Denied> {
    let certificate = peer.certificate.as_ref().ok_or(Denied::Absent)?;
    let Some((name, scopes)) = mapped(certificate.names(), tls) else {
        tracing::warn!(
            peer = ?peer.address,
            names = ?certificate.names(),
            fingerprint = certificate.fingerprint(),
            "a valid client certificate has no name that is in dispatch.tls.client_names"
        );
        return Err(Denied::CertificateUnknown);
    };
    Ok(Principal {
        // No token has such a name.
        name: format!("cert:{name}").into(),
        scopes: Arc::new(scopes),
        via: Via::Certificate,
    })
}

/// The first name that the configuration knows, and what all of them may do.
fn mapped<'n>(names: &'n [String], tls: &Tls) -> Option<(&'n str, Scopes)> {
    let mut first = None;
    let mut scopes: Vec<Scope> = Vec::new();
    for name in names {
        let known = tls.client_names.iter().find(|(key, _)| normal(key) == *name);
        if let Some((_, own)) = known {
            first.get_or_insert(name.as_str());
            scopes.extend(own.0.iter().cloned());
        }
    }
    Some((first?, Scopes(scopes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact_but_for_the_case_of_hosts() {
        let mut tls = crate::http::test_config(std::path::Path::new("/nowhere"))
            .dispatch
            .tls;
        let scopes = |text: &str| Scopes(vec![text.parse().unwrap()]);
        tls.client_names = [
            ("Lumos.example.com".to_owned(), scopes("a:*")),
            ("spiffe://acme/Lumos".to_owned(), scopes("b:*")),
        ]
        .into();
        let found = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| normal(name)).collect();
            mapped(&names, &tls).map(|(name, scopes)| (name.to_owned(), scopes.0.len()))
        };
        assert_eq!(
            found(&["LUMOS.example.com"]),
            Some(("lumos.example.com".into(), 1))
        );
        assert_eq!(
            found(&["other", "spiffe://acme/Lumos", "lumos.example.com"]),
            Some(("spiffe://acme/Lumos".into(), 2))
        );
        for stranger in [
            "spiffe://acme/lumos",
            "*.example.com",
            "x.lumos.example.com",
            "example.com",
            "",
        ] {
            assert_eq!(found(&[stranger]), None, "{stranger}");
        }
    }
}
