//! What a connector built with the SDK does, seen from outside: by its host, and by its callers.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod abi;
mod arbitrary_endpoint;
#[allow(unused, reason = "some of it is for the tests of connectors alone")]
#[path = "../comparison/mod.rs"]
mod comparison;
mod conformance;
mod connector;
mod declared;
mod http;
mod limits;
mod network;
mod oauth;
mod reference;
mod reference_oauth;
mod requests;
mod retries;
mod scripted;
mod secrets;
mod upstream;
