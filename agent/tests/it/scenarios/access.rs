//! Tokens, scopes, certificates and hostile peers of the listener.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::{Agent, PATIENCE};
use crate::support::home::text;
use crate::support::scenario::serving;

async fn until(agent: &Agent, token: &str, capability: &str, expected: u16) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let (status, answer) = agent
            .call(token, "scenario", capability, &json!({"request": {}}))
            .await;
        if status == expected {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "still {status}: {answer}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_stops_working_and_others_do_not_notice() {
    let (agent, token) = serving("");
    let doomed = agent.installation.token("doomed", &["*:*"]);
    until(&agent, &doomed, "list_accounts", 200).await;
    assert!(
        agent
            .installation
            .run(["token", "revoke", "doomed"])
            .status
            .success()
    );
    let begun = std::time::Instant::now();
    loop {
        assert_eq!(
            agent
                .call(&token, "scenario", "list_accounts", &json!({}))
                .await
                .0,
            200
        );
        if agent
            .call(&doomed, "scenario", "list_accounts", &json!({}))
            .await
            .0
            == 401
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the revoked token still works");
    }
    let listed = agent
        .installation
        .json(["token", "list", "--output", "json"])
        .to_string();
    assert!(!listed.contains(&token) && !listed.contains("lumos_"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_cannot_write_and_an_expired_token_is_nobody() {
    let (agent, _) = serving("");
    let reader = agent.installation.token("reader", &["scenario:read"]);
    assert_eq!(
        agent
            .call(&reader, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
    for write in ["create_account", "delete_account", "some_custom_capability"] {
        let (status, answer) = agent
            .call(&reader, "scenario", write, &json!({"request": {}}))
            .await;
        assert_eq!(
            (status, &answer["error"]["error_code"]),
            (403, &json!("permission_denied")),
            "{write}"
        );
    }
    let brief = agent.installation.json([
        "token",
        "create",
        "--name",
        "brief",
        "--scope",
        "*:*",
        "--expires",
        "1s",
    ]);
    until(&agent, brief["token"].as_str().unwrap(), "list_accounts", 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_scope_counts_at_once() {
    let (agent, _) = serving("");
    let token = agent.installation.token("narrowed", &["*:*"]);
    until(&agent, &token, "create_account", 200).await;
    let file = agent.installation.file("tokens.json");
    let mut tokens: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let entry = tokens["tokens"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(|entry| entry["name"] == "narrowed")
        .unwrap();
    entry["scopes"] = json!(["scenario:read"]);
    let temporary = agent.installation.file("tokens.new");
    fs::write(&temporary, tokens.to_string()).unwrap();
    crate::support::connectors::set_mode(&temporary, 0o600);
    fs::rename(&temporary, &file).unwrap();
    until(&agent, &token, "create_account", 403).await;
    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_that_cannot_be_read_denies_everybody() {
    let (agent, token) = serving("");
    let file = agent.installation.file("tokens.json");
    let good = fs::read(&file).unwrap();
    fs::write(&file, "{ this is not it").unwrap();
    until(&agent, &token, "list_accounts", 401).await;
    fs::write(&file, good).unwrap();
    until(&agent, &token, "list_accounts", 200).await;
}

fn served_certificate(agent: &Agent) -> String {
    let port = agent
        .base_url
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{port}"),
            "-servername",
            "localhost",
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = text(&output.stdout);
    let begin = text
        .find("-----BEGIN CERTIFICATE")
        .unwrap_or_else(|| panic!("{text}"));
    text[begin..text.find("-----END CERTIFICATE").unwrap()].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_without_a_failed_call() {
    let (agent, token) = serving("");
    let before = served_certificate(&agent);
    let renewed = agent.installation.run(["cert", "renew"]);
    assert!(renewed.status.success(), "{}", text(&renewed.stderr));
    let begun = std::time::Instant::now();
    while served_certificate(&agent) == before {
        assert_eq!(
            agent
                .call(&token, "scenario", "list_accounts", &json!({}))
                .await
                .0,
            200
        );
        assert!(begun.elapsed() < PATIENCE, "the old certificate is still served");
    }
    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_certificate_keeps_the_old_one_in_force() {
    let (mut agent, token) = serving("");
    let before = served_certificate(&agent);
    fs::write(
        agent.installation.file("tls/server.pem"),
        "-----BEGIN NONSENSE-----\n",
    )
    .unwrap();
    agent.eventually("a word about it", |agent| {
        agent.log().contains("server.pem").then_some(())
    });
    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
    assert_eq!(served_certificate(&agent), before);
}

#[test]
fn old_tls_is_refused() {
    let (agent, _) = serving("");
    let port = agent
        .base_url
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    for (version, accepted) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let output = Command::new("openssl")
            .args([
                "s_client",
                "-connect",
                &format!("127.0.0.1:{port}"),
                version,
                "-cipher",
                "ALL:@SECLEVEL=0",
            ])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let connected = text(&output.stdout).contains("BEGIN CERTIFICATE");
        assert_eq!(connected, accepted, "{version}: {}", text(&output.stderr));
    }
}

/// A TLS connection that says only what the test says, by openssl.
fn raw(agent: &Agent) -> std::process::Child {
    let port = agent
        .base_url
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn read_to_end(mut child: std::process::Child) -> String {
    let mut answer = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    text(&answer)
}

#[test]
fn slow_headers_are_cut_off() {
    let (agent, _) = serving("");
    let mut child = raw(&agent);
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"POST /connectors/scenario/list_accounts HTTP/1.1\r\nHost: x\r\n")
        .unwrap();
    // Ends only because the agent closes: nothing more is ever sent.
    let answer = read_to_end(child);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    drop(stdin);
}

#[test]
fn a_stalled_body_is_cut_off() {
    let (agent, token) = serving("");
    let mut child = raw(&agent);
    let mut stdin = child.stdin.take().unwrap();
    write!(
        stdin,
        "POST /connectors/scenario/list_accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    )
    .unwrap();
    let answer = read_to_end(child);
    assert!(answer.contains("request_timeout"), "{answer}");
    drop(stdin);
}

#[test]
fn plain_http_and_silence_are_cut_off() {
    let (agent, _) = serving("");
    let port: u16 = agent
        .base_url
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    for opening in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b""] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(opening).unwrap();
        let mut answer = Vec::new();
        // A reset is as good as an end.
        let _ = stream.read_to_end(&mut answer);
        assert!(!text(&answer).starts_with("HTTP/1.1 2"), "{}", text(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_bytes_are_capped_over_all_connections() {
    let (agent, token) = serving("dispatch.max_body_bytes = 1048576\ndispatch.max_buffered_bytes = 2097152");
    // Three bodies of 1 MiB, each but for its last byte: together more than may be held.
    let mut children: Vec<_> = (0..3).map(|_| raw(&agent)).collect();
    for child in &mut children {
        let mut stdin = child.stdin.take().unwrap();
        write!(
            stdin,
            "POST /connectors/scenario/list_accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"
        )
        .unwrap();
        // The agent may stop reading a body that it has no room for.
        std::thread::spawn(move || {
            let _ = stdin.write_all(&vec![b' '; 1_048_575]);
            std::thread::sleep(PATIENCE);
        });
    }
    let answers: Vec<String> = children.into_iter().map(read_to_end).collect();
    let refused = answers
        .iter()
        .filter(|answer| answer.contains("rate_limit") || answer.contains("service_error"));
    assert!(refused.count() >= 1, "{answers:?}");
    // And the room is given back.
    assert_eq!(until(&agent, &token, "list_accounts", 200).await["build"], "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_throttled_and_a_valid_token_is_not() {
    let (agent, token) = serving("");
    for _ in 0..10 {
        assert_eq!(
            agent
                .call("lumos_guess", "scenario", "list_accounts", &json!({}))
                .await
                .0,
            401
        );
    }
    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
}
