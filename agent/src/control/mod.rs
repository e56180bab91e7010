//! The control socket: local commands and the running agent, without a token. Whoever may connect is root, or owns the
//! installation: the operating system vouches for the user, and a secret that only they can read tells them from a
//! connector's host, which runs as the same user.
#![forbid(unsafe_code)]

pub mod client;
mod cookie;
mod routes;
mod server;

pub use routes::Reload;
pub(crate) use routes::{Control, router};
pub(crate) use server::ControlServer;
pub use server::endpoint;
