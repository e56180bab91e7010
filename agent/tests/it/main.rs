//! Tests of the built binary, from the outside.

mod cli;
mod config_errors;
mod support;
