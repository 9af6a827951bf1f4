//! Keyed state that cannot be iterated in hash order, and that knows what changed in an epoch.

use crate::contract::changes::Change;
use crate::shop::row::TableRow;
use hashbrown::{HashMap, HashTable};
use smol_str::SmolStr;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Rows by their id. The id is read from the row, so that it is held once.
#[derive(Debug)]
pub struct Table<R> {
    rows: HashTable<Arc<R>>,
    /// The rows before the epoch, of those ids that it has touched.
    before: HashMap<SmolStr, Option<Arc<R>>>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Table { rows: HashTable::new(), before: HashMap::new() }
    }
}

fn hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

impl<R: TableRow> Table<R> {
    /// The row of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<R>> {
        self.rows.find(hash(id), |row| row.id() == id)
    }

    /// Puts a row, in place of the one of its id.
    pub fn put(&mut self, row: Arc<R>) {
        let before = self.load(Arc::clone(&row));
        self.touch(row.as_ref(), before);
    }

    /// Puts rows that were there before the epoch: they are no changes.
    pub fn load_all(&mut self, rows: &[Change<R>]) {
        self.rows.reserve(rows.len(), |row| hash(row.id()));
        for row in rows.iter().filter_map(|change| change.after.as_ref()) {
            self.load(Arc::clone(row));
        }
    }

    fn load(&mut self, row: Arc<R>) -> Option<Arc<R>> {
        let hash = hash(row.id());
        match self.rows.find_mut(hash, |other| other.id() == row.id()) {
            Some(slot) => Some(std::mem::replace(slot, row)),
            None => {
                self.rows.insert_unique(hash, row, |row| self::hash(row.id()));
                None
            }
        }
    }

    /// Removes the row of that id.
    pub fn remove(&mut self, id: &str) {
        if let Ok(entry) = self.rows.find_entry(hash(id), |row| row.id() == id) {
            let (row, _) = entry.remove();
            self.touch(row.as_ref(), Some(Arc::clone(&row)));
        }
    }

    fn touch(&mut self, row: &R, before: Option<Arc<R>>) {
        if !self.before.contains_key(row.id()) {
            self.before.insert(row.key_text(), before);
        }
    }

    /// The changes since the last call, in the order of the ids.
    pub fn take_changes(&mut self) -> Vec<Change<R>> {
        let mut touched: Vec<_> = self.before.drain().collect();
        touched.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        touched
            .into_iter()
            .filter_map(|(id, before)| {
                let after = self.rows.find(hash(&id), |row| row.id() == id).cloned();
                Change::of(before, after)
            })
            .collect()
    }
}
