//! The shop held at an epoch while a checkpoint copies it. Not for the checkpoint's files.

use super::{EpochInfo, ViewStore, Views};
use crate::store::{Pin, View};
use dataflows::contract::changes::ViewDigests;
use dataflows::contract::epoch::Epoch;
use dataflows::engine::encoding::Encoding;
use dataflows::engine::snapshot::SnapshotTable;
use dataflows::for_each_row;
use dataflows::ports::{SnapshotExpired, StateReader, StateSource};
use smol_str::SmolStr;
use std::ops::Bound;

struct HeldShop {
    shop: ViewStore,
    pin: Pin<EpochInfo>,
}

impl StateSource for ViewStore {
    fn pin(&self) -> Option<Box<dyn StateReader>> {
        let pin = self.0.clock.pin_latest((self.0.now_ms)())?;
        Some(Box::new(HeldShop { shop: self.clone(), pin }))
    }
}

impl StateReader for HeldShop {
    fn epoch(&self) -> Epoch {
        Epoch(self.pin.epoch())
    }

    fn standings(&self) -> &ViewDigests {
        &self.pin.info().standings
    }

    fn rows(
        &self,
        table: SnapshotTable,
        after: Option<&SmolStr>,
        rows_max: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<SmolStr>), SnapshotExpired> {
        let most = (rows_max, bytes_max);
        let (views, at) = (self.shop.views(), self.pin.epoch());
        self.pin.renew((self.shop.0.now_ms)());
        let read = read_table(views, table, after, at, most, out);
        if self.pin.is_valid() { Ok(read) } else { Err(SnapshotExpired(Epoch(at))) }
    }
}

macro_rules! tables {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        fn read_table(
            views: &Views,
            table: SnapshotTable,
            after: Option<&SmolStr>,
            at: u64,
            most: (usize, usize),
            out: &mut Vec<u8>,
        ) -> (usize, Option<SmolStr>) {
            match table {
                $(SnapshotTable::$variant => read(&views.$field, after, at, most, out),)*
            }
        }
    };
}

for_each_row!(kept tables);

fn read<R: Encoding>(
    view: &View<SmolStr, R>,
    after: Option<&SmolStr>,
    at: u64,
    (rows_max, bytes_max): (usize, usize),
    out: &mut Vec<u8>,
) -> (usize, Option<SmolStr>) {
    let start = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
    let (mut rows, mut last) = (0, None);
    for (key, row) in view.range((start, Bound::Unbounded), at).limit(rows_max) {
        row.store(out);
        rows += 1;
        last = Some(key);
        if out.len() >= bytes_max {
            break;
        }
    }
    (rows, last)
}
