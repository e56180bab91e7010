//! Commands, their help and their messages.

use std::fs;

use crate::support::home::{Home, text};

#[test]
fn help_of_every_command() {
    let commands: &[&[&str]] = &[
        &[],
        &["init"],
        &["check-config"],
        &["run"],
        &["dev"],
        &["status"],
        &["connector"],
        &["connector", "list"],
        &["connector", "show"],
        &["connector", "new"],
        &["connector", "validate"],
        &["connector", "package"],
        &["connector", "install"],
        &["connector", "remove"],
        &["call"],
        &["token"],
        &["token", "create"],
        &["token", "list"],
        &["token", "revoke"],
        &["cert"],
        &["cert", "show"],
        &["cert", "renew"],
        &["cert", "client"],
        &["doctor"],
        &["support-bundle"],
        &["log"],
        &["log", "set"],
        #[cfg(target_os = "linux")]
        &["service"],
        #[cfg(target_os = "linux")]
        &["service", "install"],
        #[cfg(target_os = "linux")]
        &["service", "status"],
        &["completions"],
    ];
    let home = Home::empty();
    for command in commands {
        let output = home.command(command).arg("--help").output().unwrap();
        assert!(output.status.success());
        let name = if command.is_empty() {
            "help".into()
        } else {
            format!("help_{}", command.join("_"))
        };
        insta::assert_snapshot!(name, text(&output.stdout));
    }
}

#[test]
fn usage_errors_exit_with_2() {
    let home = Home::empty();
    for command in [
        &["frobnicate"][..],
        &["token", "create"],
        &["call"],
        &["status", "--token", "@x"],
    ] {
        let output = home.command(command).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn init_prints_what_to_paste_and_overwrites_nothing() {
    let home = Home::empty();
    let output = home
        .command(&["init", "--dir", "agent", "--output", "json"])
        .output()
        .unwrap();
    let block: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(block["token"].as_str().unwrap().starts_with("lumos_"));
    assert!(block["base_url"].as_str().unwrap().ends_with(":8443/connectors"));
    assert!(
        block["ca_certificate"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert_eq!(block["ca_fingerprint_sha256"].as_str().unwrap().len(), 32 * 3 - 1);
    let stored = fs::read_to_string(home.file("tokens.json")).unwrap();
    assert!(!stored.contains(block["token"].as_str().unwrap()));

    let again = home.command(&["init", "--dir", "agent"]).output().unwrap();
    insta::assert_snapshot!(home.transcript(&again));
}

#[cfg(unix)]
#[test]
fn init_keeps_secrets_private() {
    use std::os::unix::fs::MetadataExt;
    let home = Home::new();
    let modes = [
        "tls/ca.key",
        "tls/server.key",
        "tokens.json",
        "tls",
        "state",
        "logs",
        "connectors",
        "agent.toml",
    ]
    .map(|name| {
        format!(
            "{:o} {name}",
            fs::metadata(home.file(name)).unwrap().mode() & 0o777
        )
    });
    insta::assert_snapshot!(modes.join("\n"));
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let home = Home::new();
    let output = home.run(&[
        "token",
        "create",
        "--name",
        "ci",
        "--scope",
        "mockapp:read",
        "--expires",
        "90d",
    ]);
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(made["expires_at"].is_string() && made["id"].as_str().unwrap().len() == 8);

    let listed = text(&home.run(&["token", "list"]).stdout);
    assert!(listed.contains("\"ci\"") && !listed.contains(made["token"].as_str().unwrap()));
    let rows: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(rows[1]["scopes"], serde_json::json!(["mockapp:read"]));

    assert!(
        home.run(&["token", "revoke", made["id"].as_str().unwrap()])
            .status
            .success()
    );
    insta::assert_snapshot!(
        "revoked_twice",
        home.transcript(&home.run(&["token", "revoke", "ci"]))
    );
    insta::assert_snapshot!(
        "bad_scope_of_a_token",
        home.transcript(&home.run(&["token", "create", "--name", "x", "--scope", "mockapp:rw"]))
    );
    insta::assert_snapshot!(
        "bad_expiry_of_a_token",
        home.transcript(&home.run(&[
            "token",
            "create",
            "--name",
            "x",
            "--scope",
            "admin",
            "--expires",
            "soon"
        ]))
    );
}

#[test]
fn certificates_are_renewed() {
    let home = Home::new();
    let shown = |command: &str| -> serde_json::Value {
        let output = home.run(&["cert", command]);
        assert!(output.status.success(), "{}", home.transcript(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (before, after) = (shown("show"), shown("renew"));
    assert_eq!(before["server"]["names"], after["server"]["names"]);
    assert_eq!(before["authority"], after["authority"]);
    assert_ne!(
        before["server"]["fingerprint_sha256"],
        after["server"]["fingerprint_sha256"]
    );
    assert!(home.run(&["check-config"]).status.success());

    fs::remove_file(home.file("tls/ca.pem")).unwrap();
    insta::assert_snapshot!(home.transcript(&home.run(&["cert", "renew"])));
}

/// The copy that systemd delivers is not the key's place.
#[test]
fn a_delivered_key_is_not_renewed() {
    let home = Home::new();
    let delivered = home.file("delivered");
    fs::create_dir(&delivered).unwrap();
    let key = fs::read(home.file("tls/server.key")).unwrap();
    lumos_agent::os::create_private(&delivered.join("tls_key"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, &key))
        .unwrap();
    let certificate = fs::read(home.file("tls/server.pem")).unwrap();
    let config = fs::read_to_string(home.file("agent.toml")).unwrap();
    let config = config.replace(
        "# private_key = \"tls/server.key\"",
        "private_key = \"credential:tls_key\"",
    );
    home.configure(&config);

    let mut command = home.command(&["cert", "renew"]);
    command
        .env("LUMOS_AGENT_CONFIG", home.file("agent.toml"))
        .env("CREDENTIALS_DIRECTORY", &delivered);
    insta::assert_snapshot!(home.transcript(&command.output().unwrap()));
    assert_eq!(fs::read(delivered.join("tls_key")).unwrap(), key);
    assert_eq!(fs::read(home.file("tls/server.pem")).unwrap(), certificate);
}

#[test]
fn an_agent_that_does_not_run_is_unreachable() {
    let home = Home::new();
    let output = home.run(&["status"]);
    assert_eq!(output.status.code(), Some(69));
    #[cfg(unix)]
    insta::assert_snapshot!(home.transcript(&output));
}

#[test]
fn a_token_on_the_command_line_is_refused() {
    let home = Home::new();
    let url = "https://127.0.0.1:1/connectors";
    let output = home.run(&["call", "--url", url, "--token", "lumos_secret", "mockapp", "info"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(home.transcript(&output));
    let plain = home.run(&[
        "call",
        "--url",
        "http://127.0.0.1:1",
        "--token",
        "@x",
        "mockapp",
        "info",
    ]);
    insta::assert_snapshot!("url_without_tls", home.transcript(&plain));
}

#[test]
fn a_request_that_is_not_json_is_refused_without_being_shown() {
    let home = Home::new();
    let output = home.run(&["call", "mockapp", "info", "--json", "{\"token\": hunter2}"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(home.transcript(&output));
}
