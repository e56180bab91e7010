//! Makes guessing slow. Only the answer to a failure is delayed: a valid credential is never held up by what others behind
//! the same address do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(2);
/// After so long without a failure an address starts afresh.
const FORGET: Duration = Duration::from_secs(60);
/// Addresses remembered; beyond, those that were quiet longest are forgotten.
const ADDRESSES: usize = 4096;

/// Failures by address. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Throttle(Arc<Mutex<HashMap<IpAddr, Failures>>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Throttle {
    /// Counts a failure of `address` and waits for as long as its answer is to be delayed.
    pub(crate) async fn failed(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            tokio::time::sleep(self.delay(network(address))).await;
        }
    }

    /// How often `address` has failed of late.
    #[cfg(test)]
    pub(crate) fn count(&self, address: IpAddr) -> u32 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&network(address)).map_or(0, |failures| failures.count)
    }

    fn delay(&self, address: IpAddr) -> Duration {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ADDRESSES && !all.contains_key(&address) {
            make_room(&mut all, now);
        }
        let failures = all.entry(address).or_insert(Failures { count: 0, last: now });
        if now - failures.last > FORGET {
            failures.count = 0;
        }
        failures.last = now;
        failures.count += 1;
        FIRST.saturating_mul(1 << (failures.count - 1).min(16)).min(MOST)
    }
}

/// One IPv6 customer has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(prefix.into())
        }
        v4 => v4,
    }
}

fn make_room(all: &mut HashMap<IpAddr, Failures>, now: Instant) {
    all.retain(|_, failures| now - failures.last <= FORGET);
    if all.len() < ADDRESSES {
        return;
    }
    let mut times: Vec<Instant> = all.values().map(|failures| failures.last).collect();
    let (_, median, _) = times.select_nth_unstable(ADDRESSES / 2);
    let median = *median;
    all.retain(|_, failures| failures.last > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[tokio::test(start_paused = true)]
    async fn delays_grow_to_a_limit_and_are_forgotten() {
        let throttle = Throttle::default();
        let delays: Vec<u128> = (0..8).map(|_| throttle.delay(ip(1)).as_millis()).collect();
        assert_eq!(delays, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(throttle.delay(ip(2)).as_millis(), 50);
        tokio::time::advance(FORGET + Duration::from_secs(1)).await;
        assert_eq!(throttle.delay(ip(1)).as_millis(), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..20_000 {
            throttle.delay(ip(n));
            if n % 100 == 0 {
                tokio::time::advance(Duration::from_millis(1)).await;
            }
        }
        assert!(throttle.0.lock().unwrap().len() <= ADDRESSES);
    }

    #[test]
    fn an_ipv6_network_is_one_caller() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
