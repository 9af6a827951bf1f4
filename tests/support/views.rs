//! The views as an outsider keeps them: rows by key, from the changes of each epoch.

use dataflows::contract::changes::{Change, Changes, row_hash};
use dataflows::for_each_row;
use dataflows::shop::row::{Row, View};
use serde_json::Value;
use std::collections::BTreeMap;

/// The rows of every view, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Views(pub BTreeMap<View, BTreeMap<String, Vec<u8>>>);

impl Views {
    /// Applies an epoch; every change must fit what is there.
    pub fn apply(&mut self, changes: &Changes) {
        macro_rules! views {
            ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
                $(self.put(&changes.rows.$field);)*
            };
        }
        for_each_row!(views views);
    }

    fn put<R: Row>(&mut self, changes: &[Change<R>]) {
        let rows = self.0.entry(R::VIEW).or_default();
        for pair in changes.windows(2) {
            assert!(pair[0].key() < pair[1].key(), "one change a key, in order");
        }
        for change in changes {
            let key = change.key().into_owned();
            let before = change.before.as_ref().map(|row| row.value());
            let found = match &change.after {
                Some(after) => rows.insert(key.clone(), after.value()),
                None => rows.remove(&key),
            };
            let text = |bytes: &Option<Vec<u8>>| {
                bytes.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned()
            };
            assert_eq!(text(&found), text(&before), "{} {key}: the change's before is what was there", R::VIEW.name());
        }
    }

    /// A view's rows as JSON.
    pub fn json(&self, view: View) -> BTreeMap<String, Value> {
        let rows = self.0.get(&view).into_iter().flatten();
        rows.map(|(key, value)| (key.clone(), serde_json::from_slice(value).expect("rows are JSON"))).collect()
    }

    /// A view's digest, computed again from all of its rows.
    pub fn digest(&self, view: View) -> u128 {
        let rows = self.0.get(&view).into_iter().flatten();
        rows.fold(0, |sum: u128, (key, value)| sum.wrapping_add(row_hash(view, key, value)))
    }
}
