//! `connector validate`: what a connector is, and whether it behaves.

use std::path::Path;

use super::args::Context;
use super::conformance::{self, Outcome};
use super::connector::trial_config;
use super::exit::{Exit, Failure};
use super::output::{self, OutputArgs};
use super::throwaway::{Copy, Report};

pub(super) async fn run(context: &Context, file: &Path, output: OutputArgs) -> Result<Exit, Failure> {
    let copy = Copy::of(file, trial_config(context)?)?;
    let mut report = copy.validate().await?;
    report.checks = conformance::run(&copy, &report).await?;
    output.print(&report, table)?;
    let failed: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Fail)
        .collect();
    for check in &failed {
        output::note(output::printable(&format!(
            "error: {}: {}",
            check.name, check.detail
        )));
    }
    Ok(if failed.is_empty() { Exit::Ok } else { Exit::Failed })
}

fn table(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .checks
        .iter()
        .map(|check| {
            vec![
                check.name.to_owned(),
                check.outcome.word().to_owned(),
                check.detail.clone(),
            ]
        })
        .collect();
    let manifest = &report.manifest;
    format!(
        "{} {}, sha256 {}\n\n{}",
        manifest.app_id,
        manifest.version,
        report.sha256,
        output::table(&["CHECK", "OUTCOME", "FOUND"], &rows)
    )
}
