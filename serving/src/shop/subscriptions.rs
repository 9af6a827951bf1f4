//! The changes of the epochs that can be read, and their followers. Nothing is kept for a follower but how far it is: a
//! slow one reads the same changes later, until they are forgotten.

use dataflows::contract::changes::ViewChanges;
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
use parking_lot::Mutex;
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

/// The number of epochs looked through at once: the thread that applies epochs waits meanwhile.
const EPOCHS_AT_ONCE: usize = 64;

/// The changes, and the followers that wait for them.
pub(super) struct Subscriptions {
    state: Mutex<State>,
    followers_max: usize,
}

#[derive(Default)]
struct State {
    /// The epochs after the oldest that can be read, without a gap.
    epochs: VecDeque<(Epoch, Arc<ViewChanges>)>,
    newest: Epoch,
    is_over: bool,
    next_id: u64,
    followers: BTreeMap<u64, SubscriberState>,
    of_view: BTreeMap<View, ViewWatchers>,
}

/// The followers to be woken by a view.
#[derive(Default)]
struct ViewWatchers {
    /// By any row.
    all: Vec<u64>,
    /// By a row of that key.
    keys: BTreeMap<SmolStr, Vec<u64>>,
}

/// The subject of a follower: a view, or a key of it.
pub(super) struct Interest {
    pub view: View,
    pub key: Option<SmolStr>,
}

/// The state of a follower.
struct SubscriberState {
    /// The first epoch, since it last looked, that changed what it follows: it need not look at those before.
    touched: Option<Epoch>,
    wake: Arc<Notify>,
}

/// The next step of a follower.
#[derive(Debug)]
pub enum Next {
    /// The view, or the key, changed at that epoch, and at none between it and the one before.
    Changed(Epoch, Arc<ViewChanges>),
    /// Nothing changed up to that epoch, and there are more.
    NoChange,
    /// Nothing changed up to the newest epoch, which is that one.
    UpToDate(Epoch),
    /// The next changes were forgotten: too slow.
    Lagged,
    /// The node stops.
    Closed,
}

impl Subscriptions {
    pub(super) fn new(followers_max: usize) -> Subscriptions {
        Subscriptions { state: Mutex::default(), followers_max }
    }

    /// Takes an epoch's changes, forgets those of epochs up to the oldest that can be read, and wakes their followers.
    pub(super) fn publish(&self, epoch: Epoch, rows: Arc<ViewChanges>, floor: Epoch) {
        let mut state = self.state.lock();
        let State { epochs, newest, is_over: _, next_id: _, followers, of_view } = &mut *state;
        for (view, watch) in of_view {
            let changed = rows.of(*view);
            let by_key = (0..changed.count())
                .take_while(|_| !watch.keys.is_empty())
                .filter_map(|at| watch.keys.get(changed.key(at).as_ref()))
                .flatten();
            let by_any = watch.all.iter().filter(|_| changed.count() > 0);
            for id in by_any.chain(by_key) {
                if let Some(place) = followers.get_mut(id) {
                    place.touched = place.touched.or(Some(epoch));
                    place.wake.notify_one();
                }
            }
        }
        epochs.push_back((epoch, rows));
        *newest = epoch;
        while epochs.front().is_some_and(|(oldest, _)| *oldest <= floor) {
            epochs.pop_front();
        }
    }

    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        for place in state.followers.values() {
            place.wake.notify_one();
        }
    }

    /// Adds a follower after an epoch, and returns its number and what wakes it; none if there are too many.
    pub(super) fn enter(&self, interest: &Interest, after: Epoch) -> Option<(u64, Arc<Notify>)> {
        let mut state = self.state.lock();
        if state.followers.len() >= self.followers_max {
            return None;
        }
        let wake = Arc::new(Notify::new());
        let id = state.next_id;
        state.next_id += 1;
        state.followers.insert(id, SubscriberState { touched: Some(after.next()), wake: Arc::clone(&wake) });
        let watch = state.of_view.entry(interest.view).or_default();
        match &interest.key {
            Some(key) => watch.keys.entry(key.clone()).or_default().push(id),
            None => watch.all.push(id),
        }
        Some((id, wake))
    }

    /// Forgets a follower.
    pub(super) fn leave(&self, id: u64, interest: &Interest) {
        let mut state = self.state.lock();
        state.followers.remove(&id);
        let Some(watch) = state.of_view.get_mut(&interest.view) else { return };
        match &interest.key {
            Some(key) => {
                if let Some(ids) = watch.keys.get_mut(key) {
                    ids.retain(|other| *other != id);
                    if ids.is_empty() {
                        watch.keys.remove(key);
                    }
                }
            }
            None => watch.all.retain(|other| *other != id),
        }
    }

    /// The next step of a follower, from an epoch on.
    pub(super) fn next(&self, id: u64, interest: &Interest, from: Epoch) -> Next {
        self.state.lock().next(id, interest, from)
    }

    /// The changes of an epoch, as long as they are kept.
    pub(super) fn rows(&self, epoch: Epoch) -> Option<Arc<ViewChanges>> {
        let state = self.state.lock();
        let (oldest, _) = state.epochs.front()?;
        let at = usize::try_from(epoch.0.checked_sub(oldest.0)?).ok()?;
        state.epochs.get(at).map(|(_, rows)| Arc::clone(rows))
    }

    pub(super) fn followers(&self) -> usize {
        self.state.lock().followers.len()
    }
}

impl Interest {
    fn is_changed_by(&self, rows: &ViewChanges) -> bool {
        let changed = rows.of(self.view);
        match &self.key {
            Some(key) => changed.find(key).is_some(),
            None => changed.count() > 0,
        }
    }
}

impl State {
    /// The changes for a follower from an epoch on.
    fn next(&mut self, id: u64, interest: &Interest, from: Epoch) -> Next {
        if self.is_over {
            return Next::Closed;
        }
        let Some(place) = self.followers.get_mut(&id) else { return Next::Closed };
        let Some(touched) = place.touched else { return Next::UpToDate(self.newest) };
        let from = touched.max(from);
        let oldest = self.epochs.front().map_or(self.newest.next(), |(oldest, _)| *oldest);
        if from < oldest {
            return Next::Lagged;
        }
        place.touched = Some(from);
        for (epoch, rows) in self.epochs.iter().skip((from.0 - oldest.0) as usize).take(EPOCHS_AT_ONCE) {
            // The next look begins after this one.
            place.touched = Some(epoch.next());
            if interest.is_changed_by(rows) {
                return Next::Changed(*epoch, Arc::clone(rows));
            }
        }
        if place.touched <= Some(self.newest) {
            return Next::NoChange;
        }
        place.touched = None;
        Next::UpToDate(self.newest)
    }
}
