//! Every route, one a line: the router, the counters and the OpenAPI document are made from this list.

pub mod activity;
pub mod analytics;
pub mod changes;
pub mod checkpoints;
pub mod dead_letters;
pub mod documents;
pub mod epochs;
pub mod export;
pub mod health;
pub mod metrics;
pub mod operations;
pub mod orders;
pub mod policy;
pub mod products;
pub mod search;
pub mod search_analytics;
pub mod status;
pub mod stock;
pub mod views;

mod route;

pub use route::{Audience, Method, Param, Route, RouteKind, dated, router};

use crate::commands::batch;
use dataflows::shop::command::CommandType;
use route::run;

const BELOW: Param = Param { name: "below", kind: "integer", about: "only where less than this is available" };
const CATEGORY: Param =
    Param { name: "category", kind: "string", about: "a category path, joined by `/`, or its start" };
const BRAND: Param = Param { name: "brand", kind: "string", about: "only this brand" };
const PREFIX: Param = Param { name: "prefix", kind: "string", about: "only keys that begin with this" };
const STATE: Param = Param { name: "state", kind: "string", about: "`open` (default) or `all`" };
const AFTER: Param =
    Param { name: "after", kind: "string", about: "only letters behind this place, like `orders.commands/3/17`" };
const LIMIT: Param = Param { name: "limit", kind: "integer", about: "at most so many, 1 to 1,000; 50 if it is absent" };
const OLDER_THAN: Param =
    Param { name: "older_than_hours", kind: "integer", about: "0 to 168, by the epochs' time; 168 if it is absent" };
const CONFIRM: Param = Param {
    name: "confirm",
    kind: "integer",
    about: "the number of tables in `GET /api/v1/export`; needed to merge files, and to delete those younger than 24 hours",
};
const VIEW: Param = Param { name: "view", kind: "string", about: "the view to follow" };
const KEY: Param = Param { name: "key", kind: "string", about: "only the row of this key" };
const FROM_EPOCH: Param =
    Param { name: "from", kind: "integer", about: "the epoch of the snapshot; the newest if it is absent" };
const BY: Param = Param { name: "by", kind: "string", about: "`hour`, `day` (default) or `month`" };
const GROUP: Param = Param { name: "group", kind: "string", about: "`country`, `category`, or both joined by a comma" };
const FROM: Param = Param { name: "from", kind: "string", about: "the first period, in the form that `by` has" };
const TO: Param = Param { name: "to", kind: "string", about: "the period after the last one" };

/// The list; those of commands follow from their descriptions.
#[rustfmt::skip]
pub fn all() -> Vec<Route> {
    use Method::{Delete, Get, Post};
    let others = vec![
        Route::batch("/api/v1/commands", "Takes many commands, a line each", run(batch::post)),
        Route::read("/api/v1/products/{id}", "A product", "Product", run(products::get)).or_not_found(),
        Route::list("/api/v1/products", "Products by id", "Product", &[CATEGORY, BRAND], run(products::list)),
        Route::read("/api/v1/stock/{sku}", "The stock of a SKU", "Stock", run(stock::get)).or_unknown_sku(),
        Route::list("/api/v1/stock", "Stock by SKU", "Stock", &[BELOW], run(stock::list)),
        Route::read("/api/v1/orders/{id}", "An order", "Order", run(orders::get)).or_not_found(),
        Route::list("/api/v1/customers/{id}/orders", "A customer's orders, newest first", "Order", &[], run(orders::list_of_customer)),
        Route::read("/api/v1/orders/{id}/invoice", "An order's invoice", "Invoice", run(orders::invoice)).or_not_found(),
        Route::read("/api/v1/credits/{id}", "A credit note", "Credit", run(documents::get_credit)).or_not_found(),
        Route::read("/api/v1/adjustments/{id}", "An adjustment", "Adjustment", run(documents::get_adjustment)).or_not_found(),
        Route::list("/api/v1/analytics/revenue", "Revenue by period and currency", "RevenueRow", &[BY, GROUP, FROM, TO], run(analytics::revenue)).wide(),
        Route::read("/api/v1/search", "Products that fit a text", "SearchPage", run(search::search)).with_params(search::PARAMS),
        Route::read("/api/v1/search/suggest", "What a text may become", "Suggestions", run(search::suggest)).with_params(search::SUGGEST_PARAMS),
        Route::read("/api/v1/analytics/search", "What was searched for, ranked", "RankedSearches", run(search_analytics::get)).with_params(search_analytics::PARAMS),
        Route::observation("/api/v1/activity", "Takes what was observed", "ObservationTaken", run(activity::post)).with_body_schema("Observation"),
        Route::read("/api/v1/operations/{command_id}", "What became of a command", "Operation", run(operations::get)).or_not_found(),
        Route::read("/api/v1/epochs/latest", "The newest epoch", "Epoch", run(epochs::latest)),
        Route::read("/api/v1/epochs/{n}", "An epoch", "Epoch", run(epochs::get)).or_not_found(),
        Route::read("/api/v1/views", "How every view stands", "Views", run(views::list)),
        Route::list("/api/v1/views/{view}", "The rows of a view, by key", "ViewRow", &[PREFIX], run(views::rows)).wide().or_not_found(),
        Route::read("/api/v1/invariants", "What is checked at every epoch", "Invariants", run(views::invariants)),
        Route::stream("/api/v1/changes", "A view, or a row of it, and each change as it comes", &[VIEW, KEY, FROM_EPOCH], run(changes::get)),
        Route::read("/api/v1/policy", "What decisions depend on", "Policy", run(policy::get)),
        Route::plain(Get, "/api/v1/status", "What an operator asks first", "Status", run(status::get)),
        Route::plain(Get, "/api/v1/checkpoints", "The checkpoints of this node", "Checkpoints", run(checkpoints::list)),
        Route::plain(Post, "/api/v1/checkpoints", "Takes a checkpoint now", "Checkpoint", run(checkpoints::take)),
        Route::plain(Get, "/api/v1/dead-letters", "Records that could not be read, by their place", "DeadLetters", run(dead_letters::list)).with_params(&[STATE, AFTER, LIMIT]),
        Route::plain(Get, "/api/v1/dead-letters/{topic}/{partition}/{offset}", "A record that could not be read, and why", "DeadLetter", run(dead_letters::get)).or_not_found(),
        Route::plain(Delete, "/api/v1/dead-letters/{topic}/{partition}/{offset}", "Throws it away", "DeadLetter", run(dead_letters::discard)).or_not_found(),
        Route::plain(Post, "/api/v1/dead-letters/{topic}/{partition}/{offset}/redrives", "Publishes it again, as it was or mended", "DeadLetter", run(dead_letters::redrive)).or_not_found().with_body_schema("DeadLetterEdit"),
        Route::plain(Get, "/api/v1/export", "The tables for analysts", "Export", run(export::standing)),
        Route::plain(Post, "/api/v1/export/verifications", "Reads every table, and holds it against the views at its epoch", "ExportVerified", run(export::verify)),
        Route::plain(Post, "/api/v1/export/compactions", "Merges small files", "ExportCompacted", run(export::compact)).with_params(&[CONFIRM]),
        Route::plain(Post, "/api/v1/export/vacuums", "Deletes files that no longer belong to a table", "ExportVacuumed", run(export::vacuum)).with_params(&[OLDER_THAN, CONFIRM]),
        Route::plain(Get, "/health/live", "Whether the process runs", "Live", run(health::live)),
        Route::plain(Get, "/health/ready", "Whether the node may be asked; 503 if not", "Ready", run(health::ready)),
        Route::plain(Get, "/metrics", "Figures for Prometheus", "", run(metrics::get)),
        Route::plain(Get, "/openapi.json", "This document", "", run(health::openapi)),
        Route::plain(Get, "/asyncapi.json", "The topics and their records, as AsyncAPI", "", run(health::asyncapi)),
        Route::plain(Get, "/docs", "This document, to read", "", run(health::docs)),
        Route::plain(Get, "/", "Leads to the document to read", "", run(health::root)),
        Route::plain(Get, "/favicon.ico", "The icon for browsers", "", run(health::favicon)),
    ];
    CommandType::ALL.iter().copied().map(Route::command).chain(others).collect()
}
