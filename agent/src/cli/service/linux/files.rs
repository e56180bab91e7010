//! The files of the service: those of the packages, with the paths of this program and its configuration. Each carries the
//! digest of what was written, so that one that somebody has edited is never replaced or removed.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::cli::exit::{Exit, Failure};
use crate::cli::files::{Access, replace};
use crate::config::{Config, packaged_config};
use crate::domain::Sha256;

pub(super) const UNIT: &str = "/etc/systemd/system/lumos-agent.service";
pub(super) const SOCKET: &str = "/etc/systemd/system/lumos-agent.socket";
pub(super) const SYSUSERS: &str = "/etc/sysusers.d/lumos-agent.conf";
pub(super) const TMPFILES: &str = "/etc/tmpfiles.d/lumos-agent.conf";
/// Where packages put units.
pub(super) const UNIT_DIRECTORIES: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

const ALL: [&str; 4] = [UNIT, SOCKET, SYSUSERS, TMPFILES];
const UNIT_TEXT: &str = include_str!("../../../../../packaging/linux/lumos-agent.service");
const SOCKET_TEXT: &str = include_str!("../../../../../packaging/linux/lumos-agent.socket");
const SYSUSERS_TEXT: &str = include_str!("../../../../../packaging/linux/lumos-agent.sysusers");
/// What the first line of each file says before the digest.
const MARK: &str = "# Written by `lumos-agent service install`; edited if not sha256:";
/// What the service does not see, or sees another of.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Where one agent lies.
pub(super) struct Place<'a> {
    program: &'a Path,
    config: &'a Config,
}

impl<'a> Place<'a> {
    /// Takes only paths that the service can reach and its files can hold.
    pub(super) fn new(program: &'a Path, config: &'a Config) -> Result<Self, Failure> {
        let paths = [
            program,
            &config.file,
            &config.agent.state_dir,
            &config.connectors.directory,
            &config.log.directory,
            &config.agent.token_file,
            &config.dispatch.tls.private_key,
        ];
        for path in paths {
            if HIDDEN.iter().any(|hidden| path.starts_with(hidden)) {
                return Err(Failure::new(
                    Exit::Failed,
                    format!(
                        "a service does not see {}: home and temporary directories are closed to it",
                        path.display()
                    ),
                    "put the program into /usr/local/bin, and let `lumos-agent init`, without --dir, make the rest",
                ));
            }
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@:,".contains(&byte);
            if !path.as_os_str().as_encoded_bytes().iter().copied().all(plain) {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("{} has characters that mean something to systemd", path.display()),
                    "use paths of letters, digits and `/._-+@:,`",
                ));
            }
        }
        Ok(Place { program, config })
    }

    /// Writes what is not there yet or was written by another build; whether there was anything to write.
    pub(super) fn write(&self) -> Result<bool, Failure> {
        refuse_edited()?;
        let texts = [
            (UNIT, self.unit()),
            (SOCKET, self.socket()),
            (
                SYSUSERS,
                SYSUSERS_TEXT.replace("/var/lib/lumos-agent", &shown(&self.config.agent.state_dir)),
            ),
            (TMPFILES, self.tmpfiles()),
        ];
        let mut written = false;
        for (path, text) in texts {
            let path = Path::new(path);
            let text = stamped(&text);
            if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
                continue;
            }
            let directory = path.parent().unwrap_or(Path::new("/"));
            std::fs::create_dir_all(directory)
                .and_then(|()| replace(path, text.as_bytes(), Access::Public))
                .map_err(|error| Failure::file("write", path, &error))?;
            written = true;
        }
        Ok(written)
    }

    fn unit(&self) -> String {
        let config = self.config;
        let command = |name: &str| {
            let mut command = format!("{} {name}", self.program.display());
            if config.file != packaged_config() {
                let _ = write!(command, " --config {}", config.file.display());
            }
            command
        };
        UNIT_TEXT
            .replace("/usr/bin/lumos-agent run", &command("run"))
            .replace("/usr/bin/lumos-agent check-config", &command("check-config"))
            .replace(
                "-/var/lib/lumos-agent/connectors",
                &format!("-{}", shown(&config.connectors.directory)),
            )
            .replace(
                "-/var/lib/lumos-agent",
                &format!("-{}", shown(&config.agent.state_dir)),
            )
            .replace(
                "-/var/log/lumos-agent",
                &format!("-{}", shown(&config.log.directory)),
            )
            .replace("man:lumos-agent(1) ", "")
    }

    fn socket(&self) -> String {
        let listen = format!("ListenStream={}", self.config.dispatch.listen);
        SOCKET_TEXT
            .replace("ListenStream=0.0.0.0:8443", &listen)
            .replace("Documentation=man:lumos-agent(1)\n", "")
    }

    /// As the packages' file, for these paths. What lies outside the configuration's own directory belongs to somebody else
    /// and is left as it is.
    fn tmpfiles(&self) -> String {
        let config = self.config;
        let home = config.file.parent().unwrap_or(Path::new("/"));
        let mut text = format!(
            "d {} 1770 root lumos-agent -\nd {} 0755 root root -\nd {} 0750 lumos-agent lumos-agent -\nd /etc/lumos-agent/credentials 0700 root root -\n",
            shown(&config.agent.state_dir),
            shown(&config.connectors.directory),
            shown(&config.log.directory),
        );
        let key = &config.dispatch.tls.private_key;
        if let Some(directory) = key
            .parent()
            .filter(|directory| *directory != home && directory.starts_with(home))
        {
            let _ = writeln!(text, "z {} 0750 root lumos-agent -", directory.display());
        }
        for secret in [key, &config.agent.token_file] {
            if secret.starts_with(home) {
                let _ = writeln!(text, "z {} 0640 root lumos-agent -", secret.display());
            }
        }
        text
    }
}

/// Whether any of the files is there.
pub(super) fn any() -> bool {
    ALL.iter().any(|path| Path::new(path).exists())
}

/// # Errors
/// If a file is not as `install` wrote it.
pub(super) fn refuse_edited() -> Result<(), Failure> {
    for path in ALL.map(Path::new) {
        match std::fs::read_to_string(path) {
            Ok(text) if untouched(&text) => {}
            Ok(_) => {
                return Err(Failure::new(
                    Exit::Failed,
                    format!(
                        "{} was not written by this command, or was edited since",
                        path.display()
                    ),
                    "keep your changes in a drop-in (`systemctl edit lumos-agent`), delete that file, and try again",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::file("read", path, &error)),
        }
    }
    Ok(())
}

/// Removes them all.
pub(super) fn remove() -> Result<(), Failure> {
    for path in ALL.map(Path::new) {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file("remove", path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn stamped(text: &str) -> String {
    format!("{MARK} {}\n{text}", Sha256::of(text.as_bytes()))
}

fn untouched(text: &str) -> bool {
    let stamp = text
        .split_once('\n')
        .and_then(|(first, rest)| Some((first.strip_prefix(MARK)?.trim(), rest)));
    stamp.is_some_and(|(digest, rest)| digest == Sha256::of(rest.as_bytes()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_file_is_known() {
        let text = stamped("[Unit]\nDescription=x\n");
        assert!(untouched(&text));
        assert!(!untouched(&text.replace("=x", "=y")));
        assert!(!untouched("[Unit]\n"));
        assert!(!untouched(""));
    }

    #[test]
    fn the_files_have_this_installations_paths() {
        let mut config = crate::http::test_config(Path::new("/srv/lumos"));
        config.file = "/srv/lumos/agent.toml".into();
        config.agent.token_file = "/srv/lumos/tokens.json".into();
        config.dispatch.tls.private_key = "/srv/lumos/tls/server.key".into();
        config.dispatch.listen = "10.0.0.1:443".parse().unwrap();
        let place = Place::new(Path::new("/opt/bin/lumos-agent"), &config).unwrap();
        let unit = place.unit();
        assert!(unit.contains("\nExecStart=/opt/bin/lumos-agent run --config /srv/lumos/agent.toml\n"));
        let check = "/opt/bin/lumos-agent check-config --config /srv/lumos/agent.toml";
        assert!(unit.contains(&format!("\nExecReload={check}\n")));
        let own = config.agent.state_dir.display();
        assert!(unit.contains(&format!(
            "\nReadWritePaths=-{own} -{}\n",
            config.log.directory.display()
        )));
        assert!(
            !unit.contains("/usr/bin/lumos-agent")
                && !unit.contains("/var/lib")
                && !unit.contains("/var/log")
        );
        assert!(place.socket().contains("\nListenStream=10.0.0.1:443\n"));
        let tmpfiles = place.tmpfiles();
        assert!(tmpfiles.contains(&format!("d {own} 1770 root lumos-agent -\n")));
        assert!(tmpfiles.contains("z /srv/lumos/tls/server.key 0640 root lumos-agent -\n"));
        // Another program's directory keeps its owner.
        config.dispatch.tls.private_key = "/etc/ssl/private/host.key".into();
        let place = Place::new(Path::new("/opt/bin/lumos-agent"), &config).unwrap();
        assert!(!place.tmpfiles().contains("/etc/ssl"));
    }

    #[test]
    fn what_a_service_cannot_see_is_refused() {
        let config = crate::http::test_config(Path::new("/srv/lumos"));
        for program in [
            "/home/me/lumos-agent",
            "/tmp/lumos-agent",
            "/srv/my agent",
            "/srv/%n",
        ] {
            assert!(Place::new(Path::new(program), &config).is_err(), "{program}");
        }
    }
}
