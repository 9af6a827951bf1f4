//! The node's tables for analysts as an operator sees them. Not for how they are written.

use serde::Serialize;

/// The state of the export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportJson {
    /// The newest epoch that all tables hold; 0 before the first.
    pub epoch: u64,
    /// The reason why nothing can be exported, while that is so.
    pub stalled: Option<String>,
    /// The URL of the folder of the tables.
    pub place: String,
    /// Every table.
    pub tables: Vec<TableJson>,
}

/// The state of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableJson {
    /// Its name.
    pub table: String,
    /// The newest epoch that changed it.
    pub epoch: u64,
    /// The number of rows.
    pub rows: i64,
    /// The number of files.
    pub files: usize,
    /// The number of them that `compact` might merge.
    pub small_files: usize,
    /// The number of bytes.
    pub bytes: i64,
    /// Epochs that it lacks, since they were already gone when they were to be written.
    pub gaps: Vec<GapJson>,
}

/// Epochs that a table lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GapJson {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedJson {
    /// The epoch at which it looked.
    pub epoch: u64,
    /// The number of tables that were read.
    pub tables: usize,
    /// The reason why the tables were not compared with the node's views but with each other only; none if they were.
    pub without_views: Option<String>,
    /// The problems found.
    pub problems: Vec<TableProblemJson>,
}

/// Something that is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableProblemJson {
    /// The table.
    pub table: String,
    /// The reason.
    pub why: String,
}

/// The result of a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CompactedJson {
    /// By how many files there are fewer.
    pub files_fewer: usize,
}

/// The result of a vacuum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VacuumedJson {
    /// The number of files deleted.
    pub files_deleted: usize,
}

/// For a node that exports nothing.
pub struct NoExports;

const NONE: &str = "this node exports nothing";

impl Exports for NoExports {
    fn standing(&self) -> Result<ExportJson, String> {
        Err(NONE.to_owned())
    }

    fn verify(&self) -> Result<VerifiedJson, String> {
        Err(NONE.to_owned())
    }

    fn compact(&self) -> Result<CompactedJson, String> {
        Err(NONE.to_owned())
    }

    fn vacuum(&self, _older_than_hours: u64) -> Result<VacuumedJson, String> {
        Err(NONE.to_owned())
    }
}

/// The export. Its functions may block.
pub trait Exports: Send + Sync {
    /// Returns its state.
    fn standing(&self) -> Result<ExportJson, String>;

    /// Holds the tables against each other, and against the views at their epoch.
    fn verify(&self) -> Result<VerifiedJson, String>;

    /// Merges small files.
    fn compact(&self) -> Result<CompactedJson, String>;

    /// Deletes files that no version needs which is younger than that.
    fn vacuum(&self, older_than_hours: u64) -> Result<VacuumedJson, String>;
}
