//! Every fuzz target for a bounded time: mutations of its seeds, the same ones at every run.

use std::time::{Duration, Instant};

use lumos_agent::fuzzing::{TARGETS, Target};

/// Inputs for each target; fewer where time runs out first.
const ROUNDS: u32 = 20_000;
const TIME: Duration = Duration::from_secs(3);

/// xorshift64*, so that a failure comes again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end.max(1)
    }
}

/// Changes `bytes` in one place, in one of the ways in which inputs go wrong.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const ODD: [u8; 12] = *b"\0\xff\x80\x7f\"\\{[%\n:.";
    let at = random.below(bytes.len() + 1);
    match random.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = ODD[random.below(ODD.len())],
        2 => bytes.insert(at, ODD[random.below(ODD.len())]),
        3 => bytes.truncate(at),
        4 => {
            let end = (at + 1 + random.below(16)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        5 => {
            let piece = bytes[at..(at + random.below(32)).min(bytes.len())].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        _ => {
            let from = random.below(other.len());
            let piece = other[from..(from + random.below(64)).min(other.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

fn try_out(target: &Target) {
    let (seeds, begun) = ((target.seeds)(), Instant::now());
    seeds.iter().for_each(|seed| (target.run)(seed));
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    for round in 0..ROUNDS {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        let other = &seeds[random.below(seeds.len())];
        for _ in 0..=random.below(6) {
            mutate(&mut bytes, other, &mut random);
        }
        let outcome = std::panic::catch_unwind(|| (target.run)(&bytes));
        assert!(
            outcome.is_ok(),
            "{}, round {round}: {}",
            target.name,
            bytes.escape_ascii()
        );
        if begun.elapsed() > TIME {
            return;
        }
    }
}

#[test]
fn no_input_breaks_what_reads_it() {
    TARGETS.iter().for_each(try_out);
}
