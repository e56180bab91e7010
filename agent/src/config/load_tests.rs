use std::time::Duration;

use super::*;
use crate::config::model::{Isolation, LogLevel, OperationMode, TlsVersion};

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.toml");
    std::fs::write(&file, text).unwrap();
    let variables = variables
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    Loader::with_environment(&file, variables)
        .load()
        .map_err(|error| {
            error
                .to_string()
                .replace(&directory.path().display().to_string(), "DIR")
        })
}

fn load(text: &str) -> Arc<Config> {
    load_with(text, &[])
        .unwrap_or_else(|error| panic!("{error}"))
        .config
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = load("");
    assert_eq!(config.dispatch.listen, "0.0.0.0:8443".parse().unwrap());
    assert_eq!(config.dispatch.max_body_bytes, 16 << 20);
    assert_eq!(config.dispatch.timeout, Duration::from_secs(1800));
    assert_eq!(config.dispatch.tls.min_version, TlsVersion::Tls12);
    assert_eq!(config.agent.operation_mode, OperationMode::Default);
    assert_eq!(config.connectors.isolation, Isolation::Process);
    assert_eq!(config.log.connector_level, LogLevel::Error);
    assert!(config.agent.token_file.is_absolute() && config.agent.token_file.ends_with("tokens.json"));
    assert!(!config.agent.name.is_empty());
}

#[test]
fn sections_of_connectors_are_read() {
    let config = load(
        "[connectors.settings.MockApp]\ntimeout = 90\nmemory_limit = \"64MiB\"\nenvironment = { A = \"b\" }\n\
         [connectors.tenants.mockapp.acme]\nsettings = { account_id = \"1\", nested = { a.b = [1, 2] } }\n\
         [dispatch.tls]\nclient_names = { \"a.example.com\" = [\"*:*\", \"admin\"] }\n",
    );
    let settings = config.settings_of(&"mockapp".parse().unwrap());
    assert_eq!(settings.timeout, Some(Duration::from_secs(90)));
    assert_eq!(settings.memory_limit, Some(64 << 20));
    assert!(settings.enabled && settings.environment["A"] == "b");
    assert_eq!(config.connectors.tenants.len(), 1);
    assert!(config.dispatch.tls.client_names["a.example.com"].is_admin());
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = [
        ("LUMOS_AGENT__DISPATCH__MAX_IN_FLIGHT", "7"),
        ("LUMOS_AGENT__DISPATCH__TLS__MIN_VERSION", "1.3"),
        ("LUMOS_AGENT__CONNECTORS__SETTINGS__MY_APP__TIMEOUT", "5s"),
        ("LUMOS_AGENT__CONNECTORS__TRUSTED_OWNERS", "alice, bob"),
        ("LUMOS_AGENT__ADMIN__ENABLED", "0"),
        ("LUMOS_ON_PREMISE_AGENT_HTTP_SERVER_PORT", "9999"),
        ("LUMOS_ADDITIONAL_REDACTED_LOG_KEYS", "pin,puk"),
        ("LUMOS_LOG_LEVEL", "debug"),
    ];
    let text = "[dispatch]\nmax_in_flight = 3\n[connectors.settings.My-App]\ntimeout = 1\n[log]\nredacted_keys = [\"a\"]\n";
    let config = load_with(text, &variables).unwrap().config;
    assert_eq!(config.dispatch.max_in_flight, 7);
    assert_eq!(config.dispatch.tls.min_version, TlsVersion::Tls13);
    assert_eq!(
        config.settings_of(&"my-app".parse().unwrap()).timeout,
        Some(Duration::from_secs(5))
    );
    assert_eq!(config.connectors.settings.len(), 1);
    assert_eq!(config.connectors.trusted_owners, ["alice", "bob"]);
    assert!(!config.admin.enabled);
    assert_eq!(config.admin.listen.port(), 9999);
    assert_eq!(config.log.redacted_keys, ["a", "pin", "puk"]);
    assert_eq!(config.log.connector_level, LogLevel::Debug);
}

#[test]
fn flags_win_over_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.toml");
    std::fs::write(&file, "").unwrap();
    let variables = vec![("LUMOS_AGENT__LOG__LEVEL".to_owned(), "ERROR".to_owned())];
    let loader = Loader::with_environment(&file, variables).flag("--log-level", "log.level", "DEBUG");
    let loaded = loader.load().unwrap();
    assert_eq!(loaded.config.log.level, LogLevel::Debug);
    assert_eq!(
        loaded.provenance.origin("log.level"),
        Origin::Flag("--log-level".into())
    );
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let text = "[dispatch]\nlisten = \"nowhere\"\nmax_in_flite = 1\n[log]\nlevel = \"LOUD\"\n";
    let error = load_with(text, &[("LUMOS_AGENT__AGENT__SHUTDOWN_GRACE", "soon")]).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn values_of_private_tables_are_not_shown() {
    let error = load_with(
        "[connectors.settings.a]\nenvironment = { TOKEN = [\"hunter2\"] }\n",
        &[],
    )
    .unwrap_err();
    assert!(!error.contains("hunter2"), "{error}");
    assert!(error.contains("agent.toml:2:"), "{error}");
}
