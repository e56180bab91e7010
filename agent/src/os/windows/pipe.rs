//! The control pipe: who may open it, and whose it is.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};

use super::descriptor::Descriptor;
use super::security::{current_owner, current_user_is_privileged, owner_of_pipe};
use crate::os::Owner;

/// Makes an instance of the pipe `path`, which SYSTEM, the Administrators and this process's own account may open. The
/// `first` one fails if anybody else has made a pipe of that name before.
///
/// # Errors
/// Those of `CreateNamedPipe`.
pub(crate) fn create_control_pipe(path: &Path, first: bool) -> io::Result<NamedPipeServer> {
    let Owner::Sid(own) = current_owner() else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    // Whose the pipe is tells the other end that it is an agent's: an administrator's, or this very account's.
    let owner = if current_user_is_privileged() { "BA" } else { &own };
    let descriptor = Descriptor::of(&format!("O:{owner}D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;{own})"))?;
    let mut attributes = descriptor.attributes();
    let mut options = ServerOptions::new();
    options.first_pipe_instance(first).reject_remote_clients(true);
    // SAFETY: the attributes and their descriptor are valid and outlive the call.
    unsafe { options.create_with_security_attributes_raw(path, (&raw mut attributes).cast()) }
}

/// Opens the pipe `path`, if it is an agent's: anybody may make a pipe of that name while no agent runs.
///
/// # Errors
/// Those of `CreateFile`; `PermissionDenied` if it is somebody else's.
pub(crate) fn open_control_pipe(path: &Path) -> io::Result<NamedPipeClient> {
    // Whoever answers may find out who asks, but not act in his name: tokio's default.
    let pipe = ClientOptions::new().open(path)?;
    let owner = owner_of_pipe(pipe.as_raw_handle())?;
    if owner == current_owner() || owner.is_system() || owner.is_service() {
        return Ok(pipe);
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the pipe belongs to {owner}, who does not run the agent"),
    ))
}
