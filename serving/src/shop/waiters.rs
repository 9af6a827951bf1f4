//! Requests that wait for an epoch, or for their command to be in one. Not for how long they wait.

use super::epoch_info::EpochInfo;
use crate::store::Pin;
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::topic::Origin;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

type PinnedEpoch = Pin<EpochInfo>;

/// The waiting requests, by what they wait for.
pub(super) struct Waiters {
    state: Mutex<State>,
    waiters_max: usize,
}

#[derive(Default)]
struct State {
    /// The newest epoch that was published, and what it covers.
    latest: Epoch,
    cut: Cut,
    next_id: u64,
    /// By epoch; the id separates those that wait for the same.
    epochs: BTreeMap<(Epoch, u64), oneshot::Sender<PinnedEpoch>>,
    origins: BTreeMap<(Origin, u64), oneshot::Sender<PinnedEpoch>>,
}

/// The subject of a waiter, so that one that leaves early is forgotten.
#[derive(Clone, Copy)]
enum Ticket {
    Epoch(Epoch, u64),
    Origin(Origin, u64),
}

/// The result of asking to wait.
pub(super) enum WaitResult<'a> {
    /// Nothing: it came already.
    Over,
    /// Too many wait already.
    TooMany,
    /// This.
    For(Waiter<'a>),
}

/// A waiting request.
pub(super) struct Waiter<'a> {
    of: &'a Waiters,
    ticket: Ticket,
    held: Option<oneshot::Receiver<PinnedEpoch>>,
}

impl Waiters {
    pub(super) fn new(waiters_max: usize) -> Waiters {
        Waiters { state: Mutex::default(), waiters_max }
    }

    pub(super) fn len(&self) -> usize {
        let state = self.state.lock();
        state.epochs.len() + state.origins.len()
    }

    /// Returns true if a published epoch covers that place.
    pub(super) fn covers(&self, origin: Origin) -> bool {
        self.state.lock().cut.covers(origin)
    }

    /// Waits for an epoch.
    pub(super) fn for_epoch(&self, epoch: Epoch) -> WaitResult<'_> {
        let mut state = self.state.lock();
        if epoch <= state.latest {
            return WaitResult::Over;
        }
        if state.epochs.len() >= self.waiters_max {
            return WaitResult::TooMany;
        }
        let (send, receive) = oneshot::channel();
        let id = state.take_id();
        state.epochs.insert((epoch, id), send);
        WaitResult::For(Waiter { of: self, ticket: Ticket::Epoch(epoch, id), held: Some(receive) })
    }

    /// Waits for a place in the log; `None` if it is covered already.
    pub(super) fn for_origin(&self, origin: Origin) -> Option<Waiter<'_>> {
        let mut state = self.state.lock();
        if state.cut.covers(origin) {
            return None;
        }
        let (send, receive) = oneshot::channel();
        let id = state.take_id();
        state.origins.insert((origin, id), send);
        Some(Waiter { of: self, ticket: Ticket::Origin(origin, id), held: Some(receive) })
    }

    /// An epoch can be read: wakes those that waited for it, or for what it covers first.
    pub(super) fn published(&self, pin: &PinnedEpoch, cut: &Cut) {
        let mut state = self.state.lock();
        let epoch = Epoch(pin.epoch());
        let is_first = state.cut.is_empty();
        state.latest = epoch;
        let later = state.epochs.split_off(&(epoch.next(), 0));
        for (_, waiter) in std::mem::replace(&mut state.epochs, later) {
            // A waiter that left meanwhile needs no answer.
            let _ = waiter.send(pin.clone());
        }
        // The first epoch after a replay covers more than its own record names.
        let moved = if is_first { cut } else { &pin.info().record.cut };
        for (at, next) in moved.iter() {
            let (topic, partition) = (at.topic, at.partition);
            let start = (Origin { topic, partition, offset: 0 }, 0);
            let end = (Origin { topic, partition, offset: next }, 0);
            while let Some((key, _)) = state.origins.range(start..end).next() {
                let key = *key;
                if let Some(waiter) = state.origins.remove(&key) {
                    let _ = waiter.send(pin.clone());
                }
            }
        }
        state.cut.advance(moved);
    }
}

impl State {
    const fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl Waiter<'_> {
    /// The epoch that was waited for; `None` if the shop went away.
    pub(super) async fn done(mut self) -> Option<PinnedEpoch> {
        self.held.take()?.await.ok()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state.lock();
        match self.ticket {
            Ticket::Epoch(epoch, id) => drop(state.epochs.remove(&(epoch, id))),
            Ticket::Origin(origin, id) => drop(state.origins.remove(&(origin, id))),
        }
    }
}
