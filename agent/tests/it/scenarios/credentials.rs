//! A credential goes to the connector and nowhere else, however the call ends.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation};
use crate::support::connectors::{drop_in, mockapp};
use crate::support::scenario::{Scenario, build};

/// A secret number.
const PIN: u64 = 731_904_628_517;

/// A fresh secret with characters that encodings change.
fn canary(name: &str) -> String {
    let mut random = [0; 12];
    getrandom::fill(&mut random).unwrap();
    format!("cänary/{name}+{}=\"&?", hex::encode(random))
}

/// Every way in which a secret might be written down.
fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let percent =
        percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let escaped = serde_json::to_string(secret).unwrap();
    let random = &secret[secret.find('+').unwrap() + 1..secret.find('=').unwrap()];
    vec![
        ("raw", secret.as_bytes().to_vec()),
        ("its random part", random.as_bytes().to_vec()),
        ("percent-encoded", percent.into_bytes()),
        ("JSON-escaped", escaped.trim_matches('"').as_bytes().to_vec()),
        (
            "base64",
            base64::engine::general_purpose::STANDARD_NO_PAD
                .encode(secret)
                .into_bytes(),
        ),
        (
            "base64url",
            base64::engine::general_purpose::URL_SAFE_NO_PAD
                .encode(secret)
                .into_bytes(),
        ),
    ]
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return vec![];
    };
    entries
        .flatten()
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => vec![],
        })
        .collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Looks through everything that a person with access to the machine could read.
fn assert_nowhere(secrets: &[String], places: &[(String, Vec<u8>)]) {
    let (names, patterns): (Vec<_>, Vec<_>) = secrets
        .iter()
        .flat_map(|secret| {
            forms(secret)
                .into_iter()
                .map(move |(form, bytes)| ((secret, form), bytes))
        })
        .unzip();
    // One automaton for all: the private copies of libraries are large.
    let finder = aho_corasick::AhoCorasick::new(&patterns).unwrap();
    for (place, content) in places {
        if let Some(found) = finder.find(content) {
            let (secret, form) = names[found.pattern().as_usize()];
            let around = &content[found.start().saturating_sub(200)..content.len().min(found.end() + 200)];
            panic!(
                "{secret} stands {form} in {place}: {}",
                String::from_utf8_lossy(around)
            );
        }
    }
}

fn places(agent: &Agent, metrics: String) -> Vec<(String, Vec<u8>)> {
    let mut places = vec![("metrics".to_owned(), metrics.into_bytes())];
    for file in files_below(&agent.installation.path()) {
        places.push((file.display().to_string(), fs::read(&file).unwrap_or_default()));
    }
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        for part in ["cmdline", "environ"] {
            let own = std::process::id().to_string();
            if name.to_string_lossy() != own {
                let content = fs::read(entry.path().join(part)).unwrap_or_default();
                places.push((format!("/proc/{}/{part}", name.to_string_lossy()), content));
            }
        }
    }
    let listing = agent.installation.json(["connector", "list", "--output", "json"]);
    places.push(("the listing".to_owned(), listing.to_string().into_bytes()));
    places
}

async fn metrics(agent: &Agent) -> String {
    let client = agent.client();
    client
        .get(format!("{}/metrics", agent.admin_url))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

fn request(secrets: &[String], extra: &Value) -> Value {
    json!({
        "auth": {
            "token": {"token": secrets[0]},
            "basic": {"username": "someone", "password": secrets[1]},
            "oauth": {"access_token": secrets[2]},
        },
        "settings": {"api_url": "http://127.0.0.1:9", "password": secrets[3]},
        "request": extra,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_writes_its_requests_down_leaks_nothing() {
    for level in ["DEBUG", "ERROR"] {
        let installation = Installation::new();
        let token = installation.token("test", &["*:*"]);
        drop_in(
            &build(&Scenario::default()),
            &installation.connectors(),
            "scenario.so",
        );
        let mut agent = installation.start_with(&[
            ("LUMOS_LOG_LEVEL", level),
            ("LUMOS_ON_PREMISE_AGENT_LOG_LEVEL", level),
        ]);
        agent.wait_for("scenario", "ready");
        let secrets: Vec<String> = ["token", "password", "access", "setting"]
            .iter()
            .map(|name| canary(name))
            .collect();

        let success = agent
            .call(
                &token,
                "scenario",
                "validate_credentials",
                &request(&secrets, &json!({"pin": PIN, "badge": PIN + 1})),
            )
            .await;
        assert_eq!(success.0, 200);
        let failure = agent
            .call(
                &token,
                "scenario",
                "assign_entitlement",
                &request(&secrets, &json!({})),
            )
            .await;
        assert_eq!(failure.1["is_error"], true);
        let slow = request(&secrets, &json!({"ms": 30000}));
        let url = format!("{}/scenario/get_last_activity", agent.base_url);
        let late = agent
            .client()
            .post(url)
            .bearer_auth(&token)
            .header("X-Lumos-Timeout-Ms", 200)
            .json(&slow);
        assert_eq!(late.send().await.unwrap().status(), 504);
        let crash = agent
            .call(
                &token,
                "scenario",
                "delete_account",
                &request(&secrets, &json!({})),
            )
            .await;
        assert_eq!(crash.0, 502);
        agent.wait_for("scenario", "ready");

        // The connector's log shows that its lines arrived, so that finding nothing means something.
        let logs = agent.installation.file("logs");
        agent.eventually("the connector's log", |_| {
            let log: Vec<u8> = files_below(&logs)
                .iter()
                .flat_map(|file| fs::read(file).unwrap())
                .collect();
            let written = contains(&log, b"api_url");
            // A number is a secret under a secret's name alone.
            assert!(!contains(&log, PIN.to_string().as_bytes()));
            assert!(!written || contains(&log, (PIN + 1).to_string().as_bytes()));
            written.then_some(())
        });
        let mut secrets = secrets;
        let metrics = metrics(&agent).await;
        assert_nowhere(&secrets, &places(&agent, metrics));
        secrets.clear();
        secrets.push(token);
        let token_only: Vec<_> = places(&agent, String::new());
        for (place, content) in &token_only {
            assert!(
                !contains(content, secrets[0].as_bytes()),
                "the caller's token stands in {place}"
            );
        }
        let (code, _installation) = agent.stop();
        assert_eq!(code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_connector_leaks_nothing_either() {
    let installation = Installation::new();
    let token = installation.token("test", &["*:*"]);
    drop_in(&mockapp(), &installation.connectors(), "mockapp.so");
    let mut agent = installation.start_with(&[
        ("LUMOS_LOG_LEVEL", "DEBUG"),
        ("LUMOS_ON_PREMISE_AGENT_LOG_LEVEL", "DEBUG"),
    ]);
    agent.wait_for("mockapp", "ready");
    let secrets: Vec<String> = ["token", "password", "access", "setting"]
        .iter()
        .map(|name| canary(name))
        .collect();
    for capability in [
        "validate_credentials",
        "list_accounts",
        "get_last_activity",
        "create_account",
    ] {
        let (status, answer) = agent
            .call(&token, "mockapp", capability, &request(&secrets, &json!({})))
            .await;
        assert_eq!((status, &answer["is_error"]), (200, &json!(true)), "{answer}");
        for secret in &secrets {
            assert!(!answer.to_string().contains(secret.as_str()), "{answer}");
        }
    }
    // Wrong types must not be echoed either.
    let wrong = json!({"auth": {"token": {"token": [secrets[0]]}}, "settings": {}, "request": {}});
    let (_, answer) = agent.call(&token, "mockapp", "list_accounts", &wrong).await;
    assert_eq!(answer["is_error"], true);
    assert!(
        !answer.to_string().contains("canary") && !answer.to_string().contains("änary"),
        "{answer}"
    );
    let metrics = metrics(&agent).await;
    assert_nowhere(&secrets, &places(&agent, metrics));
}
