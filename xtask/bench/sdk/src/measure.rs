//! What the SDK itself takes of a call, beside the reference SDK: the tutorial's connector in both, a page of 1,000 accounts.
//!
//! The app gives the same bytes to everybody, at once. What a bare client takes to fetch them is the app's and the network's
//! time; the rest of a call is the SDK's. Everything is measured in turn, so that whatever else the machine does hits all
//! alike; a ratio is made within each round, and the middle one of all rounds is told.

use std::io::{BufRead, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use lumos_connector_sdk::{CallOptions, Connector};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::table::{Table, count, median};

const ACCOUNTS: u32 = 1_000;
const CAPABILITY: &str = "list_accounts";

/// How often everything is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) calls: usize,
}

/// The medians of one round, in seconds.
struct Round {
    bare: f64,
    ours: f64,
    shared: f64,
    as_it_is: f64,
}

/// Needs the reference's Python and the directory that has its connector.
pub(crate) fn all(python: &Path, connectors: &Path, script: &Path, effort: Effort) -> anyhow::Result<()> {
    let app = App::start()?;
    let start = |how| Reference::start(python, script, connectors, how);
    let (shared, as_it_is) = (start("shared-tls")?, start("as-it-is")?);
    // One worker besides this thread, as a connector's host has for a lone call.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start")?;
    let rounds = runtime.block_on(rounds(&app, shared, as_it_is, effort))?;
    tell(&rounds);
    Ok(())
}

async fn rounds(
    app: &App,
    mut shared: Reference,
    mut as_it_is: Reference,
    effort: Effort,
) -> anyhow::Result<Vec<Round>> {
    let body = json!({
        "auth": {"token": {"token": mockapp_server::VALID_TOKEN}},
        "request": {},
        "page": {"size": ACCOUNTS},
        "settings": {"api_url": format!("http://{}", app.address)},
    })
    .to_string();
    let connector = mockapp::integration()
        .build()
        .context("the connector is unsound")?;
    let mut bare = Bare::connect(app.address).await?;

    let (_, answer) = ours(&connector, &body, 1).await?;
    ensure!(
        answer["response"].as_array().map(Vec::len) == Some(ACCOUNTS as usize),
        "not the page that was asked for: {answer:.200}"
    );
    for reference in [&mut shared, &mut as_it_is] {
        let (_, theirs) = reference.calls(&body, 1)?;
        ensure!(theirs == answer, "the two connectors give different answers");
    }
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        rounds.push(Round {
            bare: bare.fetch(effort.calls).await?,
            ours: ours(&connector, &body, effort.calls).await?.0,
            shared: shared.calls(&body, effort.calls)?.0,
            as_it_is: as_it_is.calls(&body, effort.calls.div_ceil(4))?.0,
        });
    }
    shared.end()?;
    as_it_is.end()?;
    Ok(rounds)
}

type Of = fn(&Round) -> f64;

fn tell(rounds: &[Round]) {
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    let micros = |of: &dyn Fn(&Round) -> f64| format!("{} µs", count(middle(of) * 1e6));
    let mut table = Table::new(
        ["", "whole call", "of it the SDK's", "÷ ours"]
            .map(str::to_owned)
            .to_vec(),
    );
    let bare = micros(&|round| round.bare);
    table.row(vec!["a bare client".into(), bare, "".into(), "".into()]);
    let sides: [(&str, Of); 3] = [
        ("this SDK", |round| round.ours),
        ("connector-py, one TLS context for all calls", |round| {
            round.shared
        }),
        ("connector-py as it is", |round| round.as_it_is),
    ];
    for (name, of) in sides {
        let own = |round: &Round| of(round) - round.bare;
        table.row(vec![
            name.into(),
            micros(&of),
            micros(&own),
            format!("{:.1}", middle(&|round| own(round) / (round.ours - round.bare))),
        ]);
    }
    println!(
        "\nA page of {} accounts through the tutorial's connector, at the median.",
        count(f64::from(ACCOUNTS))
    );
    table.print();
}

/// The median time of so many calls, and the last answer.
async fn ours(connector: &Connector, body: &str, calls: usize) -> anyhow::Result<(f64, Value)> {
    let mut took = Vec::new();
    let mut answer = Vec::new();
    for _ in 0..calls {
        let begun = Instant::now();
        answer = connector
            .call(CAPABILITY, body.as_bytes(), CallOptions::default())
            .await;
        took.push(begun.elapsed().as_secs_f64());
    }
    let answer = serde_json::from_slice(&answer).context("our answer is not JSON")?;
    Ok((median(took), answer))
}

/// The reference SDK in an interpreter that stays.
struct Reference {
    process: Child,
    input: ChildStdin,
    output: std::io::Lines<std::io::BufReader<ChildStdout>>,
}

impl Reference {
    fn start(python: &Path, script: &Path, connectors: &Path, how: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(python);
        command.arg("-B").arg(script).arg(connectors).arg(how);
        command.env("NO_PROXY", "127.0.0.1");
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let input = process.stdin.take().context("no way to ask it")?;
        let output = process.stdout.take().context("no way to hear it")?;
        Ok(Self {
            process,
            input,
            output: std::io::BufReader::new(output).lines(),
        })
    }

    fn calls(&mut self, body: &str, calls: usize) -> anyhow::Result<(f64, Value)> {
        let question = json!({"capability": CAPABILITY, "body": body, "times": calls});
        writeln!(self.input, "{question}").context("the reference does not listen")?;
        let line = self.output.next().context("the reference has ended")??;
        let mut told: Value = serde_json::from_str(&line).context("the reference does not answer in JSON")?;
        let seconds = told["seconds"].as_array().context("no times")?;
        let seconds = seconds.iter().filter_map(Value::as_f64).collect();
        Ok((median(seconds), told["answer"].take()))
    }

    fn end(mut self) -> anyhow::Result<()> {
        drop(self.input);
        self.process.wait()?;
        Ok(())
    }
}

/// An app that has its answer ready, and gives it to any request, on a thread of its own.
struct App {
    address: SocketAddr,
}

impl App {
    fn start() -> anyhow::Result<Self> {
        let answer = page()?;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        let answer: Arc<[u8]> = [head.as_bytes(), &answer].concat().into();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no port")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // It ends with the program.
        std::thread::spawn(move || runtime.block_on(accept(listener, answer)));
        Ok(Self { address })
    }
}

async fn accept(listener: std::net::TcpListener, answer: Arc<[u8]>) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, answer.clone()));
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<[u8]>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    loop {
        // None of the requests has a body.
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        head.clear();
        stream.write_all(&answer).await?;
    }
}

/// The mock app's page of all accounts.
fn page() -> anyhow::Result<Vec<u8>> {
    let options = mockapp_server::Options {
        users: ACCOUNTS,
        ..mockapp_server::Options::default()
    };
    let app = mockapp_server::Server::spawn(options).context("cannot start the mock app")?;
    let mut stream = std::net::TcpStream::connect(app.address())?;
    let head = format!(
        "GET /api/users?limit={ACCOUNTS} HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n",
        mockapp_server::VALID_TOKEN
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    Ok(answer.split_off(end.context("the mock app's answer has no head")? + 4))
}

/// The smallest client, on a connection that is kept.
struct Bare {
    stream: TcpStream,
    length: usize,
}

impl Bare {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(Self::request().as_bytes()).await?;
        let mut head = BufReader::new(&mut stream);
        let mut length = 0;
        let mut line = String::new();
        let mut read = 0;
        while line != "\r\n" {
            line.clear();
            read += head.read_line(&mut line).await?;
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().context("no length")?;
            }
        }
        let mut rest = vec![0; length];
        head.read_exact(&mut rest).await?;
        Ok(Self {
            stream,
            length: read + length,
        })
    }

    fn request() -> String {
        format!(
            "GET /api/users?limit={ACCOUNTS} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\r\n",
            mockapp_server::VALID_TOKEN
        )
    }

    /// The median time of so many requests.
    async fn fetch(&mut self, times: usize) -> anyhow::Result<f64> {
        let mut answer = vec![0; self.length];
        let mut took = Vec::new();
        for _ in 0..times {
            let begun = Instant::now();
            self.stream.write_all(Self::request().as_bytes()).await?;
            self.stream.read_exact(&mut answer).await?;
            took.push(begun.elapsed().as_secs_f64());
        }
        Ok(median(took))
    }
}
