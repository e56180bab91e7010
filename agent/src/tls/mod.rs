//! TLS of the dispatch listener, and the certificates of a private installation. The listener's part loads certificate and key, and takes them up anew when the files change.
//!
//! ```text
//! files change ──▶ stamps differ ──▶ same stamps at the next look ──▶ load ──ok──▶ new handshakes use it
//!                                                                      └─ bad ──▶ the old pair stays, the problem is told
//! ```
//!
//! A connection keeps what its handshake got, so a replaced certificate interrupts nobody.
#![forbid(unsafe_code)]

pub mod describe;
pub mod issue;
mod load;
mod reload;

pub use load::{CertificateInfo, TlsError, check};
pub(crate) use reload::ServerTls;
