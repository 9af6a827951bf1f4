//! The description of a route: its method and path, its handler, and its part of the document.

use crate::app::App;
use crate::commands;
use crate::config::Config;
use crate::http::answer::ApiResponse;
use crate::http::call::{ApiRequest, Takes};
use crate::http::compress::{compressed, wanted};
use crate::http::problem::{ApiErrorKind, Problem};
use crate::http::route_metrics::RouteMetrics;
use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodFilter, on};
use dataflows::shop::command::CommandType;
use dataflows::shop::command::spec::{Description, RouteMethod};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// The future of a handler's answer.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<ApiResponse, Problem>> + Send>>;
/// A handler.
pub type Run = Arc<dyn Fn(Arc<App>, ApiRequest) -> HandlerFuture + Send + Sync>;

/// A function as a handler.
pub fn run<F, Fut>(handler: F) -> Run
where
    F: Fn(Arc<App>, ApiRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ApiResponse, Problem>> + Send + 'static,
{
    Arc::new(move |app, call| Box::pin(handler(app, call)))
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Puts.
    Put,
    /// Takes away.
    Delete,
}

impl Method {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        }
    }
}

/// A parameter of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its JSON type.
    pub kind: &'static str,
    /// Its description.
    pub about: &'static str,
}

/// Parameters of every list, and of every answer at an epoch.
const ROWS: &Param = &Param { name: "limit", kind: "integer", about: "rows of the page" };
const CURSOR: &Param = &Param { name: "cursor", kind: "string", about: "`next_cursor` of the page before" };
const AS_OF: &Param = &Param { name: "as_of", kind: "integer", about: "the epoch to answer at" };

/// The kind of answer that a route gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// One thing, at an epoch.
    Read,
    /// A page of things, at an epoch.
    List,
    /// Things as they come, from an epoch on.
    Stream,
    /// The outcome of a command.
    Command(CommandType),
    /// The outcomes of many.
    Batch,
    /// The place of an observation.
    Observation,
    /// Something beside the shop.
    Plain,
}

/// A route.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, ids in braces.
    pub path: &'static str,
    /// Its summary in the document.
    pub summary: &'static str,
    /// The kind of its answer.
    pub kind: RouteKind,
    /// The schema of its answer, or of a row of its list.
    pub schema: &'static str,
    /// Its own parameters.
    pub params: &'static [Param],
    /// True if its pages may be long.
    pub is_wide: bool,
    /// The schema of a body that may be sent, where no command gives it.
    pub body: Option<&'static str>,
    /// The code for a thing that is not there, if that can be.
    pub missing: Option<&'static str>,
    /// Its counters.
    pub traffic: Arc<RouteMetrics>,
    run: Run,
}

impl Route {
    fn new(method: Method, path: &'static str, summary: &'static str, kind: RouteKind, run: Run) -> Route {
        Route {
            method,
            path,
            summary,
            kind,
            schema: "",
            params: &[],
            is_wide: false,
            body: None,
            missing: None,
            traffic: Arc::default(),
            run,
        }
    }

    /// Reads one thing at an epoch.
    pub fn read(path: &'static str, summary: &'static str, schema: &'static str, run: Run) -> Route {
        Route { schema, ..Route::new(Method::Get, path, summary, RouteKind::Read, run) }
    }

    /// Lists things at an epoch.
    pub fn list(
        path: &'static str,
        summary: &'static str,
        schema: &'static str,
        params: &'static [Param],
        run: Run,
    ) -> Route {
        Route { schema, params, ..Route::new(Method::Get, path, summary, RouteKind::List, run) }
    }

    /// Sends things as they come.
    pub fn stream(path: &'static str, summary: &'static str, params: &'static [Param], run: Run) -> Route {
        Route { params, ..Route::new(Method::Get, path, summary, RouteKind::Stream, run) }
    }

    /// Takes an observation.
    pub fn observation(path: &'static str, summary: &'static str, schema: &'static str, run: Run) -> Route {
        Route { schema, ..Route::new(Method::Post, path, summary, RouteKind::Observation, run) }
    }

    /// Takes a command, by its description.
    pub fn command(command_type: CommandType) -> Route {
        let run = run(move |app, call| commands::post(app, call, command_type));
        let Description { resource, method, path, summary, .. } = command_type.description();
        let method = match method {
            RouteMethod::Post => Method::Post,
            RouteMethod::Put => Method::Put,
            RouteMethod::Delete => Method::Delete,
        };
        Route { schema: resource.schema(), ..Route::new(method, path, summary, RouteKind::Command(command_type), run) }
    }

    /// Takes many commands.
    pub fn batch(path: &'static str, summary: &'static str, run: Run) -> Route {
        Route { schema: "CommandResult", ..Route::new(Method::Post, path, summary, RouteKind::Batch, run) }
    }

    /// Says something that depends on no epoch.
    pub fn plain(method: Method, path: &'static str, summary: &'static str, schema: &'static str, run: Run) -> Route {
        Route { schema, ..Route::new(method, path, summary, RouteKind::Plain, run) }
    }

    /// The parameters that its query may have, each once.
    pub fn query(&self) -> impl Iterator<Item = &'static Param> + use<> {
        let of_list: &[&Param] = if self.kind == RouteKind::List { &[ROWS, CURSOR] } else { &[] };
        let of_epoch: &[&Param] = if matches!(self.kind, RouteKind::Read | RouteKind::List) { &[AS_OF] } else { &[] };
        self.params.iter().chain(of_list.iter().copied()).chain(of_epoch.iter().copied())
    }

    /// Returns true if a listener serves it.
    fn is_at(&self, door: Audience) -> bool {
        let is_probe = self.path.starts_with("/health/");
        let is_operators = self.path == "/metrics" || self.kind == RouteKind::Plain && self.path.starts_with("/api/");
        match door {
            Audience::Both => true,
            Audience::Shop => !is_operators,
            Audience::Operators => is_operators || is_probe,
        }
    }

    /// The bodies that it takes.
    const fn takes(&self, config: &Config) -> Takes {
        match self.kind {
            RouteKind::Batch => Takes { types: &[LINES], bytes_max: config.batch_bytes_max },
            RouteKind::Read
            | RouteKind::List
            | RouteKind::Stream
            | RouteKind::Command(_)
            | RouteKind::Observation
            | RouteKind::Plain => Takes { types: &[JSON], bytes_max: config.body_bytes_max },
        }
    }

    /// The same, with long pages.
    pub const fn wide(mut self) -> Route {
        self.is_wide = true;
        self
    }

    /// The same, with parameters of its own.
    pub const fn with_params(mut self, params: &'static [Param]) -> Route {
        self.params = params;
        self
    }

    /// The same, with a body of that schema, which may be left out.
    pub const fn with_body_schema(mut self, body: &'static str) -> Route {
        self.body = Some(body);
        self
    }

    /// The same, where the path may name what is not there.
    pub const fn or_not_found(mut self) -> Route {
        self.missing = Some("not_found");
        self
    }

    /// The same, where the path may name a SKU that is not there.
    pub const fn or_unknown_sku(mut self) -> Route {
        self.missing = Some("unknown_sku");
        self
    }
}

/// The audience of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The shop's.
    Shop,
    /// The operators'.
    Operators,
    /// Both are one.
    Both,
}

/// The routes of a listener as a service.
pub fn router(app: &Arc<App>, routes: &[Route], door: Audience) -> Router {
    let mut router = Router::new();
    for route in routes.iter().filter(|route| route.is_at(door)) {
        let (app, run, traffic) = (Arc::clone(app), Arc::clone(&route.run), Arc::clone(&route.traffic));
        let takes = route.takes(&app.config);
        // What asks for pages or figures elsewhere may have parameters of its own.
        let query: Option<Arc<[&str]>> =
            route.path.starts_with("/api/").then(|| route.query().map(|param| param.name).collect());
        let handler = move |request: Request| {
            let (app, run, traffic, query) = (Arc::clone(&app), Arc::clone(&run), Arc::clone(&traffic), query.clone());
            async move {
                let started = Instant::now();
                let coding = wanted(request.headers());
                let handled = match ApiRequest::of(request, takes, query.as_deref()).await {
                    Ok(call) => run(Arc::clone(&app), call).await,
                    Err(problem) => Err(problem),
                };
                let answer = dated(&app, handled.unwrap_or_else(|problem| problem.answer()));
                traffic.count(answer.status.as_u16(), started.elapsed());
                compressed(&app.config, answer, coding).await.charged(&app.bytes)
            }
        };
        router = router.route(route.path, on(route.method.filter(), handler));
    }
    let (unknown, wrong) = (Arc::clone(app), Arc::clone(app));
    router
        .method_not_allowed_fallback(move |request: Request| {
            let detail = format!("{} is not taken at this path", request.method());
            let answer = nowhere(&wrong, request, Problem::new(ApiErrorKind::MethodNotAllowed, detail));
            async { answer }
        })
        .fallback(move |request: Request| {
            let problem = Problem::not_found("route", request.uri().path());
            let answer = nowhere(&unknown, request, problem);
            async { answer }
        })
}

/// The answer to a request that no route takes. What is wrong with its body is reported first, as everywhere.
fn nowhere(app: &App, request: Request, problem: Problem) -> ApiResponse {
    let takes = Takes { types: &[JSON, LINES], bytes_max: app.config.batch_bytes_max };
    let (parts, body) = request.into_parts();
    let problem = takes.check(&parts.method, &parts.headers, &body).err().unwrap_or(problem);
    dated(app, problem.answer())
}

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// An answer that depends on no epoch names the newest.
pub fn dated(app: &App, mut answer: ApiResponse) -> ApiResponse {
    answer.epoch = answer.epoch.or_else(|| app.shop.latest());
    answer
}
