//! A handler that does nothing, to measure the others against. Not for production.

use crate::error::Error;
use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;

/// Answers everything with an empty 200, by the plain server of axum.
pub async fn serve_empty(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let router = Router::new().fallback(any(|| async {}));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await.map_err(Error::Accept)
}
