//! How far all tables are together: a small file beside them. It spares a table that nothing happens to a commit at every
//! cut, and yet nobody reads again what it has passed. Not the truth of any table: that is its own log.

use crate::Error;
use crate::delta::put;
use crate::table_store::TableStore;
use dataflows::contract::epoch::Epoch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

const FILE: &str = "_progress.json";

/// What all tables hold.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The newest epoch of which no table lacks anything.
    pub epoch: Epoch,
    /// Its `now`, in milliseconds.
    pub now_ms: i64,
    /// How far each table was then by its own log.
    pub tables: BTreeMap<String, Epoch>,
    /// The id of the log that they are made of, once it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_id: Option<String>,
}

impl Progress {
    /// What the file says; none if there is none.
    pub fn read(place: &dyn TableStore) -> Result<Option<Progress>, Error> {
        let bytes = match place.read(FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { doing: "reading", file: place.describe(FILE), source }),
        };
        let progress = serde_json::from_slice(&bytes);
        progress.map(Some).map_err(|error| Error::Damaged { file: place.describe(FILE), why: error.to_string() })
    }

    /// Writes the file.
    pub fn write(&self, place: &dyn TableStore) -> Result<(), Error> {
        put(place, FILE, &serde_json::to_vec(self).expect("it has only texts and numbers"))
    }

    /// Whether it speaks of these tables: a table that it does not name is new, and one that is behind was removed and is
    /// to be written again, so everything has to be read again for them.
    pub fn covers(&self, held: &BTreeMap<String, Epoch>) -> bool {
        held.iter().all(|(table, epoch)| self.tables.get(table).is_some_and(|noted| noted <= epoch))
    }
}
