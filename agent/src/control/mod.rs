//! The control socket: local commands and the running agent, without a token. Whoever may connect is root, or owns the
//! installation; the operating system vouches for it. A cookie keeps connectors out, which run under the same user.
#![forbid(unsafe_code)]

pub mod client;
mod cookie;
mod routes;
mod server;

pub use routes::Reload;
pub(crate) use routes::{Control, router};
pub(crate) use server::ControlServer;
pub use server::endpoint;
