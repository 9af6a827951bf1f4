//! Takes connections and serves them: at most so many, and an orderly end. Not for what their requests ask.

use super::answer::ApiResponse;
use super::connection_slots::{ConnectionSlot, ConnectionSlots};
use super::front::{ListenerRoutes, RequestService};
use super::guard::Guard;
use super::route_metrics::Refusals;
use super::wire::{Exchange, Wire};
use crate::activity::{Activity, ActivityLimits, Allowance};
use crate::app::{App, Entropy};
use crate::checkpoint_admin::CheckpointAdmin;
use crate::commands::in_flight::InFlightCommands;
use crate::config::Config;
use crate::dead_letter_admin::DeadLetterAdmin;
use crate::error::Error;
use crate::exports::Exports;
use crate::node_status::VitalsSource;
use crate::routes::{self, Route};
use crate::shop::ViewStore;
use crate::{asyncapi, openapi};
use access::root::Signer;
use axum::Router;
use dataflows::engine::budget::Budget;
use dataflows::ports::CommandLog;
use dataflows::ports::product_search::ProductSearch;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutWriter;

/// The parts that the room is built from.
pub struct Parts {
    /// The limits.
    pub config: Config,
    /// Bytes of bodies and answers under way at once; the node's other doors share them.
    pub bytes: Arc<Budget>,
    /// The views that are read; the core fills them.
    pub shop: ViewStore,
    /// The log that commands go to.
    pub log: Arc<dyn CommandLog>,
    /// The status of the rest of the process.
    pub vitals: VitalsSource,
    /// The checkpoints.
    pub keeper: Arc<dyn CheckpointAdmin>,
    /// The dead letters.
    pub letters: Arc<dyn DeadLetterAdmin>,
    /// The export of tables for analysts.
    pub exports: Arc<dyn Exports>,
    /// The product search.
    pub finder: Arc<dyn ProductSearch>,
    /// The signer of cursors.
    pub cursors: Signer,
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

/// The room as one value, and its routes.
fn room(parts: Parts) -> (Arc<App>, Vec<Route>) {
    let routes = routes::all();
    let Parts { config, bytes, shop, log, vitals, keeper, letters, exports, finder, cursors, entropy } = parts;
    let searches_max = config.searches_max;
    let limits = ActivityLimits {
        waiting_max: config.activity_waiting_max,
        gather: Duration::from_millis(config.activity_gather_ms),
        append: Duration::from_millis(config.append_ms_max),
    };
    let app = Arc::new(App {
        flights: Arc::new(InFlightCommands::new(config.commands_in_flight_max)),
        activity: Arc::new(Activity::new(Arc::clone(&log), limits)),
        observed: Allowance::new(config.observed_searches_an_hour, config.addresses_max),
        bytes,
        config,
        shop,
        log,
        vitals,
        keeper,
        letters,
        exports,
        finder,
        cursors,
        searches: Arc::new(Semaphore::new(searches_max)),
        entropy,
        traffic: routes.iter().map(|route| (route.method.name(), route.path, Arc::clone(&route.traffic))).collect(),
        refusals: Refusals::default(),
        openapi: ApiResponse::json(&openapi::document(&routes)).into_body(),
        asyncapi: ApiResponse::json(&asyncapi::document()).into_body(),
        docs_policy: routes::health::docs_policy(),
        started: Instant::now(),
    });
    (app, routes)
}

/// Every route as one service, for a test.
pub fn service(parts: Parts) -> Router {
    let (app, routes) = room(parts);
    routes::router(&app, &routes, routes::Audience::Both)
}

/// Serves until it is to stop, then lets running requests end. Operators have a listener of their own, or the shop's.
pub async fn serve(
    shop: TcpListener,
    operators: Option<TcpListener>,
    parts: Parts,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let (app, routes) = room(parts);
    let (stop, stopped) = watch::channel(());
    let ending = Shutdown { graceful: GracefulShutdown::new(), stopped };
    let whose = if operators.is_some() { routes::Audience::Shop } else { routes::Audience::Both };
    let at_shop = door(&app, &routes, whose, &shop)?;
    let at_operators =
        operators.map(|listener| Ok((door(&app, &routes, routes::Audience::Operators, &listener)?, listener)));
    let at_operators = at_operators.transpose()?;
    let taking_operators = async {
        match &at_operators {
            Some((door, listener)) => take(listener, door, &ending).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        error = take(&shop, &at_shop, &ending) => return Err(error),
        error = taking_operators => return Err(error),
        () = shutdown => {}
    }
    drop((shop, at_operators, stop));
    app.shop.end_following();
    let drained = ending.graceful.shutdown();
    // A request that takes longer is cut off.
    let _ = tokio::time::timeout(Duration::from_millis(app.config.drain_ms_max), drained).await;
    Ok(())
}

/// The signals that end connections.
struct Shutdown {
    graceful: GracefulShutdown,
    stopped: watch::Receiver<()>,
}

/// The routes and limits of a listener.
fn door(
    app: &Arc<App>,
    routes: &[Route],
    whose: routes::Audience,
    listener: &TcpListener,
) -> Result<Arc<ListenerRoutes>, Error> {
    let config = &app.config;
    let places = match whose {
        routes::Audience::Shop | routes::Audience::Both => config.places(),
        routes::Audience::Operators => config.operators_places(),
    };
    let wire = config.wire();
    Ok(Arc::new(ListenerRoutes {
        app: Arc::clone(app),
        routes: TowerToHyperService::new(routes::router(app, routes, whose)),
        guard: Guard::new(config, listener.local_addr().map_err(Error::Accept)?),
        places: ConnectionSlots::new(places),
        spare: Arc::new(config.spare_wire(&wire)),
        wire: Arc::new(wire),
    }))
}

/// Takes connections until that can be no longer.
async fn take(listener: &TcpListener, door: &Arc<ListenerRoutes>, ending: &Shutdown) -> Error {
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_passing(&error) => {
                tokio::time::sleep(Duration::from_millis(door.app.config.accept_retry_ms)).await;
                continue;
            }
            Err(error) => return Error::Accept(error),
        };
        // A connection without a place, even a spare one, is not served.
        let Some(place) = door.places.take(peer.ip()) else {
            door.app.refusals.count(CLOSED);
            continue;
        };
        let local = socket.local_addr().map_or(peer.ip(), |local| local.ip());
        // Answers are small: they should not wait for a second one to be sent with.
        let _ = socket.set_nodelay(true);
        let ending = (ending.graceful.watcher(), ending.stopped.clone());
        tokio::spawn(connection(socket, Arc::clone(door), place, local, ending));
    }
}

/// Serves a connection to its end.
async fn connection(
    socket: TcpStream,
    door: Arc<ListenerRoutes>,
    place: ConnectionSlot,
    local: IpAddr,
    (watcher, mut stopped): (Watcher, watch::Receiver<()>),
) {
    let config = &door.app.config;
    let exchange = Arc::<Exchange>::default();
    let limits = if place.is_spare() { &door.spare } else { &door.wire };
    let wire = Wire::new(patient(socket, config), Arc::clone(&exchange), Arc::clone(limits));
    let buffer_bytes = config.head_bytes_max + HEAD_SLACK_BYTES;
    let front = Arc::new(RequestService::new(Arc::clone(&door), Arc::clone(&exchange), place, local));
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The wire has the limits. With this one, longer than any, it is asked for the next head after each answer.
        .header_read_timeout(NEVER)
        .max_buf_size(buffer_bytes)
        .serve_connection(TokioIo::new(wire), service);
    let hang_up = Arc::clone(&exchange.hang_up);
    let mut served = std::pin::pin!(watcher.watch(connection));
    tokio::select! {
        // It takes nothing of what others wait for.
        () = hang_up.notified() => return,
        // A connection that breaks concerns its client only.
        _ = &mut served => return,
        _ = stopped.changed() => {}
    }
    // One that has asked for nothing yet does not hold up the end.
    if exchange.has_begun() {
        tokio::select! {
            _ = served => {}
            () = hang_up.notified() => {}
        }
    }
}

/// In place of a code, where a connection is closed without an answer.
const CLOSED: &str = "closed";
/// The bytes read beyond a head at once.
const HEAD_SLACK_BYTES: usize = 32 << 10;
const NEVER: Duration = Duration::from_secs(366 * 86_400);

/// A socket that gives up on a client that takes nothing of what it is sent.
fn patient(socket: TcpStream, config: &Config) -> TimeoutWriter<TcpStream> {
    let mut socket = TimeoutWriter::new(socket);
    socket.set_timeout(Some(Duration::from_millis(config.write_ms_max)));
    socket
}

/// Returns true if the next connection may be taken all the same.
fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    const NO_MORE_FILES: [i32; 2] = [23, 24];
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted | ErrorKind::OutOfMemory
    ) || error.raw_os_error().is_some_and(|code| NO_MORE_FILES.contains(&code))
}
