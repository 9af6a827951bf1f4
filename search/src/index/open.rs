//! The index's files, open for writing: opened or created, and committed together with the epoch that they are of.
//! Not for what is written.

use super::storage::IndexStorage;
use crate::Error;
use crate::document::{FORMAT, Fields};
use dataflows::contract::epoch::Epoch;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use tantivy::directory::error::OpenReadError;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyError};

/// The mark that a commit carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The form of the index.
    pub format: u32,
    /// The epoch that the documents are of.
    pub epoch: Epoch,
    /// The digest of all views at it, so that an index of another log is not taken for this one's.
    pub digest: String,
}

impl Mark {
    /// The mark of an epoch.
    pub fn of(epoch: Epoch, digest: u128) -> Mark {
        Mark { format: FORMAT, epoch, digest: dataflows::contract::changes::digest_text(digest) }
    }
}

/// An index that is open.
pub struct Open {
    /// The writer, to which documents are added.
    pub writer: IndexWriter,
    reader: IndexReader,
}

impl Open {
    /// Opens the index with the mark of its last commit. If it cannot be read, or has another form, it is recreated.
    pub fn at(home: &dyn IndexStorage, fields: &Fields, writer_bytes: usize) -> Result<(Open, Option<Mark>), Error> {
        match Open::existing(home, fields, writer_bytes) {
            Ok((open, Some(mark))) => Ok((open, Some(mark))),
            Err(error) if !is_unreadable(&error) => Err(error),
            Ok((_, None)) | Err(_) => {
                home.clear()?;
                let index = Index::open_or_create(home.directory()?, fields.schema.clone())?;
                Ok((Open::of(&index, writer_bytes)?, None))
            }
        }
    }

    fn existing(home: &dyn IndexStorage, fields: &Fields, writer_bytes: usize) -> Result<(Open, Option<Mark>), Error> {
        let index = Index::open_or_create(home.directory()?, fields.schema.clone())?;
        // Commits are not synced, so a power cut may have left a part of one: see `disk`.
        if !index.validate_checksum()?.is_empty() {
            return Err(Error::Damaged);
        }
        let payload = index.load_metas()?.payload;
        let mark = payload.and_then(|payload| serde_json::from_str::<Mark>(&payload).ok());
        Ok((Open::of(&index, writer_bytes)?, mark.filter(|mark| mark.format == FORMAT)))
    }

    fn of(index: &Index, writer_bytes: usize) -> Result<Open, Error> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let writer = index.writer_with_num_threads(1, writer_bytes)?;
        Ok(Open { writer, reader })
    }

    /// Makes what was added and deleted durable, together with the mark.
    pub fn commit(&mut self, mark: &Mark) -> Result<(), Error> {
        let payload = serde_json::to_string(mark).map_err(std::io::Error::from)?;
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&payload);
        commit.commit()?;
        Ok(())
    }

    /// The last commit, open for reading.
    pub fn searcher(&self) -> Result<Searcher, Error> {
        self.reader.reload()?;
        Ok(self.reader.searcher())
    }
}

/// Returns true if the files are there and make no sense, so that only new ones help.
fn is_unreadable(error: &Error) -> bool {
    let is_garbage = |error: &std::io::Error| matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
    match error {
        Error::Damaged => true,
        Error::File(error) => is_garbage(error),
        Error::Index(TantivyError::IoError(error)) => is_garbage(error),
        Error::Index(TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })) => is_garbage(io_error),
        Error::Index(error) => matches!(
            error,
            TantivyError::OpenReadError(_)
                | TantivyError::DataCorruption(_)
                | TantivyError::SchemaError(_)
                | TantivyError::IncompatibleIndex(_)
                | TantivyError::FieldNotFound(_)
        ),
        Error::Folder { .. }
        | Error::Synonyms { .. }
        | Error::Thread(_)
        | Error::InconsistentIndex
        | Error::Overloaded => false,
    }
}
