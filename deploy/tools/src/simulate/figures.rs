//! The counts and times of a run, and their report. Not for judging it.

use serde::Serialize;
use std::collections::BTreeMap;

/// The differences that are reported in full, at most.
const TOLD_MAX: usize = 10;

/// The counts and times.
#[derive(Clone, Debug, Default)]
pub struct SimulationCounts {
    /// The number of commands that were taken.
    pub accepted: u64,
    /// The number of refusals, by code.
    pub refused: BTreeMap<String, u64>,
    /// The number not answered at first, or not with a decision; each was repeated under its id until it was.
    pub undecided: u64,
    /// The number of answers that were compared with the books.
    pub compared: u64,
    /// The number of epochs that the shop's own checks were read at.
    pub invariants: u64,
    /// The time of each command, from the request to the answer that shows it.
    pub took_us: Vec<u32>,
    /// The number of differences.
    pub differences: u64,
    /// The first of them.
    pub told: Vec<String>,
}

impl SimulationCounts {
    /// Counts a difference.
    pub fn differ(&mut self, what: String) {
        self.differences += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what);
        }
    }

    /// Counts a comparison, and the difference that it showed.
    pub fn compare(&mut self, difference: Option<String>) {
        self.compared += 1;
        if let Some(what) = difference {
            self.differ(what);
        }
    }

    /// Forgets all counts and times so far, except for what went wrong.
    pub fn begin(&mut self) {
        self.accepted = 0;
        self.refused.clear();
        self.took_us.clear();
    }

    /// Adds those of another.
    pub fn add(&mut self, other: SimulationCounts) {
        let SimulationCounts { accepted, refused, undecided, compared, invariants, took_us, differences, told } = other;
        self.accepted += accepted;
        for (code, count) in refused {
            *self.refused.entry(code).or_default() += count;
        }
        self.undecided += undecided;
        self.compared += compared;
        self.invariants += invariants;
        self.took_us.extend(took_us);
        self.differences += differences;
        self.told.extend(told);
        self.told.truncate(TOLD_MAX);
    }
}

/// The report of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    seed: u64,
    prefix: String,
    customers: usize,
    seconds: f64,
    commands: u64,
    rate: f64,
    accepted: u64,
    refused: BTreeMap<String, u64>,
    undecided_at_first: u64,
    p50_us: u32,
    p99_us: u32,
    max_us: u32,
    answers_compared: u64,
    orders_compared: usize,
    invariants_read_at_epochs: u64,
    differences: u64,
    first_differences: Vec<String>,
}

/// The facts of a run.
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// The prefix of its ids.
    pub prefix: String,
    /// The number of customers.
    pub customers: usize,
    /// The seconds that commands were sent for.
    pub seconds: f64,
    /// The number of known orders.
    pub orders: usize,
}

impl Report {
    /// The report of a run.
    pub fn of(run: Run, mut figures: SimulationCounts) -> Report {
        figures.took_us.sort_unstable();
        // The smallest value that at least so many of a hundred do not exceed.
        let percentile = |percent: usize| {
            let rank = (figures.took_us.len() * percent).div_ceil(100);
            figures.took_us.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        let commands = figures.accepted + figures.refused.values().sum::<u64>();
        Report {
            seed: run.seed,
            prefix: run.prefix,
            customers: run.customers,
            seconds: run.seconds,
            commands,
            rate: commands as f64 / run.seconds.max(f64::EPSILON),
            accepted: figures.accepted,
            undecided_at_first: figures.undecided,
            p50_us: percentile(50),
            p99_us: percentile(99),
            max_us: percentile(100),
            answers_compared: figures.compared,
            orders_compared: run.orders,
            invariants_read_at_epochs: figures.invariants,
            differences: figures.differences,
            refused: figures.refused,
            first_differences: figures.told,
        }
    }

    /// The number of differences.
    pub const fn differences(&self) -> u64 {
        self.differences
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let refused: Vec<String> = self.refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let ms = |us: u32| f64::from(us) / 1000.0;
        let mut text = format!(
            "seed {}, ids begin with {}\n{} customers, {} commands in {:.1} s: {:.0} a second\n\
             accepted {}, refused {} ({}), undecided at first {}\n\
             from request to visible: p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms\n\
             compared: {} answers, {} orders at the end; the shop's own checks at {} epochs\ndifferences: {}\n",
            self.seed,
            self.prefix,
            self.customers,
            self.commands,
            self.seconds,
            self.rate,
            self.accepted,
            self.refused.values().sum::<u64>(),
            if refused.is_empty() { "none".to_owned() } else { refused.join(", ") },
            self.undecided_at_first,
            ms(self.p50_us),
            ms(self.p99_us),
            ms(self.max_us),
            self.answers_compared,
            self.orders_compared,
            self.invariants_read_at_epochs,
            self.differences,
        );
        for difference in &self.first_differences {
            text.push_str(&format!("  {difference}\n"));
        }
        text
    }
}
