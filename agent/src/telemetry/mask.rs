//! Masks secrets in what a connector writes.
//!
//! A connector's output is free text, so nothing can be redacted by key. What is known are the secret strings of the calls in
//! flight: they are searched for as they are, and as base64 (both alphabets, at any offset in a longer text such as
//! `user:secret`), percent-encoded, JSON-escaped and hexadecimal. A secret goes on being masked for [`LINGER`] after its
//! last call.
//!
//! Secrets shorter than [`SHORTEST`] bytes are not searched for, on purpose. They stand in ordinary words and numbers, so that
//! masking them would make the log unreadable; and it would tell them: whoever sees `st***us` or `HTTP/1.1 ***` knows what
//! is missing. So few characters are tried out faster than they are read in a log.
//!
//! Not found are secrets that a connector encrypts, compresses, reverses, or prints in pieces.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// How long a secret is masked after its last call: what was buffered or is logged late.
pub(crate) const LINGER: Duration = Duration::from_secs(60);
/// Bytes of the shortest secret that is searched for.
pub(crate) const SHORTEST: usize = 4;
/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// Automata of single secrets after which all are built into one.
const FRESH: usize = 32;
/// Secrets kept at most; beyond it those without a call go first.
const MOST: usize = 8192;

/// RFC 3986 unreserved characters stay as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What browsers' encodeURIComponent leaves.
const COMPONENT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');
/// A path's segment, as lenient encoders leave it.
const SEGMENT: &AsciiSet = &COMPONENT
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The secrets of one connector.
#[derive(Default)]
pub(crate) struct Masker {
    hasher: RandomState,
    second: RandomState,
    known: HashMap<(u64, u64), Known>,
    /// All secrets known when it was built.
    merged: Option<AhoCorasick>,
    /// One for each secret that came later.
    fresh: Vec<AhoCorasick>,
}

struct Known {
    secret: SecretString,
    calls: u32,
    /// When its last call ended.
    since: Instant,
}

impl Masker {
    /// Masks `secrets` until [`Masker::release`] and [`LINGER`] after it.
    pub(crate) fn hold(&mut self, secrets: &[SecretString], now: Instant) {
        for secret in secrets.iter().filter(|secret| is_long_enough(secret)) {
            let key = self.key(secret);
            if let Some(known) = self.known.get_mut(&key) {
                known.calls += 1;
                continue;
            }
            if let Some(automaton) = automaton(std::iter::once(secret)) {
                self.fresh.push(automaton);
            }
            let known = Known {
                secret: secret.clone(),
                calls: 1,
                since: now,
            };
            self.known.insert(key, known);
        }
        if self.fresh.len() > FRESH {
            self.rebuild(now);
        }
    }

    /// A call that held `secrets` has ended.
    pub(crate) fn release(&mut self, secrets: &[SecretString], now: Instant) {
        for secret in secrets.iter().filter(|secret| is_long_enough(secret)) {
            let key = self.key(secret);
            if let Some(known) = self.known.get_mut(&key) {
                known.calls = known.calls.saturating_sub(1);
                known.since = now;
            }
        }
    }

    /// `text` without secrets. Overlapping ones become one mask.
    pub(crate) fn mask<'a>(&mut self, text: &'a str, now: Instant) -> std::borrow::Cow<'a, str> {
        self.forget_old(now);
        let mut found: Vec<_> = self
            .merged
            .iter()
            .chain(&self.fresh)
            .flat_map(|automaton| automaton.find_overlapping_iter(text))
            .map(|hit| hit.range())
            .collect();
        if found.is_empty() {
            return text.into();
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            if range.start >= end {
                masked.push_str(text.get(end..range.start).unwrap_or_default());
                masked.push_str(MASK);
            }
            end = end.max(range.end);
        }
        masked.push_str(text.get(end..).unwrap_or_default());
        masked.into()
    }

    fn key(&self, secret: &SecretString) -> (u64, u64) {
        let text = secret.expose_secret();
        (self.hasher.hash_one(text), self.second.hash_one(text))
    }

    /// Drops what nobody has used for a while. Rare: only if there is something to drop.
    fn forget_old(&mut self, now: Instant) {
        let old = |known: &Known| known.calls == 0 && now.saturating_duration_since(known.since) > LINGER;
        if self.known.values().any(old) {
            self.rebuild(now);
        }
    }

    fn rebuild(&mut self, now: Instant) {
        self.known
            .retain(|_, known| known.calls > 0 || now.saturating_duration_since(known.since) <= LINGER);
        if self.known.len() > MOST {
            self.known.retain(|_, known| known.calls > 0);
        }
        self.fresh.clear();
        self.merged = automaton(self.known.values().map(|known| &known.secret));
    }
}

fn is_long_enough(secret: &SecretString) -> bool {
    secret.expose_secret().len() >= SHORTEST
}

/// Finds all forms of `secrets`.
fn automaton<'a>(secrets: impl Iterator<Item = &'a SecretString>) -> Option<AhoCorasick> {
    let mut forms = Vec::new();
    for secret in secrets {
        add_forms(secret.expose_secret(), &mut forms);
    }
    forms.sort_unstable();
    forms.dedup();
    if forms.is_empty() {
        return None;
    }
    // Fails only beyond 2^31 states, far above MOST secrets of any accepted request.
    AhoCorasick::new(forms).ok()
}

fn add_forms(secret: &str, forms: &mut Vec<String>) {
    add_text_forms(secret, forms);
    // A secret of several lines (a private key) is printed line by line.
    if secret.contains('\n') {
        for line in secret.lines().map(str::trim).filter(|line| line.len() >= 8) {
            add_text_forms(line, forms);
        }
    }
    add_byte_forms(secret.as_bytes(), forms);
}

fn add_text_forms(text: &str, forms: &mut Vec<String>) {
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.trim_start_matches('"');
    let json = json.strip_suffix('"').unwrap_or(json);
    forms.push(text.to_owned());
    forms.push(json.replace('/', "\\/"));
    forms.push(ascii_json(json));
    forms.push(json.to_owned());
    forms.push(text.escape_debug().to_string());
    for set in [NON_ALPHANUMERIC, UNRESERVED, COMPONENT, SEGMENT] {
        let percent = utf8_percent_encode(text, set).to_string();
        forms.push(percent.replace("%20", "+"));
        forms.push(lower_percent(&percent));
        forms.push(percent);
    }
}

/// `\uXXXX` for everything beyond ASCII, as many JSON writers do.
fn ascii_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// `%2F` as `%2f`.
fn lower_percent(text: &str) -> String {
    let mut digits = 0;
    text.chars()
        .map(|character| match character {
            '%' => {
                digits = 2;
                character
            }
            _ if digits > 0 => {
                digits -= 1;
                character.to_ascii_lowercase()
            }
            _ => character,
        })
        .collect()
}

fn add_byte_forms(bytes: &[u8], forms: &mut Vec<String>) {
    let hexadecimal = hex::encode(bytes);
    forms.push(hexadecimal.to_ascii_uppercase());
    forms.push(hexadecimal);
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(bytes);
        // Characters that depend on what stands before or after the secret are left out.
        let first = (offset * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            if let Some(own) = encoded.get(first..last).filter(|own| own.len() >= SHORTEST) {
                forms.push(own.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masker(secrets: &[&str]) -> Masker {
        let mut masker = Masker::default();
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
        masker.hold(&secrets, Instant::now());
        masker
    }

    #[test]
    fn every_form_is_masked() {
        let secret = "pä/ss \"w+ör\\d?=";
        let mut masker = masker(&[secret]);
        let json = serde_json::to_string(secret).unwrap();
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("user:{secret}"));
        for text in [
            secret.to_owned(),
            json.clone(),
            ascii_json(&json),
            hex::encode(secret),
            hex::encode_upper(secret),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            lower_percent(&utf8_percent_encode(secret, UNRESERVED).to_string()),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            basic,
        ] {
            let line = format!("before {text} after");
            let masked = masker.mask(&line, Instant::now());
            assert!(masked.contains(MASK), "{line} -> {masked}");
            assert!(!masked.contains("ss"), "{line} -> {masked}");
            assert!(
                masked.starts_with("before ") && masked.ends_with(" after"),
                "{masked}"
            );
        }
    }

    #[test]
    fn overlapping_secrets_leave_nothing() {
        let mut masker = masker(&["abcdef", "defghi", "abcdefghijkl"]);
        let now = Instant::now();
        assert_eq!(masker.mask("xabcdefghix", now), "x***x");
        assert_eq!(masker.mask("abcdefghijkl", now), "***");
        assert_eq!(masker.mask("abcdefdefghi", now), "******");
    }

    #[test]
    fn a_private_key_is_masked_line_by_line() {
        let mut masker =
            masker(&["-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"]);
        assert_eq!(masker.mask("key: kqhkiG9w0BAQEF", Instant::now()), "key: ***");
    }

    #[test]
    fn secrets_linger_and_are_then_forgotten() {
        let start = Instant::now();
        let mut masker = Masker::default();
        let secrets = [SecretString::from("canary-1")];
        masker.hold(&secrets, start);
        masker.hold(&secrets, start);
        masker.release(&secrets, start);
        assert_eq!(masker.mask("canary-1", start + LINGER * 5), "***");
        masker.release(&secrets, start + LINGER * 5);
        assert_eq!(masker.mask("canary-1", start + LINGER * 6), "***");
        assert_eq!(masker.mask("canary-1", start + LINGER * 7), "canary-1");
        assert!(masker.known.is_empty());
    }

    #[test]
    fn very_short_secrets_are_left_alone() {
        assert_eq!(
            masker(&["a", "the"]).mask("all the rest", Instant::now()),
            "all the rest"
        );
    }

    #[test]
    fn many_secrets_are_merged() {
        let mut masker = Masker::default();
        let now = Instant::now();
        for number in 0..200 {
            masker.hold(&[SecretString::from(format!("secret-{number:03}-"))], now);
        }
        assert!(masker.fresh.len() <= FRESH);
        for number in 0..200 {
            assert_eq!(masker.mask(&format!("secret-{number:03}-"), now), "***");
        }
    }

    proptest! {
        #[test]
        fn a_secret_is_found_anywhere_in_base64(
            secret in "[a-zA-Z0-9!-/]{6,40}", before in "[a-z:]{0,7}", after in "[a-z]{0,7}",
        ) {
            let mut masker = masker(&[&secret]);
            let whole = format!("{before}{secret}{after}");
            for encoded in [
                base64::engine::general_purpose::STANDARD.encode(&whole),
                base64::engine::general_purpose::URL_SAFE.encode(&whole),
            ] {
                prop_assert!(masker.mask(&encoded, Instant::now()).contains(MASK));
            }
        }

        #[test]
        fn what_is_masked_is_gone(secret in "\\PC{4,30}", before in "\\PC{0,30}", after in "\\PC{0,30}") {
            let mut masker = masker(&[&secret]);
            let line = format!("{before}{secret}{after}");
            let masked = masker.mask(&line, Instant::now()).into_owned();
            prop_assert!(masked.contains(MASK));
        }
    }
}
