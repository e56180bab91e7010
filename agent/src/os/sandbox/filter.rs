//! The filter of system calls. A deny list: it closes what Landlock does not cover and what no connector needs, and fails
//! with EPERM, so that a library that tries and copes goes on working.
//!
//! Calls that reach other processes are told apart by process id, which is fixed when the filter is made: a child process
//! may do to itself only what needs no id.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::Confinement;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Not in every version of libc; new calls have the same number on every architecture.
const SYS_FCHMODAT2: i64 = 452;
const SYS_SETXATTRAT: i64 = 463;
const SYS_REMOVEXATTRAT: i64 = 466;
const SYS_OPEN_TREE_ATTR: i64 = 467;
const SYS_FILE_SETATTR: i64 = 469;

/// Never: tracing, mounts, namespaces, the kernel itself, keys, the clock, and ways around this filter.
const FORBIDDEN: &[i64] = &[
    // another process's memory and descriptors
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // the file system's shape
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    // namespaces
    libc::SYS_setns,
    libc::SYS_unshare,
    // the kernel
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_syslog,
    // io_uring opens files and sockets without asking this filter
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // keys
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // the machine's name and clock
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[i64] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_vhangup,
];
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[i64] = &[libc::SYS_vhangup];

/// Changes of a file's mode, owner, times and attributes by path. Landlock leaves them to file permissions, and the agent's
/// files belong to the same user. Those by descriptor stay: a closed file cannot be opened.
const FILE_MODES: &[i64] = &[
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    SYS_SETXATTRAT,
    SYS_REMOVEXATTRAT,
    SYS_FILE_SETATTR,
];

#[cfg(target_arch = "x86_64")]
const FILE_MODES_HERE: &[i64] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const FILE_MODES_HERE: &[i64] = &[];

/// Makes and installs the filter, for all threads. `landlock_abi` says what need not be filtered.
///
/// # Errors
/// If the kernel has no seccomp filters, or this architecture is unknown to them.
pub(super) fn apply(wanted: &Confinement, landlock_abi: u32) -> Result<(), seccompiler::Error> {
    // The C library falls back from clone3, whose flags a filter cannot see, to clone on ENOSYS only.
    let unknown = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let programs = [
        compile(rules(wanted, landlock_abi)?, libc::EPERM)?,
        compile(unknown, libc::ENOSYS)?,
    ];
    for program in &programs {
        seccompiler::apply_filter_all_threads(program)?;
    }
    Ok(())
}

fn rules(wanted: &Confinement, landlock_abi: u32) -> Result<Rules, seccompiler::Error> {
    let mut rules = Rules::new();
    let mut deny = |calls: &[i64]| rules.extend(calls.iter().map(|call| (*call, Vec::new())));
    deny(FORBIDDEN);
    deny(FORBIDDEN_HERE);
    if !wanted.file_modes {
        deny(FILE_MODES);
        deny(FILE_MODES_HERE);
    }
    if !wanted.listen {
        deny(&[libc::SYS_listen]);
    }
    if landlock_abi < 3 {
        // An older Landlock does not guard it.
        deny(&[libc::SYS_truncate]);
    }
    let mut when = |call: i64, conditions: Vec<Condition>| -> Result<(), seccompiler::Error> {
        let conditions = conditions
            .into_iter()
            .map(Condition::build)
            .collect::<Result<_, _>>()?;
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok(())
    };
    if !wanted.file_modes {
        // Without a path it is futimens.
        when(libc::SYS_utimensat, vec![Condition::set_pointer(1)])?;
    }
    namespaces_and_terminals(&mut when)?;
    sockets(wanted, &mut when)?;
    other_processes(&mut when)?;
    if landlock_abi < 6 {
        signals(&mut when)?;
    }
    Ok(rules)
}

/// Adds: deny this call when all these conditions hold.
type When<'a> = dyn FnMut(i64, Vec<Condition>) -> Result<(), seccompiler::Error> + 'a;

fn namespaces_and_terminals(when: &mut When<'_>) -> Result<(), seccompiler::Error> {
    let namespaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    for flag in namespaces {
        when(libc::SYS_clone, vec![has(0, flag)])?;
    }
    // Typing into the terminal that the agent was started from.
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        when(libc::SYS_ioctl, vec![is(1, request)])?;
    }
    // 0 is the ordinary personality, u32::MAX asks for the current one.
    when(libc::SYS_personality, vec![not(0, 0), not(0, u32::MAX)])
}

/// Leaves IPv4, IPv6 and netlink (the list of interfaces). A unix socket leads to other services of this machine, the
/// agent's control socket among them, and only the newest Landlock tells one from another; pairs of them lead nowhere,
/// except that a datagram one can be connected anew.
fn sockets(wanted: &Confinement, when: &mut When<'_>) -> Result<(), seccompiler::Error> {
    let mut families = vec![
        not(0, libc::AF_INET),
        not(0, libc::AF_INET6),
        not(0, libc::AF_NETLINK),
    ];
    if wanted.unix_sockets.is_empty() {
        when(
            libc::SYS_socketpair,
            vec![Condition::masked(1, 0xf, libc::SOCK_DGRAM)],
        )?;
    } else {
        families.push(not(0, libc::AF_UNIX));
    }
    when(libc::SYS_socket, families)
}

/// Limits, priorities and processors of another process of the same user could stop the agent.
fn other_processes(when: &mut When<'_>) -> Result<(), seccompiler::Error> {
    let own = std::process::id();
    let by_id = [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ];
    for call in by_id {
        when(call, vec![not(0, 0), not(0, own)])?;
    }
    // All processes of this user. Landlock would leave it without effect; refusing it is clearer.
    when(libc::SYS_kill, vec![is(0, u32::MAX)])?;
    // "which" first: one process is 0 for setpriority (PRIO_PROCESS) and 1 for ioprio_set (IOPRIO_WHO_PROCESS).
    for (call, one_process) in [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)] {
        when(call, vec![not(0, one_process)])?;
        when(call, vec![not(1, 0), not(1, own)])?;
    }
    Ok(())
}

/// In place of Landlock's scope for signals.
fn signals(when: &mut When<'_>) -> Result<(), seccompiler::Error> {
    let own = std::process::id();
    for call in [
        libc::SYS_kill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
    ] {
        when(call, vec![not(0, own)])?;
    }
    // A thread id or a descriptor says nothing about its process.
    for call in [libc::SYS_tkill, libc::SYS_pidfd_send_signal] {
        when(call, vec![not(1, u32::MAX)])?;
    }
    // A descriptor's owner is signalled when it becomes ready.
    when(
        libc::SYS_fcntl,
        vec![is(1, libc::F_SETOWN), not(2, 0), not(2, own)],
    )?;
    const F_SETOWN_EX: u32 = 15;
    when(libc::SYS_fcntl, vec![is(1, F_SETOWN_EX)])?;
    const FIOSETOWN: u32 = 0x8901;
    const SIOCSPGRP: u32 = 0x8902;
    for request in [FIOSETOWN, SIOCSPGRP] {
        when(libc::SYS_ioctl, vec![is(1, request)])?;
    }
    Ok(())
}

/// A test of an argument: of its lower 32 bits, as most are ints, or of all.
struct Condition {
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
}

impl Condition {
    fn masked(argument: u8, mask: u64, value: impl TryInto<u32>) -> Self {
        Condition::of_int(argument, SeccompCmpOp::MaskedEq(mask), bits(value))
    }

    fn set_pointer(argument: u8) -> Self {
        Condition {
            argument,
            length: SeccompCmpArgLen::Qword,
            operator: SeccompCmpOp::Ne,
            value: 0,
        }
    }

    fn of_int(argument: u8, operator: SeccompCmpOp, value: u64) -> Self {
        Condition {
            argument,
            length: SeccompCmpArgLen::Dword,
            operator,
            value,
        }
    }

    fn build(self) -> Result<SeccompCondition, seccompiler::Error> {
        Ok(SeccompCondition::new(
            self.argument,
            self.length,
            self.operator,
            self.value,
        )?)
    }
}

fn is(argument: u8, value: impl TryInto<u32>) -> Condition {
    Condition::of_int(argument, SeccompCmpOp::Eq, bits(value))
}

fn not(argument: u8, value: impl TryInto<u32>) -> Condition {
    Condition::of_int(argument, SeccompCmpOp::Ne, bits(value))
}

fn has(argument: u8, flag: i32) -> Condition {
    Condition::masked(argument, bits(flag), flag)
}

fn bits(value: impl TryInto<u32>) -> u64 {
    value.try_into().map_or(u64::from(u32::MAX), u64::from)
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::Error> {
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    let errno = SeccompAction::Errno(errno.unsigned_abs());
    let program: BpfProgram =
        SeccompFilter::new(rules, SeccompAction::Allow, errno, architecture)?.try_into()?;
    Ok(guard_numbers(program))
}

/// On x86-64 the same calls exist a second time, as those of the x32 ABI, with this bit in their number. Nobody uses them:
/// they are answered as if the kernel had none.
#[cfg(target_arch = "x86_64")]
fn guard_numbers(program: BpfProgram) -> BpfProgram {
    use seccompiler::sock_filter;
    const X32_BIT: u32 = 0x4000_0000;
    const LOAD_NUMBER: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let enosys = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let prologue = [
        sock_filter {
            code: LOAD_NUMBER,
            jt: 0,
            jf: 0,
            k: 0,
        },
        sock_filter {
            code: JUMP_IF_AT_LEAST,
            jt: 0,
            jf: 1,
            k: X32_BIT,
        },
        sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: enosys,
        },
    ];
    prologue.into_iter().chain(program).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn guard_numbers(program: BpfProgram) -> BpfProgram {
    program
}
