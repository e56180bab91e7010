//! TLS of the dispatch listener, and the certificates of a private installation.
#![forbid(unsafe_code)]

pub mod describe;
pub mod issue;
