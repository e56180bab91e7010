//! Everything that takes bytes from outside, each behind one function of bytes, for fuzzing.
//!
//! The tests try every target for a bounded time with mutations of its seeds (`tests/it/fuzz.rs`); `cargo xtask fuzz` runs
//! the same functions for longer, guided by coverage. A target panics where an invariant does not hold.
#![forbid(unsafe_code)]

use std::io::{Cursor, Write as _};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::auth::Peer;
use crate::config::Loader;
use crate::domain::{AppId, CapabilityName, Sha256, TrustedKey};
use crate::hosting::Manifest;
use crate::hosting::frames::{self, FrameError, MAX_PAYLOAD};
use crate::http::connection::{Protocol, serve};
use crate::http::{headers, peek, strict};
use crate::signature;

/// Something that takes bytes from outside.
pub struct Target {
    /// What `cargo xtask fuzz` calls it.
    pub name: &'static str,
    /// Tries these bytes. Panics if something is wrong.
    pub run: fn(&[u8]),
    /// Inputs that reach far into it, to be mutated.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frames-from-host",
        run: |bytes| frames_of(bytes, |rest| length(frames::decode_from_host(rest))),
        seeds: || frame_seeds(1..=8),
    },
    Target {
        name: "frames-to-host",
        run: |bytes| frames_of(bytes, |rest| length(frames::decode_to_host(rest))),
        seeds: || frame_seeds(65..=71),
    },
    Target {
        name: "manifest",
        run: manifest,
        seeds: || texts(&[MANIFEST, "{}", r#"{"app_id":"a","version":"1.0.0"}"#]),
    },
    Target {
        name: "request-path",
        run: request_path,
        seeds: || {
            texts(&[
                "/connectors/mockapp/list_accounts",
                "/connectors/%6dockapp/a%00b?x=1#y",
            ])
        },
    },
    Target {
        name: "connection",
        run: connection,
        seeds: || texts(&[REQUESTS, PIPELINED, GARBLED, PREFACE]),
    },
    Target {
        name: "headers",
        run: request_headers,
        seeds: || texts(&[HEADERS, ""]),
    },
    Target {
        name: "body",
        run: body,
        seeds: || {
            texts(&[
                BODY,
                NUMBERS,
                "[[[]]]",
                r#"{"rate_limit":{"max_execution_time":1e308}}"#,
            ])
        },
    },
    Target {
        name: "configuration",
        run: configuration,
        seeds: || texts(&[CONFIGURATION, include_str!("../../config/agent.toml")]),
    },
    Target {
        name: "signature",
        run: signature_file,
        seeds: || texts(&[SIGNATURE]),
    },
];

const MANIFEST: &str = r#"{"app_id":"mockapp","version":"1.2.3-rc.1+b","abi":"1.0","requires":["log/1"],"max_concurrency":8,
"isolation":"process","idempotent":["create_account"],"levels":{"custom":"read"},"other":[1.5e3,null]}"#;
const REQUESTS: &str = "POST http://h/connectors/a/b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}\
HEAD * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
const PIPELINED: &str = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nTrailer: a\r\n\r\n1;x=y\r\n{\r\n0\r\na: b\r\n\r\n\
CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n";
/// A request that hyper refuses right behind one that was answered.
const GARBLED: &str = "GET / HTTP/1.1\r\n\r\n{}HEAD * HTTP/1.0\r\n\r\n";
/// Settings, and a request whose headers are in the static table.
const PREFACE: &str =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x06\x01\x05\0\0\0\x01\x10\x01a\x01b\x04";
const HEADERS: &str = "x-request-id: abc-1._\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n\
x-lumos-timeout-ms: 1500\ncontent-type: application/json; charset=\"utf-8\"\naccept-encoding: br;q=0, *;q=0.5\n\
x-lumos-observability-run: r1\n";
const BODY: &str = r#"{"auth":{"token":"s\u00e9cret"},"settings":{"a":["b",{"password":"c"}]},"request":{"n":[1,-2.5,true,null]},
"rate_limit":{"max_execution_time":15}}"#;
/// Numbers that are short to write and long to write out.
const NUMBERS: &str = r#"{"access_key":{"a":1e308,"b":-12345678,"c":1e15,"d":2.5e-300},"settings":{"pin":18446744073709551616}}"#;
const CONFIGURATION: &str = "agent.name = \"a\"\n[dispatch]\nlisten = \"127.0.0.1:0\"\ntimeout = \"1h 30m\"\n\
max_body_bytes = \"1MiB\"\n[dispatch.tls]\nclient_names = { \"x\" = [\"*:read\"] }\n[connectors]\nrequire_signed = true\n\
trusted_keys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]\n[connectors.settings.mockapp]\n\
environment = { A = \"b\" }\nsha256 = []\n[connectors.tenants.mockapp.acme]\nsettings = { a = { b = 1979-05-27 } }\n\
[log]\nlevel = \"INFO\"\n";
/// Of `test`, from the manual of `minisign-verify`.
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==";

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// One frame of each kind, whose payload is long enough for all its fields, and all of them in a row.
fn frame_seeds(kinds: std::ops::RangeInclusive<u8>) -> Vec<Vec<u8>> {
    let frame = |kind: u8| {
        let mut payload = b"LHP\x01\x01\0\0\0\x40\0\0\0\0\0\0\0\x04\0\x02\0infott{}".to_vec();
        if kind == 70 || kind == 69 {
            payload.truncate(8);
        }
        let length = u32::try_from(payload.len()).unwrap_or_default();
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend([kind, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        bytes
    };
    let mut seeds: Vec<Vec<u8>> = kinds.map(frame).collect();
    seeds.push(seeds.concat());
    seeds
}

/// Takes a stream apart frame by frame, as a reader does. Each frame consumes something, and not more than is there.
fn frames_of(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<Option<usize>, FrameError>) {
    let mut rest = bytes;
    while let Ok(Some(length)) = decode(rest) {
        assert!((frames::HEADER..=frames::HEADER + MAX_PAYLOAD).contains(&length));
        // What is complete does not change its meaning when more follows or nothing does.
        assert_eq!(decode(&rest[..length]), Ok(Some(length)));
        assert!(!matches!(decode(&rest[..length - 1]), Ok(Some(_))));
        rest = &rest[length..];
    }
}

fn length<T>(decoded: Result<Option<(T, usize)>, FrameError>) -> Result<Option<usize>, FrameError> {
    decoded.map(|frame| frame.map(|(_, length)| length))
}

/// What was accepted survives being remembered on disk.
fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(bytes) else {
        return;
    };
    let json = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    if json.len() <= 64 * 1024 {
        assert_eq!(Manifest::parse(&json), Ok(manifest));
    }
}

/// From the request line to the two names of a call. Nothing but the plain alphabet of names comes through.
fn request_path(bytes: &[u8]) {
    let Ok(uri) = Uri::try_from(bytes) else { return };
    let Some((app_id, capability)) = uri
        .path()
        .strip_prefix("/connectors/")
        .and_then(|rest| rest.split_once('/'))
    else {
        return;
    };
    let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8();
    let (Ok(app_id), Ok(capability)) = (decoded(app_id), decoded(capability)) else {
        return;
    };
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    if let Ok(app_id) = app_id.parse::<AppId>() {
        assert!(plain(app_id.as_str()) && app_id.as_str().len() <= 64);
    }
    if let Ok(capability) = capability.parse::<CapabilityName>() {
        assert!(plain(&capability.to_string()));
    }
}

/// A whole connection, up to the checks of a request's head. Every refusal has a body that says why.
fn connection(bytes: &[u8]) {
    let checked = async |request: Request| match strict::check(&request) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => problem.into_response(),
    };
    let protocol = if bytes.starts_with(b"PRI * HTTP/2.0") {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    let talk = async {
        let (mut ours, theirs) = tokio::io::duplex(1 << 20);
        let served = serve(
            theirs,
            protocol,
            Router::new().fallback(checked),
            Peer::default(),
            CancellationToken::new(),
        );
        let asked = async {
            let _ = ours.write_all(bytes).await;
            let _ = ours.shutdown().await;
            let mut answer = Vec::new();
            let _ = ours.read_to_end(&mut answer).await;
            answer
        };
        tokio::join!(served, asked).1
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let answer = runtime
        .expect("a runtime of one thread can be made")
        .block_on(talk);
    let answer = String::from_utf8_lossy(&answer);
    for refusal in answer.split("HTTP/1.1 4").skip(1) {
        let head = refusal.split("\r\n\r\n").next().unwrap_or_default();
        assert!(!head.contains("content-length: 0"), "{answer}");
    }
}

/// Lines of `name: value`. What is echoed and logged is safe to be.
fn request_headers(bytes: &[u8]) {
    let mut map = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(64) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let name = HeaderName::from_bytes(name.trim_ascii());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.trim_ascii())) {
            map.append(name, value);
        }
    }
    assert!(headers::is_safe(headers::request_id(&map).as_bytes()));
    assert!(headers::traceparent(&map).is_none_or(|trace| trace.len() == 55));
    for (name, value) in headers::observability(&map).iter() {
        assert!(headers::is_safe(name.as_bytes()) && headers::is_safe(value.as_bytes()));
    }
    if let Ok(Some(timeout)) = headers::timeout(&map) {
        assert!(!timeout.is_zero());
    }
    let _ = (headers::media_type(&map), headers::accepts_gzip(&map));
}

/// The one pass agrees with serde_json about what JSON is, and its secrets are strings of the body.
fn body(bytes: &[u8]) {
    let keys = peek::SecretKeys::new(["custom"]);
    let peeked = peek::peek(bytes, &keys, &["tenant".to_owned()]);
    let value = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
    let Ok(peeked) = peeked else {
        // An ignored value may stand deeper, and hold numbers and characters that a read one may not.
        return;
    };
    assert!(value.is_ok(), "accepted what is no JSON");
    assert!(peeked.secrets.iter().all(|secret| {
        let secret = secret.expose_secret();
        // A number may be written shorter than its digits.
        !secret.is_empty() && secret.len() <= bytes.len().max(24)
    }));
}

/// Reads it as `agent.toml`, and shows what is wrong.
fn configuration(bytes: &[u8]) {
    let Ok(mut file) = tempfile::NamedTempFile::new() else {
        return;
    };
    if file.write_all(bytes).is_err() {
        return;
    }
    if let Err(error) = Loader::with_environment(file.path(), Vec::new()).load() {
        assert!(!error.to_string().is_empty());
    }
}

/// Only the one signature passes, whatever is done to it; and digests and keys are read without a panic.
fn signature_file(bytes: &[u8]) {
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let key: TrustedKey = key.parse().expect("it is a key");
    let _ = signature::verify(bytes, &mut Cursor::new(b"test"), std::slice::from_ref(&key));
    assert!(
        signature::verify(bytes, &mut Cursor::new(b"another"), &[key]).is_err(),
        "a forged signature"
    );
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (text.parse::<TrustedKey>(), text.parse::<Sha256>());
    }
}
