//! Signatures and pins: only what somebody vouched for is loaded, and what is missing heals when it comes.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use minisign::KeyPair;
use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation};
use crate::support::connectors::{drop_in, set_mode};
use crate::support::home::text;
use crate::support::scenario::{Scenario, build};

fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

/// As `minisign` and the listings print it.
fn id(pair: &KeyPair) -> String {
    let bytes = pair.pk.keynum();
    format!("{:016X}", u64::from_le_bytes(bytes.try_into().unwrap()))
}

fn signature(pair: &KeyPair, library: &Path) -> String {
    let content = fs::read(library).unwrap();
    minisign::sign(None, &pair.sk, Cursor::new(content), None, None)
        .unwrap()
        .to_string()
}

/// A signature in the connectors directory, by rename.
fn put_signature(agent: &Agent, name: &str, text: &str) {
    let directory = agent.installation.connectors();
    let partial = directory.join(format!(".{name}.part"));
    fs::write(&partial, text).unwrap();
    set_mode(&partial, 0o644);
    fs::rename(partial, directory.join(format!("{name}.minisig"))).unwrap();
}

fn trusting(keys: &[&KeyPair], more: &str) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|pair| format!("\"{}\"", pair.pk.to_base64()))
        .collect();
    format!("connectors.trusted_keys = [{}]\n{more}", keys.join(", "))
}

/// An agent that serves signed connectors only.
fn strict(keys: &[&KeyPair]) -> Agent {
    let installation = Installation::new();
    installation.configure(&trusting(keys, "connectors.require_signed = true"));
    installation.start()
}

fn library(version: &'static str) -> PathBuf {
    build(&Scenario {
        version,
        build: version,
        ..Scenario::default()
    })
}

fn until_error(agent: &mut Agent, part: &str) -> Value {
    agent.eventually(part, |agent| {
        let row = agent.row("scenario")?;
        row["last_error"].as_str()?.contains(part).then_some(row)
    })
}

fn until_version(agent: &mut Agent, version: &str) -> Value {
    agent.eventually(&format!("version {version}"), |agent| {
        agent
            .row("scenario")
            .filter(|row| row["state"] == "ready" && row["version"] == version && row["last_error"].is_null())
    })
}

fn put_library(agent: &Agent, library: &Path) {
    drop_in(library, &agent.installation.connectors(), "scenario.so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_heals_when_the_signature_comes() {
    let (pair, stranger) = (key(), key());
    let mut agent = strict(&[&pair]);
    let first = library("1.0.0");
    put_library(&agent, &first);
    let row = until_error(&mut agent, "there is no scenario.so.minisig");
    assert_eq!(row["state"], "refused");

    put_signature(&agent, "scenario.so", &signature(&stranger, &first));
    until_error(&mut agent, &format!("signed by key {}", id(&stranger)));
    put_signature(&agent, "scenario.so", &signature(&pair, &library("2.0.0")));
    until_error(&mut agent, "is for another content");
    put_signature(&agent, "scenario.so", "not a signature");
    until_error(&mut agent, "not a minisign signature");

    put_signature(&agent, "scenario.so", &signature(&pair, &first));
    let row = until_version(&mut agent, "1.0.0");
    assert_eq!(row["signed_by"], json!(id(&pair)));
    assert_eq!(row["pinned"], json!(false));
    let digest = lumos_agent::domain::Sha256::of(&fs::read(first).unwrap());
    assert_eq!(row["sha256"], json!(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn library_and_signature_come_in_either_order() {
    let pair = key();
    let mut agent = strict(&[&pair]);
    let (first, second, third) = (library("1.0.0"), library("2.0.0"), library("3.0.0"));
    put_signature(&agent, "scenario.so", &signature(&pair, &first));
    put_library(&agent, &first);
    until_version(&mut agent, "1.0.0");

    // The library first: the one that serves goes on until the signature is there too.
    put_library(&agent, &second);
    let row = until_error(&mut agent, "is for another content");
    assert_eq!(
        (&row["state"], &row["version"]),
        (&json!("ready"), &json!("1.0.0"))
    );
    put_signature(&agent, "scenario.so", &signature(&pair, &second));
    until_version(&mut agent, "2.0.0");

    // The signature first.
    put_signature(&agent, "scenario.so", &signature(&pair, &third));
    let row = until_error(&mut agent, "is for another content");
    assert_eq!(
        (&row["state"], &row["version"]),
        (&json!("ready"), &json!("2.0.0"))
    );
    put_library(&agent, &third);
    until_version(&mut agent, "3.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_is_granted_and_withdrawn_while_running() {
    let (old, new) = (key(), key());
    let installation = Installation::new();
    let mut agent = installation.start();
    let first = library("1.0.0");
    put_library(&agent, &first);
    put_signature(&agent, "scenario.so", &signature(&old, &first));
    let row = until_version(&mut agent, "1.0.0");
    assert_eq!(row["signed_by"], Value::Null, "no key is trusted yet");
    let generation = row["generation"].clone();

    // From nothing to everything signed: what is properly signed is not even restarted.
    let strict = "connectors.require_signed = true";
    agent.installation.configure(&trusting(&[&old], strict));
    let row = agent.eventually("the signer to be shown", |agent| {
        let row = agent.row("scenario")?;
        assert_eq!(row["state"], "ready");
        (!row["signed_by"].is_null()).then_some(row)
    });
    assert_eq!(row["signed_by"], json!(id(&old)));
    assert_eq!(row["generation"], generation);

    agent.installation.configure(&trusting(&[&new], strict));
    let row = until_error(&mut agent, "among connectors.trusted_keys");
    assert_eq!(row["state"], "refused");
    put_signature(&agent, "scenario.so", &signature(&new, &first));
    assert_eq!(until_version(&mut agent, "1.0.0")["signed_by"], json!(id(&new)));

    // A private copy needs its signature as much as the file does.
    let installation = agent.stop().1;
    fs::write(installation.connectors().join("scenario.so"), "damaged").unwrap();
    let mut agent = installation.start();
    let row = agent.wait_for("scenario", "ready");
    assert_eq!(row["signed_by"], json!(id(&new)));
    let installation = agent.stop().1;
    installation.configure(&trusting(&[&old], strict));
    let mut agent = installation.start();
    agent.wait_for("scenario", "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn install_takes_the_signature_along() {
    let pair = key();
    let mut agent = strict(&[&pair]);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("build.so");
    let beside = place.path().join("build.so.minisig");
    let install = |agent: &Agent| {
        let output = agent
            .installation
            .run(["connector", "install", file.to_str().unwrap()]);
        (output.status.code(), text(&output.stderr))
    };
    let validate = |agent: &Agent| {
        agent
            .installation
            .run(["connector", "validate", file.to_str().unwrap()])
    };
    fs::copy(library("1.0.0"), &file).unwrap();

    let (code, told) = install(&agent);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("build.so.minisig") && told.contains("require_signed"),
        "{told}"
    );
    let report: Value = serde_json::from_slice(&validate(&agent).stdout).unwrap();
    assert_eq!(report["signature"]["signed_by"], Value::Null);
    assert!(!agent.installation.connectors().join("scenario.so").exists());

    fs::write(&beside, signature(&pair, &library("2.0.0"))).unwrap();
    let (code, told) = install(&agent);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("another content"), "{told}");
    assert_eq!(validate(&agent).status.code(), Some(1));

    fs::write(&beside, signature(&pair, &file)).unwrap();
    let report: Value = serde_json::from_slice(&validate(&agent).stdout).unwrap();
    assert_eq!(report["signature"]["signed_by"], json!(id(&pair)));
    for version in ["1.0.0", "2.0.0"] {
        fs::copy(library(version), &file).unwrap();
        fs::write(&beside, signature(&pair, &file)).unwrap();
        let (code, told) = install(&agent);
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(until_version(&mut agent, version)["signed_by"], json!(id(&pair)));
    }

    let removed = agent.installation.run(["connector", "remove", "scenario"]);
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    let left = fs::read_dir(agent.installation.connectors()).unwrap().count();
    assert_eq!(left, 0, "the signature goes with its library");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_told_by_install_and_counts_without_a_restart() {
    let installation = Installation::new();
    installation.configure("connectors.require_pinned = true");
    let mut agent = installation.start();
    let file = library("1.0.0");
    let digest = lumos_agent::domain::Sha256::of(&fs::read(&file).unwrap()).to_string();
    let install = |agent: &Agent| {
        agent
            .installation
            .run(["connector", "install", file.to_str().unwrap()])
    };
    let refused = install(&agent);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(
        told.contains(&digest) && told.contains("connectors.settings."),
        "{told}"
    );

    let pin = |digest: &str| {
        format!("connectors.require_pinned = true\nconnectors.settings.scenario.sha256 = [\"{digest}\"]")
    };
    agent.installation.configure(&pin(&digest));
    // The agent may still have the old configuration when the file comes, and must not be taken at its first word.
    let installed = install(&agent);
    assert!(installed.status.success(), "{}", text(&installed.stderr));
    let listing: Value = serde_json::from_slice(&installed.stdout).unwrap();
    assert_eq!(
        (&listing["pinned"], &listing["sha256"]),
        (&json!(true), &json!(digest))
    );

    agent.installation.configure(&pin(&"0".repeat(64)));
    let row = until_error(&mut agent, &digest);
    assert_eq!(
        (&row["state"], &row["pinned"]),
        (&json!("refused"), &json!(false))
    );
    agent.installation.configure(&pin(&digest));
    assert_eq!(until_version(&mut agent, "1.0.0")["pinned"], json!(true));
}
