//! The agent's end of the service control manager: what it asks for, and what it is told.
//!
//! ```text
//!   start pending ──running──▶ running ──stopping──▶ stop pending ──body returns──▶ stopped (exit code)
//! ```
//! While a state is pending, a thread counts its checkpoint up, so that the manager knows that something is going on: a drain
//! may take as long as `agent.shutdown_grace`. It does so for a limited time only; after that the manager may give up.

use std::ffi::OsString;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use windows_service::service::{
    Service, ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::service_dispatcher;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, SERVICE_REQUIRED_PRIVILEGES_INFOW,
};

use super::process::wide;

/// What Windows knows the service by. Its account, `NT SERVICE\LumosAgent`, and that account's identifier follow from it.
pub(crate) const SERVICE_NAME: &str = "LumosAgent";

/// What the manager is told to wait between two checkpoints.
const WAIT_HINT: Duration = Duration::from_secs(10);
/// Between two checkpoints.
const BETWEEN: Duration = Duration::from_secs(2);
/// The longest that a start may be pending: connectors that served before are examined anew.
const START: Duration = Duration::from_secs(300);
/// Requests of the manager that wait to be heard.
const WAITING: usize = 16;

/// What the manager asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceRequest {
    /// Drain and end: somebody stopped the service, or the machine goes down.
    Stop,
    /// Read the configuration again (`sc control LumosAgent paramchange`).
    Reload,
}

type Body = Box<dyn FnOnce() -> u32 + Send>;

/// The manager's end, once there is one.
static LINK: OnceLock<Link> = OnceLock::new();
/// Where requests of the manager go, for as long as the process lives: see [`heard`].
static ASK: OnceLock<mpsc::Sender<ServiceRequest>> = OnceLock::new();
/// What the service does; taken by the thread that the manager starts.
static BODY: Mutex<Option<Body>> = Mutex::new(None);

struct Link {
    status: ServiceStatusHandle,
    phase: Mutex<Phase>,
    changed: Condvar,
    requests: Mutex<Option<mpsc::Receiver<ServiceRequest>>>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Pending {
        state: ServiceState,
        checkpoint: u32,
        until: Instant,
    },
    Running,
    Stopped,
}

/// Runs `body` as the service that the manager started this process for; its result is the exit code. Returns when the
/// service has stopped.
///
/// # Errors
/// If the manager did not start this process.
pub(crate) fn serve_as_service(body: Body) -> io::Result<()> {
    *lock(&BODY) = Some(body);
    service_dispatcher::start(SERVICE_NAME, service_main_of_the_system).map_err(into_io)
}

/// What the manager asks for, from now on; `None` if this is no service. Once.
pub(crate) fn service_requests() -> Option<mpsc::Receiver<ServiceRequest>> {
    lock(&LINK.get()?.requests).take()
}

/// Tells the manager that the agent serves. Nothing if this is no service, or one that stops already.
pub(crate) fn service_runs() {
    let Some(link) = LINK.get() else { return };
    let mut phase = lock(&link.phase);
    if matches!(
        *phase,
        Phase::Pending {
            state: ServiceState::StartPending,
            ..
        }
    ) {
        *phase = Phase::Running;
        link.tell_phase(*phase);
    }
}

/// Tells the manager that the agent drains, which takes `within` at most; may be said again. Nothing if this is no service.
pub(crate) fn service_stops(within: Duration) {
    let Some(link) = LINK.get() else { return };
    let end = Instant::now() + within;
    let mut phase = lock(&link.phase);
    match &mut *phase {
        Phase::Pending {
            state: ServiceState::StopPending,
            until,
            ..
        } => *until = end,
        Phase::Stopped => {}
        other => {
            *other = Phase::Pending {
                state: ServiceState::StopPending,
                checkpoint: 1,
                until: end,
            };
            link.tell_phase(*other);
        }
    }
}

windows_service::define_windows_service!(service_main_of_the_system, service_main);

/// On a thread of the manager's.
fn service_main(_arguments: Vec<OsString>) {
    let Some(body) = lock(&BODY).take() else { return };
    let (sender, receiver) = mpsc::channel(WAITING);
    ASK.get_or_init(|| sender);
    let registered = service_control_handler::register(SERVICE_NAME, heard);
    // Without the handle nothing can be told to the manager, which will notice that.
    let Ok(status) = registered else { return };
    let link = LINK.get_or_init(|| Link {
        status,
        phase: Mutex::new(Phase::Pending {
            state: ServiceState::StartPending,
            checkpoint: 1,
            until: Instant::now() + START,
        }),
        changed: Condvar::new(),
        requests: Mutex::new(Some(receiver)),
    });
    let begun = *lock(&link.phase);
    link.tell_phase(begun);
    let counting = std::thread::Builder::new()
        .name("service-status".into())
        .spawn(|| link.count());
    let code = body();
    *lock(&link.phase) = Phase::Stopped;
    link.changed.notify_all();
    if let Ok(thread) = counting {
        let _ = thread.join();
    }
    link.tell(ServiceState::Stopped, 0, code);
}

/// On a thread of the manager's. The library gives up its handler with the first request to stop, while the manager may
/// still ask during the drain; so this one has nothing that could be given up, least of all the end of a channel, whose
/// loss would look like a second request to stop.
fn heard(control: ServiceControl) -> ServiceControlHandlerResult {
    let request = match control {
        ServiceControl::Interrogate => return ServiceControlHandlerResult::NoError,
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => ServiceRequest::Stop,
        ServiceControl::ParamChange => ServiceRequest::Reload,
        _ => return ServiceControlHandlerResult::NotImplemented,
    };
    match ASK.get().map(|ask| ask.try_send(request)) {
        Some(Ok(()) | Err(mpsc::error::TrySendError::Full(_))) => ServiceControlHandlerResult::NoError,
        Some(Err(mpsc::error::TrySendError::Closed(_))) | None => {
            ServiceControlHandlerResult::Other(ERROR_NOT_ACTIVE)
        }
    }
}

/// `ERROR_SERVICE_NOT_ACTIVE`.
const ERROR_NOT_ACTIVE: u32 = 1062;

impl Link {
    /// Counts checkpoints while something is pending.
    fn count(&self) {
        let mut current = lock(&self.phase);
        loop {
            match &mut *current {
                Phase::Stopped => return,
                Phase::Pending {
                    checkpoint, until, ..
                } if Instant::now() < *until => {
                    *checkpoint += 1;
                    let phase = *current;
                    self.tell_phase(phase);
                }
                Phase::Pending { .. } | Phase::Running => {}
            }
            current = self
                .changed
                .wait_timeout(current, BETWEEN)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn tell_phase(&self, phase: Phase) {
        match phase {
            Phase::Running => self.tell(ServiceState::Running, 0, 0),
            Phase::Pending {
                state, checkpoint, ..
            } => self.tell(state, checkpoint, 0),
            Phase::Stopped => {}
        }
    }

    fn tell(&self, state: ServiceState, checkpoint: u32, code: u32) {
        let accepted = match state {
            ServiceState::Running => {
                ServiceControlAccept::STOP
                    | ServiceControlAccept::PRESHUTDOWN
                    | ServiceControlAccept::SHUTDOWN
                    | ServiceControlAccept::PARAM_CHANGE
            }
            _ => ServiceControlAccept::empty(),
        };
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted: accepted,
            exit_code: match code {
                0 => ServiceExitCode::NO_ERROR,
                code => ServiceExitCode::ServiceSpecific(code),
            },
            checkpoint,
            wait_hint: if checkpoint == 0 {
                Duration::ZERO
            } else {
                WAIT_HINT
            },
            process_id: None,
        };
        // A manager that cannot be told learns it from the end of the process.
        let _ = self.status.set_service_status(status);
    }
}

/// Takes every privilege from the service's token but these.
///
/// # Errors
/// Those of `ChangeServiceConfig2`.
pub(crate) fn require_privileges(service: &Service, names: &[&str]) -> io::Result<()> {
    // A list of strings that ends with an empty one.
    let mut list: Vec<u16> = names
        .iter()
        .flat_map(|name| wide(name.as_ref()))
        .chain([0])
        .collect();
    let information = SERVICE_REQUIRED_PRIVILEGES_INFOW {
        pmszRequiredPrivileges: list.as_mut_ptr(),
    };
    // SAFETY: an open service, and the struct that the level asks for, whose list outlives the call.
    let outcome = unsafe {
        ChangeServiceConfig2W(
            service.raw_handle(),
            SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO,
            (&raw const information).cast(),
        )
    };
    if outcome == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn into_io(error: windows_service::Error) -> io::Error {
    match error {
        windows_service::Error::Winapi(error) => error,
        other => io::Error::other(other),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
