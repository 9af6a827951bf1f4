//! Twins for tests: a disk that fails on demand, a clock that is set by hand, a seeded generator, and waiting without
//! sleeping. Not for production, and not the tests themselves.

pub mod broker;
pub mod contract_tests;

use crate::Clock;
use crate::log::lock;
use dataflows::contract::time::Timestamp;
use dataflows::ports::Waker;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

mod disk;
mod log;
mod port;

pub use disk::{Disk, DiskFaults, Stop};
pub use log::{FaultyLog, LogFaults};
pub use port::free_port;

/// The time that a test waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A small generator (splitmix64) whose seed decides everything.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of that seed.
    pub const fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(0x9e37_79b9))
    }

    /// Any number.
    #[allow(clippy::should_implement_trait)]
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    #[allow(clippy::cast_possible_truncation)]
    pub const fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Fewer than `end` bytes.
    #[allow(clippy::cast_possible_truncation)]
    pub fn bytes(&mut self, end: usize) -> Vec<u8> {
        (0..self.below(end)).map(|_| self.next() as u8).collect()
    }
}

/// A clock that is fixed until it is set.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Sets it, in microseconds since 1970.
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Wakes a test.
#[derive(Clone, Default)]
pub struct Bell {
    rung: Arc<(Mutex<u64>, Condvar)>,
}

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        *lock(&self.rung.0) += 1;
        self.rung.1.notify_all();
    }

    /// A waker that rings it.
    pub fn waker(&self) -> Waker {
        let bell = self.clone();
        Arc::new(move || bell.ring())
    }

    /// Tries again at every ring, and now and then between, until there is something.
    pub fn until<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = *lock(&self.rung.0);
            if let Some(found) = attempt() {
                return found;
            }
            assert!(Instant::now() < deadline, "what was waited for did not come");
            let rung = lock(&self.rung.0);
            let wait = Duration::from_millis(50);
            drop(self.rung.1.wait_timeout_while(rung, wait, |rung| *rung == seen));
        }
    }
}
