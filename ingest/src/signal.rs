//! Lets a thread wait until something rings or a time has passed. Not a queue: rings are not counted up.

use crate::log::lock;
use dataflows::ports::Waker;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[derive(Default)]
struct State {
    rung: bool,
    stopped: bool,
}

/// Shared by the waiter and the wakers.
#[derive(Clone, Default)]
pub struct Signal {
    inner: Arc<(Mutex<State>, Condvar)>,
}

impl Signal {
    /// Ends the next wait, or the one under way.
    pub fn notify(&self) {
        lock(&self.inner.0).rung = true;
        self.inner.1.notify_all();
    }

    /// A waker that rings.
    pub fn waker(&self) -> Waker {
        let signal = self.clone();
        Arc::new(move || signal.notify())
    }

    /// Ends every wait from now on.
    pub fn stop(&self) {
        lock(&self.inner.0).stopped = true;
        self.inner.1.notify_all();
    }

    /// Returns true once [`Signal::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        lock(&self.inner.0).stopped
    }

    /// Waits for a ring, for the stop, or that long; says whether it rang.
    pub fn wait(&self, longest: Duration) -> bool {
        let state = lock(&self.inner.0);
        let waited = self.inner.1.wait_timeout_while(state, longest, |state| !state.rung && !state.stopped);
        let (mut state, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut state.rung)
    }

    /// Waits that long whatever rings, or for the stop.
    pub fn sleep(&self, long: Duration) {
        let state = lock(&self.inner.0);
        drop(self.inner.1.wait_timeout_while(state, long, |state| !state.stopped));
    }
}
