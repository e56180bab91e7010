//! The agent's HTTP: the dispatch listener that Lumos calls, and the admin listener for people and monitoring.
//!
//! ```text
//! accept ─▶ TLS ─▶ connection ─▶ frame ─▶ route ─▶ scope ─▶ body ─▶ peek ─▶ connector ─▶ answer
//! listener        connection     frame    dispatch           body    peek    backend      gzip
//!                                 │ request id, draining, credential, log line, Server-Timing
//! ```
//!
//! Everything up to `body` looks at headers alone: who has no credential, or not the scope, gets his answer before a byte of
//! his body is read. Every error is an [`envelope`].
#![forbid(unsafe_code)]

pub(crate) mod admin;
pub(crate) mod backend;
mod body;
mod callers;
pub(crate) mod connection;
pub(crate) mod dispatch;
pub(crate) mod envelope;
mod frame;
mod gzip;
pub(crate) mod headers;
mod invoke;
pub(crate) mod listener;
mod openapi;
pub(crate) mod peek;
mod refusal;
pub(crate) mod strict;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::test_config;
