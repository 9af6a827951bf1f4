//! The columns of every view's tables, after its key. A row without an entry here does not compile.

use super::{ExportedRow, ViewColumn as Column};
use dataflows::shop::adjustments::Adjustment;
use dataflows::shop::catalogue::Product;
use dataflows::shop::credits::Credit;
use dataflows::shop::operations::Operation;
use dataflows::shop::orders::Order;
use dataflows::shop::payments::PaymentRow;
use dataflows::shop::policy::Policy;
use dataflows::shop::stock::Stock;
use dataflows::views::invariants::Invariant;
use dataflows::views::revenue::Revenue;
use dataflows::views::searches::Searches;

impl ExportedRow for Adjustment {
    const COLUMNS: &[Column] = &[
        Column::id("adjustment_id", &["adjustment_id"]),
        Column::id("customer_id", &["customer_id"]),
        Column::text("currency", &["currency"]),
        Column::text("country", &["country"]),
        Column::money("amount", &["amount", "amount"]),
        Column::text("reference", &["reference"]),
        Column::time("occurred_at", &["occurred_at"]),
        Column::long("decided_epoch", &["epoch"]),
    ];
}

impl ExportedRow for Credit {
    const COLUMNS: &[Column] = &[
        Column::id("credit_id", &["credit_id"]),
        Column::id("customer_id", &["customer_id"]),
        Column::text("currency", &["currency"]),
        Column::text("country", &["country"]),
        Column::json("lines", &["lines"]),
        Column::money("total", &["total", "amount"]),
        Column::boolean("restock", &["restock"]),
        Column::text("reference", &["reference"]),
        Column::time("occurred_at", &["occurred_at"]),
        Column::long("decided_epoch", &["epoch"]),
    ];
}

impl ExportedRow for Invariant {
    const COLUMNS: &[Column] = &[
        Column::text("name", &["name"]),
        Column::long("checked", &["checked"]),
        Column::long("violations", &["violations"]),
        Column::text("first_violation", &["first_violation"]),
    ];
}

impl ExportedRow for Operation {
    const COLUMNS: &[Column] = &[
        Column::id("command_id", &["command_id"]),
        Column::text("type", &["type"]),
        Column::text("status", &["status"]),
        Column::long("decided_epoch", &["epoch"]),
        Column::text("topic", &["origin", "topic"]),
        Column::long("partition", &["origin", "partition"]),
        Column::long("offset", &["origin", "offset"]),
        Column::json("ids", &["ids"]),
        Column::text("code", &["code"]),
        Column::json("errors", &["errors"]),
    ];
}

impl ExportedRow for Order {
    const COLUMNS: &[Column] = &[
        Column::id("order_id", &["order_id"]),
        Column::text("status", &["status"]),
        Column::text("code", &["code"]),
        Column::id("customer_id", &["customer_id"]),
        Column::text("country", &["country"]),
        Column::text("currency", &["currency"]),
        Column::json("lines", &["lines"]),
        Column::money("total", &["total", "amount"]),
        Column::money("captured", &["captured", "amount"]),
        Column::money("refunded", &["refunded", "amount"]),
        Column::id("payment_id", &["payment", "payment_id"]),
        Column::text("payment_method", &["payment", "method"]),
        Column::text("payment_status", &["payment", "status"]),
        Column::text("carrier", &["shipment", "carrier"]),
        Column::text("tracking", &["shipment", "tracking"]),
        Column::text("shipment_status", &["shipment", "status"]),
        Column::json("history", &["history"]),
        Column::time("placed_at", &["placed_at"]),
    ];
}

impl ExportedRow for PaymentRow {
    const COLUMNS: &[Column] = &[
        Column::id("payment_id", &["payment_id"]),
        Column::id("order_id", &["order_id"]),
        Column::text("method", &["method"]),
        Column::text("status", &["status"]),
        Column::money("amount", &["amount", "amount"]),
        Column::text("currency", &["amount", "currency"]),
        Column::text("token", &["token"]),
    ];
}

impl ExportedRow for Policy {
    const COLUMNS: &[Column] = &[
        Column::long("payment_timeout_s", &["payment_timeout_s"]),
        Column::long("payment_timeout_external_s", &["payment_timeout_external_s"]),
        Column::long("id_memory_s", &["id_memory_s"]),
        Column::long("order_lines_max", &["order_lines_max"]),
        Column::long("dead_letters_per_min", &["dead_letters_per_min"]),
    ];
}

impl ExportedRow for Product {
    const COLUMNS: &[Column] = &[
        Column::id("product_id", &["product_id"]),
        Column::text("title", &["title"]),
        Column::text("description", &["description"]),
        Column::text("brand", &["brand"]),
        Column::json("category", &["category"]),
        Column::json("attributes", &["attributes"]),
        Column::boolean("archived", &["archived"]),
        Column::json("variants", &["variants"]),
    ];
}

impl ExportedRow for Revenue {
    const COLUMNS: &[Column] = &[
        Column::text("period", &["period"]),
        Column::text("currency", &["currency"]),
        Column::text("country", &["country"]),
        Column::text("category", &["category"]),
        Column::money("gross", &["gross", "amount"]),
        Column::money("returned", &["returned", "amount"]),
        Column::money("adjusted", &["adjusted", "amount"]),
        Column::money("net", &["net", "amount"]),
        Column::long("orders", &["orders"]),
        Column::long("units", &["units"]),
        Column::long("units_returned", &["units_returned"]),
    ];
}

impl ExportedRow for Searches {
    const COLUMNS: &[Column] = &[
        Column::text("day", &["day"]),
        Column::text("query", &["query"]),
        Column::long("searches", &["searches"]),
        Column::long("without_results", &["without_results"]),
        Column::long("clicks", &["clicks"]),
        Column::long("searches_with_click", &["searches_with_click"]),
    ];
}

impl ExportedRow for Stock {
    const COLUMNS: &[Column] = &[
        Column::id("sku", &["sku"]),
        Column::long("on_hand", &["on_hand"]),
        Column::long("reserved", &["reserved"]),
        Column::long("available", &["available"]),
        Column::json("locations", &["locations"]),
    ];
}
