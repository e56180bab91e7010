//! `service`: the agent as a service of this machine, for an agent that came without a package. What differs between the
//! systems is in [`platform`].

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(windows)]
use windows as platform;

use clap::{Args, Subcommand};

use super::args::Context;
use super::exit::{Exit, Failure};
use super::output::OutputArgs;
#[cfg(target_os = "linux")]
use crate::config::Config;

/// `service`.
#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    /// What to do
    #[command(subcommand)]
    command: ServiceCommand,
}

/// `service …`.
#[derive(Debug, Subcommand)]
enum ServiceCommand {
    /// Make this program a service that starts with the machine
    #[command(
        long_about = "Make this program a service that starts with the machine, with the configuration that --config names.\n\nA package does this by itself. The service is not started yet: `lumos-agent service start` does that."
    )]
    Install,
    /// Stop the service and remove it; configuration and state stay
    Uninstall,
    /// Start the service and wait until it serves
    Start,
    /// Stop the service: calls in flight may end
    Stop,
    /// Show whether the service is installed and runs; exits with 69 if it does not run
    Status(OutputArgs),
}

/// Whether a package has installed the service.
#[cfg(target_os = "linux")]
pub(super) fn is_packaged() -> bool {
    platform::is_packaged()
}

/// Refuses to run what only the service is to run.
#[cfg(target_os = "linux")]
pub(super) fn not_in_its_place(config: &Config) -> Result<(), Failure> {
    platform::not_in_its_place(config)
}

#[cfg(windows)]
pub(super) use platform::seen;

pub(super) fn run(context: &Context, args: &ServiceArgs) -> Result<Exit, Failure> {
    match &args.command {
        ServiceCommand::Install => platform::install(context),
        ServiceCommand::Uninstall => platform::uninstall(context),
        ServiceCommand::Start => platform::start(context),
        ServiceCommand::Stop => platform::stop(context),
        ServiceCommand::Status(output) => platform::status(context, *output),
    }
}
