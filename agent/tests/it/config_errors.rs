//! Wrong configurations: each names file, line and key (or the variable) and says what to do.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::home::Home;

/// The beginning that keeps an installation in its directory; what a test adds begins on line 6; tables that are begun here go on with dotted keys.
const PATHS: &str = "agent.state_dir = \"state\"\nconnectors.directory = \"connectors\"\nlog.directory = \"logs\"\nadmin.listen = \"127.0.0.1:10002\"\n\n";

fn home(lines: &str) -> Home {
    let home = Home::new();
    home.configure(&format!("{PATHS}{lines}"));
    home
}

/// What `check-config` says about a configuration with these lines, which must be wrong.
fn check(lines: &str) -> String {
    checked(&home(lines))
}

fn checked(home: &Home) -> String {
    refused(home, &home.run(&["check-config"]))
}

fn refused(home: &Home, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(64), "{}", home.transcript(output));
    home.transcript(output)
}

fn mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

#[test]
fn a_valid_configuration_passes() {
    let home = home("");
    insta::assert_snapshot!(home.transcript(&home.run(&["check-config"])));
}

#[test]
fn a_warning_lets_it_pass() {
    let home = home("connectors.trusted_owners = [\"nobody-of-that-name\"]\n");
    insta::assert_snapshot!(home.transcript(&home.run(&["check-config"])));
}

#[test]
fn no_file() {
    let home = Home::new();
    fs::remove_file(home.file("agent.toml")).unwrap();
    insta::assert_snapshot!(checked(&home));
}

#[test]
fn syntax_error() {
    insta::assert_snapshot!(check("[dispatch]\nlisten = 0.0.0.0:8443\n"));
}

#[test]
fn unknown_key() {
    insta::assert_snapshot!(check("[dispatch]\nmax_body_byte = \"1MiB\"\n"));
}

#[test]
fn key_of_another_section() {
    insta::assert_snapshot!(check("[dispatch]\nrescan_interval = \"5s\"\n"));
}

#[test]
fn wrong_type() {
    insta::assert_snapshot!(check("[dispatch]\nmax_in_flight = \"many\"\ntls = \"on\"\n"));
}

#[test]
fn negative_limit() {
    insta::assert_snapshot!(check(
        "connectors.max_in_flight = -1\nconnectors.require_pinned = 1\n"
    ));
}

#[test]
fn bad_address() {
    insta::assert_snapshot!(check("[dispatch]\nlisten = \"localhost\"\n"));
}

#[test]
fn port_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = home(&format!(
        "admin.enabled = false\n[dispatch]\nlisten = \"{address}\"\n"
    ));
    let told =
        refused(&home, &home.run(&["run", "--log-level", "error"])).replace(&address, "127.0.0.1:PORT");
    // How many carets there are depends on the port's length.
    insta::with_settings!({ filters => vec![(r"\^+", "^^^"), (r": \S+ \(process \d+\)", ": NAME (process PID)")] }, { insta::assert_snapshot!(told) });
}

#[test]
fn missing_certificate() {
    let home = home("[dispatch.tls]\ncertificate = \"tls/other.pem\"\n");
    insta::assert_snapshot!(checked(&home));
}

#[test]
fn certificate_without_key() {
    let home = home("");
    fs::remove_file(home.file("tls/server.key")).unwrap();
    insta::assert_snapshot!(checked(&home));
}

#[test]
fn key_of_another_certificate() {
    let home = home("[dispatch.tls]\nprivate_key = \"tls/ca.key\"\n");
    insta::assert_snapshot!(checked(&home));
}

#[cfg(unix)]
#[test]
fn key_readable_by_all() {
    let home = home("[dispatch.tls]\nprivate_key = \"tls/server.key\"\n");
    mode(&home.file("tls/server.key"), 0o644);
    insta::assert_snapshot!(checked(&home));
}

#[test]
fn expired_certificate() {
    let home = home("[dispatch.tls]\ncertificate = \"tls/server.pem\"\n");
    let authority = lumos_agent::tls::issue::Issued {
        certificate: fs::read_to_string(home.file("tls/ca.pem")).unwrap(),
        private_key: fs::read_to_string(home.file("tls/ca.key")).unwrap().into(),
    };
    let then = "2020-01-01T00:00:00Z".parse().unwrap();
    let old = lumos_agent::tls::issue::server(&authority, &["localhost".into()], then).unwrap();
    fs::write(home.file("tls/server.pem"), old.certificate).unwrap();
    fs::write(home.file("tls/server.key"), &*old.private_key).unwrap();
    insta::assert_snapshot!(checked(&home));
}

/// Root reads everything, so the command runs as somebody else.
#[cfg(unix)]
#[test]
fn unreadable_directory() {
    use std::os::unix::fs::{MetadataExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;

    let home = home("");
    let root = fs::metadata(home.path()).unwrap().uid() == 0;
    mode(&home.file("connectors"), 0o000);
    let mut command = home.command(&["check-config", "--config", "agent/agent.toml"]);
    if root {
        let binary = home.path().join("lumos-agent");
        crate::support::home::copy_agent(&binary);
        mode(home.path(), 0o755);
        for name in [
            "tls",
            "tls/server.key",
            "tls/server.pem",
            "tokens.json",
            "state",
            "logs",
        ] {
            chown(home.file(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command = std::process::Command::new(binary);
        command
            .args(["check-config", "--config", "agent/agent.toml"])
            .current_dir(home.path())
            .env_clear()
            .uid(NOBODY);
    }
    let output = command.output().unwrap();
    mode(&home.file("connectors"), 0o755);
    insta::assert_snapshot!(refused(&home, &output));
}

#[test]
fn directory_that_is_a_file() {
    let home = home("");
    fs::remove_dir(home.file("connectors")).unwrap();
    fs::write(home.file("connectors"), "").unwrap();
    insta::assert_snapshot!(checked(&home));
}

#[test]
fn missing_directory() {
    let home = home("");
    fs::remove_dir(home.file("connectors")).unwrap();
    insta::assert_snapshot!(checked(&home));
}

#[test]
fn bad_duration() {
    insta::assert_snapshot!(check(
        "agent.shutdown_grace = \"soon\"\nconnectors.rescan_interval = 0\n"
    ));
}

#[test]
fn bad_size() {
    insta::assert_snapshot!(check(
        "[dispatch]\nmax_body_bytes = \"16 megs\"\nmax_response_bytes = 10\n"
    ));
}

#[test]
fn bad_scope() {
    let lines =
        "[dispatch.tls]\nclient_ca = \"tls/ca.pem\"\nclient_names = { \"a.example.com\" = [\"mockapp\"] }\n";
    insta::assert_snapshot!(check(lines));
}

#[test]
fn client_certificates_without_authority() {
    let lines = "[dispatch.tls]\nclient_auth = \"required\"\nclient_crl = \"tls/none.crl\"\n\
                 client_names = { \"a.example.com\" = [\"mockapp:read\"] }\n";
    insta::assert_snapshot!(check(lines));
}

#[test]
fn missing_client_authority() {
    insta::assert_snapshot!(check("[dispatch.tls]\nclient_ca = \"tls/none.pem\"\n"));
}

#[test]
fn client_authority_without_certificate() {
    insta::assert_snapshot!(check("[dispatch.tls]\nclient_ca = \"tls/ca.key\"\n"));
}

#[test]
fn bad_revocation_list() {
    let lines = "[dispatch.tls]\nclient_ca = \"tls/ca.pem\"\nclient_crl = \"tls/ca.pem\"\nclient_auth = \"requird\"\n";
    insta::assert_snapshot!(check(lines));
    insta::assert_snapshot!(check(&lines.replace("requird", "required")));
}

#[test]
fn bad_level() {
    insta::assert_snapshot!(check("log.level = \"VERBOSE\"\nlog.connector_level = \"EROR\"\n"));
}

#[test]
fn bad_environment_override() {
    let home = home("");
    let command = |name: &str, value: &str| {
        let config = home.file("agent.toml");
        let output = home
            .command(&["check-config"])
            .env("LUMOS_AGENT_CONFIG", config)
            .env(name, value)
            .output();
        refused(&home, &output.unwrap())
    };
    let all = [
        command("LUMOS_AGENT__DISPATCH__TIMEOUT", "soon"),
        command("LUMOS_AGENT__DISPATCH__TIMOUT", "5s"),
        command("LUMOS_AGENT__DISPACH__TIMEOUT", "5s"),
        command("LUMOS_AGENT__CONNECTORS__SETTINGS__MOCKAPP__ENVIRONMENT", "A=B"),
        command("LUMOS_ON_PREMISE_AGENT_HTTP_SERVER_PORT", "http"),
        command("LUMOS_LOG_LEVEL", "chatty"),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn duplicate_tenant() {
    let lines = "[connectors.tenants.mockapp.acme]\nevents = \"off\"\n[connectors.tenants.mockapp.acme]\n";
    insta::assert_snapshot!(check(lines));
}

#[test]
fn duplicate_tenant_by_case() {
    let lines = "[connectors.tenants.mockapp.acme]\nevents = \"off\"\n[connectors.tenants.mockapp.Acme]\n";
    insta::assert_snapshot!(check(lines));
}

#[test]
fn impossible_combination() {
    let lines = "[connectors.settings.mockapp]\nisolation = \"in-process\"\nmemory_limit = \"64MiB\"\n\n[dispatch]\n\
                 listen = \"127.0.0.1:10002\"\nmax_body_bytes = \"1GiB\"\n";
    insta::assert_snapshot!(check(lines));
}

#[test]
fn not_in_this_version() {
    insta::assert_snapshot!(check("connectors.tenants.a.b.events = \"poll\"\n"));
}

#[test]
fn what_needs_a_process_of_its_own() {
    insta::assert_snapshot!(check(
        "connectors.isolation = \"in-process\"\nconnectors.memory_limit = \"1GiB\"\n\
         [connectors.settings.inherits]\nmemory_limit = \"64MiB\"\n\
         [connectors.settings.says]\nisolation = \"in-process\"\nenvironment = { A = \"1\" }\n\
         [connectors.settings.apart]\nisolation = \"process\"\nmemory_limit = \"64MiB\"\n"
    ));
}

#[test]
fn everything_at_once() {
    insta::assert_snapshot!(check(
        "[dispatch]\nlisten = \"\"\ntimeout = true\n[dispatch.tsl]\nx = 1\n[server]\nport = 1\n[connectors.settings.con]\n"
    ));
}
