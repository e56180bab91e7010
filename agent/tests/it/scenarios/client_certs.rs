//! Client certificates: who gets in with one, and how fast one stops counting.

use std::fs;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lumos_agent::tls::issue::Issued;
use lumos_agent::tls::issue_client;
use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation, PATIENCE};
use crate::support::connectors::drop_in;
use crate::support::home::text;
use crate::support::scenario::{Scenario, build};

const NAME: &str = "lumos.example.com";

/// An agent with these lines in `[dispatch.tls]`, its own client authority, and a certificate for [`NAME`].
fn agent_with(tls: &str) -> (Agent, reqwest::Identity) {
    let installation = Installation::new();
    let own = issued(&installation, NAME);
    configure(&installation, tls);
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    (agent, own)
}

fn configure(installation: &Installation, tls: &str) {
    let authority = "client_ca = \"tls/client-ca.pem\"\nclient_crl = \"tls/client-ca.crl\"\n";
    installation.configure(&format!("[dispatch.tls]\n{authority}{tls}"));
}

/// What `cert client` makes.
fn issued(installation: &Installation, name: &str) -> reqwest::Identity {
    let out = installation.file("callers").join(name.replace(['/', ':'], "_"));
    let out = out.to_str().unwrap();
    let made = installation.json(["cert", "client", "--name", name, "--out", out]);
    let read = |key: &str| fs::read_to_string(made[key].as_str().unwrap()).unwrap();
    identity(&read("certificate"), &read("private_key"))
}

fn identity(certificate: &str, key: &str) -> reqwest::Identity {
    reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap()
}

/// A certificate for [`NAME`] that `authority` signs and that ends at `until`.
fn signed(authority: &Issued, until: Timestamp) -> reqwest::Identity {
    let now = Timestamp::now();
    let made = issue_client::client(authority, NAME, &[0x51, 0x52], now, until).unwrap();
    identity(&made.certificate, &made.private_key)
}

fn own_authority(installation: &Installation) -> Issued {
    let read = |name: &str| fs::read_to_string(installation.file(name)).unwrap();
    Issued {
        certificate: read("tls/client-ca.pem"),
        private_key: read("tls/client-ca.key").into(),
    }
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_secs(seconds)
}

/// A client that keeps its one connection.
fn client(agent: &Agent, identity: Option<&reqwest::Identity>) -> reqwest::Client {
    let builder = agent.client_builder();
    match identity {
        Some(identity) => builder.identity(identity.clone()),
        None => builder,
    }
    .build()
    .unwrap()
}

type Answer = reqwest::Result<(u16, Value)>;

async fn ask(agent: &Agent, client: &reqwest::Client, token: Option<&str>, capability: &str) -> Answer {
    let url = format!("{}/scenario/{capability}", agent.base_url);
    let request = client.post(url).json(&json!({"request": {}}));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

async fn status(agent: &Agent, client: &reqwest::Client, token: Option<&str>) -> u16 {
    ask(agent, client, token, "list_accounts").await.unwrap().0
}

/// Asks over and over until the answer has this status.
async fn until(agent: &Agent, client: &reqwest::Client, capability: &str, expected: u16) -> Value {
    let begun = Instant::now();
    loop {
        let (status, answer) = ask(agent, client, None, capability).await.unwrap();
        if status == expected {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "still {status}: {answer}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// Connects anew over and over until the handshake is refused.
async fn until_refused(agent: &Agent, identity: &reqwest::Identity) {
    let begun = Instant::now();
    while ask(agent, &client(agent, Some(identity)), None, "list_accounts")
        .await
        .is_ok()
    {
        assert!(begun.elapsed() < PATIENCE, "new connections are still accepted");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn message(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_or_a_token_gets_in_and_a_token_decides() {
    let (agent, own) = agent_with(&format!("client_names = {{ \"{NAME}\" = [\"scenario:read\"] }}"));
    let stranger = issued(&agent.installation, "stranger.example.com");
    let (nobody, own, stranger) = (
        client(&agent, None),
        client(&agent, Some(&own)),
        client(&agent, Some(&stranger)),
    );
    let all = agent.installation.token("all", &["*:*"]);
    let none = agent.installation.token("none", &["other:read"]);

    assert_eq!(status(&agent, &nobody, None).await, 401);
    assert_eq!(status(&agent, &nobody, Some(&all)).await, 200);
    assert_eq!(status(&agent, &own, None).await, 200);
    assert_eq!(ask(&agent, &own, None, "create_account").await.unwrap().0, 403);
    // A token that is presented decides, whether it may more or less, and must be valid.
    assert_eq!(
        ask(&agent, &own, Some(&all), "create_account").await.unwrap().0,
        200
    );
    assert_eq!(status(&agent, &own, Some(&none)).await, 403);
    assert_eq!(status(&agent, &own, Some("lumos_wrong")).await, 401);

    let (code, answer) = ask(&agent, &stranger, None, "list_accounts").await.unwrap();
    assert_eq!(
        (code, &answer["error"]["error_code"]),
        (401, &json!("unauthorized"))
    );
    assert!(message(&answer).contains("client_names"), "{answer}");
    assert!(
        agent.log().contains("stranger.example.com"),
        "the log names the certificate: {}",
        agent.log()
    );
    assert_eq!(status(&agent, &stranger, Some(&all)).await, 200);
    assert!(
        agent.log().contains(&format!("cert:{NAME}")),
        "the caller is logged"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_certificate_is_required_a_token_alone_does_not_get_in() {
    let (agent, own) = agent_with("client_auth = \"required\"");
    let token = agent.installation.token("all", &["*:*"]);
    assert!(
        ask(&agent, &client(&agent, None), Some(&token), "list_accounts")
            .await
            .is_err()
    );
    let own = client(&agent, Some(&own));
    assert_eq!(status(&agent, &own, None).await, 401);
    assert_eq!(status(&agent, &own, Some(&token)).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_require_certificates_counts_on_open_connections() {
    let (agent, _) = agent_with(&format!("client_names = {{ \"{NAME}\" = [\"*:*\"] }}"));
    let token = agent.installation.token("all", &["*:*"]);
    let nobody = client(&agent, None);
    assert_eq!(status(&agent, &nobody, Some(&token)).await, 200);
    configure(&agent.installation, "client_auth = \"required\"");
    let answer = until(&agent, &nobody, "list_accounts", 401).await;
    let begun = Instant::now();
    let mut answer = answer;
    while !message(&answer).contains("client certificate is needed") {
        assert!(begun.elapsed() < PATIENCE, "{answer}");
        answer = until(&agent, &nobody, "list_accounts", 401).await;
    }
    assert_eq!(status(&agent, &nobody, Some(&token)).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_foreign_and_revoked_certificates_are_refused_in_the_handshake() {
    let (mut agent, own) = agent_with(&format!("client_names = {{ \"{NAME}\" = [\"*:*\"] }}"));
    let authority = own_authority(&agent.installation);
    let foreign = issue_client::authority(Timestamp::now()).unwrap();
    let token = agent.installation.token("all", &["*:*"]);
    for identity in [
        signed(&authority, in_seconds(-60)),
        signed(&foreign, in_seconds(600)),
    ] {
        let bad = client(&agent, Some(&identity));
        assert!(ask(&agent, &bad, Some(&token), "list_accounts").await.is_err());
    }
    // Signed by the right authority, and in time.
    let good = client(&agent, Some(&signed(&authority, in_seconds(600))));
    assert_eq!(status(&agent, &good, None).await, 200);
    agent.eventually("the refusals in the log", |agent| {
        let log = agent.log();
        let told = log.matches("the client certificate is not accepted").count();
        (told >= 2).then_some(())
    });

    let open = client(&agent, Some(&own));
    assert_eq!(status(&agent, &open, None).await, 200);
    let revoked = agent.installation.json(["cert", "client", "--revoke", NAME]);
    assert_eq!(revoked["revoked"][0]["name"], NAME);
    let answer = until(&agent, &open, "list_accounts", 401).await;
    assert!(message(&answer).contains("not accepted any more"), "{answer}");
    until_refused(&agent, &own).await;
    assert_eq!(status(&agent, &good, None).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_that_breaks_leaves_the_last_good_one_in_force() {
    let (mut agent, own) = agent_with(&format!("client_names = {{ \"{NAME}\" = [\"*:*\"] }}"));
    let doomed = issued(&agent.installation, "doomed.example.com");
    let revoke = ["cert", "client", "--revoke", "doomed.example.com"];
    agent.installation.json(revoke);
    until_refused(&agent, &doomed).await;

    fs::write(agent.installation.file("tls/client-ca.crl"), "nothing\n").unwrap();
    agent.eventually("the complaint", |agent| {
        agent.log().contains("certificates stays in force").then_some(())
    });
    let ready = reqwest::get(format!("{}/readyz", agent.admin_url)).await.unwrap();
    let ready = ready.text().await.unwrap();
    assert!(ready.contains("client-ca.crl"), "{ready}");
    assert_eq!(status(&agent, &client(&agent, Some(&own)), None).await, 200);
    assert!(
        ask(&agent, &client(&agent, Some(&doomed)), None, "list_accounts")
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_narrowed_and_names_removed_while_connected() {
    let (agent, own) = agent_with(&format!("client_names = {{ \"{NAME}\" = [\"scenario:*\"] }}"));
    let open = client(&agent, Some(&own));
    assert_eq!(ask(&agent, &open, None, "create_account").await.unwrap().0, 200);
    let narrowed = format!("client_names = {{ \"{NAME}\" = [\"scenario:read\"] }}");
    configure(&agent.installation, &narrowed);
    until(&agent, &open, "create_account", 403).await;
    assert_eq!(status(&agent, &open, None).await, 200);
    configure(&agent.installation, "");
    until(&agent, &open, "list_accounts", 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_ends_on_an_open_connection_too() {
    let (agent, _) = agent_with(&format!("client_names = {{ \"{NAME}\" = [\"*:*\"] }}"));
    let brief = signed(&own_authority(&agent.installation), in_seconds(5));
    let open = client(&agent, Some(&brief));
    // On a slow machine the handshake itself may come too late; then there is nothing to see here.
    let Ok((first, _)) = ask(&agent, &open, None, "list_accounts").await else {
        return;
    };
    assert!([200, 401].contains(&first));
    let answer = until(&agent, &open, "list_accounts", 401).await;
    assert!(message(&answer).contains("not accepted any more"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_replaced_without_a_restart() {
    let (agent, own) = agent_with(&format!("client_names = {{ \"{NAME}\" = [\"*:*\"] }}"));
    let open = client(&agent, Some(&own));
    assert_eq!(status(&agent, &open, None).await, 200);
    let next = issue_client::authority(Timestamp::now()).unwrap();
    let list = issue_client::revocation_list(&next, &[], Timestamp::now()).unwrap();
    fs::write(agent.installation.file("tls/client-ca.crl"), list).unwrap();
    fs::write(agent.installation.file("tls/client-ca.pem"), &next.certificate).unwrap();
    until(&agent, &open, "list_accounts", 401).await;
    until_refused(&agent, &own).await;
    let fresh = client(&agent, Some(&signed(&next, in_seconds(600))));
    assert_eq!(status(&agent, &fresh, None).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_a_certificate_of_its_own() {
    let (agent, _) = agent_with(&format!(
        "client_auth = \"required\"\nclient_names = {{ \"{NAME}\" = [\"*:*\"] }}\n"
    ));
    let own = agent.installation.file("callers").join(NAME);
    let file = |name: String| own.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (file(format!("{NAME}.pem")), file(format!("{NAME}.key")));
    let ca = agent.installation.file("tls/ca.pem");
    let remote = ["--url", &agent.base_url, "--ca", ca.to_str().unwrap()];
    let identity = ["--client-cert", &certificate, "--client-key", &key];
    let run = |command: &[&str], more: &[&str]| agent.installation.run([command, &remote, more].concat());

    let status = run(&["status", "--output", "json"], &identity);
    assert!(status.status.success(), "{}", text(&status.stderr));
    let call = run(&["call", "scenario", "list_accounts"], &identity);
    assert!(call.status.success(), "{}", text(&call.stderr));
    for (more, code) in [
        (&identity[..2], 2),
        (&["--client-cert", &certificate, "--client-key", &certificate], 2),
        (&["--client-cert", "nowhere.pem", "--client-key", &key], 2),
        (&[], 2),
    ] {
        let refused = run(&["status"], more);
        assert_eq!(
            refused.status.code(),
            Some(code),
            "{more:?}: {}",
            text(&refused.stderr)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_vouches_for_callers_is_shown_with_the_server_certificate() {
    let installation = Installation::new();
    let shown = |installation: &Installation| installation.json(["cert", "show", "--output", "json"]);
    assert_eq!(shown(&installation)["client_authorities"], json!([]));
    issued(&installation, NAME);
    configure(&installation, "");
    installation.json(["cert", "client", "--revoke", NAME]);
    let all = shown(&installation);
    let made = |row: &Value, key: &str| row[key].as_str().unwrap().parse::<Timestamp>().unwrap();
    let authority = &all["client_authorities"][0];
    assert_ne!(
        authority["fingerprint_sha256"],
        all["authority"]["fingerprint_sha256"]
    );
    assert!(made(authority, "not_after") > Timestamp::now());
    let list = &all["revocation_lists"][0];
    assert_eq!(
        (&list["revoked"], &list["issuer"]),
        (&json!(1), &authority["subject"])
    );
    assert!(made(list, "next_update") > made(list, "issued_at"));
    let table = installation.run(["cert", "show", "--output", "table"]);
    let table = text(&table.stdout);
    assert!(
        table.contains("client authority\n") && table.contains("revocation list\n"),
        "{table}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_made_from_an_authority_of_their_own() {
    let installation = Installation::new();
    let out = installation.file("callers");
    let out = out.to_str().unwrap();
    let name = "spiffe://example.com/lumos";
    let made = installation.json(["cert", "client", "--name", name, "--expires", "30d", "--out", out]);
    for line in [
        "client_ca = \"tls/client-ca.pem\"",
        "client_crl = \"tls/client-ca.crl\"",
        "client_names = { \"spiffe://example.com/lumos\" = [\"*:read\"] }",
    ] {
        let toml = made["toml"].as_str().unwrap();
        assert!(toml.lines().any(|own| own == line), "{toml}");
    }
    let mode = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(made["private_key"].as_str().unwrap().as_ref()), 0o600);
    assert_eq!(mode(&installation.file("tls/client-ca.key")), 0o600);
    assert_eq!(mode(&installation.file("tls/client-certificates.json")), 0o600);
    assert_ne!(
        fs::read(installation.file("tls/client-ca.pem")).unwrap(),
        fs::read(installation.file("tls/ca.pem")).unwrap()
    );
    // The lines that it prints are the configuration.
    let tls = made["toml"].as_str().unwrap();
    installation.configure(&format!("[dispatch.tls]\n{tls}"));
    let checked = installation.run(["check-config"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));

    let serial = made["serial"].as_str().unwrap().to_lowercase();
    let revoked = installation.json(["cert", "client", "--revoke", &serial]);
    assert_eq!(revoked["revoked"][0]["name"], name);
    let again = installation.run(["cert", "client", "--revoke", &serial]);
    assert_eq!(again.status.code(), Some(1));
    for wrong in ["two words", "https:///", ""] {
        let output = installation.run(["cert", "client", "--name", wrong, "--out", out]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}
