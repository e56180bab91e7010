//! The listeners' behaviour over a scripted set of connectors: routes through `oneshot`, connections over loopback.

mod admin;
mod connections;
mod fake;
mod routes;

pub(crate) use fake::config as test_config;
