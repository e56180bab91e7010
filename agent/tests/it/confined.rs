//! What a sandbox leaves to a connector: the network and all that is needed to use it, also when the system changes, and
//! what the settings open.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation, PATIENCE};
use crate::support::cc;
use crate::support::connectors::drop_in;
use crate::support::home::text;

fn online() -> PathBuf {
    cc::connector("online", &[])
}

/// Answers every connection with `reply` once something came. Ends with the test.
fn tcp_server(reply: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut bytes = [0; 256];
            let count = connection.read(&mut bytes).unwrap_or(0);
            if count > 0 {
                let _ = connection.write_all(reply.as_bytes());
            }
        }
    });
    port
}

async fn ask(agent: &Agent, token: &str, request: &Value) -> Value {
    let (status, answer) = agent
        .call(token, "online", "list_accounts", &json!({ "request": request }))
        .await;
    assert_eq!(status, 200, "{answer}");
    answer["attempts"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confined_connector_can_use_the_network() {
    let (app, proxy) = (tcp_server("pong"), tcp_server("HTTP/1.1 200 OK\r\n\r\n"));
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let installation = Installation::new();
    installation.configure(&format!(
        "connectors.settings.online.environment = {{ HTTPS_PROXY = \"http://127.0.0.1:{proxy}\" }}\n"
    ));
    let token = installation.token("test", &["*:*"]);
    drop_in(&online(), &installation.connectors(), "online.so");
    let mut agent = installation.start();
    let row = agent.wait_for("online", "ready");
    println!("the sandbox is {}", row["isolation_level"]);
    let request = json!({
        "tcp": app.to_string(),
        "udp": udp.local_addr().unwrap().port().to_string(),
    });
    let attempts = ask(&agent, &token, &request).await;
    for what in ["tcp", "udp", "proxy", "random"] {
        assert_eq!(attempts[what], "ok", "{what}: {attempts:#}");
    }
    assert_eq!(attempts["localhost"], "127.0.0.1", "{attempts:#}");
    let mut bytes = [0; 16];
    let count = udp.recv(&mut bytes).unwrap();
    assert_eq!(&bytes[..count], b"ping");
    // What this machine has, the connector can read.
    let mut seen = 0;
    for path in [
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/nsswitch.conf",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/ssl/certs",
        "/etc/localtime",
    ] {
        let expected = if Path::new(path).exists() { "ok" } else { "ENOENT" };
        assert_eq!(attempts[path], expected, "{path}: {attempts:#}");
        seen += u32::from(expected == "ok");
    }
    assert!(seen > 0);
}

/// A name server on port 53 of a loopback address, which says that every name is at `answer`.
struct NameServer(Arc<AtomicBool>);

impl NameServer {
    fn start(at: Ipv4Addr, answer: Ipv4Addr) -> Result<Self, String> {
        let socket =
            UdpSocket::bind(SocketAddr::from((at, 53))).map_err(|error| format!("{at}:53: {error}"))?;
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .map_err(|error| error.to_string())?;
        let over = Arc::new(AtomicBool::new(false));
        let server = NameServer(Arc::clone(&over));
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while !over.load(Ordering::Relaxed) {
                if let Ok((count, from)) = socket.recv_from(&mut query) {
                    let _ = socket.send_to(&dns_answer(&query[..count], answer), from);
                }
            }
        });
        Ok(server)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// RFC 1035, section 4: the query's header and question, and one address record that points back at the question.
fn dns_answer(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
    // The question: labels up to an empty one, type, class.
    let labels = query[12..].iter().position(|byte| *byte == 0).unwrap_or(0);
    let question = &query[12..(12 + labels + 5).min(query.len())];
    let is_address = question.ends_with(&[0, 1, 0, 1]);
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question);
    if is_address {
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

/// A copy of `/etc` that a test may change, seen as `/etc` by one agent only.
struct OwnEtc(tempfile::TempDir);

impl OwnEtc {
    /// Why there can be none, otherwise.
    fn new() -> Result<Self, String> {
        let probe = Command::new("unshare").args(["--mount", "true"]).output();
        match probe {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(format!("no mount namespace here: {}", text(&output.stderr))),
            Err(error) => return Err(format!("no unshare here: {error}")),
        }
        let dir = tempfile::tempdir().unwrap();
        let copied = Command::new("cp")
            .args(["-a", "/etc/."])
            .arg(dir.path())
            .output()
            .unwrap();
        if !copied.status.success() {
            return Err(format!("/etc cannot be copied: {}", text(&copied.stderr)));
        }
        let own = OwnEtc(dir);
        own.replace("nsswitch.conf", "hosts: files dns\n");
        // What is nobody else's business keeps the directory from being opened as a whole.
        fs::write(own.0.path().join("shadow"), "root:*:1::::::\n").unwrap();
        Ok(own)
    }

    /// As administrators' tools do: by renaming a new file over the old one.
    fn replace(&self, name: &str, content: &str) {
        let fresh = self.0.path().join(format!("{name}.new"));
        fs::write(&fresh, content).unwrap();
        crate::support::connectors::set_mode(&fresh, 0o644);
        fs::rename(fresh, self.0.path().join(name)).unwrap();
    }

    fn resolve_with(&self, server: Ipv4Addr) {
        self.replace(
            "resolv.conf",
            &format!("nameserver {server}\noptions timeout:1 attempts:2\n"),
        );
    }
}

const NAME: &str = "app.lumos-agent.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_resolv_conf_gets_the_connector_a_fresh_host_that_resolves_by_it() {
    let (first, second) = (Ipv4Addr::new(127, 53, 7, 1), Ipv4Addr::new(127, 53, 7, 2));
    let prepared = OwnEtc::new().and_then(|etc| {
        let servers = (
            NameServer::start(first, Ipv4Addr::new(127, 0, 0, 11))?,
            NameServer::start(second, Ipv4Addr::new(127, 0, 0, 12))?,
        );
        Ok((etc, servers))
    });
    let (etc, _servers) = match prepared {
        Ok(prepared) => prepared,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    etc.resolve_with(first);
    let installation = Installation::new();
    installation.configure("");
    let token = installation.token("test", &["*:*"]);
    drop_in(&online(), &installation.connectors(), "online.so");
    let mut agent = installation.start_with_etc(etc.0.path());
    let before = agent.wait_for("online", "ready");
    if before["isolation_level"] == "none" {
        println!("skipped: this kernel has no Landlock, so nothing is pinned");
        return;
    }
    let request = json!({ "name": NAME });
    let attempts = ask(&agent, &token, &request).await;
    assert_eq!(attempts["name"], "127.0.0.11", "{attempts:#}");

    etc.resolve_with(second);
    let begun = Instant::now();
    let fresh = loop {
        // No call fails meanwhile.
        let attempts = ask(&agent, &token, &request).await;
        let row = agent.row("online").unwrap();
        if row["pid"] != before["pid"] {
            break row;
        }
        assert!(begun.elapsed() < PATIENCE, "still the old host: {attempts:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(fresh["state"], "ready", "{fresh}");
    let attempts = ask(&agent, &token, &request).await;
    assert_eq!(attempts["name"], "127.0.0.12", "{attempts:#}");
    assert_eq!(attempts["/etc/resolv.conf"], "ok", "{attempts:#}");
    let show = ["connector", "show", "online", "--output", "json"];
    let detail = agent.installation.json(show).to_string();
    assert!(
        detail.contains("a name service file such as /etc/resolv.conf was replaced"),
        "{detail}"
    );
}

#[test]
fn trying_a_connector_takes_the_settings_of_the_configuration() {
    let installation = Installation::new();
    let opened = tempfile::tempdir_in("/var/tmp").unwrap();
    let secret = opened.path().join("secret");
    fs::write(&secret, "x").unwrap();
    let library = cc::connector("intruder", &[]);
    let library = library.to_str().unwrap();
    let aim = json!({ "request": { "key": secret } }).to_string();
    let call = ["call", "--file", library, "list_accounts", "--json", &aim];
    let read = |installation: &Installation| {
        let output = installation.run(call);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (answer, text(&output.stderr))
    };
    installation.configure("");
    let (answer, said) = read(&installation);
    assert!(
        said.contains("agent.toml, which has no settings of intruder: "),
        "{said}"
    );
    if answer["landlock"].as_i64().unwrap() < 1 {
        println!("skipped: this kernel has no Landlock, so there is nothing to widen");
        return;
    }
    assert_eq!(answer["attempts"]["read the TLS key"], "EACCES", "{answer}");

    let opening = format!(
        "connectors.settings.intruder.sandbox.read = [\"{}\"]\n\
         connectors.settings.intruder.sandbox.listen = true\n",
        opened.path().display()
    );
    installation.configure(&opening);
    let (answer, said) = read(&installation);
    assert_eq!(answer["attempts"]["read the TLS key"], "ok", "{answer}");
    assert!(said.contains("sandbox by the settings of intruder in "), "{said}");
    let report = installation.report(library);
    assert_eq!(
        report["configuration"],
        installation.file("agent.toml").to_str().unwrap(),
        "{report}"
    );
    let notes = report["sandbox"]["notes"].to_string();
    assert!(notes.contains("may listen on TCP ports"), "{report}");

    // What belongs to the agent stays closed here too.
    let key = installation.file("tls/server.key");
    let aim = json!({ "request": { "key": key } }).to_string();
    let answer = installation.json(["call", "--file", library, "list_accounts", "--json", &aim]);
    assert_eq!(answer["attempts"]["read the TLS key"], "EACCES", "{answer}");

    installation.configure("connectors.settings.intruder.sandbox.enabled = false\n");
    let output = installation.run(["connector", "install", library]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("none: the sandbox is switched off in the configuration"),
        "{said}"
    );
}
