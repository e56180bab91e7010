//! The whole daemon on free ports, without connectors.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::http::test_config;

struct Running {
    dir: tempfile::TempDir,
    _config: watch::Sender<Arc<Config>>,
    receiver: watch::Receiver<Arc<Config>>,
}

fn prepared(change: impl FnOnce(&mut Config)) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let mut config = test_config(dir.path());
    fs::create_dir(&config.connectors.directory).unwrap();
    change(&mut config);
    let (sender, receiver) = watch::channel(Arc::new(config));
    Running {
        dir,
        _config: sender,
        receiver,
    }
}

fn dev() -> Options {
    Options {
        mode: Mode::Dev { token: None },
        ..Options::default()
    }
}

async fn get(base: &str, path: &str) -> (u16, String) {
    let host = base.trim_start_matches("http://").trim_end_matches("/connectors");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn serves_until_it_is_told_to_stop() {
    let running = prepared(|_| {});
    let app = App::build(running.receiver.clone(), dev()).await.unwrap();
    let (dispatch, admin) = (app.dispatch_url().to_owned(), app.admin_url().unwrap().to_owned());

    let second = App::build(running.receiver.clone(), dev()).await.err().unwrap();
    assert!(matches!(second, BuildError::AlreadyRunning { .. }), "{second}");

    let (shutdown, force) = (CancellationToken::new(), CancellationToken::new());
    let client = async {
        while get(&admin, "/readyz").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(get(&dispatch, "/connectors").await, (200, "[]".to_owned()));
        let info: Value = serde_json::from_str(&get(&admin, "/info").await.1).unwrap();
        assert_eq!(info["connected"], Value::Bool(true));
        shutdown.cancel();
    };
    tokio::join!(app.run(shutdown.clone(), force), client);
    // Everything was given back: the next agent may start.
    drop(App::build(running.receiver.clone(), dev()).await.unwrap());
    drop(running.dir);
}

#[tokio::test]
async fn takes_no_port_that_is_taken_and_leaves_the_machine_only_with_tls() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let running = prepared(|config| config.dispatch.listen = address);
    let error = App::build(running.receiver.clone(), dev()).await.err().unwrap();
    assert!(error.is_configuration());
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on dispatch.listen = {address}: another program listens there; stop it, or choose another port"
        )
    );

    let running = prepared(|config| config.dispatch.listen = "0.0.0.0:0".parse().unwrap());
    let error = App::build(running.receiver.clone(), dev()).await.err().unwrap();
    assert!(matches!(error, BuildError::NotLoopback(_)), "{error}");

    let error = App::build(running.receiver.clone(), Options::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, BuildError::Tls(_)), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn state_that_others_may_change_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let running = prepared(|_| {});
    let state_dir = running.receiver.borrow().agent.state_dir.clone();
    fs::create_dir(&state_dir).unwrap();
    fs::set_permissions(&state_dir, fs::Permissions::from_mode(0o777)).unwrap();
    let error = App::build(running.receiver.clone(), dev()).await.err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "others may write it (mode 777); close it with `chmod 700`"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_control_socket_is_private_and_tells_the_status() {
    use std::os::unix::fs::PermissionsExt;
    let running = prepared(|_| {});
    let state_dir = running.receiver.borrow().agent.state_dir.clone();
    fs::create_dir(&state_dir).unwrap();
    // What an agent that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(control::endpoint(&state_dir)).unwrap());
    let app = App::build(running.receiver.clone(), dev()).await.unwrap();
    let mode = fs::metadata(control::endpoint(&state_dir))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let shutdown = CancellationToken::new();
    let client = async {
        // The same user without the secret, as a connector's host would be, may neither ask nor call.
        for path in ["/control/status", "/connectors"] {
            let mut stream = tokio::net::UnixStream::connect(control::endpoint(&state_dir))
                .await
                .unwrap();
            let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(ask.as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert!(text.starts_with("HTTP/1.1 401 "), "{path}: {text}");
        }
        let reply = control::client::Client::local(&state_dir)
            .get("/control/status")
            .await
            .unwrap();
        let status: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(status["state"], "running");
        assert_eq!(status["pid"], std::process::id());
        shutdown.cancel();
    };
    tokio::join!(app.run(shutdown.clone(), CancellationToken::new()), client);
    assert!(!control::endpoint(&state_dir).exists());
}
