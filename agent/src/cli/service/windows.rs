//! The service on Windows: `LumosAgent`, which runs as its own account, `NT SERVICE\LumosAgent`.
//!
//! ```text
//! install    configuration and access lists ▸ source of events ▸ the service, its recovery and its rights ▸ firewall
//! uninstall  stop ▸ delete the service ▸ firewall, source of events
//! ```
//! Installing again brings everything up to date; the installer does it at each upgrade.
#![forbid(unsafe_code)]

mod firewall;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windows_registry::LOCAL_MACHINE;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceSidType, ServiceStartType,
    ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::super::args::Context;
use super::super::doctor::service::Seen;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, OutputArgs};
use super::super::{init, installed};
use crate::os::{self, SERVICE_NAME};

const DISPLAY_NAME: &str = "Lumos Agent";
const DESCRIPTION: &str = "Runs connectors to applications for Lumos, and answers its calls over HTTPS.";
const ACCOUNT: &str = r"NT SERVICE\LumosAgent";
/// Everything else is taken from the account's token.
const PRIVILEGES: [&str; 1] = ["SeChangeNotifyPrivilege"];
/// Pauses before the service is started again after it failed; the last one is repeated.
const RESTART_AFTER: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
];
/// After so long without a failure the first pause counts again.
const WELL_AFTER: Duration = Duration::from_secs(3600);
/// What a drain takes besides the grace of calls.
const BESIDES: Duration = Duration::from_secs(45);
/// How long a start may take.
const START: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
const EVENT_SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";

// Of winerror.h.
const ACCESS_DENIED: i32 = 5;
const ALREADY_RUNNING: i32 = 1056;
const DOES_NOT_EXIST: i32 = 1060;
const NOT_ACTIVE: i32 = 1062;
const NEVER_STARTED: u32 = 1077;

pub(super) fn install(context: &Context) -> Result<Exit, Failure> {
    administrator()?;
    let fresh = match &context.config {
        Some(_) => false,
        None => init::for_installer()?,
    };
    installed::secure()?;
    let config = context.load()?.config;
    let program =
        std::env::current_exe().map_err(|error| Failure::file("find", Path::new("lumos-agent"), &error))?;
    register_event_source(&program)?;
    let service = create_or_update(&information(&program, context.config.as_deref()))?;
    set_up(&service, config.agent.shutdown_grace + BESIDES)?;
    if let Err(reason) = firewall::open(&program, config.dispatch.listen) {
        output::note(format!("warning: the firewall is left as it is: {reason}"));
    }
    output::note("the service is installed\nStart it: lumos-agent service start");
    if fresh {
        output::note(format!(
            "The agent is set up: {}\nMake a token for Lumos: lumos-agent token create --name lumos --scope *:*\nIts certificate authority: lumos-agent cert show",
            config.file.display()
        ));
    }
    Ok(Exit::Ok)
}

pub(super) fn uninstall(context: &Context) -> Result<Exit, Failure> {
    administrator()?;
    let service = open(ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE)?;
    let outcome = match &service {
        Some(service) => {
            stop_and_wait(service, patience(context))?;
            service
                .delete()
                .map_err(|error| refused("delete the service", &error))?;
            "the service is removed; configuration, connectors, state and logs are left as they are"
        }
        None => "the service is not installed",
    };
    firewall::close();
    let _ = LOCAL_MACHINE.remove_tree(format!(r"{EVENT_SOURCES}\{SERVICE_NAME}"));
    output::note(outcome);
    Ok(Exit::Ok)
}

pub(super) fn start(_: &Context) -> Result<Exit, Failure> {
    let service = opened(ServiceAccess::START | ServiceAccess::QUERY_STATUS)?;
    match service.start::<&str>(&[]) {
        Ok(()) => {}
        Err(error) if code(&error) == Some(ALREADY_RUNNING) => {}
        Err(error) => return Err(refused("start the service", &error)),
    }
    let ends = |state| matches!(state, ServiceState::Running | ServiceState::Stopped);
    let status = wait(&service, START, ends)?;
    if status.current_state == ServiceState::Running {
        output::note("the service runs");
        return Ok(Exit::Ok);
    }
    Err(Failure::new(
        Exit::Failed,
        format!("the service does not start: {}", ended_with(status.exit_code)),
        "its reason stands in the Event Log (Application, source LumosAgent); `lumos-agent check-config` tells what is wrong with the configuration",
    ))
}

pub(super) fn stop(context: &Context) -> Result<Exit, Failure> {
    let service = opened(ServiceAccess::STOP | ServiceAccess::QUERY_STATUS)?;
    stop_and_wait(&service, patience(context))?;
    output::note("the service is stopped");
    Ok(Exit::Ok)
}

pub(super) fn status(_: &Context, output: OutputArgs) -> Result<Exit, Failure> {
    let Some(service) = open(ServiceAccess::QUERY_STATUS | ServiceAccess::QUERY_CONFIG)? else {
        output.print(&json!({ "installed": false }), table)?;
        return Ok(Exit::Unreachable);
    };
    let status = service
        .query_status()
        .map_err(|error| refused("ask for the service", &error))?;
    let config = service
        .query_config()
        .map_err(|error| refused("ask for the service", &error))?;
    let runs = status.current_state == ServiceState::Running;
    let told = json!({
        "installed": true,
        "state": state_name(status.current_state),
        "result": (!runs).then(|| ended_with(status.exit_code)),
        "pid": status.process_id.filter(|pid| *pid != 0),
        "starts_with_the_machine": config.start_type == ServiceStartType::AutoStart,
        "account": config.account_name.map(|name| name.to_string_lossy().into_owned()),
        "command": config.executable_path.display().to_string(),
    });
    output.print(&told, table)?;
    Ok(if runs { Exit::Ok } else { Exit::Unreachable })
}

/// What the manager tells of it; `None` if it is not installed, or this user may not ask.
pub(in crate::cli) fn seen() -> Option<Seen> {
    let service = open(ServiceAccess::QUERY_STATUS | ServiceAccess::QUERY_CONFIG)
        .ok()
        .flatten()?;
    let status = service.query_status().ok()?;
    let config = service.query_config().ok()?;
    let failed = !matches!(
        status.exit_code,
        ServiceExitCode::Win32(0 | NEVER_STARTED) | ServiceExitCode::ServiceSpecific(0)
    );
    Some(Seen {
        state: state_name(status.current_state),
        failure: failed.then(|| ended_with(status.exit_code)),
        automatic: config.start_type == ServiceStartType::AutoStart,
    })
}

fn table(status: &Value) -> String {
    if status["installed"] != true {
        return "the service is not installed; `lumos-agent service install` does that, or the installer"
            .into();
    }
    let rows = [
        ("state", "state"),
        ("result", "result"),
        ("pid", "pid"),
        ("account", "account"),
        ("starts at boot", "starts_with_the_machine"),
        ("command", "command"),
    ];
    let lines = rows.into_iter().filter_map(|(label, key)| {
        let value = match &status[key] {
            Value::Null => return None,
            Value::String(text) => output::printable(text),
            other => other.to_string(),
        };
        Some(format!("{label:15} {value}"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn information(program: &Path, config: Option<&Path>) -> ServiceInfo {
    let mut launch_arguments: Vec<OsString> = vec!["run".into(), "--service".into()];
    if let Some(config) = config {
        let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        launch_arguments.extend(["--config".into(), config.into()]);
    }
    ServiceInfo {
        name: SERVICE_NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: PathBuf::from(program),
        launch_arguments,
        dependencies: Vec::new(),
        account_name: Some(ACCOUNT.into()),
        account_password: None,
    }
}

fn create_or_update(information: &ServiceInfo) -> Result<Service, Failure> {
    // Recovery actions that start the service need the right to start it.
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::QUERY_STATUS;
    if let Some(service) = open(access)? {
        service
            .change_config(information)
            .map_err(|error| refused("change the service", &error))?;
        return Ok(service);
    }
    manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?
        .create_service(information, access)
        .map_err(|error| refused("create the service", &error))
}

/// What the service is besides a program that is started.
fn set_up(service: &Service, drain: Duration) -> Result<(), Failure> {
    let recovery = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(WELL_AFTER),
        reboot_msg: None,
        command: None,
        actions: Some(
            RESTART_AFTER
                .map(|delay| ServiceAction {
                    action_type: ServiceActionType::Restart,
                    delay,
                })
                .to_vec(),
        ),
    };
    let steps = [
        ("describe it", service.set_description(DESCRIPTION)),
        ("delay its start at boot", service.set_delayed_auto_start(true)),
        ("set its recovery", service.update_failure_actions(recovery)),
        (
            "set its recovery",
            service.set_failure_actions_on_non_crash_failures(true),
        ),
        (
            "give it an identity of its own",
            service.set_config_service_sid_info(ServiceSidType::Unrestricted),
        ),
        ("give it time to drain", service.set_preshutdown_timeout(drain)),
    ];
    let mut refusals: Vec<String> = steps
        .into_iter()
        .filter_map(|(what, outcome)| Some(format!("{what} ({})", reason(&outcome.err()?))))
        .collect();
    if let Err(error) = os::require_privileges(service, &PRIVILEGES) {
        refusals.push(format!("take privileges from it ({error})"));
    }
    // An old system that lacks one of these can run the service all the same.
    if !refusals.is_empty() {
        output::note(format!(
            "warning: this system does not let the service be set up fully: {}",
            refusals.join(", ")
        ));
    }
    Ok(())
}

/// Event Viewer takes the texts of events from the program.
fn register_event_source(program: &Path) -> Result<(), Failure> {
    /// Errors, warnings, information.
    const TYPES: u32 = 7;
    let register = || {
        let key = LOCAL_MACHINE.create(format!(r"{EVENT_SOURCES}\{SERVICE_NAME}"))?;
        key.set_expand_string("EventMessageFile", program.to_string_lossy().as_ref())?;
        key.set_u32("TypesSupported", TYPES)
    };
    register().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("the source of events cannot be registered: {error}"),
            "run the command in an elevated console",
        )
    })
}

fn administrator() -> Result<(), Failure> {
    if os::current_user_is_privileged() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotPermitted,
        "only an administrator may do this",
        "run the command in an elevated console (Run as administrator)",
    ))
}

fn manager(access: ServiceManagerAccess) -> Result<ServiceManager, Failure> {
    ServiceManager::local_computer(None::<&str>, access)
        .map_err(|error| refused("reach the service control manager", &error))
}

/// The service; `None` if it is not installed.
fn open(access: ServiceAccess) -> Result<Option<Service>, Failure> {
    match manager(ServiceManagerAccess::CONNECT)?.open_service(SERVICE_NAME, access) {
        Ok(service) => Ok(Some(service)),
        Err(error) if code(&error) == Some(DOES_NOT_EXIST) => Ok(None),
        Err(error) => Err(refused("open the service", &error)),
    }
}

fn opened(access: ServiceAccess) -> Result<Service, Failure> {
    open(access)?.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "the service is not installed",
            "install it with `lumos-agent service install`, or with the installer",
        )
    })
}

/// As long as a stop may take.
fn patience(context: &Context) -> Duration {
    // A configuration that cannot be read must not keep the service from being stopped.
    let grace = context.load().map_or(Duration::from_secs(60), |loaded| {
        loaded.config.agent.shutdown_grace
    });
    grace + BESIDES
}

fn stop_and_wait(service: &Service, patience: Duration) -> Result<(), Failure> {
    match service.stop() {
        Ok(_) => {}
        Err(error) if code(&error) == Some(NOT_ACTIVE) => return Ok(()),
        // It may be on its way to an end already.
        Err(error) => {
            let state = service.query_status().map(|status| status.current_state);
            if !matches!(state, Ok(ServiceState::StopPending | ServiceState::Stopped)) {
                return Err(refused("stop the service", &error));
            }
        }
    }
    let status = wait(service, patience, |state| state == ServiceState::Stopped)?;
    if status.current_state == ServiceState::Stopped {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        format!("the service has not stopped within {} s", patience.as_secs()),
        "see `lumos-agent service status`, and end the process in Task Manager if need be",
    ))
}

/// Looks until the state is as wanted, or that takes too long; gives what it saw last.
fn wait(
    service: &Service,
    patience: Duration,
    wanted: impl Fn(ServiceState) -> bool,
) -> Result<ServiceStatus, Failure> {
    let begun = Instant::now();
    loop {
        let status = service
            .query_status()
            .map_err(|error| refused("ask for the service", &error))?;
        if wanted(status.current_state) || begun.elapsed() > patience {
            return Ok(status);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

fn state_name(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Stopped => "stopped",
        ServiceState::StartPending => "starting",
        ServiceState::StopPending => "stopping",
        ServiceState::Running => "running",
        ServiceState::ContinuePending | ServiceState::PausePending | ServiceState::Paused => "paused",
    }
}

fn ended_with(code: ServiceExitCode) -> String {
    match code {
        ServiceExitCode::Win32(0) => "ended without an error".into(),
        ServiceExitCode::Win32(code) => std::io::Error::from_raw_os_error(code.cast_signed()).to_string(),
        ServiceExitCode::ServiceSpecific(code) => format!("ended with exit code {code}"),
    }
}

fn code(error: &windows_service::Error) -> Option<i32> {
    match error {
        windows_service::Error::Winapi(error) => error.raw_os_error(),
        _ => None,
    }
}

fn reason(error: &windows_service::Error) -> String {
    match error {
        windows_service::Error::Winapi(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn refused(what: &str, error: &windows_service::Error) -> Failure {
    let denied = code(error) == Some(ACCESS_DENIED);
    Failure::new(
        if denied { Exit::NotPermitted } else { Exit::Failed },
        format!("can't {what}: {}", reason(error)),
        if denied {
            "run the command in an elevated console (Run as administrator)"
        } else {
            "see `sc.exe query LumosAgent` and the Event Log (System)"
        },
    )
}
