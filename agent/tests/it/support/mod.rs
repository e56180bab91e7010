//! What several tests need.

pub mod cc;
