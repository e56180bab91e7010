//! The C ABI of a Lumos connector as Rust types, member for member what `include/lumos_connector.h` declares.
//!
//! The header is the source of truth and carries the documentation of every rule (ownership, threads, lifetime); this
//! crate exists so that the agent and the Rust SDK cannot disagree with it. The layout is asserted at compile time here
//! and in the header. The crate has no dependencies and does nothing: it names things, and converts [`Bytes`].
#![allow(unsafe_code)]

mod bytes;
mod table;

pub use bytes::{Bytes, Utf8Error};
pub use table::{
    ABI_MAJOR, ABI_MINOR, CancelReason, ConnectorTable, ENTRY_SYMBOL, EntryFn, HostTable, Instance, LogLevel,
    MAGIC, NO_TIMEOUT, Request, Status,
};
