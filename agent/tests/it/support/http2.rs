//! Frames of HTTP/2 (RFC 9113 section 4), made and read one by one.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::agent::{Agent, PATIENCE};
use super::raw;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error that a RST_STREAM or GOAWAY tells.
    pub(crate) fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![len[1], len[2], len[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Headers as literals, never indexed and not compressed (RFC 7541 section 6.2.3).
pub(crate) fn literals(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(0x10);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).ok().filter(|len| *len < 127).unwrap());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// A connection past its preface.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(agent: &Agent) -> Self {
        let mut stream = raw::connect(agent, b"h2").await;
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        stream.write_all(&bytes).await.unwrap();
        Connection {
            stream,
            read: Vec::new(),
        }
    }

    /// The other end may have had enough before all is written.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// Reads until a frame of one of these kinds comes.
    pub(crate) async fn next_of(&mut self, kinds: &[u8]) -> Frame {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.next())
                .await
                .expect("a frame comes");
            if kinds.contains(&frame.kind) {
                return frame;
            }
        }
    }

    async fn next(&mut self) -> Frame {
        loop {
            if let Some(head) = self.read.first_chunk::<9>() {
                let end = 9 + u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                let kind = head[3];
                if self.read.len() >= end {
                    let payload = self.read.drain(..end).skip(9).collect();
                    return Frame {
                        kind,
                        stream,
                        payload,
                    };
                }
            }
            let mut part = [0; 4096];
            let n = self.stream.read(&mut part).await.unwrap();
            assert!(n > 0, "the connection ended without a word");
            self.read.extend(&part[..n]);
        }
    }
}
