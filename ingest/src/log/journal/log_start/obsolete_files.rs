//! Files before the front, which are of no use any more. Not for which they are.

use crate::Error;
use crate::log::storage::Storage;

/// Files that are of no use any more.
#[derive(Default)]
pub struct ObsoleteFiles {
    /// Names of files that are still to be deleted.
    pub(super) names: Vec<String>,
    /// The name of a base that the durable front may or may not speak of.
    pub(super) in_doubt: Option<String>,
}

impl ObsoleteFiles {
    /// The files in the folder that are of no use.
    pub fn new(names: Vec<String>) -> ObsoleteFiles {
        ObsoleteFiles { names, in_doubt: None }
    }

    /// Deletes the files, the oldest first; each is kept here until it is gone.
    pub fn delete(&mut self, storage: &dyn Storage) -> Result<(), Error> {
        let mut gone = 0;
        let result = self.names.iter().try_for_each(|name| {
            storage.delete(name).map_err(Error::io("deleting", &storage.describe(name)))?;
            gone += 1;
            Ok(())
        });
        self.names.drain(..gone);
        result
    }
}
