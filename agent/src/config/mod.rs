//! Configuration: `agent.toml`, the environment and the flags become one [`Config`].
#![forbid(unsafe_code)]

pub mod model;

pub use model::Config;
