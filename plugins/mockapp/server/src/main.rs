//! `mockapp-server`: runs the mock app until it is told to end.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use mockapp_server::{Options, State, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves the tutorial's mock app: users, resources and entitlements in memory. Its API is described at /docs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Number of users to start with
    #[arg(long, default_value_t = 1000)]
    users: u32,
    /// Wait before every answer that needs a token, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    delay_ms: u64,
    /// End when standard input is closed
    #[arg(long)]
    exit_with_stdin: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; choose another --listen address",
            arguments.listen
        )
    })?;
    let shutdown = CancellationToken::new();
    stop_on_signal(&shutdown)?;
    if arguments.exit_with_stdin {
        stop_on_end_of_stdin(shutdown.clone())?;
    }
    announce(listener.local_addr()?)?;
    let options = Options {
        users: arguments.users,
        delay: Duration::from_millis(arguments.delay_ms),
    };
    serve(listener, State::new(options), shutdown)
        .await
        .context("the listener failed")
}

/// The one line on standard output, for whoever started the app and needs to know its port.
fn announce(address: SocketAddr) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")
        .and_then(|()| out.flush())
        .context("cannot write to stdout")
}

fn stop_on_signal(shutdown: &CancellationToken) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let shutdown = shutdown.clone();
        let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        tokio::spawn(async move {
            terminate.recv().await;
            shutdown.cancel();
        });
    }
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            shutdown.cancel();
        }
    });
    Ok(())
}

/// A thread, because a read of standard input cannot be abandoned: a runtime would wait for it at its end.
fn stop_on_end_of_stdin(shutdown: CancellationToken) -> anyhow::Result<()> {
    let wait = move || {
        let mut ignored = [0; 1024];
        while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
        shutdown.cancel();
    };
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(wait)
        .context("cannot start a thread")?;
    Ok(())
}
