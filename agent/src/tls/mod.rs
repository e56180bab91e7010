//! TLS of the dispatch listener, and the certificates of a private installation. The listener's part loads certificate and
//! key, and the authority and revocation lists of client certificates, and takes them up anew when the files change.
//!
//! ```text
//! files change ──▶ stamps differ ──▶ same stamps at the next look ──▶ load ──ok──▶ new handshakes use it
//!                                                                      └─ bad ──▶ the old pair stays, the problem is told
//! ```
//!
//! A connection keeps what its handshake got, so a replaced server certificate interrupts nobody. A client's certificate is
//! looked at again for every request ([`ClientCertificate::check`]): expiry, revocation and a new authority count at once.
#![forbid(unsafe_code)]

pub(crate) mod client;
pub mod describe;
pub mod issue;
pub mod issue_client;
mod load;
mod reload;
mod trust;

pub(crate) use client::ClientCertificate;
pub use load::{CertificateInfo, TlsError, check};
pub(crate) use reload::ServerTls;
pub(crate) use trust::check_clients;
