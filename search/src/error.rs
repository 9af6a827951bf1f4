//! The errors of the index.

use std::path::PathBuf;

/// The index could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder could not be made, or cleared.
    #[error("the folder of the index, {}, cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file of synonyms is wrong.
    #[error("the synonyms in {} cannot be read: {why}", path.display())]
    Synonyms {
        /// The file.
        path: PathBuf,
        /// The fault, and its place.
        why: String,
    },
    /// The files of the index do not give what they should.
    #[error("the index cannot be used")]
    Index(#[from] tantivy::TantivyError),
    /// A file of the index could not be read.
    #[error("a file of the index cannot be read")]
    File(#[from] std::io::Error),
    /// A file of the index is not what was written.
    #[error("a file of the index is damaged")]
    Damaged,
    /// A document of the index is of no product.
    #[error("the index has a document of a product that is not there")]
    InconsistentIndex,
    /// There is no memory for the facets of another query now.
    #[error("the facets of all queries under way take too much memory")]
    Overloaded,
    /// The thread that writes the index could not be started.
    #[error("the index cannot be written")]
    Thread(#[source] std::io::Error),
}
