//! One target of `lumos_agent::fuzzing` under libFuzzer; `LUMOS_FUZZ_TARGET` names it. With `LUMOS_FUZZ_SEEDS` it writes the
//! target's seeds into that directory first.
#![no_main]
#![allow(
    unsafe_code,
    reason = "libFuzzer calls in by C symbols, which its macro makes"
)]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use lumos_agent::fuzzing::{TARGETS, Target};

fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("LUMOS_FUZZ_TARGET").unwrap_or_default();
        let target = TARGETS.iter().find(|target| target.name == name);
        target.expect("LUMOS_FUZZ_TARGET names a target")
    })
}

fuzz_target!(
    init: {
        if let Some(directory) = std::env::var_os("LUMOS_FUZZ_SEEDS") {
            let directory = std::path::PathBuf::from(directory);
            for (number, seed) in (chosen().seeds)().into_iter().enumerate() {
                std::fs::write(directory.join(format!("seed-{number}")), seed).expect("seeds can be written");
            }
        }
    },
    |bytes: &[u8]| {
        (chosen().run)(bytes);
    }
);
