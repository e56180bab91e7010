//! What of this machine a connector may reach: from the configuration to the walls around its host.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Config;
use crate::config::model::Sandbox;
use crate::hosting::Walls;
use crate::os::sandbox::Confinement;

/// Where hosts have their directories for temporary files. Nothing else is kept there.
pub(super) fn scratch(config: &Config) -> PathBuf {
    config.agent.state_dir.join("scratch")
}

/// Removes what hosts of an agent that was killed have left. Blocks.
pub(super) fn clean(scratch: &Path) {
    if let Err(error) = std::fs::remove_dir_all(scratch)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(directory = %scratch.display(), reason = %error, "what earlier hosts left cannot be removed; delete it");
    }
}

/// The walls of a host that only reads a library's manifest: nothing is widened, whoever the library turns out to be.
pub(super) fn for_inspection(config: &Config) -> Walls {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Walls {
        // No app_id begins with a dot.
        scratch: scratch(config).join(format!(".inspect-{number}")),
        confinement: confinement(config, &Sandbox::default()),
        max_open_files: config.connectors.max_open_files,
    }
}

/// What a connector with these settings may reach; `None` if its sandbox is switched off.
pub(super) fn confinement(config: &Config, sandbox: &Sandbox) -> Option<Confinement> {
    sandbox.enabled.then(|| Confinement {
        protected: protected(config),
        extra_read: sandbox.read.clone(),
        extra_write: sandbox.write.clone(),
        extra_execute: sandbox.execute.clone(),
        unix_sockets: sandbox.unix_sockets.clone(),
        listen: sandbox.listen,
        file_modes: sandbox.file_modes,
        ..Confinement::default()
    })
}

/// What no setting opens: whatever the agent owns or is told secrets by.
fn protected(config: &Config) -> Vec<PathBuf> {
    let tls = &config.dispatch.tls;
    let mut paths = vec![
        config.agent.state_dir.clone(),
        config.connectors.directory.clone(),
        config.log.directory.clone(),
        config.file.clone(),
        config.agent.token_file.clone(),
        tls.certificate.clone(),
        tls.private_key.clone(),
        // Where `init` puts the authority's key.
        tls.private_key.with_file_name("ca.key"),
    ];
    paths.extend(tls.client_ca.clone());
    if let Some(home) = config.file.parent() {
        paths.push(home.join("tls"));
        // All of a private installation, and the packaged one's configuration; not a directory that others share.
        let private = config.agent.state_dir.starts_with(home) && home.parent().is_some();
        if private || home.file_name().is_some_and(|name| name == "lumos-agent") {
            paths.push(home.to_owned());
        }
    }
    let tenants = config
        .connectors
        .tenants
        .values()
        .flat_map(|names| names.values());
    paths.extend(tenants.filter_map(|tenant| tenant.credentials_file.clone()));
    paths
}
