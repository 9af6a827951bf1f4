//! A log that fails, delays, repeats and reorders what it may, as a seed says. Not for damage on the disk: see `disk`.

use super::Random;
use crate::Error;
use crate::log::{CutLimit, Log, LogReader, LogRecord, Partitions, ReadLimit, Record, Watch, lock};
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::TopicPartition;
use dataflows::ports::{AppendCallback, AppendError, Waker};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The faults, and how often they came. Clones are the same.
#[derive(Clone, Default)]
pub struct LogFaults {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// One of so many calls goes wrong in a given way; none if there is none.
    one_in: Option<(Random, usize)>,
    counts: BTreeMap<&'static str, u64>,
    /// Acknowledgements that are late.
    held: Vec<Box<dyn FnOnce() + Send>>,
}

impl LogFaults {
    /// From now on one of so many calls goes wrong in each way that it can; none if there is none.
    pub fn set(&self, one_in: Option<(Random, usize)>) {
        lock(&self.state).one_in = one_in;
    }

    /// Gives the acknowledgements that are late.
    pub fn release(&self) {
        let held = std::mem::take(&mut lock(&self.state).held);
        held.into_iter().for_each(|acknowledge| acknowledge());
    }

    /// The number of times each thing went wrong.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.state).counts.clone()
    }

    fn strikes(&self, what: &'static str) -> bool {
        let state = &mut *lock(&self.state);
        let strikes = state.one_in.as_mut().is_some_and(|(random, one_in)| random.below(*one_in) == 0);
        if strikes {
            *state.counts.entry(what).or_default() += 1;
        }
        strikes
    }

    fn check(&self, what: &'static str) -> Result<(), Error> {
        if self.strikes(what) { Err(Error::Unavailable(format!("injected: {what}"))) } else { Ok(()) }
    }

    fn below(&self, end: usize) -> usize {
        lock(&self.state).one_in.as_mut().map_or(0, |(random, _)| random.below(end))
    }
}

/// Any log, with faults.
pub struct FaultyLog {
    inner: Arc<dyn Log>,
    faults: LogFaults,
    /// True if readers may give nothing although there is something. A caller that waits for it would wait in vain.
    is_silent: bool,
}

impl FaultyLog {
    /// That log with these faults.
    pub fn new(inner: Arc<dyn Log>, faults: LogFaults, is_silent: bool) -> FaultyLog {
        FaultyLog { inner, faults, is_silent }
    }
}

fn refused() -> AppendError {
    AppendError::Unavailable("injected".to_owned())
}

impl Log for FaultyLog {
    fn partitions(&self) -> &Partitions {
        self.inner.partitions()
    }

    fn append(&self, records: Vec<(TopicPartition, Record)>, done: AppendCallback) {
        let faults = &self.faults;
        if faults.strikes("append refused") {
            return done(Err(refused()));
        }
        if faults.strikes("append repeated") {
            self.inner.append(records.clone(), Box::new(|_| {}));
        }
        if faults.strikes("append in doubt") {
            return self.inner.append(records, Box::new(move |_| done(Err(refused()))));
        }
        if faults.strikes("append acknowledged late") {
            let state = Arc::clone(&faults.state);
            let late: AppendCallback = Box::new(move |result| lock(&state).held.push(Box::new(move || done(result))));
            return self.inner.append(records, late);
        }
        self.inner.append(records, done);
    }

    fn starts(&self) -> Result<Cut, Error> {
        self.faults.check("starts fail")?;
        self.inner.starts()
    }

    fn ends(&self) -> Result<Cut, Error> {
        self.faults.check("ends fail")?;
        self.inner.ends()
    }

    fn cut_after(&self, from: &Cut, limit: CutLimit) -> Result<Cut, Error> {
        self.faults.check("cut_after fails")?;
        self.inner.cut_after(from, limit)
    }

    fn reader(&self, starts: &Cut) -> Result<Box<dyn LogReader>, Error> {
        self.faults.check("reader fails")?;
        // One for each partition, so that they can be read in any order.
        let part = |(at, offset)| {
            let mut start = Cut::default();
            start.set(at, offset);
            self.inner.reader(&start)
        };
        let parts = starts.iter().map(part).collect::<Result<_, _>>()?;
        Ok(Box::new(FaultyReader { parts, faults: self.faults.clone(), is_silent: self.is_silent }))
    }

    fn delete_before(&self, floor: &Cut) -> Result<(), Error> {
        let what = "delete_before fails";
        // Before anything is deleted, or after all of it is.
        if self.faults.strikes(what) && self.faults.below(2) == 0 {
            return Err(Error::Unavailable(format!("injected: {what}")));
        }
        self.inner.delete_before(floor)?;
        self.faults.check(what)
    }

    fn watch(&self, waker: Waker) -> Watch {
        self.inner.watch(waker)
    }
}

struct FaultyReader {
    parts: Vec<Box<dyn LogReader>>,
    faults: LogFaults,
    is_silent: bool,
}

impl LogReader for FaultyReader {
    fn poll(&mut self, limit: ReadLimit, into: &mut Vec<LogRecord>) -> Result<(), Error> {
        self.faults.check("read fails")?;
        if self.is_silent && self.faults.strikes("read gives nothing") {
            return Ok(());
        }
        let given = into.len();
        let few = if self.faults.strikes("read gives one") { 1 } else { limit.records_max };
        let first = self.faults.below(self.parts.len());
        for n in 0..self.parts.len() {
            let left = few.saturating_sub(into.len() - given);
            if left > 0 {
                let at = (first + n) % self.parts.len();
                self.parts[at].poll(ReadLimit { records_max: left, ..limit }, into)?;
            }
        }
        Ok(())
    }

    fn position(&self, at: TopicPartition) -> Option<u64> {
        self.parts.iter().find_map(|part| part.position(at))
    }

    fn wake(&mut self, waker: Waker) {
        self.parts.iter_mut().for_each(|part| part.wake(Arc::clone(&waker)));
    }
}
