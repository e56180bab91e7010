//! What the agent tells its service manager, by a socket in its place.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::agent::{Agent, Installation, PATIENCE};
use crate::support::connectors::drop_in;
use crate::support::scenario::{Scenario, build};

/// The other end of `NOTIFY_SOCKET`.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// Listens at `socket`; each message is told `on_message` before the next is taken.
    fn listen(socket: UnixDatagram, on_message: impl Fn(&str) + Send + 'static) -> Self {
        let heard = Heard::default();
        let all = heard.0.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
                on_message(&message);
                all.lock().unwrap().push(message);
            }
        });
        heard
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, statement: &str) -> usize {
        let says = |message: &String| message.lines().any(|line| line == statement);
        self.all().iter().filter(|message| says(message)).count()
    }

    #[track_caller]
    fn until(&self, what: &str, heard: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !heard(self) {
            assert!(begun.elapsed() < PATIENCE, "never heard {what}: {:?}", self.all());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The status code of `/readyz`, or 0.
fn readyz(port: u16) -> u16 {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return 0;
    };
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut text = String::new();
    if asked.is_err() || stream.read_to_string(&mut text).is_err() {
        return 0;
    }
    text.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn started(watchdog: &str, on_message: impl Fn(&str, u16, u16) + Send + 'static) -> (Agent, Heard, String) {
    let installation = Installation::new();
    installation.configure("");
    let token = installation.token("test", &["*:*"]);
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let path = installation.file("notify");
    let (dispatch, admin) = (free_port(), free_port());
    let socket = UnixDatagram::bind(&path).unwrap();
    let heard = Heard::listen(socket, move |message| on_message(message, dispatch, admin));
    let agent = installation.start_with(&[
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", watchdog),
        ("LUMOS_AGENT__DISPATCH__LISTEN", &format!("127.0.0.1:{dispatch}")),
        ("LUMOS_AGENT__ADMIN__LISTEN", &format!("127.0.0.1:{admin}")),
    ]);
    heard.until("READY", |heard| heard.count("READY=1") > 0);
    (agent, heard, token)
}

#[test]
fn it_is_ready_when_it_serves_and_no_sooner() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let looks = seen.clone();
    let (mut agent, heard, _) = started("60000000", move |message, dispatch, admin| {
        if message.contains("READY=1") {
            let accepts = TcpStream::connect(("127.0.0.1", dispatch)).is_ok();
            looks.lock().unwrap().push((readyz(admin), accepts));
        }
    });
    heard.until("the look", |_| !seen.lock().unwrap().is_empty());
    assert_eq!(seen.lock().unwrap()[0], (200, true));
    // The connector that was there is among what it was ready with.
    assert_eq!(agent.row("scenario").unwrap()["state"], "ready");
    heard.until("the status", |heard| {
        let all = heard.all().concat();
        all.contains("STATUS=serves https://") && all.contains("connectors ready: 1")
    });
    agent.installation.configure("log.level = \"DEBUG\"");
    let before = heard.count("READY=1");
    agent.signal(Signal::HUP);
    heard.until("READY after RELOADING", |heard| heard.count("READY=1") > before);
    let all = heard.all();
    let reloading = all
        .iter()
        .position(|message| message.contains("RELOADING=1"))
        .unwrap();
    let ready = all
        .iter()
        .rposition(|message| message.contains("READY=1"))
        .unwrap();
    assert!(reloading < ready, "{all:?}");
    assert!(all[reloading].contains("MONOTONIC_USEC="), "{:?}", all[reloading]);

    agent.installation.configure("nonsense = 1");
    let before = heard.count("READY=1");
    agent.signal(Signal::HUP);
    heard.until("READY after a bad file", |heard| heard.count("READY=1") > before);
    heard.until("what is wrong", |heard| {
        heard
            .all()
            .concat()
            .contains("STATUS=the last good configuration stays in force")
    });
    assert_eq!(heard.count("STOPPING=1"), 0);
    agent.eventually("no surprise", |agent| agent.row("scenario"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_drains_it_asks_for_time_until_it_is_gone() {
    let (mut agent, heard, token) = started("60000000", |_, _, _| {});
    let url = format!("{}/scenario/create_account", agent.base_url);
    let request = agent.client().post(url).bearer_auth(token);
    let call = tokio::spawn(request.json(&json!({"request": {"ms": 7000}})).send());
    agent.eventually("the call to begin", |agent| {
        agent.row("scenario").filter(|row| row["in_flight"] == 1)
    });
    agent.signal(Signal::TERM);
    heard.until("STOPPING", |heard| heard.count("STOPPING=1") == 1);
    assert_eq!(call.await.unwrap().unwrap().status().as_u16(), 200);
    let (code, _installation) = agent.ended();
    assert_eq!(code, Some(0));
    let all = heard.all();
    let stopping = all
        .iter()
        .position(|message| message.contains("STOPPING=1"))
        .unwrap();
    let asked = all[stopping..]
        .iter()
        .filter(|message| message.contains("EXTEND_TIMEOUT_USEC="))
        .count();
    assert!(asked >= 2, "{all:?}");
    assert!(!all[stopping..].concat().contains("READY=1"), "{all:?}");
}

#[test]
fn a_stuck_agent_is_silent() {
    let (agent, heard, _) = started("400000", |_, _, _| {});
    let pings = || heard.count("WATCHDOG=1");
    heard.until("pings", |heard| heard.count("WATCHDOG=1") > 2);
    agent.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(500));
    let before = pings();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(pings(), before);
    agent.signal(Signal::CONT);
    heard.until("pings again", |heard| heard.count("WATCHDOG=1") > before);
}

#[test]
fn sockets_that_cannot_be_served_on_are_refused() {
    let installation = Installation::new();
    installation.configure("");
    let run = |descriptor: std::os::fd::OwnedFd, names: &str| {
        let mut command = installation.activated(descriptor, names);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(64));
        String::from_utf8(output.stderr).unwrap()
    };
    let tcp = || std::os::fd::OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let said = run(tcp(), "lumos-agent.socket");
    assert!(
        said.contains("named `lumos-agent.socket`") && said.contains("FileDescriptorName"),
        "{said}"
    );
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let said = run(datagrams, "dispatch");
    assert!(
        said.contains("`dispatch` is not a listening TCP socket"),
        "{said}"
    );
    let unix = std::os::unix::net::UnixListener::bind(installation.file("x.sock"))
        .unwrap()
        .into();
    assert!(run(unix, "dispatch").contains("not a listening TCP socket"));
}
