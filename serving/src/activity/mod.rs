//! Observations that this room makes itself, on their way to the log: gathered for a moment and appended together.
//! No request waits for them, and those the log does not take are counted and lost. Not for those that clients send.

mod allowance;

pub use allowance::Allowance;

use dataflows::ports::{CommandLog, Publication};
use dataflows::shop::searches::observation::Observation;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// The number of observations that may wait, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct ActivityLimits {
    /// Observations that wait for the log; further ones are dropped.
    pub waiting_max: usize,
    /// The time for which they are gathered.
    pub gather: Duration,
    /// The time that the log may take.
    pub append: Duration,
}

#[derive(Default)]
struct State {
    waiting: Vec<Publication>,
    /// True while a task appends the waiting ones.
    is_taken: bool,
}

/// The observations that wait for the log, and counts of the rest.
pub struct Activity {
    log: Arc<dyn CommandLog>,
    limits: ActivityLimits,
    state: Mutex<State>,
    published: AtomicU64,
    dropped: AtomicU64,
    unobserved: AtomicU64,
}

impl Activity {
    /// Nothing waits yet.
    pub fn new(log: Arc<dyn CommandLog>, limits: ActivityLimits) -> Activity {
        let [published, dropped, unobserved] = [const { AtomicU64::new(0) }; 3];
        Activity { log, limits, state: Mutex::default(), published, dropped, unobserved }
    }

    /// Takes an observation, if there is room. Does not wait.
    pub fn offer(self: &Arc<Self>, event_id: &str, observation: &Observation) {
        let mut state = self.state.lock();
        if state.waiting.len() >= self.limits.waiting_max {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.push(Publication::observed(event_id, observation));
        if !std::mem::replace(&mut state.is_taken, true) {
            tokio::spawn(Arc::clone(self).take());
        }
    }

    /// Takes what waits to the log, until nothing does.
    async fn take(self: Arc<Self>) {
        loop {
            sleep(self.limits.gather).await;
            let batch = {
                let mut state = self.state.lock();
                if state.waiting.is_empty() {
                    state.is_taken = false;
                    return;
                }
                std::mem::take(&mut state.waiting)
            };
            let count = batch.len() as u64;
            let (send, receive) = oneshot::channel();
            self.log.append(
                batch,
                Box::new(move |appended| {
                    // A waiter that gave up has counted it.
                    let _ = send.send(appended.is_ok());
                }),
            );
            let is_there = matches!(timeout(self.limits.append, receive).await, Ok(Ok(true)));
            let counter = if is_there { &self.published } else { &self.dropped };
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts what is not to be observed.
    pub fn pass_by(&self) {
        self.unobserved.fetch_add(1, Ordering::Relaxed);
    }

    /// The number that were not to be observed.
    pub fn unobserved(&self) -> u64 {
        self.unobserved.load(Ordering::Relaxed)
    }

    /// The number that the log has taken.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// The number lost: there was no room, or the log did not acknowledge them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
