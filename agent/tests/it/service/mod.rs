//! The agent as a service of systemd.

mod command;
mod notify;
mod traffic;
mod unit;
mod upgrade;
