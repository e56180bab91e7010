//! The service, as the system's manager of services sees it. Only for the configuration of the packaged installation: a
//! private one is run by hand.

#[cfg(any(windows, test))]
mod control_manager;
#[cfg(unix)]
mod systemd;

#[cfg(windows)]
pub(super) use control_manager::check;
#[cfg(windows)]
pub(crate) use control_manager::{Seen, told};
#[cfg(unix)]
pub(super) use systemd::check;
#[cfg(unix)]
pub(crate) use systemd::told;
