//! What can go wrong here.

use dataflows::contract::epoch::Epoch;

/// Why the warehouse cannot do what it was asked. After any error the exporter is opened again: what it had not committed
/// is read again from the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{doing} {file}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no place for tables at that URL.
    #[error("the tables cannot be at {url}: {why}")]
    Address {
        /// The URL.
        url: String,
        /// Why not.
        why: String,
    },
    /// A file is not what was written.
    #[error("{file} cannot be read: {why}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody asked more of the table's readers and writers than this writer keeps.
    #[error(
        "the table {table} asks for reader version {reader} and writer version {writer}, and 1 and 2 are what is written \
         here: somebody raised its protocol; restore the table, or remove its folder to have it written anew"
    )]
    Protocol {
        /// The table.
        table: String,
        /// What it asks of readers.
        reader: i32,
        /// What it asks of writers.
        writer: i32,
    },
    /// The tables are those of another shop.
    #[error(
        "the tables in {place} are made of the log {found}, and this log is {expected}: give them another place by \
         export.url, or remove that folder to have them written anew"
    )]
    OtherLog {
        /// Where they are.
        place: String,
        /// The id of their log.
        found: String,
        /// The id of the log that was to be written.
        expected: String,
    },
    /// The table's columns are not a beginning of those that are written.
    #[error("the table {table} has other columns than are written here: {why}")]
    Schema {
        /// The table.
        table: String,
        /// What differs.
        why: String,
    },
    /// Somebody else commits to the table.
    #[error(
        "version {version} of the table {table} was written by somebody else meanwhile, or by an attempt of our own that \
         got no answer"
    )]
    Raced {
        /// The table.
        table: String,
        /// The version that was to be written.
        version: u64,
    },
    /// One table of a view is behind the other, which cannot be.
    #[error(
        "{changes} is behind {current}, from which it is made: remove the folders of both to have them written anew"
    )]
    Pair {
        /// The table of the changes.
        changes: String,
        /// The table of the rows.
        current: String,
    },
    /// The input does not continue where the tables end.
    #[error("the tables go on at epoch {expected}, and the input has {found}")]
    Gap {
        /// What comes next.
        expected: Epoch,
        /// What came.
        found: Epoch,
    },
    /// A record of the output topics is not of its type's shape.
    #[error("{record} of epoch {epoch} cannot be read: {why}")]
    Input {
        /// Which record.
        record: String,
        /// Its epoch.
        epoch: Epoch,
        /// What is wrong with it.
        why: String,
    },
    /// A text is too long for a Parquet file.
    #[error("a text in the column {column} of the table {table} has {bytes} bytes, and {bytes_max} are allowed")]
    TooLong {
        /// The table.
        table: String,
        /// The column.
        column: &'static str,
        /// The length of the text.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
    /// Parquet could not be made.
    #[error("making a Parquet file")]
    Parquet(#[from] parquet::errors::ParquetError),
}
