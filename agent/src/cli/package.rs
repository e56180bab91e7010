//! `connector package`: the file to release, named after what the connector says about itself, with its checksum.

mod data;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::Context;
use super::connector::trial_config;
use super::exit::{Exit, Failure};
use super::files::{self, Access};
use super::output;
use super::throwaway::Copy;
use super::trust;
use crate::domain::{AppId, Sha256};

/// What was made.
#[derive(Debug, Serialize)]
struct Package {
    app_id: AppId,
    version: semver::Version,
    /// What goes into a connectors directory.
    file: PathBuf,
    sha256: Sha256,
    /// For `sha256sum -c`.
    checksum: PathBuf,
    /// The signature, if the library had one beside it.
    signature: Option<PathBuf>,
    /// The data files that the library was found to hold.
    data: Vec<PathBuf>,
}

pub(super) async fn run(
    context: &Context,
    file: &Path,
    data: &[PathBuf],
    out: &Path,
) -> Result<Exit, Failure> {
    let copy = Copy::of(file, trial_config(context)?)?;
    let data = data::confirm(&copy.content, data)?;
    let manifest = copy.validate().await?.manifest;
    // By the system that it was built for: that is this one, or it could not have been loaded.
    let name = format!(
        "{}-{}{}",
        manifest.app_id,
        manifest.version,
        std::env::consts::DLL_SUFFIX
    );
    files::directory(out, Access::Public)
        .map_err(|error| Failure::file("make the directory", out, &error))?;
    let target = out.join(&name);
    put(&target, &copy.content, Access::Executable)?;
    let checksum = out.join(format!("{name}.sha256"));
    put(
        &checksum,
        format!("{}  {name}\n", copy.sha256).as_bytes(),
        Access::Public,
    )?;
    let signature = copy.signature.as_ref().map(|text| (trust::beside(&target), text));
    if let Some((beside, text)) = &signature {
        put(beside, text, Access::Public)?;
    }
    output::json(&Package {
        app_id: manifest.app_id,
        version: manifest.version,
        file: target,
        sha256: copy.sha256,
        checksum,
        signature: signature.map(|(beside, _)| beside),
        data,
    })?;
    Ok(Exit::Ok)
}

/// Writes a file. A release that is there stays as it is: two contents under one version would be confusion for ever.
fn put(path: &Path, content: &[u8], access: Access) -> Result<(), Failure> {
    match files::create(path, content, access) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let there = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
            if there == content {
                return Ok(());
            }
            Err(Failure::new(
                Exit::Failed,
                format!(
                    "{} is another build of the same version, and nothing is overwritten",
                    path.display()
                ),
                "raise the connector's version, or delete the old file",
            ))
        }
        written => written.map_err(|error| Failure::file("write", path, &error)),
    }
}
