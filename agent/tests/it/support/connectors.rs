//! Connector libraries for the tests: C fixtures and the project's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The repository.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The MockApp connector, as a shared library.
pub(crate) fn mockapp() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| rust("mockapp", "libmockapp.so")).clone()
}

/// The program that is the mock app.
pub(crate) fn mockapp_server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| rust("mockapp-server", "mockapp-server"))
        .clone()
}

/// A Rust connector that panics.
pub(crate) fn rust_rogue() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| rust("rust-rogue", "librust_rogue.so"))
        .clone()
}

/// Cargo, as if nothing else of it were running.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    // Variables of the running `cargo test` would make the build scripts of dependencies run again.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_"))
    {
        cargo.env_remove(name);
    }
    for name in [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ] {
        cargo.env_remove(name);
    }
    cargo
}

/// A connector of this workspace: the one that `cargo xtask test` built and names the directory of, else built here.
fn rust(package: &str, file: &str) -> PathBuf {
    if let Some(built) = std::env::var_os("LUMOS_TEST_LIBRARIES") {
        return PathBuf::from(built).join(file);
    }
    let output = cargo()
        .args(["build", "--quiet", "--package", package])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{package} does not build: {}",
        super::home::text(&output.stderr)
    );
    // The test binary is target/PROFILE/deps/it-…; libraries stand two levels up.
    let profile = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    profile.join(file)
}

/// Puts `library` into `directory` under `name`, by rename, as a careful installer does.
pub(crate) fn drop_in(library: &Path, directory: &Path, name: &str) {
    let partial = directory.join(format!(".{name}.part"));
    std::fs::copy(library, &partial).unwrap();
    set_mode(&partial, 0o644);
    std::fs::rename(&partial, directory.join(name)).unwrap();
}

/// Sets a file's permissions.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
