//! The counters of the shop while it takes epochs in: outcomes, dead letters, rates. Not part of any answer.

use dataflows::contract::changes::ViewChanges;
use dataflows::contract::code::Code;
use dataflows::contract::epoch::EpochRecord;
use dataflows::contract::input::DeadLetterCode;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the process started.
#[derive(Default)]
pub struct Counters {
    pub(crate) epochs: AtomicU64,
    pub(crate) succeeded: AtomicU64,
    rejected: [AtomicU64; Code::ALL.len()],
    dead_letters: [AtomicU64; DeadLetterCode::ALL.len()],
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Clone, Copy)]
struct Sample {
    at_ms: u64,
    epochs: u64,
    commands: u64,
}

/// The rates of the shop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Commands decided in a second.
    pub commands_per_s: f64,
    /// Epochs in a second.
    pub epochs_per_s: f64,
}

/// Rates are over this much time, in steps of at least that much.
const RATE_WINDOW_MS: u64 = 10_000;
const RATE_STEP_MS: u64 = 250;

impl Counters {
    pub(super) fn count(
        &self,
        record: &EpochRecord,
        rows: &ViewChanges,
        unread: impl Iterator<Item = DeadLetterCode>,
        now_ms: u64,
    ) {
        self.epochs.fetch_add(1, Ordering::Relaxed);
        for operation in rows.operations.iter().filter_map(|change| change.after.as_deref()) {
            if operation.epoch != record.epoch {
                continue;
            }
            match operation.code() {
                None => self.succeeded.fetch_add(1, Ordering::Relaxed),
                Some(code) => self.rejected[place(Code::ALL, code)].fetch_add(1, Ordering::Relaxed),
            };
        }
        for code in unread {
            self.dead_letters[place(&DeadLetterCode::ALL, code)].fetch_add(1, Ordering::Relaxed);
        }
        let mut samples = self.samples.lock();
        if samples.back().is_none_or(|last| now_ms >= last.at_ms + RATE_STEP_MS) {
            samples.push_back(self.sample(now_ms));
            while samples.len() > 2 && samples[1].at_ms + RATE_WINDOW_MS < now_ms {
                samples.pop_front();
            }
        }
    }

    fn sample(&self, at_ms: u64) -> Sample {
        Sample { at_ms, epochs: self.epochs.load(Ordering::Relaxed), commands: self.commands() }
    }

    /// The commands decided.
    pub(crate) fn commands(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed) + self.rejected().map(|(_, count)| count).sum::<u64>()
    }

    /// The commands refused, by code.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = (Code, u64)> {
        Code::ALL.iter().zip(&self.rejected).map(|(code, count)| (*code, count.load(Ordering::Relaxed)))
    }

    /// The dead letters, by code.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = (DeadLetterCode, u64)> {
        DeadLetterCode::ALL.iter().zip(&self.dead_letters).map(|(code, count)| (*code, count.load(Ordering::Relaxed)))
    }

    pub(super) fn rates(&self, now_ms: u64) -> Rates {
        let now = self.sample(now_ms);
        let Some(first) = self.samples.lock().iter().copied().find(|sample| sample.at_ms + RATE_WINDOW_MS >= now_ms)
        else {
            return Rates::default();
        };
        let seconds = (now_ms.saturating_sub(first.at_ms).max(RATE_STEP_MS)) as f64 / 1_000.0;
        Rates {
            commands_per_s: (now.commands - first.commands) as f64 / seconds,
            epochs_per_s: (now.epochs - first.epochs) as f64 / seconds,
        }
    }
}

/// The place of a code in the list of all.
fn place<C: PartialEq>(all: &[C], code: C) -> usize {
    all.iter().position(|known| *known == code).expect("the list has every code")
}
