//! Work that would hold up other requests, on a thread of its own.

use super::problem::{ApiErrorKind, Problem};

/// Runs what keeps a core or a disk busy, and waits for it without holding up others.
pub async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(ApiErrorKind::Internal, error.to_string()))
}
