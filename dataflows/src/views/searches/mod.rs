//! Searches by day and query: how many, how many found nothing, what was opened from them. Observations come more than
//! once, and in any order across partitions; so each search is remembered by its id for an hour, and what it adds to
//! the sums follows from what is remembered of it alone.

mod row;

use crate::contract::changes::{Change, Changes, ViewChange};
use crate::contract::input::ObservationEnvelope;
use crate::contract::time::Timestamp;
use crate::contract::topic::Origin;
use crate::engine::operators::WorkerKeys;
use crate::engine::operators::{CoreUpdate, ObservationInput, key_hash};
use crate::engine::operators::{InProcess, Sum, SumChange, SumUpdate, sum_by_key};
use crate::shop::searches::observation::{Observation, normalised};
use crate::views::revenue::Grain;
use hashbrown::HashMap;
pub use row::{ObservedSearch, SearchKey, SearchMemoChange, SearchSession, SearchSums, Searches};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Capability, Concatenate, Operator};

/// The minutes that a search is remembered, by the epochs' clock.
const MEMORY_MINUTES: i64 = 60;
/// The number of products opened from one search that count.
const OPENED_MAX: usize = 100;
/// Seconds that a business time may be ahead of its epoch; one further ahead counts at the epoch's time.
const AHEAD_S: i64 = 300;

impl Sum for SearchSums {
    fn add(&mut self, other: &SearchSums) {
        self.add(other);
    }
}

type UpdateStream<'s> = Stream<'s, u64, Vec<(InProcess<CoreUpdate>, u64)>>;

/// The rows of searches that change, and what is remembered of each search.
pub fn searches<'s>(
    seen: Stream<'s, u64, Vec<(InProcess<ObservationInput>, u64)>>,
    base: Option<&Changes>,
    share: WorkerKeys,
) -> UpdateStream<'s> {
    let scope = seen.scope();
    let memos = base.map(|base| base.search_memory.as_slice()).unwrap_or_default().iter();
    let memos = memos.filter(|(search_id, _)| share.has(key_hash(search_id)));
    let memory = Sessions::of(memos.filter_map(|(_, memo)| memo.clone()));
    let noted = note(seen, memory);
    let remembered =
        noted.clone().map(|(InProcess(noted), epoch)| (InProcess(CoreUpdate::SearchMemo(noted.memo)), epoch));
    let summands = noted.flat_map(|(InProcess(noted), epoch)| -> Option<SumUpdate<SearchKey, SearchSums>> {
        Some((InProcess(noted.adds?), epoch))
    });
    let rows = base.map(|base| base.rows.searches.as_slice()).unwrap_or_default();
    let rows = rows.iter().filter_map(|change| change.after.as_deref());
    let begin = rows.filter(|row| share.has(worker(&row.key))).map(|row| (row.key.clone(), row.sums)).collect();
    scope.concatenate([sum_by_key("Searches", summands, begin, worker, changed), remembered])
}

fn worker(key: &SearchKey) -> u64 {
    key_hash(&key.query)
}

fn changed(SumChange { key, before, after }: SumChange<SearchKey, SearchSums>) -> InProcess<CoreUpdate> {
    let row = |sums: SearchSums| (sums != SearchSums::default()).then(|| Arc::new(Searches { key: key.clone(), sums }));
    InProcess(CoreUpdate::Row(ViewChange::Searches(Change { before: row(before), after: row(after) })))
}

/// The change of a search's memo, and what that adds to which sums.
#[derive(Clone)]
struct SessionUpdate {
    memo: SearchMemoChange,
    adds: Option<(SearchKey, SearchSums)>,
}

/// The memory of searches: by their ids, and by the minute that they are remembered from.
#[derive(Default)]
struct Sessions {
    memos: HashMap<SmolStr, Arc<SearchSession>>,
    by_minute: BTreeMap<i64, Vec<SmolStr>>,
}

/// The part of an observation that counts, in the order of the log.
type OrderedObservation = (Origin, Timestamp, Observation);

/// An epoch that is not whole yet.
#[derive(Default)]
struct PendingEpoch {
    /// Its time, and the observations about each search.
    by_search: BTreeMap<SmolStr, Vec<OrderedObservation>>,
    /// The minute that begins with it.
    minute: Option<i64>,
}

impl PendingEpoch {
    fn take(&mut self, seen: ObservationInput) {
        match seen {
            ObservationInput::Sighting { sighting, now } => {
                let ObservationEnvelope { origin, observation } = *sighting;
                let of = self.by_search.entry(observation.search_id().clone()).or_default();
                of.push((origin, now, observation));
            }
            ObservationInput::Minute { minute, worker: _ } => self.minute = Some(minute),
        }
    }
}

/// The minute since 1970 that holds a moment.
pub fn minute_of(at: Timestamp) -> i64 {
    at.minute()
}

impl Sessions {
    fn of(memos: impl Iterator<Item = Arc<SearchSession>>) -> Sessions {
        let mut memory = Sessions::default();
        memos.for_each(|memo| memory.put(memo));
        memory
    }

    fn put(&mut self, memo: Arc<SearchSession>) {
        let (search_id, minute) = (memo.search_id.clone(), memo.minute);
        if self.memos.insert(search_id.clone(), memo).is_none() {
            self.by_minute.entry(minute).or_default().push(search_id);
        }
    }

    /// Takes in what an epoch brings, and then forgets what is too old. Emits each search at most once.
    fn epoch(&mut self, inbox: PendingEpoch, tell: impl FnMut(SessionUpdate)) {
        let PendingEpoch { by_search, minute } = inbox;
        let mut told = BTreeMap::new();
        for (search_id, mut noticed) in by_search {
            noticed.sort_unstable_by_key(|(origin, _, _)| *origin);
            if let Some(noted) = self.note(search_id.clone(), noticed) {
                told.insert(search_id, noted);
            }
        }
        let oldest = minute.map_or(i64::MIN, |minute| minute - MEMORY_MINUTES);
        while let Some(first) = self.by_minute.first_entry().filter(|of| *of.key() <= oldest) {
            for search_id in first.remove() {
                self.memos.remove(&search_id);
                // The change that it made in its last epoch counts all the same.
                let adds = told.remove(&search_id).and_then(|noted| noted.adds);
                told.insert(search_id.clone(), SessionUpdate { memo: (search_id, None), adds });
            }
        }
        told.into_values().for_each(tell);
    }

    /// The change by the observations of an epoch about one search, if any.
    fn note(&mut self, search_id: SmolStr, noticed: Vec<OrderedObservation>) -> Option<SessionUpdate> {
        let known = self.memos.get(&search_id);
        let minute = minute_of(noticed.first()?.1);
        let new = || SearchSession { search_id: search_id.clone(), minute, performed: None, opened: SmallVec::new() };
        let mut memo = known.map_or_else(new, |memo| SearchSession::clone(memo));
        for (_, now, observation) in noticed {
            add(&mut memo, now, observation);
        }
        if known.is_some_and(|known| **known == memo) {
            return None;
        }
        let before = known.and_then(|known| Some(known.counted()?.1)).unwrap_or_default();
        let adds = memo.counted().map(|(key, sums)| (key.clone(), sums.beyond(&before)));
        let adds = adds.filter(|(_, sums)| *sums != SearchSums::default());
        let memo = Arc::new(memo);
        self.put(Arc::clone(&memo));
        Some(SessionUpdate { memo: (search_id, Some(memo)), adds })
    }
}

/// Adds an observation to what is remembered of its search. The first search of an id is the one that counts.
fn add(memo: &mut SearchSession, now: Timestamp, observation: Observation) {
    let at = observation.occurred_at().filter(|at| *at <= now.plus_s(AHEAD_S)).unwrap_or(now);
    match observation {
        Observation::SearchPerformed(search) => {
            memo.performed.get_or_insert_with(|| ObservedSearch {
                key: SearchKey { day: Grain::Day.period(at), query: normalised(&search.query) },
                is_empty: search.results == 0,
            });
        }
        Observation::SearchResultClicked(click) => {
            let opened = key_hash(&click.product_id);
            if memo.opened.len() < OPENED_MAX && !memo.opened.contains(&opened) {
                memo.opened.push(opened);
            }
        }
    }
}

/// Keeps everything about one search on one worker, and emits per epoch what changed.
fn note<'s>(
    seen: Stream<'s, u64, Vec<(InProcess<ObservationInput>, u64)>>,
    mut memory: Sessions,
) -> Stream<'s, u64, Vec<(InProcess<SessionUpdate>, u64)>> {
    let by_search = Exchange::new(|(InProcess(seen), _): &(InProcess<ObservationInput>, u64)| seen.key_hash());
    seen.unary_frontier(by_search, "SearchMemory", |initial, _info| {
        drop(initial);
        let mut waiting = BTreeMap::<u64, PendingEpoch>::new();
        let mut held: Option<Capability<u64>> = None;
        move |(input, frontier), output| {
            input.for_each(|cap, data| {
                let Some(cap) = cap.retain_least(output.output_index()) else { return };
                if held.as_ref().is_none_or(|held| cap.time() < held.time()) {
                    held = Some(cap);
                }
                for (InProcess(seen), epoch) in data.drain(..) {
                    waiting.entry(epoch).or_default().take(seen);
                }
            });
            let Some(cap) = held.as_mut() else { return };
            {
                let mut session = output.session(&*cap);
                while let Some(entry) = waiting.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
                    let (epoch, inbox) = entry.remove_entry();
                    memory.epoch(inbox, |noted| session.give((InProcess(noted), epoch)));
                }
            }
            match waiting.first_key_value() {
                Some((epoch, _)) => cap.downgrade(epoch),
                None => held = None,
            }
        }
    })
}
