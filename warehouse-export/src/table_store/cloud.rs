//! The object stores of clouds, each by its URL. Not for what is done with them.

use super::objects::Objects;
use super::{Requests, TableStore};
use crate::Error;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// How often a request is repeated before the exporter sees it, which then begins again after a pause.
const RETRIES: usize = 3;

/// Makes a store from its builder, with the settings that begin so.
macro_rules! store {
    ($builder:ty, $begin:literal, $url:expr, $requests:expr, $limits:expr) => {{
        let (options, retries) = $limits;
        let builder = <$builder>::new().with_url($url).with_client_options(options).with_retry(retries);
        let ours = $requests.settings.into_iter().filter(|(name, _)| name.starts_with($begin));
        // The clouds' own tools have settings that the store has not.
        let builder = ours.fold(builder, |builder, (name, value)| match name.to_ascii_lowercase().parse() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        });
        builder.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
    }};
}

/// The place at a URL of an object store.
pub fn open(url: &str, requests: Requests) -> Result<Arc<dyn TableStore>, Error> {
    let wrong = |why: String| Error::Address { url: url.to_owned(), why };
    let longest = Duration::from_millis(requests.request_ms_max);
    let retries = RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: longest };
    let limits = (ClientOptions::new().with_timeout(longest), retries);
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let wait = Arc::clone(&requests.wait);
    let store = match scheme {
        "az" | "abfss" => store!(MicrosoftAzureBuilder, "AZURE_", url, requests, limits),
        "s3" => store!(AmazonS3Builder, "AWS_", url, requests, limits),
        "gs" => store!(GoogleCloudStorageBuilder, "GOOGLE_", url, requests, limits),
        _ => return Err(wrong(format!("allowed is {}", super::address::ALLOWED))),
    };
    let store = store.map_err(|error| wrong(error.to_string()))?;
    let folder = rest.split_once('/').map_or("", |(_, folder)| folder);
    let root = Path::parse(folder).map_err(|error| wrong(error.to_string()))?;
    Ok(Arc::new(Objects::new(store, root, url, wait)))
}
