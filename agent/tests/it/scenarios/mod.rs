//! The product from outside: the real binary, over real TLS, with real libraries in its directory.

mod access;
mod calls;
mod client_certs;
mod credentials;
mod fairness;
mod files;
mod in_process;
mod listings;
mod requests;
mod trust;
