//! Sums by key: each worker keeps those of its keys in a hash map, and emits per epoch what changed. Measured beside
//! differential's `count_total`, this is 2 to 8 times faster and holds no history.

use super::InProcess;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::hash::Hash;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

/// A value that can be summed. A sum equal to the default is no sum at all: its key is forgotten.
pub trait Sum: Clone + Default + PartialEq + Send + 'static {
    /// Adds another.
    fn add(&mut self, other: &Self);
}

impl Sum for i128 {
    fn add(&mut self, other: &i128) {
        *self += other;
    }
}

/// The sum of a key before and after an epoch; they differ.
pub struct SumChange<K, S> {
    /// The key.
    pub key: K,
    /// The sum that was.
    pub before: S,
    /// The sum that is.
    pub after: S,
}

/// A summand, as it travels.
pub type SumUpdate<K, S> = (InProcess<(K, S)>, u64);

/// Sums up by key, from sums that this worker begins with; `key_hash` picks the worker that keeps a key, `each` turns a
/// sum that changed into output.
pub fn sum_by_key<'s, K, S, D>(
    name: &'static str,
    summands: Stream<'s, u64, Vec<SumUpdate<K, S>>>,
    begin: Vec<(K, S)>,
    key_hash: impl Fn(&K) -> u64 + 'static,
    each: impl Fn(SumChange<K, S>) -> D + 'static,
) -> Stream<'s, u64, Vec<(D, u64)>>
where
    K: Clone + Ord + Hash + Send + 'static,
    S: Sum,
    D: Clone + 'static,
{
    let by_key = Exchange::new(move |(InProcess((key, _)), _): &SumUpdate<K, S>| key_hash(key));
    summands.unary_frontier(by_key, name, |initial, _info| {
        drop(initial);
        let mut sums: HashMap<K, S> = begin.into_iter().collect();
        let mut waiting = BTreeMap::<u64, HashMap<K, S>>::new();
        let mut held: Option<Capability<u64>> = None;
        move |(input, frontier), output| {
            input.for_each(|cap, data| {
                let Some(cap) = cap.retain_least(output.output_index()) else { return };
                if held.as_ref().is_none_or(|held| cap.time() < held.time()) {
                    held = Some(cap);
                }
                for (InProcess((key, summand)), epoch) in data.drain(..) {
                    waiting.entry(epoch).or_default().entry(key).or_default().add(&summand);
                }
            });
            let Some(cap) = held.as_mut() else { return };
            {
                let mut session = output.session(&*cap);
                while let Some(entry) = waiting.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
                    let (epoch, changes) = entry.remove_entry();
                    let mut changes: Vec<_> = changes.into_iter().collect();
                    changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                    for (key, summand) in changes {
                        let before = sums.get(&key).cloned().unwrap_or_default();
                        let mut after = before.clone();
                        after.add(&summand);
                        if after == before {
                            continue;
                        }
                        if after == S::default() {
                            sums.remove(&key);
                        } else {
                            sums.insert(key.clone(), after.clone());
                        }
                        session.give((each(SumChange { key, before, after }), epoch));
                    }
                }
            }
            match waiting.first_key_value() {
                Some((epoch, _)) => cap.downgrade(epoch),
                None => held = None,
            }
        }
    })
}
