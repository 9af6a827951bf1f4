//! How many dead letters keep their bytes.

mod row;

pub use row::{LetterCount, LetterCounts, LetterQuota};
