//! `check-config`: everything that can be known without binding or loading.

use std::time::SystemTime;

use super::args::{CheckArgs, Context};
use super::exit::{Exit, Failure};
use super::output;
use crate::config::semantics;

pub(super) fn run(context: &Context, _args: CheckArgs) -> Result<Exit, Failure> {
    let loaded = context.load()?;
    let problems = semantics::check(&loaded, SystemTime::now());
    let fatal = semantics::is_fatal(&problems);
    if !problems.is_empty() {
        output::note(loaded.provenance.failure(problems));
    }
    if fatal {
        return Ok(Exit::Config);
    }
    output::note(format!("{} is valid", loaded.config.file.display()));
    Ok(Exit::Ok)
}
