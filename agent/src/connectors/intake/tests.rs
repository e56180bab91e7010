//! What is taken and what is refused, on real files.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::domain::TrustedKey;
use crate::signature::tests::{key, sign};

/// The smallest file that passes as a library of this machine: a header and one segment that covers `extra` bytes.
pub(in crate::connectors) fn library(extra: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0];
    bytes.resize(16, 0);
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    bytes.extend(3_u16.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    for field in [64_u16, 56, 1, 64, 0, 0] {
        bytes.extend(field.to_le_bytes());
    }
    let end = (64 + 56 + 1 + extra.len()) as u64;
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(5_u32.to_le_bytes());
    for field in [0_u64, 0, 0, end, end, 4096] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.push(b'\n');
    bytes.extend(extra);
    bytes
}

struct Place {
    _dir: tempfile::TempDir,
    connectors: PathBuf,
    store: Store,
    owners: Owners,
}

fn place() -> Place {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let connectors = dir.path().join("connectors");
    fs::create_dir(&connectors).unwrap();
    fs::set_permissions(&connectors, fs::Permissions::from_mode(0o755)).unwrap();
    Place {
        store: Store::open(dir.path()).unwrap(),
        connectors,
        _dir: dir,
        owners: Owners::only(&[os::Owner::User(0), os::current_owner()]),
    }
}

impl Place {
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.connectors.join(name);
        fs::write(&path, bytes).unwrap();
        mode(&path, 0o644);
        path
    }

    fn take(&self, name: &str) -> Result<Taken, Refusal> {
        self.take_signed(name, &[], false)
    }

    fn take_signed(&self, name: &str, keys: &[TrustedKey], required: bool) -> Result<Taken, Refusal> {
        let signers = Signers {
            keys: keys.to_vec(),
            required,
        };
        take(&self.connectors, name, &self.owners, &signers, &self.store)
    }

    fn refusal(&self, name: &str) -> String {
        let refusal = self.take(name).unwrap_err();
        let place = self.connectors.canonicalize().unwrap();
        format!("{refusal:?}").replace(place.to_str().unwrap(), "DIR")
    }
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

mod unix {
    use super::*;

    #[test]
    fn a_library_is_copied() {
        let place = place();
        let bytes = library(b"app=a\n");
        let path = place.put("a.so", &bytes);
        let taken = place.take("a.so").unwrap();
        assert_eq!(taken.sha256, Sha256::of(&bytes));
        fs::write(path, b"overwritten").unwrap();
        assert_eq!(fs::read(&taken.library).unwrap(), bytes);
    }

    #[test]
    fn each_refusal_has_its_own_message() {
        let place = place();
        place.put("real.so", &library(b"x"));
        std::os::unix::fs::symlink("real.so", place.connectors.join("link.so")).unwrap();
        fs::create_dir(place.connectors.join("dir.so")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            place.connectors.join("fifo.so"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        let socket = std::os::unix::net::UnixListener::bind(place.connectors.join("socket.so")).unwrap();
        place.put("text.so", b"#!/bin/sh\necho hello\n");
        place.put("empty.so", b"");
        place.put("blank.so", &[0; 4096]);
        place.put("zip.so", b"PK\x03\x04rest");
        place.put("windows.so", b"MZ\x90\0");
        place.put("rubbish.so", &[0xFE; 300]);
        mode(&place.put("writable.so", &library(b"x")), 0o666);
        let mut other = library(b"x");
        other[18] = 243;
        place.put("riscv.so", &other);
        let mut program = library(b"x");
        program[16] = 2;
        place.put("program.so", &program);
        let mut object = library(b"x");
        object[16] = 1;
        place.put("object.so", &object);
        let whole = library(&[7; 8000]);
        place.put("cut.so", &whole[..whole.len() - 2000]);
        place.put("head.so", &whole[..20]);
        let names = [
            "link.so",
            "dir.so",
            "fifo.so",
            "socket.so",
            "text.so",
            "empty.so",
            "blank.so",
            "zip.so",
            "windows.so",
            "rubbish.so",
            "writable.so",
            "riscv.so",
            "program.so",
            "object.so",
            "cut.so",
            "head.so",
            "missing.so",
        ];
        let all: Vec<String> = names
            .iter()
            .map(|name| format!("{name}: {}", place.refusal(name)))
            .collect();
        drop(socket);
        insta::with_settings!({filters => vec![("x86_64|aarch64", "ARCH")]}, {
            insta::assert_snapshot!("refusals", all.join("\n"));
        });
        assert!(
            fs::read_dir(place.store_dir()).unwrap().next().is_none(),
            "nothing refused is kept"
        );
    }

    #[test]
    fn signatures_count() {
        let place = place();
        let ((pair, trusted), (stranger, _)) = (key(), key());
        let (id, keys) = (trusted.id(), [trusted]);
        let bytes = library(b"app=a\n");
        place.put("a.so", &bytes);
        let refusal = |required| {
            let taken = place.take_signed("a.so", &keys, required);
            taken.map(|taken| taken.signed_by).map_err(|refusal| {
                assert!(matches!(refusal, Refusal::File(_)), "{refusal:?}");
                refusal.to_string()
            })
        };
        assert!(refusal(true).unwrap_err().contains("no a.so.minisig"));
        assert_eq!(refusal(false), Ok(None));

        place.put("a.so.minisig", sign(&stranger, &bytes).as_bytes());
        assert!(
            refusal(true)
                .unwrap_err()
                .contains("not among connectors.trusted_keys")
        );
        assert_eq!(refusal(false), Ok(None));

        for wrong in [
            sign(&pair, b"other").into_bytes(),
            b"half".to_vec(),
            vec![b'x'; 20_000],
        ] {
            place.put("a.so.minisig", &wrong);
            refusal(true).unwrap_err();
            refusal(false).unwrap_err();
        }

        let path = place.put("a.so.minisig", sign(&pair, &bytes).as_bytes());
        assert_eq!(refusal(true), Ok(Some(id)));
        assert!(place.store.signature(Sha256::of(&bytes)).is_some());
        mode(&path, 0o666);
        assert!(
            refusal(true)
                .unwrap_err()
                .starts_with("its signature a.so.minisig: ")
        );
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("b.minisig", &path).unwrap();
        assert!(refusal(false).unwrap_err().contains("symbolic link"));
    }

    #[test]
    fn owners_count() {
        let place = place();
        let path = place.put("a.so", &library(b"x"));
        let none = Signers {
            keys: Vec::new(),
            required: false,
        };
        let stranger = Owners::only(&[os::Owner::User(0x7FFF_0000)]);
        let refusal = take(&place.connectors, "a.so", &stranger, &none, &place.store).unwrap_err();
        assert!(matches!(refusal, Refusal::Surroundings(_)), "{refusal}");
        if os::current_user_is_privileged() {
            std::os::unix::fs::chown(path, Some(54321), None).unwrap();
            let text = place.refusal("a.so");
            assert!(
                text.contains("54321") && text.contains("chown root DIR/a.so"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused_unless_sticky() {
        let place = place();
        place.put("a.so", &library(b"x"));
        mode(&place.connectors, 0o777);
        let text = place.refusal("a.so");
        assert!(text.contains("chmod go-w DIR"), "{text}");
        mode(&place.connectors, 0o1777);
        place.take("a.so").unwrap();
    }

    #[test]
    fn every_cut_of_a_real_library_is_incomplete() {
        let Some(path) = real_library() else { return };
        let place = place();
        let bytes = fs::read(path).unwrap();
        place.put("whole.so", &bytes);
        place.take("whole.so").unwrap();
        for cut in [1, 100, 2000, 8000, bytes.len() / 2, bytes.len() - 70] {
            place.put("cut.so", &bytes[..bytes.len() - cut]);
            let result = place.take("cut.so");
            assert!(matches!(result, Err(Refusal::Incomplete(_))), "{cut}: {result:?}");
        }
    }

    fn real_library() -> Option<PathBuf> {
        let places = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib/aarch64-linux-gnu/libc.so.6",
            "/lib64/libc.so.6",
        ];
        places.iter().map(PathBuf::from).find(|path| path.exists())
    }

    impl Place {
        fn store_dir(&self) -> PathBuf {
            self.connectors.parent().unwrap().join("store")
        }
    }
}

#[test]
fn a_copy_is_bounded() {
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
    }
    let mut sink = io::sink();
    let refusal = copy_bytes(&mut Endless, &mut sink).unwrap_err();
    assert_eq!(refusal, too_large());
    sink.flush().unwrap();
}

proptest::proptest! {
    /// No header makes the reader of tables panic.
    #[test]
    fn any_header_is_judged(changes in proptest::collection::vec((0_usize..180, proptest::prelude::any::<u8>()), 1..12)) {
        let mut bytes = library(&[1; 60]);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let _ = elf::verify(&bytes[..], bytes.len() as u64);
        bytes[0] = b'M';
        let _ = pe::verify(&bytes[..], bytes.len() as u64);
    }
}
