//! The SKUs that a product once had and has no more: they stay the product's. Not for what is sold.
//!
//! A product is copied with each change, and may have had any number of SKUs. So they are kept in runs that all
//! versions of the product share. A run is sorted, and more than twice as long as the next one: to add to them costs,
//! over many changes, a step for each SKU and each doubling of their number.

use crate::engine::encoding::{DecodeError, Encoding, Reader, encode_struct};
use crate::shop::catalogue::InventoryPolicy;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The way the stock of a SKU is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockRule {
    /// The policy: checked, counted or neither.
    pub inventory_policy: InventoryPolicy,
    /// Reports when the available stock falls to this.
    pub low_stock_at: Option<i64>,
}

/// A SKU that its product no longer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerSku {
    /// The SKU.
    pub sku: SmolStr,
    /// The way its stock was kept last.
    pub rule: StockRule,
}

/// The SKUs that a product no longer has. One that came back may still be among them: the product's own counts first.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// From the oldest to the newest; of a SKU that is in several the newest counts.
    runs: Vec<Arc<Vec<FormerSku>>>,
}

impl LeftOut {
    /// Returns the entry of a SKU.
    pub fn get(&self, sku: &str) -> Option<&FormerSku> {
        let find = |run: &'_ Arc<Vec<FormerSku>>| run.binary_search_by(|one| one.sku.as_str().cmp(sku)).ok();
        self.runs.iter().rev().find_map(|run| find(run).map(|at| &run[at]))
    }

    /// With more of them. Returns also how many entries were written for it.
    #[must_use]
    pub fn with(&self, mut more: Vec<FormerSku>) -> (LeftOut, usize) {
        let mut runs = self.runs.clone();
        let mut written = more.len();
        if more.is_empty() {
            return (LeftOut { runs }, 0);
        }
        more.sort_unstable_by(|one, other| one.sku.cmp(&other.sku));
        while let Some(older) = runs.pop_if(|run| run.len() <= 2 * more.len()) {
            more = merge(&older, more);
            written += more.len();
        }
        runs.push(Arc::new(more));
        (LeftOut { runs }, written)
    }

    /// The SKUs that `before` need not have had: all that were added since are among them.
    pub fn since<'a>(&'a self, before: Option<&'a LeftOut>) -> impl Iterator<Item = &'a FormerSku> {
        let was_there = move |run: &Arc<Vec<FormerSku>>| {
            before.is_some_and(|before| before.runs.iter().any(|other| Arc::ptr_eq(run, other)))
        };
        self.runs.iter().filter(move |run| !was_there(run)).flat_map(|run| run.iter())
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| run.len()).sum()
    }

    /// Returns true if there are none.
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn by_sku(&self) -> BTreeMap<&SmolStr, StockRule> {
        self.runs.iter().flat_map(|run| run.iter()).map(|one| (&one.sku, one.rule)).collect()
    }
}

impl FromIterator<FormerSku> for LeftOut {
    fn from_iter<I: IntoIterator<Item = FormerSku>>(all: I) -> LeftOut {
        LeftOut::default().with(all.into_iter().collect()).0
    }
}

/// Two sorted runs as one; of a SKU that both have, the newer entry stays.
fn merge(older: &[FormerSku], newer: Vec<FormerSku>) -> Vec<FormerSku> {
    let mut merged = Vec::with_capacity(older.len() + newer.len());
    let mut older = older.iter().peekable();
    for one in newer {
        while let Some(other) = older.next_if(|other| other.sku <= one.sku) {
            if other.sku != one.sku {
                merged.push(other.clone());
            }
        }
        merged.push(one);
    }
    merged.extend(older.cloned());
    merged
}

/// The same SKUs with the same rules, in whatever runs: a state that is read back has them in one.
impl PartialEq for LeftOut {
    fn eq(&self, other: &LeftOut) -> bool {
        let same_run = |(one, other): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(one, other);
        (self.runs.len() == other.runs.len() && self.runs.iter().zip(&other.runs).all(same_run))
            || self.by_sku() == other.by_sku()
    }
}

impl Eq for LeftOut {}

impl Encoding for LeftOut {
    fn store(&self, out: &mut Vec<u8>) {
        let all = self.by_sku();
        (all.len() as u64).store(out);
        for (sku, rule) in all {
            sku.store(out);
            rule.store(out);
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Vec::<FormerSku>::load(from)?.into_iter().collect())
    }
}

encode_struct! {
    StockRule { inventory_policy, low_stock_at }
    FormerSku { sku, rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sku(number: u64, low_stock_at: i64) -> FormerSku {
        let rule = StockRule { inventory_policy: InventoryPolicy::Reserve, low_stock_at: Some(low_stock_at) };
        FormerSku { sku: SmolStr::from(format!("S{number}")), rule }
    }

    #[test]
    fn the_last_rule_of_each_sku_is_found_and_read_back() {
        let (mut left_out, mut plain, mut state) = (LeftOut::default(), BTreeMap::new(), 1_u64);
        for round in 0..400 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let more: Vec<_> = (0..(state >> 60) + 1).map(|n| sku(((state >> 40) + n) % 300, round)).collect();
            plain.extend(more.iter().map(|one| (one.sku.clone(), one.clone())));
            let before = left_out.clone();
            left_out = left_out.with(more.clone()).0;
            assert!(more.iter().all(|one| left_out.since(Some(&before)).any(|other| other.sku == one.sku)));
            assert!(left_out.runs.is_sorted_by(|older, newer| older.len() > 2 * newer.len()));
        }
        assert!(plain.iter().all(|(sku, one)| left_out.get(sku) == Some(one)));
        assert_eq!(left_out.get("T"), None);
        let mut bytes = Vec::new();
        left_out.store(&mut bytes);
        let read = LeftOut::load(&mut Reader(&bytes)).unwrap();
        assert_eq!(read, left_out);
        assert_ne!(read, left_out.with(vec![sku(0, -1)]).0, "another rule");
        assert_ne!(read, left_out.with(vec![sku(300, 0)]).0, "another SKU");
    }

    #[test]
    fn what_is_written_grows_by_a_step_for_each_doubling() {
        for size in [1_u64, 10, 1_000] {
            let (mut left_out, mut written) = (LeftOut::default(), 0);
            let rounds = 20_000 / size;
            for round in 0..rounds {
                let more = (0..size).map(|n| sku(round * size + n, 0)).collect();
                let (next, count) = left_out.with(more);
                (left_out, written) = (next, written + count);
            }
            assert_eq!(left_out.len(), 20_000);
            assert!(written <= 20_000 * 17, "{size} at once: {written} entries were written");
        }
    }
}
