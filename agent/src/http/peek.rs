//! The one pass over a request's body: is it JSON, when does the caller stop waiting, and which of its strings are secrets?
//!
//! The body travels on as the bytes that came. No tree is built: a serde visitor walks the text, copies out the strings
//! that must never reach a log, and drops the rest. Keys are compared without regard to case.
//!
//! Secret is every string, and every number of [`DIGITS`] digits or more,
//! * under the request's `auth` and `credentials`, at any depth;
//! * under a key that usually names a secret, anywhere;
//! * under a key of the request's `settings` that the connector's schema marks `x-secret`.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Key names whose values are secret wherever they stand, in lower case.
pub(crate) const USUAL_KEYS: &[&str] = &[
    "access_key",
    "access_token",
    "accesstoken",
    "api_key",
    "api_secret",
    "api_token",
    "apikey",
    "api-key",
    "assertion",
    "auth_token",
    "authorization",
    "bearer",
    "bearer_token",
    "client_assertion",
    "client_secret",
    "clientsecret",
    "code_verifier",
    "cookie",
    "id_token",
    "key_pem",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "pin",
    "private_key",
    "privatekey",
    "private_key_pem",
    "pwd",
    "refresh_token",
    "refreshtoken",
    "secret",
    "secret_access_key",
    "secret_key",
    "secretkey",
    "service_account_key",
    "session_token",
    "signing_key",
    "token",
    "webhook_secret",
    "x-api-key",
];

/// Digits of the smallest number that counts as a secret.
const DIGITS: usize = 4;

/// Names that mark their values as secret. Made once for each configuration.
#[derive(Debug, Clone)]
pub(crate) struct SecretKeys {
    names: HashSet<Box<str>>,
    longest: usize,
}

impl SecretKeys {
    /// The usual names and `configured` ones (`log.redacted_keys`).
    pub(crate) fn new<'a>(configured: impl IntoIterator<Item = &'a str>) -> Self {
        let own = configured.into_iter().map(str::to_lowercase);
        let usual = USUAL_KEYS.iter().map(|&name| name.to_owned());
        let names: HashSet<Box<str>> = usual.chain(own).map(String::into_boxed_str).collect();
        let longest = names.iter().map(|name| name.len()).max().unwrap_or(0);
        SecretKeys { names, longest }
    }

    fn contains(&self, key: &str) -> bool {
        if key.len() > self.longest {
            return false;
        }
        if key.is_ascii() && !key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.names.contains(key);
        }
        self.names.contains(key.to_lowercase().as_str())
    }
}

/// What the agent learns of a body.
#[derive(Debug, Default)]
pub(crate) struct Peeked {
    /// `rate_limit.max_execution_time`.
    pub(crate) max_execution_time: Option<Duration>,
    /// Strings that must not reach a log, and the digits of numbers. None is empty; none stands twice.
    pub(crate) secrets: Vec<SecretString>,
}

/// Why a body is refused. Never shows any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeekError {
    #[error("the body is not UTF-8: byte {0} begins no character")]
    NotUtf8(usize),
    #[error("the body is not JSON: it goes wrong at line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("the body is not JSON: it ends too early, at line {line}, column {column}")]
    Truncated { line: usize, column: usize },
    #[error("the body is nested more than 127 levels deep, at line {line}, column {column}")]
    TooDeep { line: usize, column: usize },
}

/// Checks `body` and reads the few things that the agent needs.
///
/// # Errors
/// If it is no JSON text of at most 127 levels.
pub(crate) fn peek(body: &[u8], keys: &SecretKeys, secret_settings: &[String]) -> Result<Peeked, PeekError> {
    let text = std::str::from_utf8(body).map_err(|error| PeekError::NotUtf8(error.valid_up_to()))?;
    let mut pass = Pass {
        keys,
        secret_settings,
        max_execution_time: None,
        secrets: HashSet::new(),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let walked = Walk {
        pass: &mut pass,
        place: Place::Root,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end());
    walked.map_err(|error| refusal(&error))?;
    Ok(Peeked {
        max_execution_time: pass.max_execution_time,
        secrets: pass.secrets.into_iter().map(SecretString::from).collect(),
    })
}

fn refusal(error: &serde_json::Error) -> PeekError {
    let (line, column) = (error.line(), error.column());
    if error.is_eof() {
        return PeekError::Truncated { line, column };
    }
    // serde_json gives the recursion limit no kind of its own; its fixed text holds nothing of the input.
    if error.to_string().starts_with("recursion limit") {
        return PeekError::TooDeep { line, column };
    }
    PeekError::NotJson { line, column }
}

/// Where in the document a value stands, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Plain,
    Settings,
    RateLimit,
    MaxExecutionTime,
    Secret,
}

struct Pass<'a> {
    keys: &'a SecretKeys,
    secret_settings: &'a [String],
    max_execution_time: Option<Duration>,
    secrets: HashSet<String>,
}

impl Pass<'_> {
    /// Where the value under `key` of an object at `place` stands.
    fn below(&self, place: Place, key: &str) -> Place {
        let secret_setting = || {
            self.secret_settings
                .iter()
                .any(|name| name.eq_ignore_ascii_case(key))
        };
        match place {
            Place::Secret => Place::Secret,
            Place::Root if key == "auth" || key == "credentials" => Place::Secret,
            Place::Root if key == "settings" => Place::Settings,
            Place::Root if key == "rate_limit" => Place::RateLimit,
            _ if self.keys.contains(key) => Place::Secret,
            Place::RateLimit if key == "max_execution_time" => Place::MaxExecutionTime,
            Place::Settings if secret_setting() => Place::Secret,
            Place::Settings => Place::Settings,
            _ => Place::Plain,
        }
    }

    fn string(&mut self, place: Place, text: &str) {
        if place == Place::Secret && !text.is_empty() && !self.secrets.contains(text) {
            self.secrets.insert(text.to_owned());
        }
    }

    /// The digits of a secret number, without its sign. Exact for whole numbers of up to 19 digits (longer ones are left
    /// out), and for others as far as the connector reads them as a double too.
    fn digits(&mut self, place: Place, number: impl fmt::Display) {
        if place != Place::Secret {
            return;
        }
        let text = number.to_string();
        if text.bytes().filter(u8::is_ascii_digit).count() >= DIGITS {
            self.secrets.insert(text);
        }
    }

    fn number(&mut self, place: Place, seconds: f64) {
        if place == Place::MaxExecutionTime && seconds > 0.0 {
            self.max_execution_time = Duration::try_from_secs_f64(seconds).ok();
        }
    }
}

/// Walks one value. A new one is made for each, so that the place travels down with it.
struct Walk<'p, 'a> {
    pass: &'p mut Pass<'a>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.pass.digits(self.place, number.unsigned_abs());
        self.pass.number(self.place, number as f64);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.pass.digits(self.place, number);
        self.pass.number(self.place, number as f64);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        // Beyond, everybody writes it with an exponent, and each in his own way; written out it would take 300 digits.
        if (1e-4..1e16).contains(&number.abs()) {
            self.pass.digits(self.place, number.abs());
        }
        self.pass.number(self.place, number);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.pass.string(self.place, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        // An item stands where its array stands, but the document's first level is an object's.
        let place = if self.place == Place::Root {
            Place::Plain
        } else {
            self.place
        };
        while items
            .next_element_seed(Walk {
                pass: &mut *self.pass,
                place,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(place) = members.next_key_seed(Key {
            pass: self.pass,
            place: self.place,
        })? {
            members.next_value_seed(Walk {
                pass: &mut *self.pass,
                place,
            })?;
        }
        Ok(())
    }
}

/// Reads a key and says where its value stands, without keeping the key.
struct Key<'p, 'a> {
    pass: &'p Pass<'a>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Place, E> {
        Ok(self.pass.below(self.place, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    fn look(body: &[u8]) -> Result<Peeked, PeekError> {
        peek(
            body,
            &SecretKeys::new(["Custom_Key"]),
            &["tenant_pass".to_owned()],
        )
    }

    fn secrets(value: &Value) -> Vec<String> {
        let peeked = look(&serde_json::to_vec(value).unwrap()).unwrap();
        let mut found: Vec<_> = peeked
            .secrets
            .iter()
            .map(|s| s.expose_secret().to_owned())
            .collect();
        found.sort();
        found
    }

    #[test]
    fn finds_secrets_by_place_and_name() {
        let body = json!({
            "auth": {"token": {"token": "a1"}, "list": ["a2", {"x": "a3"}], "n": 5, "empty": ""},
            "credentials": [{"id": "c1"}],
            "request": {"auth": "no", "user": {"PassWord": "p1", "name": "no"}, "secret": ["s1", {"deep": "s2"}],
                        "custom_key": "k1", "token": "a1", "tenant_pass": "no"},
            "settings": {"api_url": "no", "tenant_pass": "t1", "more": {"Tenant_Pass": "t2"}},
        });
        assert_eq!(
            secrets(&body),
            ["a1", "a2", "a3", "c1", "k1", "p1", "s1", "s2", "t1", "t2"]
        );
    }

    #[test]
    fn numbers_are_secrets_from_four_digits_on() {
        let body = json!({
            "auth": {"pin": 1234, "short": 123, "offset": -98765, "ratio": 12.5, "exact": 1234.5, "on": true,
                     "large": 1e308, "small": 1e-308},
            "request": {"user": {"pin": 4711, "id": 99999}, "passwd": [u64::MAX]},
        });
        assert_eq!(
            secrets(&body),
            ["1234", "1234.5", "18446744073709551615", "4711", "98765"]
        );
    }

    #[test]
    fn escapes_in_keys_and_values_do_not_hide_a_secret() {
        let peeked = look(br#"{"a\u0075th": {"x": "li\u006ee\n"}}"#).unwrap();
        assert_eq!(peeked.secrets[0].expose_secret(), "line\n");
    }

    #[test]
    fn finds_the_deadline_only_in_its_place() {
        let of = |value: Value| look(value.to_string().as_bytes()).unwrap().max_execution_time;
        assert_eq!(
            of(json!({"rate_limit": {"max_execution_time": 15}})),
            Some(Duration::from_secs(15))
        );
        assert_eq!(
            of(json!({"request": {"rate_limit": {"max_execution_time": 15}}})),
            None
        );
        assert_eq!(of(json!({"max_execution_time": 15})), None);
        for odd in [json!(null), json!(0), json!(-4), json!("15"), json!(1e300)] {
            assert_eq!(of(json!({"rate_limit": {"max_execution_time": odd}})), None);
        }
    }

    #[test]
    fn refusals_name_the_place_and_nothing_else() {
        assert_eq!(
            look(b"{\n \"a\": tru}"),
            Err(PeekError::NotJson { line: 2, column: 10 })
        );
        assert!(matches!(look(b"{\"a\": "), Err(PeekError::Truncated { .. })));
        assert!(matches!(look(b""), Err(PeekError::Truncated { .. })));
        assert_eq!(look(b"{\"a\": \"\xff\"}"), Err(PeekError::NotUtf8(7)));
        let deep = "[".repeat(200);
        assert!(matches!(look(deep.as_bytes()), Err(PeekError::TooDeep { .. })));
        assert!(matches!(look(b"{} {}"), Err(PeekError::NotJson { .. })));
    }

    impl PartialEq for Peeked {
        fn eq(&self, other: &Self) -> bool {
            self.max_execution_time == other.max_execution_time && self.secrets.len() == other.secrets.len()
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((key(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("auth".to_owned()),
            Just("settings".to_owned()),
            Just("rate_limit".to_owned()),
            Just("PASSWORD".to_owned()),
            any::<String>(),
        ]
    }

    fn strings(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) if !text.is_empty() => into.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
            Value::Object(members) => members.values().for_each(|member| strings(member, into)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(look(&bytes).is_ok(), serde_json::from_slice::<Value>(&bytes).is_ok());
        }

        #[test]
        fn agrees_with_serde_json_on_broken_json(value in any_json(), at in any::<prop::sample::Index>(), byte: u8) {
            let mut text = serde_json::to_vec(&value).unwrap();
            let at = at.index(text.len());
            text[at] = byte;
            prop_assert_eq!(look(&text).is_ok(), serde_json::from_slice::<Value>(&text).is_ok());
        }

        #[test]
        fn never_misses_a_string_under_auth(auth in any_json(), request in any_json()) {
            let body = json!({"request": request, "auth": auth});
            let mut expected = Vec::new();
            strings(&body["auth"], &mut expected);
            let found = secrets(&body);
            for text in expected {
                prop_assert!(found.contains(&text));
            }
        }
    }
}
