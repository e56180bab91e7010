//! Takes secrets out of text that goes into the bundle: those that are known on this machine, in every usual encoding, and
//! whatever looks like one.

use std::path::Path;
use std::time::Instant;

use regex::{Captures, Regex};
use secrecy::SecretString;
use serde_json::Value;

use crate::config::Config;
use crate::durable;
use crate::http::peek::USUAL_KEYS;
use crate::telemetry::mask::{MASK, Masker};

/// Shorter values of variables and settings are words such as `true`; masking them would leave nothing to read.
const SHORTEST: usize = 6;
/// The largest file of secrets that is read.
const MOST: u64 = 1 << 20;

pub(super) struct Redactor {
    known: Masker,
    patterns: Vec<(Regex, &'static str)>,
    /// A key that names a secret, what stands between, and the value.
    keyed: Regex,
}

impl Redactor {
    /// Knows what `config` leads to, and what `environment` has.
    pub(super) fn new(
        config: Option<&Config>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, regex::Error> {
        let mut secrets = Vec::new();
        for (name, value) in environment {
            of_variable(&name, &value, &mut secrets);
        }
        if let Some(config) = config {
            of_config(config, &mut secrets);
        }
        let mut known = Masker::default();
        let secrets: Vec<SecretString> = secrets.into_iter().map(SecretString::from).collect();
        known.hold(&secrets, Instant::now());
        let configured = config.map_or(&[][..], |config| &config.log.redacted_keys);
        Ok(Redactor {
            known,
            patterns: patterns()?,
            keyed: keyed(configured)?,
        })
    }

    /// `text` without them.
    pub(super) fn clean(&mut self, text: &str) -> String {
        let mut text = self.known.mask(text, Instant::now()).into_owned();
        for (pattern, with) in &self.patterns {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        self.keyed.replace_all(&text, hide).into_owned()
    }
}

/// Keeps JSON what it is.
fn hide(found: &Captures<'_>) -> String {
    let (key, value) = (&found[1], &found[2]);
    match value {
        "null" | "true" | "false" | MASK => format!("{key}{value}"),
        _ if value.starts_with('"') => format!("{key}\"{MASK}\""),
        _ if key
            .trim_end()
            .trim_end_matches([':', '='])
            .trim_end()
            .ends_with('"')
            && !value.starts_with('\\') =>
        {
            format!("{key}\"{MASK}\"")
        }
        _ => format!("{key}{MASK}"),
    }
}

fn patterns() -> Result<Vec<(Regex, &'static str)>, regex::Error> {
    let all = [
        // Also as one line of JSON.
        (
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
            MASK,
        ),
        (r"\blumos_[A-Za-z0-9_-]{43}", "lumos_***"),
        (
            r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?",
            MASK,
        ),
        (
            r"(?i)\b(bearer|basic|negotiate)\s+[A-Za-z0-9._~+/=-]{6,}",
            "$1 ***",
        ),
        (r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@]+@", "$1***@"),
    ];
    all.into_iter()
        .map(|(pattern, with)| Ok((Regex::new(pattern)?, with)))
        .collect()
}

/// `password: x`, `"api_key": "x"`, `\"token\":\"x\"`, `okta_client_secret=x`.
fn keyed(configured: &[String]) -> Result<Regex, regex::Error> {
    let names: Vec<String> = USUAL_KEYS
        .iter()
        .copied()
        .chain(configured.iter().map(String::as_str))
        .map(regex::escape)
        .collect();
    let value = r#""(?:[^"\\]|\\.)*"|\\+"(?:[^"\\]|\\[^"])*\\+"|'[^']*'|[^\s,;&"'\[\]{}()<>]+"#;
    Regex::new(&format!(
        r#"(?i)(\b(?:[a-z0-9_-]*[_-])?(?:{})\\*["']?\s*[:=]\s*)({value})"#,
        names.join("|")
    ))
}

fn of_variable(name: &str, value: &str, secrets: &mut Vec<String>) {
    secrets.extend(passwords(value));
    let lower = name.to_ascii_lowercase();
    let named = USUAL_KEYS
        .iter()
        .any(|key| lower.contains(&key.replace('-', "_")));
    if named && value.len() >= SHORTEST {
        secrets.push(value.to_owned());
    }
}

/// What stands before the `@` of an address: as it is, and each part of it.
fn passwords(value: &str) -> Vec<String> {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let Some((who, _)) = rest.rsplit_once('@') else {
        return Vec::new();
    };
    let password = who.split_once(':').map_or(who, |(_, password)| password);
    let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
    vec![who.to_owned(), password.to_owned(), decoded.into_owned()]
}

fn of_config(config: &Config, secrets: &mut Vec<String>) {
    let tls = &config.dispatch.tls;
    let directory = tls.certificate.parent().unwrap_or(Path::new("."));
    for key in [
        tls.private_key.clone(),
        directory.join("ca.key"),
        directory.join("client-ca.key"),
    ] {
        secrets.extend(read(&key));
    }
    // In a directory of the service's account.
    let cookie = durable::read_small(&config.agent.state_dir.join("control.cookie"), 4096);
    secrets.extend(cookie.ok().and_then(|(bytes, _)| String::from_utf8(bytes).ok()));
    for settings in config.connectors.settings.values() {
        for value in settings.environment.values() {
            secrets.extend(passwords(value));
            // Anything that is given to a connector may be secret; paths and numbers are not.
            let plain = value.starts_with('/') || value.parse::<f64>().is_ok() || value.contains("://");
            if value.len() >= SHORTEST && !plain {
                secrets.push(value.clone());
            }
        }
    }
    for tenant in config
        .connectors
        .tenants
        .values()
        .flat_map(|names| names.values())
    {
        leaves(&Value::Object(tenant.settings.clone()), secrets);
        let text = tenant.credentials_file.as_deref().and_then(read);
        if let Some(text) = text {
            match serde_json::from_str(&text) {
                Ok(value) => leaves(&value, secrets),
                Err(_) => secrets.extend(text.lines().map(str::trim).map(str::to_owned)),
            }
        }
    }
    secrets.retain(|secret| secret.len() >= SHORTEST);
}

fn read(file: &Path) -> Option<String> {
    let found = std::fs::metadata(file).ok()?;
    let readable = found.is_file() && found.len() <= MOST;
    let text = readable.then(|| std::fs::read_to_string(file).ok()).flatten()?;
    Some(text.trim().to_owned())
}

/// All texts of a JSON value, and all long numbers.
fn leaves(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::String(text) => secrets.push(text.clone()),
        Value::Number(number) => secrets.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, secrets)),
        Value::Object(members) => members.values().for_each(|item| leaves(item, secrets)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let environment = [
            ("HTTPS_PROXY", "http://user:c%40nary-proxy@p:1"),
            ("OKTA_API_TOKEN", "canary-env"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Redactor::new(None, environment.into_iter()).unwrap()
    }

    #[test]
    fn what_looks_like_a_secret_goes() {
        let token = format!("lumos_{}", "a".repeat(43));
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJ4In0.c2lnbmF0dXJl";
        let all = [
            format!("the header was {token}, and more"),
            "Authorization: Bearer canary-bearer".into(),
            "authorization: Basic dXNlcjpjYW5hcnk=".into(),
            format!("id {jwt} end"),
            "postgres://user:canary-url@db/x".into(),
            "through c@nary-proxy and canary-env".into(),
            r#"{"password": "canary \" one", "n": 1}"#.into(),
            r#"{"pin": 123456, "ok": true, "token": null}"#.into(),
            r#"said \"client_secret\":\"canary-two\", then"#.into(),
            "okta_api_token=canary-three&next=1".into(),
            "password: canary-four; user: joe".into(),
            "secret = 'canary five'".into(),
            "-----BEGIN EC PRIVATE KEY-----\ncanary\n-----END EC PRIVATE KEY-----\nrest".into(),
        ];
        let mut redactor = redactor();
        let clean: Vec<String> = all.iter().map(|text| redactor.clean(text)).collect();
        insta::assert_snapshot!(clean.join("\n"));
        assert!(!clean.join("\n").contains("canary"));
    }

    #[test]
    fn what_is_no_secret_stays() {
        let plain = [
            "lumos_agent_connector_resident_memory_bytes{connector=\"okta\"} 1",
            "agent.token_file = \"/etc/lumos-agent/tokens.json\"",
            "token list shows 3 tokens",
            "{\"token\": null, \"password\": false}",
            "https://example.com/path?x=1",
        ];
        let mut redactor = redactor();
        for text in plain {
            assert_eq!(redactor.clean(text), text);
        }
    }
}
