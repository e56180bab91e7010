//! TLS of the dispatch listener: loads certificate and key, and takes them up anew when the files change.
//!
//! ```text
//! files change ──▶ stamps differ ──▶ same stamps at the next look ──▶ load ──ok──▶ new handshakes use it
//!                                                                      └─ bad ──▶ the old pair stays, the problem is told
//! ```
//!
//! A connection keeps what its handshake got, so a replaced certificate interrupts nobody.
#![forbid(unsafe_code)]

mod load;
mod reload;

pub use load::{CertificateInfo, TlsError, check};
pub(crate) use reload::ServerTls;
