//! Who listens on a TCP port of this machine.

use std::ffi::c_void;
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCP6TABLE_OWNER_PID, MIB_TCPROW_OWNER_PID,
    MIB_TCPTABLE_OWNER_PID, TCP_TABLE_OWNER_PID_LISTENER,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};

use crate::os::Listener;

/// The table may grow between asking for its size and asking for it.
const ATTEMPTS: usize = 4;
/// Longest path of a program, in UTF-16 units.
const PATH: usize = 1 << 15;

/// All that listen on `port`; `None` if the system does not tell. A program is named where this user may know it.
#[must_use]
pub fn tcp_listeners(port: u16) -> Option<Vec<Listener>> {
    let (four, six) = (table(AF_INET.into()), table(AF_INET6.into()));
    if four.is_none() && six.is_none() {
        return None;
    }
    let four = four.unwrap_or_default();
    let six = six.unwrap_or_default();
    let four_rows = rows::<MIB_TCPROW_OWNER_PID>(&four, offset_of!(MIB_TCPTABLE_OWNER_PID, table));
    let six_rows = rows::<MIB_TCP6ROW_OWNER_PID>(&six, offset_of!(MIB_TCP6TABLE_OWNER_PID, table));
    let sockets = four_rows
        .iter()
        .map(|row| {
            let ip = Ipv4Addr::from(row.dwLocalAddr.to_ne_bytes());
            (IpAddr::V4(ip), row.dwLocalPort, row.dwOwningPid)
        })
        .chain(six_rows.iter().map(|row| {
            let ip = Ipv6Addr::from(row.ucLocalAddr);
            (IpAddr::V6(ip).to_canonical(), row.dwLocalPort, row.dwOwningPid)
        }));
    let listener = |(address, own_port, pid): (IpAddr, u32, u32)| {
        // 0 where the system does not say whose it is.
        let pid = (pid != 0).then_some(pid);
        (port_of(own_port) == port).then(|| Listener {
            address,
            pids: pid.into_iter().collect(),
            program: pid.and_then(program),
            user: None,
        })
    };
    Some(sockets.filter_map(listener).collect())
}

/// The lower 16 bits are the port in network order; the rest means nothing.
fn port_of(field: u32) -> u16 {
    let bytes = field.to_ne_bytes();
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// The system's table of listeners of that family, in words, as its rows are aligned.
fn table(family: u32) -> Option<Vec<u32>> {
    let mut words: Vec<u32> = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut size = u32::try_from(words.len() * 4).ok()?;
        // SAFETY: the buffer is ours, as many bytes long as `size` says, and aligned for the table's rows of 32-bit fields.
        let outcome = unsafe {
            GetExtendedTcpTable(
                words.as_mut_ptr().cast::<c_void>(),
                &raw mut size,
                0,
                family,
                TCP_TABLE_OWNER_PID_LISTENER,
                0,
            )
        };
        match outcome {
            NO_ERROR => return Some(words),
            ERROR_INSUFFICIENT_BUFFER => words = vec![0; (size as usize).div_ceil(4)],
            _ => return None,
        }
    }
    None
}

/// The rows of a table that begins with their number and has the first at `first` bytes.
fn rows<Row: Copy>(table: &[u32], first: usize) -> Vec<Row> {
    let Some(count) = table.first() else {
        return Vec::new();
    };
    let whole = (table.len() * 4).saturating_sub(first) / size_of::<Row>();
    let count = (*count as usize).min(whole);
    let begin = table.as_ptr().cast::<u8>();
    (0..count)
        .map(|index| {
            // SAFETY: `count` rows lie within the table, `first` bytes from its beginning on; they are plain numbers, for
            // which every value is one, and are read wherever they lie.
            unsafe {
                begin
                    .add(first + index * size_of::<Row>())
                    .cast::<Row>()
                    .read_unaligned()
            }
        })
        .collect()
}

/// The name of a process's program, if this user may know it.
fn program(pid: u32) -> Option<String> {
    // SAFETY: opens a process by its number, with no inheritance.
    let handle = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    if handle.is_null() {
        return None;
    }
    // SAFETY: the handle was just opened, and is nobody else's.
    let process = unsafe { OwnedHandle::from_raw_handle(handle) };
    let mut path = vec![0_u16; PATH];
    let mut length = u32::try_from(PATH).ok()?;
    // SAFETY: an open process, and a buffer of ours with as many units as `length` says.
    let found = unsafe {
        QueryFullProcessImageNameW(
            process.as_raw_handle(),
            PROCESS_NAME_WIN32,
            path.as_mut_ptr(),
            &raw mut length,
        )
    };
    if found == 0 {
        return None;
    }
    let path = String::from_utf16_lossy(path.get(..length as usize)?);
    let name = Path::new(&path).file_name()?;
    Some(name.to_string_lossy().into_owned())
}
