//! The core's state, held readable while it is copied.

use crate::contract::changes::ViewDigests;
use crate::contract::epoch::Epoch;
use crate::engine::snapshot::SnapshotTable;
use smol_str::SmolStr;

/// The core's state at one epoch, held readable while it is copied.
pub trait StateReader: Send {
    /// The epoch.
    fn epoch(&self) -> Epoch;

    /// The state of every view.
    fn standings(&self) -> &ViewDigests;

    /// Appends the next rows of a table in the order of their keys, after `after`, in the form that is kept: at most
    /// `rows_max`, and no further one once that are `bytes_max` bytes. Returns how many, and the key of the last.
    fn rows(
        &self,
        table: SnapshotTable,
        after: Option<&SmolStr>,
        rows_max: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<SmolStr>), SnapshotExpired>;
}

/// The state was held for too long, and is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("epoch {0} was forgotten while it was read")]
pub struct SnapshotExpired(pub Epoch);

/// The holder of the core's state.
pub trait StateSource: Send + Sync {
    /// Holds the newest epoch; none before there is one.
    fn pin(&self) -> Option<Box<dyn StateReader>>;
}
