//! The lumos-agent daemon as a library; `main.rs` only wires it. ARCHITECTURE.md is the map.

pub mod app;
pub mod auth;
pub mod call;
pub mod cli;
pub mod conditions;
pub mod config;
pub mod connectors;
pub mod control;
pub mod domain;
mod durable;
mod envelope;
#[doc(hidden)]
pub mod fuzzing;
pub mod hosting;
pub mod http;
pub mod manager;
pub mod os;
mod signature;
mod stamp;
pub mod telemetry;
pub mod tls;
