//! The counters of each route: answers by status, and their times. Atomics only: it is on every request's way.
//! And the requests refused before they came to a route.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the latency buckets, in microseconds.
pub const BUCKETS_US: [u64; 14] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// The requests that no route has seen, by the code of the refusal.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<&'static str, u64>>);

impl Refusals {
    /// Counts one.
    pub fn count(&self, code: &'static str) {
        *self.0.lock().entry(code).or_default() += 1;
    }

    /// The number of each.
    pub fn counted(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().clone()
    }
}

/// The counters of a route.
#[derive(Debug, Default)]
pub struct RouteMetrics {
    statuses: [AtomicU64; 6],
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl RouteMetrics {
    /// Counts an answer.
    pub fn count(&self, status: u16, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.statuses[usize::from(status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
        self.buckets[BUCKETS_US.partition_point(|end| *end < micros)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// The answers whose status begins with that digit.
    pub fn answers(&self, digit: usize) -> u64 {
        self.statuses[digit].load(Ordering::Relaxed)
    }

    /// The answers in each bucket; the last one has no upper end.
    pub fn buckets(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed))
    }

    /// The time of all answers together.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }
}
