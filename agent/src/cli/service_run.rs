//! `run --service`: the daemon under Windows' service control manager.

use super::exit::Exit;
use super::{args, dispatch};
use crate::os;
use crate::telemetry::event_log;

/// Runs the command as the service that this process was started for, and returns when that has stopped.
pub(super) fn run(cli: args::Cli) -> Exit {
    // Without the Event Log there are still the log files.
    let _ = event_log::open();
    let body = Box::new(move || match dispatch(cli) {
        Ok(exit) => exit as u32,
        Err(failure) => {
            event_log::cannot_start(&failure.to_string());
            event_log::flush();
            failure.exit as u32
        }
    });
    match os::serve_as_service(body) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            super::output::note(format!(
                "error: --service is for Windows' service control manager ({error})\n help: start the service with \
                 `lumos-agent service start`, or run the agent in this console with `lumos-agent run`"
            ));
            Exit::Usage
        }
    }
}
