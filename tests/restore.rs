//! A state that was kept and read back goes on as the one that never stopped: every change, event and digest after it,
//! with any number of workers before and after. Not for files: those are `ingest`'s.

use crate::rule_s::{sealed, workload};
use crate::support::{Way, for_each_seed, run, run_from, seeds};
use dataflows::base::{Table, load, whole};
use dataflows::changes::{Change, Changes, Rows, Shard};
use dataflows::epoch::{Cut, EpochRecord};
use dataflows::rows::{Imbalance, Row};
use dataflows::stored::Store;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tables as they are kept: rows by key, as bytes.
#[derive(Default)]
struct Kept {
    tables: BTreeMap<Table, BTreeMap<SmolStr, Vec<u8>>>,
    cut: Cut,
}

impl Kept {
    fn apply(&mut self, changes: &Changes) {
        let Rows {
            products,
            stock,
            orders,
            payments: _,
            credits,
            adjustments,
            operations,
            policy,
            revenue,
            invariants: _,
        } = &*changes.rows;
        self.put(Table::Products, products);
        self.put(Table::Stock, stock);
        self.put(Table::Orders, orders);
        self.put(Table::Credits, credits);
        self.put(Table::Adjustments, adjustments);
        self.put(Table::Operations, operations);
        self.put(Table::Policy, policy);
        self.put(Table::Revenue, revenue);
        for of in &changes.imbalances {
            let sum: Option<&Imbalance> = (of.sum != 0).then_some(of);
            self.set(Table::Imbalances, of.key(), sum);
        }
        self.cut.advance(&changes.record.cut);
    }

    fn put<R: Row + Store>(&mut self, table: Table, changes: &[Change<R>]) {
        for change in changes {
            self.set(table, change.key_text(), change.after.as_deref());
        }
    }

    fn set<R: Store>(&mut self, table: Table, key: SmolStr, row: Option<&R>) {
        let rows = self.tables.entry(table).or_default();
        match row {
            Some(row) => {
                let mut bytes = Vec::new();
                row.store(&mut bytes);
                rows.insert(key, bytes);
            }
            None => drop(rows.remove(&key)),
        }
    }

    /// The state, read back in as many shards as there are tables.
    fn load(&self, record: &EpochRecord) -> Arc<Changes> {
        let shards = self.tables.iter().map(|(table, rows)| {
            let mut shard = Shard::default();
            load(*table, &rows.values().flatten().copied().collect::<Vec<_>>(), &mut shard).unwrap();
            shard
        });
        Arc::new(whole(EpochRecord { cut: self.cut.clone(), ..record.clone() }, shards.collect()))
    }
}

#[test]
fn a_state_that_was_kept_goes_on_as_the_one_that_never_stopped() {
    for_each_seed("restore", seeds(300, 4), |seed| {
        let log = sealed(&workload(seed));
        let way = |workers, stride| Way { workers, stride, in_flight: 8 };
        let all = run(&log, way(2, 3));
        let mut kept = Kept::default();
        for (at, changes) in all.iter().enumerate() {
            kept.apply(changes);
            if (at as u64 + seed) % 29 != 3 {
                continue;
            }
            let base = kept.load(&changes.record);
            assert_eq!(base.standings, changes.standings, "seed {seed}: epoch {} as it was kept", changes.epoch());
            for workers in 1..=3 {
                let after = run_from(&log, Some(Arc::clone(&base)), way(workers, 7));
                assert_eq!(after.len(), all.len() - at, "seed {seed}, {workers} workers");
                for (found, expected) in after[1..].iter().zip(&all[at + 1..]) {
                    assert_eq!(found, expected, "seed {seed}, {workers} workers, from epoch {}", changes.epoch());
                }
            }
        }
    });
}
