//! Every developer task: `cargo xtask --help`.
//!
//! A task runs ordinary programs (cargo, cc, apt-get), shows their output as it comes, and says before each step what
//! the step is. Tasks can be repeated: what is installed or built already is left as it is.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tasks' own words go to the terminal"
)]

mod bench;
mod c;
mod container;
mod fuzz;
mod lint;
mod need;
mod package;
mod reference;
mod run;
mod sanitize;
mod test;
mod up;
mod windows;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Developer tasks of lumos-agent
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what the tests need, and run all of them
    Test {
        /// Also the long ones
        #[arg(long)]
        full: bool,
    },
    /// Build everything, start the demo tenant and an agent, make real calls through it, and stay up
    Up {
        /// End after the calls
        #[arg(long)]
        once: bool,
    },
    /// Measure the agent beside the smallest server that gives the same answers, and the SDK beside the reference SDK
    /// (release build, Linux)
    Bench {
        /// Look only: shorter and less exact
        #[arg(long)]
        quick: bool,
        /// Only `calls`, `standing` or `sdk`
        #[arg(long)]
        only: Option<String>,
    },
    /// The Windows side, from Linux: build it, and run it under Wine, in a console, as a service and from its installer
    Windows {
        /// Only compile everything for x86_64-pc-windows-gnu
        #[arg(long)]
        check: bool,
        /// Only make the installer, as it is released
        #[arg(long, conflicts_with = "check")]
        msi: bool,
    },
    /// Make the packages for Linux: .deb and .rpm, in `package/` under the target directory
    Package(package::Arguments),
    /// Make the image for containers and run it as its guide says, in an engine of its own
    Container {
        /// How to build what it carries
        #[arg(long, value_enum, default_value_t = package::Profile::Dev)]
        profile: package::Profile,
    },
    /// Compare the SDK with the reference SDK (connector-py), which is installed if missing
    Reference,
    /// Formatting, clippy, and cargo-deny's rules for dependencies (installed if missing)
    Lint,
    /// Feed what takes bytes from outside with inputs guided by coverage (libFuzzer)
    Fuzz(fuzz::Arguments),
    /// Run the hosting tests with the agent and the C connectors built with the address sanitizer
    Asan,
    /// Build the example connector in C, and run its own checks
    BuildC,
}

fn main() -> ExitCode {
    match perform(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Test { full } => test::run_all(&workspace, *full),
        Task::Up { once } => up::show(&workspace, *once),
        Task::Bench { quick, only } => bench::run_all(&workspace, *quick, only.as_deref()),
        Task::Windows { check: true, .. } => windows::check(&workspace),
        Task::Windows { msi: true, .. } => {
            let installer = windows::msi(&workspace, false)?;
            run::say(&installer.display().to_string());
            Ok(())
        }
        Task::Windows { .. } => windows::test(&workspace),
        Task::Package(arguments) => package::all(&workspace, arguments),
        Task::Container { profile } => container::check(&workspace, *profile),
        Task::Reference => {
            reference::prepare(&workspace)?;
            reference::compare(&workspace)
        }
        Task::Lint => lint::all(&workspace),
        Task::Fuzz(arguments) => fuzz::all(&workspace, arguments),
        Task::Asan => sanitize::address(&workspace),
        Task::BuildC => c::all(&workspace),
    }
}
