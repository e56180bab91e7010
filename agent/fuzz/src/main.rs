//! One target of `lumos_agent::fuzzing` under libFuzzer; `LUMOS_FUZZ_TARGET` names it. With `LUMOS_FUZZ_SEEDS` it writes the
//! target's seeds into that directory first, with `LUMOS_FUZZ_WORDS` their words into that file, as a dictionary.
#![no_main]
#![allow(
    unsafe_code,
    reason = "libFuzzer calls in by C symbols, which its macro makes"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
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

/// Words of the seeds in libFuzzer's syntax: what names and keywords are made of, which mutation alone seldom hits on.
fn words(seeds: &[Vec<u8>]) -> String {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let words: BTreeSet<&[u8]> = seeds
        .iter()
        .flat_map(|seed| seed.split(|byte| !is_word(byte)))
        .filter(|word| (2..=32).contains(&word.len()))
        .collect();
    // libFuzzer takes no empty dictionary.
    let mut text = "# words of the seeds\n".to_owned();
    for word in words {
        text.push_str(&format!("\"{}\"\n", word.escape_ascii()));
    }
    text
}

fuzz_target!(
    init: {
        let seeds = (chosen().seeds)();
        if let Some(directory) = std::env::var_os("LUMOS_FUZZ_SEEDS").map(PathBuf::from) {
            for (number, seed) in seeds.iter().enumerate() {
                std::fs::write(directory.join(format!("seed-{number}")), seed).expect("seeds can be written");
            }
        }
        if let Some(file) = std::env::var_os("LUMOS_FUZZ_WORDS") {
            std::fs::write(file, words(&seeds)).expect("words can be written");
        }
    },
    |bytes: &[u8]| {
        (chosen().run)(bytes);
    }
);
