//! What no single file shows: whether the certificate names this machine, and when authorities and revocation lists end.
//! Whether certificate and key can be used at all is the configuration's own check.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::finding::{Area, Check, Findings};
use crate::config::Config;
use crate::tls::describe::{Description, ListDescription, describe, describe_all, describe_lists};

/// An authority has to be replaced everywhere, which takes time.
const SOON: SignedDuration = SignedDuration::from_hours(60 * 24);

/// What it is, where it stands, and what stands there.
type Authority = (&'static str, String, Result<Vec<Description>, String>);

#[derive(Debug, Default)]
struct Facts {
    host: String,
    server: Option<Description>,
    authorities: Vec<Authority>,
    lists: Option<(String, Result<Vec<ListDescription>, String>)>,
}

pub(super) fn check(config: &Config, found: &mut Findings) {
    judge(&gather(config), Timestamp::now(), found);
}

fn gather(config: &Config) -> Facts {
    let tls = &config.dispatch.tls;
    let own = tls.certificate.parent().unwrap_or(Path::new(".")).join("ca.pem");
    let mut authorities = Vec::new();
    if own.exists() {
        authorities.push(("the server certificate's authority", &own));
    }
    if let Some(path) = &tls.client_ca {
        authorities.push(("the authority of client certificates", path));
    }
    Facts {
        host: gethostname::gethostname().to_string_lossy().to_ascii_lowercase(),
        server: std::fs::read(&tls.certificate)
            .ok()
            .and_then(|pem| describe(&pem).ok()),
        authorities: authorities
            .into_iter()
            .map(|(what, path)| (what, path.display().to_string(), read(path, describe_all)))
            .collect(),
        lists: tls
            .client_crl
            .as_ref()
            .map(|path| (path.display().to_string(), read(path, describe_lists))),
    }
}

fn read<T>(path: &Path, describe: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    describe(&pem)
}

fn judge(facts: &Facts, now: Timestamp, found: &mut Findings) {
    if let Some(server) = &facts.server {
        names(&facts.host, server, found);
        if server.not_after > now {
            found.fine(
                Area::Certificates,
                format!("the server certificate is valid until {}", day(server.not_after)),
            );
        }
    }
    for (what, path, descriptions) in &facts.authorities {
        match descriptions {
            Err(why) => found.failure(
                Check::AuthorityUnusable,
                format!("{what}, {path}, cannot be used: {why}"),
                "put a PEM file with its certificate there",
            ),
            Ok(all) => all
                .iter()
                .for_each(|authority| end_of(what, path, authority, now, found)),
        }
    }
    if let Some((path, Ok(lists))) = &facts.lists {
        for list in lists {
            if let Some(due) = list.next_update.filter(|due| *due < now) {
                found.warning(
                    Check::RevocationListOutdated,
                    format!(
                        "the revocation list {path} of {} should have been replaced on {}",
                        list.issuer,
                        day(due)
                    ),
                    "fetch a new one from the authority; until then the old one counts",
                );
            }
        }
    }
}

fn names(host: &str, server: &Description, found: &mut Findings) {
    let loopback = ["localhost", "127.0.0.1", "::1"];
    let useful: Vec<&str> = server
        .names
        .iter()
        .map(String::as_str)
        .filter(|name| !loopback.contains(name))
        .collect();
    if useful.is_empty() {
        found.warning(
            Check::CertificateNames,
            "the server certificate names nothing but this machine's loopback: no other can verify it",
            "issue one that holds the name by which Lumos reaches this machine: docs/rotate.md",
        );
        return;
    }
    let covers = |name: &str| {
        let name = name.to_ascii_lowercase();
        let first = name.split('.').next().unwrap_or_default();
        name == host
            || first == host
            || host
                .split_once('.')
                .is_some_and(|(_, rest)| name == format!("*.{rest}"))
    };
    if !useful.iter().any(|name| covers(name)) {
        found.note(
            Check::CertificateNames,
            format!(
                "this machine calls itself {host}; the server certificate names {}",
                useful.join(", ")
            ),
            "one of these names has to stand in the base URL that Lumos calls",
        );
    }
}

fn end_of(what: &str, path: &str, authority: &Description, now: Timestamp, found: &mut Findings) {
    const RENEW: &str =
        "make a new one and give it to whoever trusts it before the old one ends: docs/rotate.md";
    let named = format!("{what}, {} in {path},", authority.subject);
    if authority.not_after <= now {
        found.failure(
            Check::AuthorityExpired,
            format!("{named} expired on {}", day(authority.not_after)),
            RENEW,
        );
    } else if authority.not_after.duration_since(now) < SOON {
        found.warning(
            Check::AuthorityExpires,
            format!("{named} expires on {}", day(authority.not_after)),
            RENEW,
        );
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(names: &[&str], not_after: &str) -> Description {
        Description {
            subject: "CN=lumos".into(),
            issuer: "CN=lumos".into(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: not_after.parse().unwrap(),
            fingerprint_sha256: String::new(),
        }
    }

    fn told(facts: &Facts) -> String {
        let mut found = Findings::default();
        judge(facts, "2026-05-01T00:00:00Z".parse().unwrap(), &mut found);
        found.told()
    }

    fn server(names: &[&str]) -> Facts {
        Facts {
            host: "agent-1".into(),
            server: Some(description(names, "2027-01-01T00:00:00Z")),
            ..Facts::default()
        }
    }

    #[test]
    fn a_certificate_for_this_machine_is_fine() {
        assert_eq!(told(&server(&["agent-1", "localhost"])), "");
        assert_eq!(told(&server(&["agent-1.example.com"])), "");
        assert_eq!(
            told(&Facts {
                host: "agent-1.example.com".into(),
                ..server(&["*.example.com"])
            }),
            ""
        );
    }

    #[test]
    fn names_and_ends_are_told() {
        let ends = Facts {
            authorities: vec![
                (
                    "the one",
                    "a.pem".into(),
                    Ok(vec![description(&[], "2026-04-01T00:00:00Z")]),
                ),
                (
                    "the other",
                    "b.pem".into(),
                    Ok(vec![description(&[], "2026-06-01T00:00:00Z")]),
                ),
                ("the third", "c.pem".into(), Err("it holds no certificate".into())),
            ],
            lists: Some((
                "crl.pem".into(),
                Ok(vec![ListDescription {
                    issuer: "CN=clients".into(),
                    issued_at: Timestamp::UNIX_EPOCH,
                    next_update: Some("2026-04-30T00:00:00Z".parse().unwrap()),
                    revoked: 0,
                }]),
            )),
            ..Facts::default()
        };
        let cases = [
            told(&server(&["localhost", "127.0.0.1"])),
            told(&server(&["gateway.example.com"])),
            told(&ends),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }
}
