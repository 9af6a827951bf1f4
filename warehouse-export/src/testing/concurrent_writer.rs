//! A place where somebody else writes too, and always at the worst moment: right before a name is taken.

use crate::table_store::TableStore;
use std::io;
use std::sync::Arc;

pub struct ConcurrentWriter {
    pub place: Arc<dyn TableStore>,
    /// What the other one does then.
    pub meddle: Box<dyn Fn() + Send + Sync>,
}

impl TableStore for ConcurrentWriter {
    fn describe(&self, path: &str) -> String {
        self.place.describe(path)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.place.read(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.place.list(folder)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.place.put(path, bytes)
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        (self.meddle)();
        self.place.put_new(path, bytes)
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.place.delete(path)
    }

    fn clear_staging(&self) -> io::Result<()> {
        self.place.clear_staging()
    }

    fn is_shared(&self) -> bool {
        self.place.is_shared()
    }
}
