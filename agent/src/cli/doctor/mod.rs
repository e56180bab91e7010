//! `doctor`: what is wrong, and what to do, in order of importance; with or without a running agent, and with a
//! configuration that does not load.
//!
//! ```text
//!   ask the agent ─┐
//!   configuration ─┼─▶ one file here for each group of checks: gather facts, judge them ─▶ findings ─▶ report
//!   the machine ───┘          (each on a thread of its own, and none waited for long)
//! ```
//! Judging is pure and tested on facts; gathering only looks. Nothing is changed, and no secret is shown.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;

use super::args::Context;
use super::exit::{Exit, Failure};
use super::output::{self, Format};
use crate::config::{Config, ConfigError, Loaded, Loader, packaged_config};
use crate::control::client::Client;

mod certificates;
mod clock;
mod configuration;
mod connectors;
mod disk;
mod finding;
mod limits;
mod permissions;
mod ports;
pub(super) mod probe;
mod proxy;
mod report;
pub(super) mod running;
mod sandbox;
pub(super) mod service;
mod tokens;

use finding::{Area, Check, Findings};
pub(super) use report::Report;
use running::{Absence, Running};

/// `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// How to print the report: for people, or for programs
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    output: Format,
    /// Show what is fine too, line by line
    #[arg(long, visible_alias = "verbose")]
    all: bool,
    /// Also connect to the proxies that are configured; nothing is sent
    #[arg(long)]
    connect: bool,
}

/// What was looked at, for the report and for the support bundle.
pub(super) struct Examination {
    pub(super) loaded: Result<Loaded, ConfigError>,
    pub(super) running: Result<Running, Absence>,
    pub(super) report: Report,
}

pub(super) async fn run(context: &Context, args: &DoctorArgs) -> Result<Exit, Failure> {
    let Examination { report, .. } = examine(&context.loader(), args.connect).await;
    match args.output {
        Format::Json => output::json(&report)?,
        Format::Table => output::text(&report.text(args.all))?,
    }
    Ok(if report.is_wrong() { Exit::Failed } else { Exit::Ok })
}

/// Looks at everything.
pub(super) async fn examine(loader: &Loader, connect: bool) -> Examination {
    let reading = loader.clone();
    let load = move || (reading.load(), reading.state_dir());
    let (loaded, state_dir) = probe::within(load).await.unwrap_or_else(|_| {
        let error = ConfigError::of_file(
            loader.file(),
            "reading it takes too long",
            "see whether its file system answers",
        );
        (Err(error), None)
    });
    let state_dir = match &loaded {
        Ok(loaded) => Some(loaded.config.agent.state_dir.clone()),
        Err(_) => state_dir,
    };
    let running = match state_dir {
        Some(directory) => running::ask(&Client::local(&directory)).await,
        None => Err(Absence::Down(
            "no configuration says where the agent's state is".into(),
        )),
    };
    let mut found = Findings::default();
    running::judge(&running, &loader.file().display().to_string(), &mut found);
    let agent = running.as_ref().ok().cloned().map(Arc::new);
    match &loaded {
        Ok(loaded) => of_configuration(loaded, agent.clone(), &mut found).await,
        Err(error) => {
            configuration::unusable(error, &mut found);
            found.note(
                Check::NotExamined,
                "ports, certificates, tokens, disks and permissions are not examined without a configuration",
                "put the configuration right, and run doctor again",
            );
        }
    }
    let config = loaded.as_ref().ok().map(|loaded| loaded.config.clone());
    of_machine(loader, config, agent, connect, &mut found).await;
    let report = Report::of(found, loader.file().display().to_string());
    Examination {
        loaded,
        running,
        report,
    }
}

/// What a configuration says where to look for. All groups at the same time.
async fn of_configuration(loaded: &Loaded, agent: Option<Arc<Running>>, found: &mut Findings) {
    type Group = (Area, fn(&Config, Option<&Running>, &mut Findings));
    const GROUPS: &[Group] = &[
        (Area::Permissions, |config, _, found| {
            permissions::check(config, found);
        }),
        (Area::Tokens, |config, _, found| tokens::check(config, found)),
        (Area::Ports, ports::check),
        (Area::Certificates, |config, _, found| {
            certificates::check(config, found);
        }),
        (Area::Disk, |config, _, found| disk::check(config, found)),
        (Area::Limits, limits::check),
        (Area::Connectors, connectors::check),
    ];
    let (own, config) = (loaded.clone(), loaded.config.clone());
    let semantics = probe::findings(Area::Configuration, move |found| {
        configuration::usable(&own, SystemTime::now(), found);
    });
    let groups = GROUPS.iter().map(|(area, check)| {
        let (config, agent) = (config.clone(), agent.clone());
        probe::findings(*area, move |found| check(&config, agent.as_deref(), found))
    });
    let (first, rest) = tokio::join!(semantics, futures_util::future::join_all(groups));
    for group in std::iter::once(first).chain(rest) {
        found.0.extend(group.0);
    }
}

/// What can be examined in any case.
async fn of_machine(
    loader: &Loader,
    config: Option<Arc<Config>>,
    agent: Option<Arc<Running>>,
    connect: bool,
    found: &mut Findings,
) {
    let packaged = loader.file() == packaged_config();
    let of_clock = config.clone();
    let groups = tokio::join!(
        probe::findings(Area::Clock, move |found| clock::check(of_clock.as_deref(), found)),
        probe::findings(Area::Proxy, move |found| proxy::check(
            config.as_deref(),
            connect,
            found
        )),
        probe::findings(Area::Sandbox, move |found| sandbox::check(
            agent.as_deref(),
            found
        )),
        probe::findings(Area::Service, move |found| {
            if packaged {
                service::check(found);
            }
        }),
    );
    for group in [groups.0, groups.1, groups.2, groups.3] {
        found.0.extend(group.0);
    }
}

/// The last `most` bytes of a file, from a line's beginning on. Follows no link.
pub(super) fn tail(path: &Path, most: u64) -> std::io::Result<String> {
    let mut file = crate::os::open_untrusted(path)?;
    let facts = crate::os::file_facts(&file)?;
    if facts.kind != crate::os::FileKind::Regular {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let cut = facts.stamp.size > most;
    file.seek(SeekFrom::Start(facts.stamp.size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match text.split_once('\n') {
        Some((_, whole)) if cut => whole.to_owned(),
        _ => text,
    })
}
