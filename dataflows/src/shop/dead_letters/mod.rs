//! The quota of dead letters that keep their bytes.

mod row;

pub use row::{LetterCount, LetterCounts, LetterQuota};
