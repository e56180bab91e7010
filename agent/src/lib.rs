//! The lumos-agent daemon as a library; `main.rs` only wires it. ARCHITECTURE.md is the map.

pub mod call;
pub mod config;
pub mod connectors;
pub mod domain;
pub mod hosting;
pub mod os;
pub mod telemetry;
