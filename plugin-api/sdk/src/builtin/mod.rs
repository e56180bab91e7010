//! The capabilities that every connector has without writing them: `info`, `app_info`, `probe_integration`.
#![forbid(unsafe_code)]

mod app_info;
mod info;
mod probe;

pub(crate) use app_info::app_info;
pub(crate) use info::info;
pub(crate) use probe::probe;
