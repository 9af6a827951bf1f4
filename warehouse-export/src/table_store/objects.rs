//! An object store: Azure's, Amazon's, Google's, or one in memory for tests. An object appears whole, so nothing is staged;
//! the names of commits are taken by the writer that is first. Not for which store it is, nor for what carries out its requests.

use super::{TableStore, Wait};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The objects below a path of a store.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Path,
    /// What the root is called, for messages.
    url: String,
    wait: Arc<Wait>,
}

impl Objects {
    /// The objects below that path, which `url` is the full name of.
    pub fn new(store: Arc<dyn ObjectStore>, root: Path, url: &str, wait: Arc<Wait>) -> Objects {
        Objects { store, root, url: url.trim_end_matches('/').to_owned(), wait }
    }

    fn path(&self, path: &str) -> Path {
        path.split('/').filter(|part| !part.is_empty()).fold(self.root.clone(), Path::join)
    }

    fn ask<T: Send>(&self, request: impl Future<Output = object_store::Result<T>> + Send) -> io::Result<T> {
        let mut answer = None;
        (self.wait)(Box::pin(async { answer = Some(request.await) }));
        let given_up = || io::Error::new(ErrorKind::Interrupted, "the request was given up: the process ends");
        answer.ok_or_else(given_up)?.map_err(io_error)
    }

    fn put_as(&self, path: &str, bytes: &[u8], mode: PutMode) -> io::Result<()> {
        let payload = PutPayload::from(bytes.to_vec());
        self.ask(self.store.put_opts(&self.path(path), payload, mode.into())).map(drop)
    }
}

/// Its text has those of its sources in it.
fn io_error(error: object_store::Error) -> io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string())
}

impl TableStore for Objects {
    fn describe(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = self.path(path);
        let bytes = self.ask(async { self.store.get(&path).await?.bytes().await })?;
        Ok(bytes.into())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = self.path(folder);
        let found = self.ask(self.store.list_with_delimiter(Some(&folder)))?;
        let paths = found.objects.iter().map(|object| &object.location).chain(&found.common_prefixes);
        let mut names: Vec<String> = paths.filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        // A store that knows folders may list one as an object too.
        names.dedup();
        Ok(names)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.put_as(path, bytes, PutMode::Overwrite)
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        match self.put_as(path, bytes, PutMode::Create) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        match self.ask(self.store.delete(&self.path(path))) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn clear_staging(&self) -> io::Result<()> {
        Ok(())
    }

    fn is_shared(&self) -> bool {
        true
    }
}
