//! A node's checkpoints, for its HTTP side.

use crate::late_bound::LateBound;
use ingest::checkpoint::{Checkpoints, Manifest};
use serving::{CheckpointAdmin, CheckpointJson};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of a node's checkpoints, in its folder of all state.
pub const CHECKPOINTS: &str = "checkpoints";

/// A node's checkpoints, for its HTTP side.
pub struct OperatorCheckpoints {
    /// The parts that are known only when the node has started.
    pub late: Arc<LateBound>,
    /// The node's folder of all state.
    pub data: PathBuf,
}

impl OperatorCheckpoints {
    fn checkpoints(&self) -> Result<Arc<Checkpoints>, String> {
        self.late.checkpoints().ok_or_else(|| "the node starts or stops".to_owned())
    }
}

impl CheckpointAdmin for OperatorCheckpoints {
    fn take(&self) -> Result<CheckpointJson, String> {
        let taken = self.checkpoints()?.take();
        taken.map(|manifest| short(&self.data, &manifest)).map_err(|error| error.to_string())
    }

    fn list(&self) -> Result<Vec<CheckpointJson>, String> {
        let manifests = self.checkpoints()?.list().map_err(|error| error.to_string())?;
        Ok(manifests.iter().map(|manifest| short(&self.data, manifest)).collect())
    }
}

/// The JSON of one.
pub fn short(data: &Path, manifest: &Manifest) -> CheckpointJson {
    let place = data.join(CHECKPOINTS).join(manifest.epoch.to_string());
    CheckpointJson {
        epoch: manifest.epoch.0,
        now: manifest.now.to_string(),
        rows: manifest.rows(),
        bytes: manifest.bytes(),
        digest: manifest.digest.clone(),
        place: std::path::absolute(&place).unwrap_or(place).display().to_string(),
    }
}
