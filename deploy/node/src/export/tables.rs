//! The configured place of the tables: beside all state, in another folder, or in an object store, for whose requests
//! there is a runtime here. Not for what is written there.

use crate::config::ExportConfig;
use anyhow::{Context, Error, Result, anyhow};
use ingest::log::storage;
use ingest::log::storage::Storage;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::timeout;
use warehouse_export::table_store::{self, Address, Folder, Request, Requests, TableStore, Wait};

/// The time until a request that is needed no more is given up.
const GIVE_UP: Duration = Duration::from_millis(100);

/// The place of the tables.
pub struct Tables {
    /// The store that they are written to.
    pub place: Arc<dyn TableStore>,
    /// The folder of the lock: with the tables, or, where these are objects, in the folder of all state.
    folder: PathBuf,
    /// The URL, where they are objects.
    url: Option<String>,
}

impl Tables {
    /// The tables of a data folder. Requests to an object store are given up once it is stopped.
    pub fn at(
        data: &Path,
        config: &ExportConfig,
        is_stopped: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Tables> {
        let folder = data.join("warehouse");
        match &config.address {
            None => Ok(Tables { place: Arc::new(Folder::new(&folder)), folder, url: None }),
            Some(Address::Folder(folder)) => {
                Ok(Tables { place: Arc::new(Folder::new(folder)), folder: folder.clone(), url: None })
            }
            Some(Address::Objects(url)) => {
                let requests = Requests {
                    settings: config.clouds.clone(),
                    request_ms_max: config.request_ms_max,
                    wait: waiting(is_stopped)?,
                };
                Ok(Tables { place: table_store::open(url, requests)?, folder, url: Some(url.clone()) })
            }
        }
    }

    /// The URL of the tables.
    pub fn url(&self) -> String {
        let folder = || std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        self.url.clone().unwrap_or_else(|| format!("file://{}", folder().display()))
    }

    /// Their folder, where they are in one.
    pub fn local(&self) -> Option<&Path> {
        self.url.is_none().then_some(self.folder.as_path())
    }

    /// Returns true if anything was ever written there.
    pub fn are_there(&self) -> Result<bool> {
        let names = self.place.list("").with_context(|| format!("listing {}", self.place.describe("")))?;
        Ok(names.iter().any(|name| name == "events"))
    }

    /// Keeps other processes of this machine away. Those of others are noticed, where tables are in an object store, by
    /// the process that comes second.
    pub fn lock(&self) -> Result<Box<dyn Send + Sync>> {
        let shown = self.folder.display();
        storage::Folder::at(&self.folder).and_then(|folder| folder.lock()).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => anyhow!("{shown} is in use by another process"),
            _ => Error::new(error).context(format!("writing {shown}")),
        })
    }
}

/// The runtime of requests: a thread of its own, which also tends the connections between them.
fn waiting(is_stopped: impl Fn() -> bool + Send + Sync + 'static) -> Result<Arc<Wait>> {
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("export-requests").enable_all().build();
    let runtime = runtime.context("starting the runtime for an object store")?;
    Ok(Arc::new(move |mut request: Request<'_>| {
        runtime.block_on(async { while timeout(GIVE_UP, &mut request).await.is_err() && !is_stopped() {} });
    }))
}
