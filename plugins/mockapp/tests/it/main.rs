//! The connector against the mock app: recorded answers of the reference, and its own behaviour.

mod errors;
mod exported;
mod golden;
mod misbehaving;
mod reads;
mod support;
mod writes;
