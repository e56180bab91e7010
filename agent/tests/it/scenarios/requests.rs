//! Bytes that are no proper request, or that two readers could take for different ones: refused before they do anything,
//! with an envelope, and nothing after them on the same connection counts.

use serde_json::json;

use crate::support::agent::Agent;
use crate::support::http2::{self, Connection, frame, literals};
use crate::support::raw::{exchange, host};
use crate::support::scenario::serving;

const LIST: &str = "/connectors/scenario/list_accounts";

/// What an attacker hopes is read as a request of its own.
fn smuggled(token: &str) -> String {
    format!("GET /connectors HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// A request with these lines between its first and the body, `{}` unless they say otherwise.
fn request(first: &str, token: &str, lines: &str) -> String {
    format!(
        "{first}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{lines}\r\n{{\"request\": {{}}}}"
    )
}

const LENGTH: &str = "Content-Length: 15\r\n";

async fn refused(agent: &Agent, case: &str, bytes: &str, status: u16) {
    let answers = exchange(agent, bytes.as_bytes()).await;
    assert_eq!(
        (answers.status(), answers.count()),
        (status, 1),
        "{case}: {}",
        answers.text
    );
    assert!(
        answers.text.contains("\r\nconnection: close\r\n"),
        "{case}: {}",
        answers.text
    );
    for header in ["x-request-id", "server-timing", "content-type: application/json"] {
        assert!(
            answers.text.contains(&format!("\r\n{header}")),
            "{case}: {}",
            answers.text
        );
    }
    let body = answers.body();
    assert_eq!(body["is_error"], true, "{case}");
    assert_eq!(body["error"]["error_code"], "bad_request", "{case}");
    assert_eq!(body["error"]["raised_by"], "lumos-agent", "{case}");
}

/// Behind the first line of a call: what is wrong, and the lines that are.
fn wrong_lines() -> impl Iterator<Item = (&'static str, String)> {
    let h = "Host: localhost\r\n";
    let other = [
        ("no host", LENGTH.to_owned()),
        ("an empty host", format!("Host:\r\n{LENGTH}")),
        ("a host with a user", format!("Host: a@localhost\r\n{LENGTH}")),
    ];
    let besides_a_host = [
        ("two hosts", "Host: localhost\r\nContent-Length: 15\r\n"),
        ("a continued line", "Content-Length: 15\r\nX-A: b\r\n c\r\n"),
        ("a CR alone", "Content-Length: 15\r\nX-A: b\rX-B: c\r\n"),
        ("a NUL", "Content-Length: 15\r\nX-A: b\0c\r\n"),
        ("a space before the colon", "Content-Length : 15\r\n"),
        ("two lengths", "Content-Length: 15\r\nContent-Length: 16\r\n"),
        ("a list of lengths", "Content-Length: 15, 15\r\n"),
        ("a length with a sign", "Content-Length: +15\r\n"),
        ("another coding", "Transfer-Encoding: gzip, chunked\r\n"),
        ("a coding that hides", "Transfer-Encoding: xchunked\r\n"),
        (
            "a coding twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ),
    ];
    let besides_a_host = besides_a_host.map(|(case, lines)| (case, format!("{h}{lines}")));
    other.into_iter().chain(besides_a_host)
}

/// What is wrong, and the first line, before lines that are well.
fn wrong_first_lines() -> [(&'static str, String); 6] {
    [
        (
            "another host in the target",
            format!("POST https://elsewhere{LIST} HTTP/1.1"),
        ),
        ("an asterisk", "POST * HTTP/1.1".to_owned()),
        ("a tunnel", "CONNECT localhost:443 HTTP/1.1".to_owned()),
        ("another version", format!("POST {LIST} HTTP/3.0")),
        ("HTTP/2 without ALPN", "PRI * HTTP/2.0".to_owned()),
        ("a space in the target", format!("POST {LIST} x HTTP/1.1")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_head_is_refused() {
    let (agent, token) = serving("");
    let post = format!("POST {LIST} HTTP/1.1");
    let well = format!("Host: localhost\r\n{LENGTH}");
    let coding = "Host: localhost\r\nTransfer-Encoding: chunked\r\n".to_owned();
    let lines = wrong_lines().map(|(case, lines)| (case, post.clone(), lines));
    let first = wrong_first_lines().map(|(case, first)| (case, first, well.clone()));
    let old = ("a coding of HTTP/1.0", format!("POST {LIST} HTTP/1.0"), coding);
    for (case, first, lines) in lines.chain(first).chain([old]) {
        let bytes = request(&first, &token, &lines) + &smuggled(&token);
        refused(&agent, case, &bytes, 400).await;
    }
    refused(&agent, "no HTTP at all", "\u{16}\u{3}\u{1}\r\n\r\n", 400).await;
    let long = format!("POST {LIST}?{} HTTP/1.1", "a".repeat(9000));
    refused(&agent, "a long target", &request(&long, &token, &well), 414).await;
    let large = format!("{well}X-A: {}\r\n", "a".repeat(40 << 10));
    refused(&agent, "large headers", &request(&post, &token, &large), 431).await;
    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_a_body_of_unclear_length() {
    let (agent, token) = serving("");
    let (length, coding) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
    for lines in [format!("{length}{coding}"), format!("{coding}{length}")] {
        let head = format!(
            "POST {LIST} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{lines}\r\n"
        );
        // By the length, the body ends before the second request; by the coding, that is true as well. Only one may count.
        let answers = exchange(&agent, format!("{head}0\r\n\r\n{}", smuggled(&token)).as_bytes()).await;
        assert_eq!((answers.status(), answers.count()), (400, 1), "{}", answers.text);
        // Read by its coding, which is what RFC 9112 section 6.3 says.
        let body = "f\r\n{\"request\": {}}\r\n0\r\n\r\n";
        let answers = exchange(&agent, format!("{head}{body}{}", smuggled(&token)).as_bytes()).await;
        assert_eq!((answers.status(), answers.count()), (200, 1), "{}", answers.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_allow_is_served() {
    let (agent, token) = serving("");
    let end = "Connection: close\r\n";
    let own = host(&agent).to_owned();
    for (first, lines) in [
        (
            format!("POST https://{own}{LIST} HTTP/1.1"),
            format!("Host: {own}\r\n"),
        ),
        (format!("POST {LIST} HTTP/1.0"), String::new()),
        // An LF alone ends a line: RFC 9112 section 2.2 lets a recipient take it so.
        (
            format!("POST {LIST} HTTP/1.1"),
            "Host: localhost\nX-Request-Id: seen-1\n".to_owned(),
        ),
    ] {
        let bytes = request(&first, &token, &format!("{lines}{LENGTH}{end}"));
        let answers = exchange(&agent, bytes.as_bytes()).await;
        assert_eq!(answers.status(), 200, "{first}: {}", answers.text);
        if lines.contains("seen-1") {
            assert!(
                answers.text.contains("x-request-id: seen-1\r\n"),
                "{}",
                answers.text
            );
        }
    }
    let good = request(
        &format!("POST {LIST} HTTP/1.1"),
        &token,
        &format!("Host: localhost\r\n{LENGTH}"),
    );
    let answers = exchange(&agent, format!("{good}rubbish\r\n\r\n").as_bytes()).await;
    assert_eq!((answers.status(), answers.count()), (200, 2), "{}", answers.text);
    let (_, refused) = answers.text.rsplit_once("\r\n\r\n").unwrap();
    assert!(
        refused.contains("\"error_code\":\"bad_request\""),
        "{}",
        answers.text
    );
    let log = agent.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("request_id")).collect();
    assert!(!lines.is_empty(), "{log}");
    for line in lines {
        assert!(
            !line.contains("=\"\"") && !line.contains("= ") && !line.ends_with('='),
            "{line}"
        );
    }
}

fn head(path: &str, token: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![
        (":method", "GET"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
        ("authorization", &bearer),
    ];
    headers.extend(more);
    literals(&headers)
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_streams_are_refused() {
    let (agent, token) = serving("");
    let flags = http2::END_STREAM | http2::END_HEADERS;
    let get = |stream, more: &[(&str, &str)]| {
        frame(http2::HEADERS, flags, stream, &head("/connectors", &token, more))
    };
    let mut connection = Connection::open(&agent).await;
    connection.send(&get(1, &[("host", "elsewhere")])).await;
    let data = connection.next_of(&[http2::DATA, http2::RST_STREAM]).await;
    assert_eq!((data.kind, data.stream), (http2::DATA, 1));
    let body: serde_json::Value = serde_json::from_slice(&data.payload).unwrap();
    assert_eq!(body["error"]["error_code"], "bad_request");

    let forbidden = [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("keep-alive", "1"),
        ("te", "gzip"),
    ];
    for (stream, header) in (3..).step_by(2).zip(forbidden) {
        connection.send(&get(stream, &[header])).await;
        let reset = connection.next_of(&[http2::RST_STREAM, http2::HEADERS]).await;
        assert_eq!(
            (reset.kind, reset.stream),
            (http2::RST_STREAM, stream),
            "{header:?}"
        );
        assert_eq!(reset.error(), http2::PROTOCOL_ERROR);
    }
    // The connection is still good.
    connection.send(&get(101, &[("host", "localhost")])).await;
    let data = connection.next_of(&[http2::DATA, http2::RST_STREAM]).await;
    assert_eq!((data.kind, data.stream), (http2::DATA, 101));
    assert!(
        serde_json::from_slice::<serde_json::Value>(&data.payload)
            .unwrap()
            .is_array()
    );
}

/// A caller that still sends its body may take a reset for a failure, although the answer is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_answered_after_its_body_and_not_reset() {
    let (agent, token) = serving("");
    let mut connection = Connection::open(&agent).await;
    let path = "/connectors/list-connector-app-ids";
    for (stream, token) in [(1, &*token), (3, "wrong")] {
        let mut head = vec![(":method", "POST"), (":scheme", "https"), (":path", path)];
        let bearer = format!("Bearer {token}");
        head.extend([(":authority", "localhost"), ("authorization", &*bearer)]);
        let head = frame(http2::HEADERS, http2::END_HEADERS, stream, &literals(&head));
        connection.send(&head).await;
        // The agent has seen the head when it answers this.
        connection.send(&frame(http2::PING, 0, 0, &[0; 8])).await;
        let before = connection.next_of(&[http2::PING, http2::HEADERS]).await;
        assert_eq!(before.kind, http2::PING, "answered before its body came");
        connection
            .send(&frame(http2::DATA, http2::END_STREAM, stream, b"{}"))
            .await;
        let answer = connection.next_of(&[http2::HEADERS, http2::RST_STREAM]).await;
        assert_eq!((answer.kind, answer.stream), (http2::HEADERS, stream));
    }
    // Neither is reset later.
    let flags = http2::END_STREAM | http2::END_HEADERS;
    let get = frame(http2::HEADERS, flags, 5, &head("/connectors", &token, &[]));
    connection.send(&get).await;
    loop {
        let next = connection.next_of(&[http2::DATA, http2::RST_STREAM]).await;
        assert_eq!(next.kind, http2::DATA, "stream {} was reset", next.stream);
        if next.stream == 5 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_end_their_own_connection() {
    let (agent, token) = serving("");
    let get = head("/connectors", &token, &[]);

    let mut connection = Connection::open(&agent).await;
    let mut flood = frame(http2::HEADERS, http2::END_STREAM, 1, &get);
    for n in 0..2000 {
        let filler = literals(&[("x-filler", &n.to_string())]);
        flood.extend(frame(http2::CONTINUATION, 0, 1, &filler));
    }
    connection.send(&flood).await;
    let end = connection.next_of(&[http2::GOAWAY]).await;
    assert_eq!(end.error(), http2::ENHANCE_YOUR_CALM);

    let mut connection = Connection::open(&agent).await;
    let mut flood = Vec::new();
    for stream in (1..2000).step_by(2) {
        flood.extend(frame(http2::HEADERS, http2::END_HEADERS, stream, &get));
        flood.extend(frame(http2::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    connection.send(&flood).await;
    let end = connection.next_of(&[http2::GOAWAY]).await;
    assert_eq!(end.error(), http2::ENHANCE_YOUR_CALM);

    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
}
