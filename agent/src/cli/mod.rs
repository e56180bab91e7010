//! The command line.
//!
//! Results go to standard output, as JSON wherever a program may read them; messages go to standard error and say what was
//! wrong, where, and what to do next. Exit codes: see [`Exit`].
#![forbid(unsafe_code)]

mod args;
mod author_log;
mod call;
mod cert;
mod check;
mod client_cert;
mod conformance;
mod connector;
mod dev;
mod doctor;
mod exit;
mod files;
mod init;
#[cfg(windows)]
mod installed;
mod log;
mod manual;
mod new;
mod output;
mod package;
mod remote;
mod run;
#[cfg(any(target_os = "linux", windows))]
mod service;
#[cfg(windows)]
mod service_run;
mod signals;
mod status;
mod support_bundle;
mod throwaway;
mod token;
mod trust;
mod validate;

use std::process::ExitCode;

use clap::Parser as _;

pub use exit::{Exit, Failure};

use args::{Cli, Command};

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let exit = run_command();
    crate::telemetry::log::flush();
    if crate::hosting::holds_connectors() {
        crate::hosting::end_process(exit as i32);
    }
    exit.into()
}

fn run_command() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are such "errors" too; clap knows where each belongs and how to exit.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok };
        }
    };
    if matches!(cli.command, Command::ConnectorHost { .. }) {
        // A host has no runtime of its own making, and must not touch anything before it is confined.
        return host();
    }
    // Whatever the command, it may hold credentials. A system that refuses this runs the agent all the same.
    let _ = crate::os::disable_core_dumps();
    #[cfg(windows)]
    if matches!(&cli.command, Command::Run(args) if args.service) {
        return service_run::run(cli);
    }
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            output::note(&failure);
            failure.exit
        }
    }
}

fn host() -> Exit {
    match crate::hosting::host_main() {
        Ok(()) => Exit::Ok,
        Err(error) => {
            output::note(format!("error: {error}"));
            Exit::Failed
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    // The one cryptography of this program. It is set once; a second attempt changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("can't start threads: {error}"),
                "raise the limits of this user",
            )
        })?;
    let context = args::Context { config: cli.config };
    runtime.block_on(async {
        match cli.command {
            Command::Init(args) => init::run(&args),
            Command::Run(args) => run::run(&context, &args).await,
            Command::Dev(args) => dev::run(&args).await,
            Command::CheckConfig(args) => check::run(&context, args),
            Command::Status(args) => status::run(&context, &args).await,
            Command::Connector(args) => connector::run(&context, args).await,
            Command::Call(args) => call::run(&context, args).await,
            Command::Log(args) => log::run(&context, args).await,
            Command::Token(args) => token::run(&context, args),
            Command::Cert(args) => cert::run(&context, args),
            #[cfg(any(target_os = "linux", windows))]
            Command::Service(args) => service::run(&context, &args),
            Command::Doctor(args) => doctor::run(&context, &args).await,
            Command::SupportBundle(args) => support_bundle::run(&context, &args).await,
            Command::Completions(args) => manual::completions(args),
            Command::Manual(args) => manual::write(&args),
            Command::ConnectorHost { .. } => Ok(Exit::Usage),
        }
    })
}
