//! The epoch store: rows in memory, readable at any of the last epochs.
//!
//! ```text
//! changes of an epoch ──▶ View::apply, one view after another ──▶ Clock::publish ──▶ readers
//!                              chunks of 64 rows, each with            whole epoch
//!                              the undo log of its last epochs         visible at once
//! ```
//!
//! A reader pins an epoch at the [`EpochWindow`] and reads any [`View`] at it; the writer continues
//! meanwhile, and the two meet for the microseconds that one chunk is locked.
//! Each chunk holds the newest rows, and after them what its rows were before each change of the
//! epochs that can still be read. Reading the newest epoch does not look there.
//!
//! The owner has one `View` a row type and one `Clock` for all of them. For each epoch it calls
//! [`EpochWindow::step`], applies the changes of *every* view (also the empty ones, since history is
//! swept there, a little an epoch), and publishes. Until the first epoch is published no history
//! is written, so a replay or a bulk load costs none.
//!
//! Not for durability, for joins, or for deciding: rows come in finished and leave as they came.
//! Nothing here reads a clock; the caller says what time it is.

mod epoch_window;
mod view;

mod change;
mod chunk;
mod chunks;
mod cursor;
mod directory;
mod writer;

#[cfg(test)]
mod tests;

pub use change::Change;
pub use chunks::Stats;
pub use cursor::Rows;
pub use epoch_window::{ApplyContext, EpochWindow, HistoryLimits, NotReadable, Pin, PublishedEpoch};
pub use view::View;

/// Our logical time: one closed batch of input.
pub type Epoch = u64;
