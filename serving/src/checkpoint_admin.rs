//! The node's checkpoints as an operator sees them. Not for how they are taken.

use serde::Serialize;

/// A checkpoint, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckpointJson {
    /// The epoch.
    pub epoch: u64,
    /// Its time.
    pub now: String,
    /// The rows of all tables.
    pub rows: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The digest of the state.
    pub digest: String,
    /// Its folder.
    pub place: String,
}

/// For a shop without checkpoints.
pub struct NoKeeper;

impl CheckpointAdmin for NoKeeper {
    fn take(&self) -> Result<CheckpointJson, String> {
        Err("this node keeps none".to_owned())
    }

    fn list(&self) -> Result<Vec<CheckpointJson>, String> {
        Ok(Vec::new())
    }
}

/// The administration of checkpoints. Its functions may block.
pub trait CheckpointAdmin: Send + Sync {
    /// Takes one now, or returns why it cannot.
    fn take(&self) -> Result<CheckpointJson, String>;

    /// Those that are there, the newest first.
    fn list(&self) -> Result<Vec<CheckpointJson>, String>;
}
