//! Where the tables are: a place for files, as a trait so that tests have one that fails on demand. Not for what is in the
//! files.
//!
//! Nobody who lists a place ever sees half a file.

pub mod address;
#[cfg(feature = "export-cloud")]
mod cloud;
mod folder;
#[cfg(any(test, feature = "export-cloud"))]
pub mod objects;

pub use address::Address;
#[cfg(feature = "export-cloud")]
pub use cloud::open;
pub use folder::Folder;

#[cfg(not(feature = "export-cloud"))]
use crate::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

/// A place for files; paths have `/` between their parts.
pub trait TableStore: Send + Sync {
    /// For messages: a file's full name.
    fn describe(&self, path: &str) -> String;

    /// A file as a whole.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names of the files and folders in a folder, in order; none if it is not there.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Puts a file in place as a whole, durably, or leaves what was there.
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// The same, unless the name is taken: then nothing changes, and it is false.
    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool>;

    /// Deletes a file, durably; one that is not there is no error.
    fn delete(&self, path: &str) -> io::Result<()>;

    /// Deletes what earlier attempts began and did not put in place.
    fn clear_staging(&self) -> io::Result<()>;

    /// Whether others may write here at the same time, whom no lock keeps away: what they have not committed is theirs.
    fn is_shared(&self) -> bool;
}

/// A request to an object store.
pub type Request<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Carries out a request, and comes back when it is done, or earlier if nobody needs it any more.
pub type Wait = dyn Fn(Request<'_>) + Send + Sync;

/// How object stores are spoken to.
pub struct Requests {
    /// Names and values by which clouds' own tools are configured: `AWS_…`, `AZURE_…`, `GOOGLE_…`.
    pub settings: Vec<(String, String)>,
    /// How long a request may take, in milliseconds.
    pub request_ms_max: u64,
    /// What carries them out: a runtime for the network, which this room has not.
    pub wait: Arc<Wait>,
}

/// No object store is built in.
#[cfg(not(feature = "export-cloud"))]
pub fn open(url: &str, _: Requests) -> Result<Arc<dyn TableStore>, Error> {
    Err(Error::Address { url: url.to_owned(), why: format!("allowed is {}", address::ALLOWED) })
}
