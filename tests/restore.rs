//! A state that was kept and read back continues as the one that never stopped: every change, event and digest after it,
//! with any number of workers before and after; so does every form of files that was ever written.

use crate::rule_s::{sealed, workload};
use crate::support::{Way, for_each_seed, run, run_from, seeds};
use dataflows::contract::changes::{Change, Changes, Shard, ViewDigests};
use dataflows::contract::epoch::{Cut, Epoch, EpochRecord, Epochs};
use dataflows::engine::encoding::Encoding;
use dataflows::engine::snapshot::{SnapshotTable, assemble, load};
use dataflows::for_each_row;
use dataflows::ports::{SnapshotExpired, StateReader};
use dataflows::shop::row::Row;
use dataflows::views::invariants::Residual;
use ingest::checkpoint;
use ingest::input::sealed_epochs::LogPosition;
use ingest::log::storage::Folder;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tables as they are kept: rows by key, as bytes.
#[derive(Default)]
pub struct StoredTables {
    tables: BTreeMap<SnapshotTable, BTreeMap<SmolStr, Vec<u8>>>,
    cut: Cut,
}

impl StoredTables {
    pub fn apply(&mut self, changes: &Changes) {
        macro_rules! put {
            // State is below.
            (state $field:ident $variant:ident) => {};
            ($kind:ident $field:ident $variant:ident) => {
                self.put(SnapshotTable::$variant, &changes.rows.$field);
            };
        }
        macro_rules! tables {
            ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
                $(put!($kind $field $variant);)*
            };
        }
        for_each_row!(kept tables);
        for (search_id, memo) in &changes.search_memory {
            self.set(SnapshotTable::SearchMemory, search_id.clone(), memo.as_deref());
        }
        for of in &changes.quota.counts {
            self.set(SnapshotTable::LetterCounts, of.topic.name().into(), Some(of));
        }
        for of in &changes.imbalances {
            let sum: Option<&Residual> = (of.sum != 0).then_some(of);
            self.set(SnapshotTable::Imbalances, of.key(), sum);
        }
        self.cut.advance(&changes.record.cut);
    }

    fn put<R: Row + Encoding>(&mut self, table: SnapshotTable, changes: &[Change<R>]) {
        for change in changes {
            self.set(table, change.key_text(), change.after.as_deref());
        }
    }

    fn set<R: Encoding>(&mut self, table: SnapshotTable, key: SmolStr, row: Option<&R>) {
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
    pub fn load(&self, record: &EpochRecord) -> Arc<Changes> {
        let shards = self.tables.iter().map(|(table, rows)| {
            let mut shard = Shard::default();
            load(*table, &rows.values().flatten().copied().collect::<Vec<_>>(), &mut shard).unwrap();
            shard
        });
        Arc::new(assemble(EpochRecord { cut: self.cut.clone(), ..record.clone() }, shards.collect()))
    }
}

/// The tables held at an epoch, as a store holds them.
struct HeldTables<'a> {
    kept: &'a StoredTables,
    epoch: Epoch,
    standings: ViewDigests,
}

impl StateReader for HeldTables<'_> {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn standings(&self) -> &ViewDigests {
        &self.standings
    }

    fn rows(
        &self,
        table: SnapshotTable,
        after: Option<&SmolStr>,
        rows_max: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<SmolStr>), SnapshotExpired> {
        let rows = self.kept.tables.get(&table).into_iter().flatten();
        let rows = rows.skip_while(|(key, _)| after.is_some_and(|after| *key <= after)).take(rows_max);
        let (mut count, mut last) = (0, None);
        for (key, row) in rows {
            out.extend_from_slice(row);
            (count, last) = (count + 1, Some(key.clone()));
            if out.len() >= bytes_max {
                break;
            }
        }
        Ok((count, last))
    }
}

/// The workload of this seed, as it stood after this epoch, stands in the folder of old checkpoints.
const GOLDEN_SEED: u64 = 300;
const GOLDEN_EPOCH: usize = 100;

/// The place where checkpoints of every form stand, a folder a form.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

#[test]
fn a_checkpoint_of_every_old_form_is_read() {
    let log = sealed(&workload(GOLDEN_SEED));
    let all = run(&log, Way { workers: 1, stride: 1, in_flight: 1 });
    let mut kept = StoredTables::default();
    all[..GOLDEN_EPOCH].iter().for_each(|changes| kept.apply(changes));
    let at = &all[GOLDEN_EPOCH - 1];
    let newest = golden().join(format!("format-{}", checkpoint::FORMAT));
    if !newest.exists() {
        let may_write = std::env::var("TRADEWIND_TEST_GOLDEN").is_ok_and(|value| value == "write");
        assert!(may_write, "the form of checkpoints is a new one, and has no golden files: see tests/contract/mod.rs");
        let epochs = Epochs { last: at.epoch(), now: at.record.now, cut: kept.cut.clone() };
        let held = HeldTables { kept: &kept, epoch: at.epoch(), standings: at.standings.clone() };
        std::fs::create_dir_all(&newest).unwrap();
        checkpoint::write(&Folder::new(&newest), &held, &LogPosition { epochs, offset: GOLDEN_EPOCH as u64 }).unwrap();
    }
    for form in std::fs::read_dir(golden()).unwrap() {
        let (manifest, state) =
            checkpoint::newest(&Folder::new(form.unwrap().path()), 2).unwrap().expect("it has a checkpoint");
        assert_eq!((manifest.epoch, manifest.offset), (at.epoch(), GOLDEN_EPOCH as u64));
        assert_eq!(state.standings, at.standings);
        let way = Way { workers: 2, stride: 5, in_flight: 8 };
        let after = run_from(&log, Some(Arc::new(state)), way);
        assert_eq!(after[1..], all[GOLDEN_EPOCH..]);
    }
}

#[test]
fn a_state_that_was_kept_goes_on_as_the_one_that_never_stopped() {
    for_each_seed("restore", seeds(300, 4), |seed| {
        let log = sealed(&workload(seed));
        let way = |workers, stride| Way { workers, stride, in_flight: 8 };
        let all = run(&log, way(2, 3));
        let mut kept = StoredTables::default();
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
