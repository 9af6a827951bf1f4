//! Where the tables of a test are: a folder on the disk, or an object store in memory.

use crate::table_store::objects::Objects;
use crate::table_store::{Folder, Request, TableStore};
use object_store::memory::InMemory;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Waker};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    Folder,
    Objects,
}

pub enum Home {
    Folder(TempDir),
    Objects(Objects),
}

/// What is in memory is done when it is asked.
fn at_once(mut request: Request<'_>) {
    let done = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(done.is_ready(), "a store in memory waits for nothing");
}

impl Home {
    /// An empty one.
    pub fn new(at: Where) -> Home {
        match at {
            Where::Folder => Home::Folder(tempfile::tempdir().unwrap()),
            Where::Objects => {
                let root = Path::from("shop/tables");
                Home::Objects(Objects::new(Arc::new(InMemory::new()), root, "memory://shop/tables", Arc::new(at_once)))
            }
        }
    }

    pub fn place(&self) -> Arc<dyn TableStore> {
        match self {
            Home::Folder(home) => Arc::new(Folder::new(home.path())),
            Home::Objects(objects) => Arc::new(objects.clone()),
        }
    }

    /// Where readers outside find it, if they do.
    pub fn path(&self) -> Option<&std::path::Path> {
        match self {
            Home::Folder(home) => Some(home.path()),
            Home::Objects(_) => None,
        }
    }

    /// Every file with its bytes.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let place = self.place();
        let (mut files, mut folders) = (BTreeMap::new(), vec![String::new()]);
        while let Some(folder) = folders.pop() {
            for name in place.list(&folder).unwrap() {
                let path = format!("{folder}{name}");
                match place.read(&path) {
                    Ok(bytes) => drop(files.insert(path, bytes)),
                    Err(_) => folders.push(path + "/"),
                }
            }
        }
        files
    }

    /// Deletes all files of a table.
    pub fn remove(&self, table: &str) {
        let begin = format!("{table}/");
        for path in self.files().keys().filter(|path| path.starts_with(&begin)) {
            self.place().delete(path).unwrap();
        }
    }
}
