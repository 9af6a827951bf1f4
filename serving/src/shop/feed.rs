//! The changes of the epochs that can be read, and those who follow them. Nothing is kept for one who follows but how
//! far it is: who is slow reads the same changes later, until they are forgotten.

use super::Shop;
use dataflows::contract::changes::Rows;
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
use parking_lot::Mutex;
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

/// How many epochs are looked through at once: the thread that applies epochs waits meanwhile.
const EPOCHS_AT_ONCE: usize = 64;

/// The changes, and who waits for them.
pub(super) struct Feed {
    state: Mutex<State>,
    followers_max: usize,
}

#[derive(Default)]
struct State {
    /// The epochs after the oldest that can be read, without a gap.
    epochs: VecDeque<(Epoch, Arc<Rows>)>,
    newest: Epoch,
    is_over: bool,
    next_id: u64,
    followers: BTreeMap<u64, Place>,
    of_view: BTreeMap<View, Watch>,
}

/// Who is to be woken by a view.
#[derive(Default)]
struct Watch {
    /// By any row.
    all: Vec<u64>,
    /// By a row of that key.
    keys: BTreeMap<SmolStr, Vec<u64>>,
}

/// What is known of one who follows.
struct Place {
    /// The first epoch, since it last looked, that changed what it follows: it need not look at those before.
    touched: Option<Epoch>,
    wake: Arc<Notify>,
}

/// What comes next for one who follows.
#[derive(Debug)]
pub enum Next {
    /// The view, or the key, changed at that epoch, and at none between it and the one before.
    Changed(Epoch, Arc<Rows>),
    /// Nothing changed up to that epoch, and there are more.
    Quiet,
    /// Nothing changed up to the newest epoch, which is that one.
    Complete(Epoch),
    /// What comes next was forgotten: too slow.
    Behind,
    /// The node stops.
    Over,
}

/// One who follows a view, or a key of it. Nothing is missed and nothing comes twice.
pub struct Follower {
    shop: Shop,
    view: View,
    key: Option<SmolStr>,
    id: u64,
    wake: Arc<Notify>,
    /// The first epoch that it has not seen.
    next: Epoch,
}

impl Feed {
    pub(super) fn new(followers_max: usize) -> Feed {
        Feed { state: Mutex::default(), followers_max }
    }

    /// Takes an epoch's changes, forgets those of epochs up to the oldest that can be read, and wakes who follows them.
    pub(super) fn publish(&self, epoch: Epoch, rows: Arc<Rows>, floor: Epoch) {
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

    pub(super) fn followers(&self) -> usize {
        self.state.lock().followers.len()
    }
}

impl State {
    /// What changed for a follower from an epoch on.
    fn next(&mut self, follower: &Follower) -> Next {
        if self.is_over {
            return Next::Over;
        }
        let Some(place) = self.followers.get_mut(&follower.id) else { return Next::Over };
        let Some(touched) = place.touched else { return Next::Complete(self.newest) };
        let from = touched.max(follower.next);
        let oldest = self.epochs.front().map_or(self.newest.next(), |(oldest, _)| *oldest);
        if from < oldest {
            return Next::Behind;
        }
        place.touched = Some(from);
        for (epoch, rows) in self.epochs.iter().skip((from.0 - oldest.0) as usize).take(EPOCHS_AT_ONCE) {
            // The next look begins behind this one.
            place.touched = Some(epoch.next());
            if follower.is_changed_by(rows) {
                return Next::Changed(*epoch, Arc::clone(rows));
            }
        }
        if place.touched <= Some(self.newest) {
            return Next::Quiet;
        }
        place.touched = None;
        Next::Complete(self.newest)
    }
}

impl Follower {
    pub(super) fn new(shop: Shop, view: View, key: Option<SmolStr>, after: Epoch) -> Option<Follower> {
        let wake = Arc::new(Notify::new());
        let mut state = shop.0.feed.state.lock();
        if state.followers.len() >= shop.0.feed.followers_max {
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        state.followers.insert(id, Place { touched: Some(after.next()), wake: Arc::clone(&wake) });
        let watch = state.of_view.entry(view).or_default();
        match &key {
            Some(key) => watch.keys.entry(key.clone()).or_default().push(id),
            None => watch.all.push(id),
        }
        drop(state);
        Some(Follower { shop, view, key, id, wake, next: after.next() })
    }

    /// The shop that is followed.
    pub const fn shop(&self) -> &Shop {
        &self.shop
    }

    /// The view.
    pub const fn view(&self) -> View {
        self.view
    }

    /// The key, if it is only one.
    pub const fn key(&self) -> Option<&SmolStr> {
        self.key.as_ref()
    }

    /// The changes of an epoch, as long as they are kept.
    pub fn rows(&self, epoch: Epoch) -> Option<Arc<Rows>> {
        let state = self.shop.0.feed.state.lock();
        let (oldest, _) = state.epochs.front()?;
        let at = usize::try_from(epoch.0.checked_sub(oldest.0)?).ok()?;
        state.epochs.get(at).map(|(_, rows)| Arc::clone(rows))
    }

    /// Goes on by one step.
    pub fn advance(&mut self) -> Next {
        let next = self.shop.0.feed.state.lock().next(self);
        if let Next::Changed(epoch, _) | Next::Complete(epoch) = &next {
            self.next = self.next.max(epoch.next());
        }
        next
    }

    /// Waits until there may be something to see.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    fn is_changed_by(&self, rows: &Rows) -> bool {
        let changed = rows.of(self.view);
        match &self.key {
            Some(key) => changed.find(key).is_some(),
            None => changed.count() > 0,
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut state = self.shop.0.feed.state.lock();
        state.followers.remove(&self.id);
        let Some(watch) = state.of_view.get_mut(&self.view) else { return };
        match &self.key {
            Some(key) => {
                if let Some(ids) = watch.keys.get_mut(key) {
                    ids.retain(|id| *id != self.id);
                    if ids.is_empty() {
                        watch.keys.remove(key);
                    }
                }
            }
            None => watch.all.retain(|id| *id != self.id),
        }
    }
}
