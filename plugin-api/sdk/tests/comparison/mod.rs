//! Two answers to the same call beside each other, and where they are meant to differ. The tests of connectors use it too.

mod compare;
mod differences;
mod oracle;

pub(crate) use compare::{compare, compare_with_order};
pub(crate) use differences::Differences;
pub(crate) use oracle::{Oracle, python};
