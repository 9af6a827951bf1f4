//! Why something that should make progress does not, and for how long. Not for what follows from that: the node decides
//! whether it is ready.

use crate::log::lock;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A sink that is stalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// The last fault, for people.
    pub why: String,
    /// Since the first fault after the last success.
    pub lasts: Duration,
}

/// The faults of one sink since its last success.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Option<(String, Instant)>>);

impl Faults {
    /// Notes a fault; says whether it is the first since the last success.
    pub fn note(&self, why: String) -> bool {
        let mut fault = lock(&self.0);
        let is_first = fault.is_none();
        let since = fault.take().map_or_else(Instant::now, |(_, since)| since);
        *fault = Some((why, since));
        is_first
    }

    /// Notes a success; says whether there was a fault before it.
    pub fn clear(&self) -> bool {
        lock(&self.0).take().is_some()
    }

    /// Returns true while it is stalled.
    pub fn standstill(&self) -> Option<Standstill> {
        lock(&self.0).as_ref().map(|(why, since)| Standstill { why: why.clone(), lasts: since.elapsed() })
    }

    /// The last fault.
    pub fn why(&self) -> Option<String> {
        self.standstill().map(|standstill| standstill.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_begins_with_the_first_fault_and_tells_the_last() {
        let faults = Faults::default();
        assert_eq!(faults.standstill(), None);
        assert!(faults.note("full".to_owned()));
        let first = faults.standstill().unwrap();
        assert!(!faults.note("still full".to_owned()));
        let second = faults.standstill().unwrap();
        assert_eq!((second.why.as_str(), second.lasts >= first.lasts), ("still full", true));
        assert!(faults.clear());
        assert_eq!((faults.standstill(), faults.clear()), (None, false));
    }
}
