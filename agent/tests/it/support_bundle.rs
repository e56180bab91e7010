//! `support-bundle`: what is in it, and what is in none of its files: secrets, planted wherever there can be any.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use base64::Engine as _;
use serde_json::json;

use crate::support::agent::Installation;
use crate::support::cc;
use crate::support::connectors::{drop_in, set_mode};
use crate::support::home::text;

/// Stands in every secret.
const CANARY: &str = "canary";

/// Names and texts.
fn unpack(bundle: &Path) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(bundle).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (name.split_once('/').unwrap().1.to_owned(), text)
    });
    entries.collect()
}

/// Of today, or the agent deletes it.
fn log() -> String {
    format!("planted_{}.log", jiff::Zoned::now().date())
}

fn plant(installation: &Installation) {
    let private = |name: &str, content: &str| {
        fs::write(installation.file(name), content).unwrap();
        set_mode(&installation.file(name), 0o600);
    };
    private(
        "tenant.json",
        "{\"client_secret\": \"of-tenant-canary-1\", \"scope\": [\"inner-canary-2\"]}",
    );
    private(
        "environment",
        "HTTPS_PROXY=http://joe:proxy-canary-3@127.0.0.1:1\nAPI_TOKEN=\"unit-canary-4\"\n",
    );
    installation.configure(
        r#"log.redacted_keys = ["badge_number"]
        [connectors.settings.fixture.environment]
        ANYTHING = "environment-canary-5"
        HTTPS_PROXY = "http://joe:connector%2Dcanary-6@127.0.0.1:1"
        [connectors.tenants.fixture.acme]
        credentials_file = "tenant.json"
        settings = { anything = "settings-canary-7" }"#,
    );
    let token = installation.token("other", &["*:*"]);
    let key = fs::read_to_string(installation.file("tls/server.key")).unwrap();
    let basic = base64::engine::general_purpose::STANDARD.encode("joe:of-tenant-canary-1");
    let lines = [
        "2026-05-01T00:00:00Z ERROR [gen 1] refused {\"password\": \"body-canary-8\", \"pin\": 12345678}"
            .to_owned(),
        "said \\\"client_secret\\\":\\\"escaped-canary-9\\\"".to_owned(),
        "Authorization: Bearer header-canary-10".to_owned(),
        "postgres://joe:url-canary-11@db/x and badge_number=configured-canary-12".to_owned(),
        "environment-canary-5 inner-canary-2 settings-canary-7 unit-canary-4".to_owned(),
        format!("basic {basic} and {token}"),
        key,
    ];
    fs::write(installation.file("logs").join(log()), lines.join("\n")).unwrap();
}

#[test]
fn no_secret_of_any_kind_is_in_it() {
    let installation = Installation::new();
    plant(&installation);
    let key = fs::read_to_string(installation.file("tls/server.key")).unwrap();
    let tokens = fs::read_to_string(installation.file("tokens.json")).unwrap();
    let hash = tokens.split("\"sha256\": \"").nth(1).unwrap()[..64].to_owned();
    let mut agent = installation.start();
    drop_in(
        &cc::connector("ok", &[]),
        &agent.installation.connectors(),
        "ok.so",
    );
    agent.wait_for("fixture", "ready");
    // An error whose text repeats its request.
    let request = json!({"auth": {"token": "call-canary-13"}, "password": "call-canary-14"});
    agent
        .installation
        .run(["call", "fixture", "fail", "--json", &request.to_string()]);

    let out = agent.installation.file("bundle.tar.gz");
    let made = agent
        .installation
        .command(["support-bundle", "--out", out.to_str().unwrap()])
        .env("HTTPS_PROXY", "http://joe:own-canary-15@127.0.0.1:1")
        .env("LUMOS_AGENT_TOKEN", "own-canary-16")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(text(&made.stderr).contains("Look through it before you send it"));
    assert_eq!(fs::metadata(&out).unwrap().mode() & 0o777, 0o600);

    let files = unpack(&out);
    let cookie = fs::read_to_string(agent.installation.file("state/control.cookie")).unwrap();
    let key_line = key.lines().nth(1).unwrap();
    for (name, content) in &files {
        for secret in [
            CANARY,
            key_line,
            &hash,
            &cookie,
            "b2YtdGVuYW50LWNhbmFyeS0x",
            "12345678",
        ] {
            assert!(!content.contains(secret), "{name} holds {secret}:\n{content}");
        }
        if name.ends_with(".json") {
            serde_json::from_str::<serde_json::Value>(content)
                .unwrap_or_else(|error| panic!("{name} is no JSON any more: {error}\n{content}"));
        }
    }
    let of = |name: &str| {
        let found = files.iter().find(|(own, _)| own == name);
        &found.unwrap_or_else(|| panic!("{name} is missing")).1
    };
    assert!(of("README.txt").contains("look through it before you send it"));
    assert!(of("config.txt").contains("log.redacted_keys = [\"badge_number\"]"));
    assert!(
        of("config.txt").contains("ANYTHING"),
        "names of variables are shown"
    );
    assert!(of("connectors/fixture.json").contains("transitions"));
    assert!(of("metrics.txt").contains("lumos_agent_"));
    assert!(of(&format!("logs/{}", log())).contains("ERROR [gen 1] refused"));
    assert!(of("status.json").contains("\"version\"") && of("system.txt").contains("processors"));
    assert!(of("doctor.json").contains("findings") && of("files.txt").contains("tokens.json"));
}

#[test]
fn it_is_made_without_an_agent_and_with_a_broken_configuration_and_overwrites_nothing() {
    let installation = Installation::new();
    installation.configure("log.level = \"LOUD canary\"");
    let out = installation.file("bundle.tar.gz");
    let make = || installation.run(["support-bundle", "--out", out.to_str().unwrap()]);
    assert!(make().status.success());
    let again = make();
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stderr));
    let files = unpack(&out);
    let config = &files.iter().find(|(name, _)| name == "config.txt").unwrap().1;
    assert!(
        config.contains("log.level") && !config.contains(CANARY),
        "{config}"
    );
}
