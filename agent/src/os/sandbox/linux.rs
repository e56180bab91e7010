//! Landlock, and the order in which the parts of the sandbox are put up.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    RestrictSelfAttr, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, make_bitflags,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::paths::{Closed, real};
use super::{Confined, Confinement, Level, Pinned, filter};

/// The newest Landlock that this module was written for.
const NEWEST: ABI = ABI::V9;

/// Programs and libraries: to read and to run.
const PROGRAMS: [&str; 9] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/bin",
    "/sbin",
    "/nix/store",
    "/gnu/store",
];

/// To read: settings of the system's libraries, name service, certificates, and what run-times ask about the machine.
const SETTINGS: [&str; 8] = [
    "/etc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/var/lib/ca-certificates",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
];

/// Other people's secrets in those directories. They matter where the agent runs as root.
const SECRETS: [&str; 10] = [
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/pki/tls/private",
    "/etc/letsencrypt",
    "/etc/wireguard",
    "/etc/sudoers.d",
    "/etc/NetworkManager/system-connections",
    "/etc/lumos-agent",
];

/// Read again and again by the C library, replaced by rename, and sometimes links to unusual places.
const NAME_SERVICE: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];

/// The process's own directory (a link to it, resolved now) and facts about the machine. Nothing of other processes.
const PROC: [&str; 9] = [
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys",
    "/proc/uptime",
    "/proc/version",
];

/// Variables by which TLS libraries are told of further certificates. Who sets a host's environment means them to be read.
const CERTIFICATE_VARIABLES: [&str; 5] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];

const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const RUN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});
const READ_WRITE_DEVICE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate});
/// No sockets, no devices, nothing to execute.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | RemoveDir | RemoveFile | MakeDir | MakeReg | MakeFifo | MakeSym | Refer
});

/// Descriptors that keep the entries of `/proc` as they are: a rule belongs to an inode, and procfs makes a new one when a
/// path is looked up after memory was short, unless somebody holds the old one.
static HELD: OnceLock<Vec<PathFd>> = OnceLock::new();

pub(super) fn confine(wanted: &Confinement) -> Confined {
    confine_up_to(NEWEST, wanted)
}

/// `newest` lets tests act as if the kernel were older.
pub(super) fn confine_up_to(newest: ABI, wanted: &Confinement) -> Confined {
    let plan = Plan::new(wanted);
    let mut missing = Vec::new();
    let mut in_force = |what: &str, result: Result<(), String>| {
        let done = result.is_ok();
        missing.extend(result.err().map(|error| format!("{what}: {error}")));
        done
    };
    let no_new_privileges = rustix::thread::set_no_new_privs(true);
    in_force(
        "new privileges could not be forbidden",
        no_new_privileges.map_err(|error| error.to_string()),
    );
    let landlock = landlock(newest, wanted, &plan);
    let landlock_abi = landlock.as_ref().ok().map(|enforced| enforced.abi);
    let threads = landlock.as_ref().map_or(Ok(()), Enforced::for_all_threads);
    in_force("not isolated", landlock.map(drop));
    in_force("isolated in part", threads);
    in_force(
        "capabilities could not be given up",
        drop_capabilities().map_err(|error| error.to_string()),
    );
    let filtered = filter::apply(wanted, landlock_abi.unwrap_or(0)).map_err(|error| error.to_string());
    let seccomp = in_force("system calls are not filtered", filtered);
    let level = match landlock_abi {
        None => Level::None,
        Some(_) if missing.is_empty() => Level::Full,
        Some(_) => Level::Partial,
    };
    let mut notes = missing;
    notes.extend(plan.notes);
    notes.extend(remarks(wanted, landlock_abi, seccomp));
    Confined {
        level,
        landlock_abi,
        seccomp,
        notes,
        pinned: plan.pinned,
    }
}

/// Device and inode of what `path` leads to.
pub(super) fn inode(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path)
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

/// What to allow.
#[derive(Default)]
struct Plan {
    rules: Vec<(PathBuf, BitFlags<AccessFs>)>,
    pinned: Vec<Pinned>,
    notes: Vec<String>,
}

impl Plan {
    fn new(wanted: &Confinement) -> Self {
        let mut plan = Plan::default();
        let secrets = SECRETS.iter().map(Path::new);
        let closed = Closed::new(wanted.protected.iter().map(PathBuf::as_path).chain(secrets));
        plan.trees(&closed, &PROGRAMS, RUN);
        plan.trees(&closed, &SETTINGS, READ);
        plan.name_service(&closed);
        plan.rules.extend(
            DEVICES
                .iter()
                .map(|path| (PathBuf::from(path), READ_WRITE_DEVICE)),
        );
        let protected = Closed::new(wanted.protected.iter().map(PathBuf::as_path));
        plan.widen(&protected, &wanted.extra_read, READ);
        let certificates = CERTIFICATE_VARIABLES
            .iter()
            .filter_map(std::env::var_os)
            .map(PathBuf::from);
        plan.widen(&protected, &certificates.collect::<Vec<_>>(), READ);
        plan.widen(&protected, &wanted.extra_execute, RUN);
        plan.widen(&protected, &wanted.extra_write, WRITE);
        plan.widen(&protected, &wanted.unix_sockets, AccessFs::ResolveUnix.into());
        // These two are the host's own, wherever they lie.
        plan.own(&wanted.library, READ);
        plan.own(&wanted.scratch, WRITE);
        // For the names in a backtrace.
        plan.rules
            .extend(std::env::current_exe().map(|program| (program, READ)));
        plan
    }

    fn own(&mut self, path: &Path, access: BitFlags<AccessFs>) {
        if let Err(error) = fs::metadata(path) {
            self.notes.push(format!(
                "{} cannot be opened to the connector: {error}",
                path.display()
            ));
        }
        self.rules.push((path.to_owned(), access));
    }

    fn trees(&mut self, closed: &Closed, roots: &[&str], access: BitFlags<AccessFs>) {
        for root in roots {
            self.rules.extend(
                closed
                    .open_parts(Path::new(root))
                    .into_iter()
                    .map(|part| (part, access)),
            );
        }
    }

    fn name_service(&mut self, closed: &Closed) {
        for path in NAME_SERVICE.map(Path::new) {
            let (target, Some(inode)) = (real(path), inode(path)) else {
                continue;
            };
            if closed.covers(&target) {
                continue;
            }
            // Below a whole tree a replacement is readable too; nothing to remember.
            if !self
                .rules
                .iter()
                .any(|(rule, _)| rule.is_dir() && target.starts_with(rule))
            {
                self.pinned.push(Pinned {
                    path: path.to_owned(),
                    inode,
                });
                self.rules.push((target, READ));
            }
        }
    }

    fn widen(&mut self, protected: &Closed, paths: &[PathBuf], access: BitFlags<AccessFs>) {
        for path in paths {
            let parts = protected.open_parts(path);
            if parts.is_empty() {
                let reason = if protected.covers(&real(path)) {
                    "it belongs to the agent"
                } else {
                    "it does not exist"
                };
                self.notes.push(format!(
                    "{} was not opened to the connector: {reason}",
                    path.display()
                ));
            }
            self.rules.extend(parts.into_iter().map(|part| (part, access)));
        }
    }
}

/// What Landlock does.
struct Enforced {
    abi: u32,
    all_threads: bool,
    /// How many threads there were.
    threads: usize,
}

impl Enforced {
    fn for_all_threads(&self) -> Result<(), String> {
        match self.threads {
            0 | 1 => Ok(()),
            _ if self.all_threads => Ok(()),
            threads => Err(format!(
                "{} threads that were started before are not confined",
                threads - 1
            )),
        }
    }
}

/// Applies it, or says why not.
fn landlock(newest: ABI, wanted: &Confinement, plan: &Plan) -> Result<Enforced, String> {
    match restrict(newest, wanted, plan) {
        Ok(Some(enforced)) => Ok(enforced),
        Ok(None) => Err(
            "this kernel has no Landlock (Linux 5.13 or later has), it is switched off (add landlock to the \
                         lsm= boot parameter), or a container's profile forbids it"
                .to_owned(),
        ),
        Err(error) => Err(format!("Landlock could not be applied: {}", chain(&error))),
    }
}

/// `None` if this kernel has no Landlock.
fn restrict(newest: ABI, wanted: &Confinement, plan: &Plan) -> Result<Option<Enforced>, RulesetError> {
    let known = AccessFs::from_all(newest);
    let threads = threads();
    let mut ruleset = Ruleset::default().handle_access(known)?;
    let guards_ports = newest >= ABI::V4 && !wanted.listen;
    if guards_ports {
        ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    }
    if newest >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(newest))?;
    }
    let mut ruleset = ruleset.create()?;
    if guards_ports {
        // Port 0 is what a client binds to choose its source address.
        ruleset = ruleset.add_rule(NetPort::new(0, AccessNet::BindTcp))?;
    }
    for (path, access) in &plan.rules {
        ruleset = allow(ruleset, path, *access & known)?.0;
    }
    let mut held = Vec::new();
    for path in PROC {
        let (next, descriptor) = allow(ruleset, Path::new(path), READ)?;
        ruleset = next;
        held.extend(descriptor);
    }
    let _ = HELD.set(held);
    if newest >= ABI::V8 {
        ruleset = ruleset.all_threads(true)?;
    }
    let status = ruleset.restrict_self()?;
    let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
        return Ok(None);
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return Ok(None);
    }
    Ok(Some(Enforced {
        abi: effective_abi.min(newest) as u32,
        all_threads: status.all_threads,
        threads,
    }))
}

/// Adds a rule for `path`, if it exists, and hands its descriptor out.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<(RulesetCreated, Option<PathFd>), RulesetError> {
    let (Ok(descriptor), Ok(metadata)) = (PathFd::new(path), fs::metadata(path)) else {
        return Ok((ruleset, None));
    };
    let fitting = if metadata.is_dir() {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    if fitting.is_empty() {
        return Ok((ruleset, None));
    }
    let ruleset = ruleset.add_rule(PathBeneath::new(&descriptor, fitting))?;
    Ok((ruleset, Some(descriptor)))
}

/// Of this thread, so of those it starts. Taken from the permitted set, they never come back.
fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    let held = rustix::thread::capabilities(None)?;
    if held.permitted == none && held.inheritable == none {
        // A service's filter of system calls may forbid even this to one that has none to give up.
        return Ok(());
    }
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )
}

/// How many threads this process has; 1 if that cannot be learnt.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

fn remarks(wanted: &Confinement, landlock_abi: Option<u32>, seccomp: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut say = |remark: &str| remarks.push(remark.to_owned());
    if seccomp && landlock_abi.is_some_and(|abi| abi < 6) {
        say(
            "this kernel cannot scope signals (Linux 6.12 or later can): the connector can signal only itself, not its child processes",
        );
    }
    if !wanted.unix_sockets.is_empty() && landlock_abi.is_none_or(|abi| abi < 9) {
        say(
            "unix sockets are opened, and this kernel cannot tell them apart (Linux 7.1 or later can): the connector can connect to any that file permissions allow",
        );
    }
    if wanted.file_modes {
        say(
            "the connector may change modes, owners, times and attributes of files by path, the agent's own files included",
        );
    }
    if wanted.listen {
        say("the connector may listen on TCP ports");
    }
    remarks
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.ends_with(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}
