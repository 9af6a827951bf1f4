//! The parts that the store's tests share: a store of two views, time, and seeded randomness.
//! Not a test itself.

mod cursors;
mod history;
mod model;
mod parts;
mod torn;

use super::{Change, Epoch, EpochWindow, HistoryLimits, PublishedEpoch, View};

/// A row; counts for its own size in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    value: u64,
}

/// A store as its owner would build it, with time that moves by hand.
struct TestStore {
    clock: EpochWindow<u64>,
    /// By id.
    rows: View<u64, Row>,
    /// The same rows by value, then id.
    by_value: View<(u64, u64), Row>,
    now_ms: u64,
}

const ROW_BYTES: usize = 100;

impl TestStore {
    fn new(limits: HistoryLimits) -> Self {
        Self {
            clock: EpochWindow::new(limits),
            rows: View::new(|_| ROW_BYTES),
            by_value: View::new(|_| ROW_BYTES),
            now_ms: 0,
        }
    }

    /// Applies without publishing, as a replay does. Returns the bytes of history.
    fn apply(
        &self,
        epoch: Epoch,
        mut rows: Vec<Change<u64, Row>>,
        mut by_value: Vec<Change<(u64, u64), Row>>,
    ) -> usize {
        let step = self.clock.step(epoch);
        self.rows.apply(step, &mut rows) + self.by_value.apply(step, &mut by_value)
    }

    /// Applies and publishes changes of `rows` alone.
    fn epoch(&self, epoch: Epoch, rows: Vec<Change<u64, Row>>) -> usize {
        let undo_bytes = self.apply(epoch, rows, Vec::new());
        self.publish(epoch, undo_bytes);
        undo_bytes
    }

    fn publish(&self, epoch: Epoch, undo_bytes: usize) {
        self.clock.publish(PublishedEpoch { epoch, info: epoch * 10, undo_bytes, now_ms: self.now_ms });
    }
}

/// Puts a row.
fn put(key: u64, value: u64) -> Change<u64, Row> {
    (key, Some(std::sync::Arc::new(Row { value })))
}

/// Removes a row.
fn cut(key: u64) -> Change<u64, Row> {
    (key, None)
}

/// Limits that never forget by age or bytes.
fn keep_epochs(epochs_max: usize) -> HistoryLimits {
    HistoryLimits {
        epochs_max,
        age_ms_max: u64::MAX,
        undo_bytes_max: usize::MAX,
        pin_age_ms_max: u64::MAX,
        pinned_bytes_max: usize::MAX,
    }
}

/// SplitMix64; names its seed when the test that holds it panics.
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Runs a test once a seed.
    fn each(seeds: std::ops::Range<u64>, test: impl Fn(&mut Self)) {
        for seed in seeds {
            test(&mut Self { seed, state: seed });
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.seed);
        }
    }
}
