//! Shared by tests of this module: a directory in which a configuration is valid.

use std::path::Path;

/// The beginning of a configuration that keeps everything below its own directory.
pub(crate) const PATHS: &str = "[agent]\nstate_dir = \"state\"\n[connectors]\ndirectory = \"connectors\"\n";

/// A directory with `agent.toml` ([`PATHS`], then `text`), a certificate and a token file.
pub(crate) fn home(text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    for name in ["connectors", "state", "logs", "tls"] {
        std::fs::create_dir(path.join(name)).unwrap();
    }
    let ca = crate::tls::issue::authority(&["localhost".into()], jiff::Timestamp::now()).unwrap();
    let server = crate::tls::issue::server(&ca, &["localhost".into()], jiff::Timestamp::now()).unwrap();
    private(&path.join("tls/server.pem"), &server.certificate);
    private(&path.join("tls/server.key"), &server.private_key);
    private(&path.join("tokens.json"), "{\"tokens\":[]}");
    private(&path.join("agent.toml"), &format!("{PATHS}{text}"));
    home
}

fn private(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}
