//! The number of searches an hour that are observed of one address: searches at random would else leave a row for each.
//! Not for answering searches: all are.

use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

const HOUR_MS: f64 = 3_600_000.0;

/// The allowances left, by address. Those of addresses that searched longest ago are forgotten first.
pub struct Allowance {
    an_hour: u32,
    addresses_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    of: HashMap<IpAddr, Bucket>,
    /// By the number of their last search.
    by_use: BTreeMap<u64, IpAddr>,
    uses: u64,
}

struct Bucket {
    left: f64,
    at_ms: u64,
    last_use: u64,
}

impl Allowance {
    /// So many an hour of each address.
    pub fn new(an_hour: u32, addresses_max: usize) -> Allowance {
        Allowance { an_hour, addresses_max: addresses_max.max(1), state: Mutex::default() }
    }

    /// Takes one of an address, if it has any left.
    pub fn take(&self, address: IpAddr, now_ms: u64) -> bool {
        let most = f64::from(self.an_hour);
        let mut state = self.state.lock();
        state.uses += 1;
        let last_use = state.uses;
        let Bucket { left, at_ms, last_use: before } =
            state.of.remove(&address).unwrap_or(Bucket { left: most, at_ms: now_ms, last_use: 0 });
        state.by_use.remove(&before);
        if state.of.len() >= self.addresses_max
            && let Some((_, oldest)) = state.by_use.pop_first()
        {
            state.of.remove(&oldest);
        }
        let earned = now_ms.saturating_sub(at_ms) as f64 * most / HOUR_MS;
        let left = (left + earned).min(most);
        let is_there = left >= 1.0;
        let left = if is_there { left - 1.0 } else { left };
        state.of.insert(address, Bucket { left, at_ms: now_ms, last_use });
        state.by_use.insert(last_use, address);
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_earns_more_with_time() {
        let allowance = Allowance::new(3, 100);
        let take = |text: &str, minute: u64| allowance.take(address(text), minute * 60_000);
        assert_eq!([0, 0, 0, 0].map(|minute| take("10.0.0.1", minute)), [true, true, true, false]);
        assert!(take("10.0.0.2", 0), "others have their own");
        assert_eq!([19, 20, 20].map(|minute| take("10.0.0.1", minute)), [false, true, false]);
        assert_eq!([1_000; 4].map(|minute| take("10.0.0.1", minute)), [true, true, true, false]);
    }

    #[test]
    fn who_searched_longest_ago_is_forgotten_first() {
        let allowance = Allowance::new(1, 3);
        let take = |n: u8| allowance.take(IpAddr::from([10, 0, 0, n]), 0);
        assert_eq!([1, 2, 3, 1].map(take), [true, true, true, false]);
        assert!(take(4), "2 is forgotten for it");
        assert_eq!([1, 3].map(take), [false, false]);
        assert!(take(2));
        let state = allowance.state.lock();
        assert_eq!((state.of.len(), state.by_use.len()), (3, 3));
    }
}
