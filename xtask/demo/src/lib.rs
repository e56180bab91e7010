//! Throw-away installations of the agent, for the demo and the benchmarks: made with its own command line, run on free
//! loopback ports, filled by copying files.
#![forbid(unsafe_code)]

pub mod installation;
pub mod program;
