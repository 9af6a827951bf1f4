//! Takes connections and serves them: at most so many, none that only sits there, and an orderly end.

use super::answer::Answer;
use crate::activity::{Activity, Limits};
use crate::app::{App, Entropy};
use crate::commands::flights::Flights;
use crate::config::Config;
use crate::error::Error;
use crate::exports::Exports;
use crate::keeper::Keeper;
use crate::letters::Letters;
use crate::routes;
use crate::shop::Shop;
use crate::vitals::VitalsSource;
use crate::{asyncapi, openapi};
use axum::Router;
use dataflows::finder::Finder;
use dataflows::port::CommandLog;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutWriter;

/// What the room is built from.
pub struct Parts {
    /// The limits.
    pub config: Config,
    /// What is read; the core fills it.
    pub shop: Shop,
    /// Where commands go.
    pub log: Arc<dyn CommandLog>,
    /// What the rest of the process says about itself.
    pub vitals: VitalsSource,
    /// What keeps the state.
    pub keeper: Arc<dyn Keeper>,
    /// What keeps dead letters.
    pub letters: Arc<dyn Letters>,
    /// What writes the tables for analysts.
    pub exports: Arc<dyn Exports>,
    /// What finds products.
    pub finder: Arc<dyn Finder>,
    /// Randomness, for the ids of commands that come without one.
    pub entropy: Entropy,
}

/// Randomness of the operating system.
pub fn os_entropy() -> Entropy {
    Arc::new(|| {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map(|()| bytes).map_err(|error| format!("there is no randomness: {error}"))
    })
}

/// Every route as one service, for a server or a test.
pub fn service(parts: Parts) -> Router {
    let routes = routes::all();
    let Parts { config, shop, log, vitals, keeper, letters, exports, finder, entropy } = parts;
    let searches_max = config.searches_max;
    let limits = Limits {
        waiting_max: config.activity_waiting_max,
        gather: Duration::from_millis(config.activity_gather_ms),
        append: Duration::from_millis(config.append_ms_max),
    };
    let app = Arc::new(App {
        flights: Arc::new(Flights::new(config.commands_in_flight_max)),
        activity: Arc::new(Activity::new(Arc::clone(&log), limits)),
        config,
        shop,
        log,
        vitals,
        keeper,
        letters,
        exports,
        finder,
        searches: Arc::new(Semaphore::new(searches_max)),
        entropy,
        traffic: routes.iter().map(|route| (route.method.name(), route.path, Arc::clone(&route.traffic))).collect(),
        openapi: Answer::json(&openapi::document(&routes)).into_body(),
        asyncapi: Answer::json(&asyncapi::document()).into_body(),
        started: Instant::now(),
    });
    routes::router(&app, routes)
}

/// Serves until told to stop, then lets running requests end.
pub async fn serve(
    listener: TcpListener,
    parts: Parts,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let (config, shop) = (parts.config.clone(), parts.shop.clone());
    let router = service(parts);
    let room = Arc::new(Semaphore::new(config.connections_max));
    let graceful = GracefulShutdown::new();
    let (stop, stopped) = watch::channel(());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            // Closed only with the process: nobody closes it.
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, socket) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let socket = match socket {
            Ok((socket, _)) => socket,
            Err(error) if is_passing(&error) => {
                tokio::time::sleep(Duration::from_millis(config.accept_retry_ms)).await;
                continue;
            }
            Err(error) => return Err(Error::Accept(error)),
        };
        // Answers are small: they should not wait for a second one to be sent with.
        let _ = socket.set_nodelay(true);
        let (service, watcher, config) = (TowerToHyperService::new(router.clone()), graceful.watcher(), config.clone());
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let speaks = tokio::select! {
                speaks = speaks(&socket, &config) => speaks,
                _ = stopped.changed() => false,
            };
            if !speaks {
                return;
            }
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_millis(config.head_ms_max))
                .max_buf_size(config.head_bytes_max)
                .serve_connection(TokioIo::new(Box::pin(patient(socket, &config))), service);
            // A connection that breaks concerns its client only.
            let _ = watcher.watch(connection).await;
        });
    }
    drop((listener, stop));
    shop.end_following();
    let drained = graceful.shutdown();
    // Who takes longer is cut off.
    let _ = tokio::time::timeout(Duration::from_millis(config.drain_ms_max), drained).await;
    Ok(())
}

/// A socket that gives up on a client that takes nothing of what it is sent.
fn patient(socket: TcpStream, config: &Config) -> TimeoutWriter<TcpStream> {
    let mut socket = TimeoutWriter::new(socket);
    socket.set_timeout(Some(Duration::from_millis(config.write_ms_max)));
    socket
}

/// Whether the client says anything in time.
async fn speaks(socket: &TcpStream, config: &Config) -> bool {
    let first = tokio::time::timeout(Duration::from_millis(config.first_byte_ms_max), socket.peek(&mut [0])).await;
    matches!(first, Ok(Ok(1)))
}

/// Whether the next connection may be taken all the same.
fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    const NO_MORE_FILES: [i32; 2] = [23, 24];
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted | ErrorKind::OutOfMemory
    ) || error.raw_os_error().is_some_and(|code| NO_MORE_FILES.contains(&code))
}
