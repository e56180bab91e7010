//! What a connector built with the SDK does, seen from outside: by its host, and by its callers.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod abi;
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
