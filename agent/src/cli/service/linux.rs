//! The service on Linux: systemd units and the account, made from the same files as the packages'.
//!
//! ```text
//! install    refuse what cannot work ▸ write files ▸ account ▸ owners and modes ▸ systemctl daemon-reload, enable
//! uninstall  refuse what is not ours ▸ systemctl disable --now ▸ remove files
//! ```

mod files;
mod systemctl;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::files::{Place, UNIT_DIRECTORIES};
use super::super::args::Context;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, OutputArgs};
use crate::config::{Config, packaged_config};
use crate::os;

const SERVICE: &str = "lumos-agent.service";
const SOCKET: &str = "lumos-agent.socket";
/// There while systemd runs as the first process.
const BOOTED: &str = "/run/systemd/system";

pub(super) fn is_packaged() -> bool {
    packaged_unit().is_some()
}

/// Keeps root from running the service's configuration by hand: the agent and its connectors would be root, and what they
/// write would be root's alone.
pub(super) fn not_in_its_place(config: &Config) -> Result<(), Failure> {
    let installed = packaged_unit().is_some() || Path::new(files::UNIT).exists();
    let by_systemd = std::env::var_os("NOTIFY_SOCKET").is_some();
    if !os::current_user_is_privileged() || !installed || by_systemd || config.file != packaged_config() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotPermitted,
        "this is the service's configuration: run by root, the agent and its connectors would be root, and the service could not use what they write",
        "start the service: lumos-agent service start; or give this agent a configuration of its own: --config",
    ))
}

pub(super) fn install(context: &Context) -> Result<Exit, Failure> {
    administrator()?;
    systemd_runs()?;
    if let Some(unit) = packaged_unit() {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "{} belongs to a package, which has installed the service",
                unit.display()
            ),
            "start it with `lumos-agent service start`, and with the machine by `systemctl enable lumos-agent`",
        ));
    }
    let config = context.load()?.config;
    let program = std::env::current_exe()
        .and_then(std::fs::canonicalize)
        .map_err(|error| Failure::file("find", Path::new("/proc/self/exe"), &error))?;
    let place = Place::new(&program, &config)?;
    let written = place.write()?;
    systemctl::run("systemd-sysusers", &[files::SYSUSERS])?;
    systemctl::run("systemd-tmpfiles", &["--create", files::TMPFILES])?;
    systemctl::run("systemctl", &["daemon-reload"])?;
    systemctl::run("systemctl", &["enable", "--quiet", SERVICE])?;
    let what = if written { "installed" } else { "installed already" };
    output::note(format!(
        "the service is {what}: {}\nStart it: lumos-agent service start\nFor restarts that refuse no connection, before: systemctl enable --now {SOCKET}",
        files::UNIT
    ));
    Ok(Exit::Ok)
}

pub(super) fn uninstall(_: &Context) -> Result<Exit, Failure> {
    administrator()?;
    if let Some(unit) = packaged_unit() {
        return Err(Failure::new(
            Exit::Failed,
            format!("{} belongs to a package", unit.display()),
            "remove the package, or `systemctl disable --now lumos-agent`",
        ));
    }
    if !files::any() {
        output::note("the service is not installed");
        return Ok(Exit::Ok);
    }
    files::refuse_edited()?;
    systemd_runs()?;
    systemctl::run("systemctl", &["disable", "--now", "--quiet", SOCKET, SERVICE])?;
    files::remove()?;
    systemctl::run("systemctl", &["daemon-reload"])?;
    output::note("the service is removed; configuration, state, logs and the account are left as they are");
    Ok(Exit::Ok)
}

pub(super) fn start(_: &Context) -> Result<Exit, Failure> {
    ready_for_orders()?;
    if systemctl::show(SOCKET)["UnitFileState"] == "enabled" {
        systemctl::run("systemctl", &["start", SOCKET])?;
    }
    if systemctl::run("systemctl", &["start", SERVICE]).is_err() {
        let state = systemctl::show(SERVICE);
        let why = [&state["StatusText"], &state["Result"]]
            .into_iter()
            .filter_map(Value::as_str)
            .find(|text| !text.is_empty() && *text != "success");
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "the service does not start: {}",
                why.unwrap_or("systemd does not say why")
            ),
            "see what it wrote: journalctl -u lumos-agent -n 20",
        ));
    }
    output::note("the service runs");
    Ok(Exit::Ok)
}

pub(super) fn stop(_: &Context) -> Result<Exit, Failure> {
    ready_for_orders()?;
    // The socket first: the next connection would start the service again.
    systemctl::run("systemctl", &["stop", SOCKET, SERVICE])?;
    output::note("the service is stopped");
    Ok(Exit::Ok)
}

pub(super) fn status(_: &Context, output: OutputArgs) -> Result<Exit, Failure> {
    systemd_runs()?;
    let service = systemctl::show(SERVICE);
    let socket = systemctl::show(SOCKET);
    let installed = service["LoadState"] == "loaded";
    let runs = service["ActiveState"] == "active";
    let status = json!({
        "installed": installed,
        "unit_file": service["FragmentPath"],
        "packaged": packaged_unit().is_some(),
        "starts_with_the_machine": service["UnitFileState"] == "enabled",
        "state": service["ActiveState"],
        "result": service["Result"],
        "pid": service["MainPID"].as_str().and_then(|pid| pid.parse::<u32>().ok()).filter(|pid| *pid != 0),
        "since": service["ActiveEnterTimestamp"],
        "restarts": service["NRestarts"].as_str().and_then(|count| count.parse::<u32>().ok()),
        "status": service["StatusText"],
        "socket": socket["ActiveState"],
    });
    output.print(&status, table)?;
    Ok(if runs { Exit::Ok } else { Exit::Unreachable })
}

fn table(status: &Value) -> String {
    if status["installed"] != true {
        return "the service is not installed; `lumos-agent service install` does that, or a package".into();
    }
    let rows = [
        ("state", "state"),
        ("result", "result"),
        ("says", "status"),
        ("since", "since"),
        ("pid", "pid"),
        ("restarts", "restarts"),
        ("starts at boot", "starts_with_the_machine"),
        ("socket", "socket"),
        ("unit", "unit_file"),
    ];
    let lines = rows.into_iter().filter_map(|(label, key)| {
        let value = match &status[key] {
            Value::Null => return None,
            Value::String(text) if text.is_empty() => return None,
            Value::String(text) => output::printable(text),
            other => other.to_string(),
        };
        Some(format!("{label:15} {value}"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The unit of a package, if one is installed.
fn packaged_unit() -> Option<PathBuf> {
    UNIT_DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(SERVICE))
        .find(|unit| unit.exists())
}

fn ready_for_orders() -> Result<(), Failure> {
    administrator()?;
    systemd_runs()?;
    if systemctl::show(SERVICE)["LoadState"] == "loaded" {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        "the service is not installed",
        format!(
            "install it with `lumos-agent service install`, after `lumos-agent init` has made {}",
            packaged_config().display()
        ),
    ))
}

fn administrator() -> Result<(), Failure> {
    if os::current_user_is_privileged() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotPermitted,
        "services are root's",
        "run the command with sudo",
    ))
}

fn systemd_runs() -> Result<(), Failure> {
    if Path::new(BOOTED).is_dir() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        "systemd does not run on this machine",
        "have `lumos-agent run` started by what supervises processes here",
    ))
}
