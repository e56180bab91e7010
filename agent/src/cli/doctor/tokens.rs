//! Whether anybody can call: how many tokens there are, and which have expired or are about to.

use jiff::{SignedDuration, Timestamp};

use super::finding::{Area, Check, Findings};
use crate::auth::{TokenFile, TokenRecord};
use crate::config::Config;

/// How long before its end a token is worth a word.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) fn check(config: &Config, found: &mut Findings) {
    let file = TokenFile::new(&config.agent.token_file);
    let certificates = !config.dispatch.tls.client_names.is_empty();
    match file.list() {
        Ok(records) => judge(&records, certificates, Timestamp::now(), found),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            found.failure(
                Check::TokensUnusable,
                format!("no token is accepted: {error}{}", source.unwrap_or_default()),
                error.remedy(),
            );
        }
    }
}

fn judge(records: &[TokenRecord], certificates: bool, now: Timestamp, found: &mut Findings) {
    const MAKE: &str = "make one: lumos-agent token create --name lumos --scope '*:*'";
    let (expired, valid): (Vec<_>, Vec<_>) = records
        .iter()
        .partition(|record| record.expires_at.is_some_and(|end| end <= now));
    if valid.is_empty() && !certificates {
        let message = match expired.len() {
            0 => "there is no token: every call is refused",
            _ => "every token has expired: every call is refused",
        };
        found.failure(Check::NoTokens, message, MAKE);
    }
    for record in expired {
        found.warning(
            Check::TokenExpired,
            format!(
                "the token `{}` expired at {}",
                record.name,
                shown(record.expires_at)
            ),
            format!(
                "if nobody needs it, take it out: lumos-agent token revoke {}; otherwise make a new one",
                record.name
            ),
        );
    }
    let soon = |record: &&&TokenRecord| {
        record
            .expires_at
            .is_some_and(|end| end.duration_since(now) < SOON)
    };
    for record in valid.iter().filter(soon) {
        found.warning(
            Check::TokenExpires,
            format!(
                "the token `{}` expires at {}",
                record.name,
                shown(record.expires_at)
            ),
            "make a new one, hand it to the caller, then revoke the old: docs/rotate.md",
        );
    }
    if !valid.is_empty() {
        found.fine(Area::Tokens, format!("{} valid", valid.len()));
    }
}

fn shown(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%MZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Scopes, Sha256};

    fn record(name: &str, expires_at: Option<&str>) -> TokenRecord {
        TokenRecord {
            id: "01234567".into(),
            name: name.into(),
            sha256: Sha256::of(b""),
            scopes: Scopes(Vec::new()),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: expires_at.map(|at| at.parse().unwrap()),
        }
    }

    fn told(records: &[TokenRecord], certificates: bool) -> String {
        let mut found = Findings::default();
        let now = "2026-05-01T00:00:00Z".parse().unwrap();
        judge(records, certificates, now, &mut found);
        found.told()
    }

    #[test]
    fn lasting_tokens_are_fine() {
        let lasting = [record("a", None), record("b", Some("2027-01-01T00:00:00Z"))];
        assert_eq!(told(&lasting, false), "");
        assert_eq!(told(&[], true), "", "client certificates do without");
    }

    #[test]
    fn ends_are_told() {
        let ended = record("old", Some("2026-04-30T23:59:59Z"));
        let ending = record("soon", Some("2026-05-03T00:00:00Z"));
        let cases = [
            told(&[], false),
            told(std::slice::from_ref(&ended), false),
            told(&[ended, ending], false),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }
}
