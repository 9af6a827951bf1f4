//! The tables against the golden files of events and views: what publishers write becomes these rows. And the schemas
//! against a golden file, since analysts have queries that name these columns.

use super::{Event, FACTS, schemas, views};
use crate::schema::{Cell, Date, Row};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::path::Path;

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contract/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The rows that a table makes of the golden event of that name, put right by `edit`.
fn rows_after(table: &str, name: &str, edit: fn(&mut Value)) -> Vec<(String, Row)> {
    let mut golden = golden(&format!("event.{name}.v1.json"));
    edit(&mut golden["data"]);
    let (key, data) = (golden["key"].as_str().unwrap(), golden["data"].to_string());
    let fact = FACTS.iter().find(|fact| fact.name == table).unwrap();
    let mut rows: Vec<(Timestamp, Row)> = Vec::new();
    (fact.rows)(&Event { epoch: Epoch(7), n: 3, name, key, data: &data }, &mut rows).unwrap();
    rows.into_iter().map(|(occurred_at, row)| (Date::of(occurred_at).to_string(), row)).collect()
}

fn rows(table: &str, name: &str) -> Vec<(String, Row)> {
    rows_after(table, name, |_| {})
}

fn at(text: &str) -> Cell {
    Cell::time(Timestamp::parse(text).unwrap())
}

fn text(text: &str) -> Cell {
    Cell::text(text)
}

const OCCURRED: &str = "2026-01-02T03:04:05.6Z";
const PLACE: [Cell; 2] = [Cell::Number(7), Cell::Number(3)];

fn row(cells: impl IntoIterator<Item = Cell>) -> Vec<(String, Row)> {
    vec![("2026-01-02".to_owned(), cells.into_iter().chain([at(OCCURRED)]).chain(PLACE).collect())]
}

#[test]
fn an_orders_lines_stand_in_their_table_once_it_is_paid() {
    let numbers = |quantity, price, amount| [quantity, price, amount].map(Cell::Number);
    let line = [text("o-1"), Cell::Number(1), text("85123A")].into_iter().chain(numbers(2, 125_000, 250_000));
    let expected = row(line.chain(["GBP", "EIRE", "Home/Kitchen", "14527"].map(text)));
    assert_eq!(rows_after("order_lines", "OrderUpdated", |data| data["order"]["status"] = json!("paid")), expected);
    assert_eq!(rows_after("order_lines", "OrderCreated", |data| data["order"]["status"] = json!("paid")), expected);
    assert_eq!(rows("order_lines", "OrderUpdated"), [], "it was paid before");
    let waits = |data: &mut Value| data["order"]["status"] = json!("pending_payment");
    assert_eq!(rows_after("order_lines", "OrderCreated", waits), []);
    assert_eq!(rows("order_lines", "OrderCancelled"), []);
}

#[test]
fn documents_movements_and_payments_stand_in_their_tables() {
    let line =
        [text("C536379"), Cell::Number(1), text("D"), Cell::Number(3), Cell::Number(275_000), Cell::Number(825_000)];
    let rest = [text("GBP"), text("United Kingdom"), text(""), Cell::Null];
    assert_eq!(rows("credit_lines", "CreditRecorded"), row(line.into_iter().chain(rest)));
    let adjustment = [text("A563185"), Cell::Number(-110_620_600), text("GBP"), text("Unspecified"), Cell::Null];
    assert_eq!(rows("adjustments", "AdjustmentRecorded"), row(adjustment));
    let movement =
        [text("85123A"), text("main"), Cell::Number(-2), text("shipment_cancelled"), text("o-1"), Cell::Null];
    assert_eq!(rows("stock_movements", "StockUpdated"), row(movement));
    assert_eq!(rows("stock_movements", "InventoryReserved"), []);
    let payment = |refund, kind, amount, reason| {
        row([text("o-1"), text("o-1"), refund, text(kind), Cell::Number(amount), text("GBP"), reason])
    };
    let expected = [
        ("PaymentRequested", Cell::Null, 250_000, Cell::Null),
        ("PaymentProcessed", Cell::Null, 250_000, Cell::Null),
        ("PaymentFailed", Cell::Null, 250_000, text("declined")),
        ("RefundIssued", text("f-1"), 100, text("late_capture")),
    ];
    for (kind, refund, amount, reason) in expected {
        assert_eq!(rows("payments", kind), payment(refund, kind, amount, reason), "{kind}");
    }
}

#[test]
fn every_event_stands_in_the_table_of_events_as_it_was_published() {
    let golden = golden("event.LowStock.v1.json");
    let (data, key) = (golden["data"].to_string(), golden["key"].as_str().unwrap());
    let begin = PLACE.into_iter().chain([text("LowStock"), text(key), text("c-1")]);
    let expected: Row = begin.chain([at("2026-01-02T03:04:14.6Z"), at(OCCURRED), text(&data)]).collect();
    assert_eq!(rows("events", "LowStock"), [("2026-01-02".to_owned(), expected)]);
}

#[test]
fn an_amount_beyond_18_digits_is_null_and_none_is_wrong() {
    assert_eq!(Cell::money(999_999_999_999_999_999_i64), Cell::Number(999_999_999_999_999_999));
    assert_eq!(Cell::money(1_000_000_000_000_000_000_i64), Cell::Null);
    assert_eq!(Cell::money(i64::MIN), Cell::Null);
}

#[test]
fn every_field_of_a_views_row_has_its_column() {
    for view in View::ALL.iter().copied() {
        let golden = golden(&format!("view.{}.v1.json", view.name()));
        let value = &golden["value"];
        let row = views::row(view, &SmolStr::from("k"), value.to_string().as_bytes()).unwrap();
        let (_, current) = schemas(view);
        assert_eq!(row.len(), current.columns.len(), "{}", view.name());
        let fields: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(views::fields(view), fields, "{}: say in its file what becomes of each field", view.name());
    }
    let golden = golden("view.revenue.v1.json");
    let row = views::row(View::Revenue, &SmolStr::from("k"), golden["value"].to_string().as_bytes()).unwrap();
    let texts = ["k", "2026-01-02T03:00Z", "GBP", "EIRE", "Home/Kitchen"].map(text);
    let sums = [250_000, 125_000, -5, 124_995, 1, 2, 1].map(Cell::Number);
    assert_eq!(row, texts.into_iter().chain(sums).collect::<Row>());
}

#[test]
fn the_columns_are_those_that_analysts_know() {
    let all = FACTS.iter().map(|fact| fact.schema());
    let all = all.chain(View::ALL.iter().flat_map(|view| <[_; 2]>::from(schemas(*view))));
    let mut found = String::new();
    for schema in all {
        found += &format!("{}{}\n", schema.table, if schema.is_dated { " by date" } else { "" });
        for column in &schema.columns {
            found += &format!("  {} {}\n", column.name, column.kind.delta_name());
        }
    }
    let known = include_str!("golden/schemas.txt");
    assert!(found == known, "a column of a table may be added at its end, and none changed; found:\n{found}");
}
