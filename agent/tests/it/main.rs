//! The integration tests of the agent.
#![expect(clippy::unwrap_used, reason = "tests")]

#[cfg(target_os = "linux")]
mod authoring;
mod cli;
#[cfg(target_os = "linux")]
mod conditions;
mod config_errors;
#[cfg(target_os = "linux")]
mod confined;
#[cfg(target_os = "linux")]
mod containment;
#[cfg(unix)]
mod doctor;
mod fuzz;
mod hosting;
#[cfg(target_os = "linux")]
mod impostor;
#[cfg(unix)]
mod intruder;
#[cfg(target_os = "linux")]
mod manual;
#[cfg(target_os = "linux")]
mod reload;
#[cfg(unix)]
mod running;
#[cfg(unix)]
mod scenarios;
#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod supervision;
mod support;
#[cfg(unix)]
mod support_bundle;
