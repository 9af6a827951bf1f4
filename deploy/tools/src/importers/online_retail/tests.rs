//! Given lines of the file, when they are mapped, then these commands come out.

use super::mapping::{IdentifiedCommand, Mapping};
use super::rows::{InvoiceLine, Rows};
use dataflows::contract::time::Timestamp;
use dataflows::shop::command::{Command, CommandType};
use node::config;
use node::in_memory_shop::InMemoryShop;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A line: invoice, code, description (or `-`), quantity, minute, price in ten-thousandths, customer.
type InvoiceRow<'a> = (&'a str, &'a str, &'a str, i64, i64, i64, Option<i64>);

fn rows(lines: &[InvoiceRow<'_>]) -> Rows {
    let mut rows = Rows::default();
    for (n, (invoice, code, description, quantity, minute, unit_price, customer)) in lines.iter().enumerate() {
        let line = InvoiceLine {
            seq: n as i64 + 1,
            invoice: rows.texts.id(invoice),
            code: rows.texts.id(code),
            description: (*description != "-").then(|| rows.texts.id(description)),
            quantity: *quantity,
            at: Timestamp::parse("2010-12-01T08:00:00Z").unwrap().plus_s(minute * 60),
            unit_price: *unit_price,
            customer: *customer,
            country: rows.texts.id("EIRE"),
        };
        rows.lines.push(line);
    }
    rows
}

/// A command as it goes out, without what is null.
fn shown(IdentifiedCommand { id, command }: &IdentifiedCommand) -> Value {
    let mut data: Value = serde_json::from_slice(&command.data()).unwrap();
    drop_nulls(&mut data);
    json!([id, command.command_type().name(), data])
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn mapped(rows: &Rows) -> Vec<Value> {
    Mapping::new(rows).flat_map(|invoice| invoice.unwrap().commands).map(|command| shown(&command)).collect()
}

fn pounds(amount: &str) -> Value {
    json!({"amount": amount, "currency": "GBP"})
}

fn product(id: &str, code: &str, title: &str, price: &str, at: &str) -> Value {
    let variant = json!({"sku": code, "price": pounds(price), "inventory_policy": "track_only"});
    let data = json!({"product_id": code, "title": title, "category": [], "attributes": {}, "variants": [variant],
        "occurred_at": at});
    json!([id, "PutProduct", data])
}

const AT: &str = "2010-12-01T08:00:00Z";

#[test]
fn an_invoice_is_an_order_that_is_paid_and_shipped() {
    let rows = rows(&[
        ("536365", "85123A", "HEART ", 6, 0, 25_500, Some(17_850)),
        ("536365", "85123a", "-", 2, 1, 10, Some(17_850)),
        ("536365", "85123A", "HEART ", 6, 0, 25_500, Some(17_850)),
    ]);
    let lines = json!([
        {"sku": "85123A", "quantity": 6, "unit_price": pounds("2.55")},
        {"sku": "85123a", "quantity": 2, "unit_price": pounds("0.001")},
        {"sku": "85123A", "quantity": 6, "unit_price": pounds("2.55")},
    ]);
    let order = json!({"order_id": "536365", "customer_id": "17850", "currency": "GBP", "country": "EIRE",
        "lines": lines, "payment": {"method": "settled"}, "occurred_at": AT});
    let expected = [
        product("or-seq-1-product", "85123A", "HEART ", "2.55", AT),
        product("or-seq-2-product", "85123a", "85123a", "0.001", "2010-12-01T08:01:00Z"),
        json!(["or-536365-place", "PlaceOrder", order]),
        json!(["or-536365-ship", "ShipOrder", {"order_id": "536365", "occurred_at": AT}]),
    ];
    assert_eq!(mapped(&rows), expected);
}

#[test]
fn an_invoice_stands_at_its_first_line_and_a_title_comes_from_wherever_there_is_one() {
    let rows = rows(&[
        ("1", "A1", "-", 1, 0, 0, None),
        ("2", "B2", "BEE", 1, 1, 0, None),
        ("1", "B2", "BUZZ", 1, 2, 10_000, None),
        ("3", "A1", "AY", 1, 3, 0, None),
    ]);
    let ids: Vec<Value> = mapped(&rows).iter().map(|command| command[0].clone()).collect();
    let expected = ["or-seq-1-product", "or-seq-2-product", "or-1-place", "or-1-ship", "or-2-place", "or-2-ship"];
    assert_eq!(ids[..6], expected);
    assert_eq!(ids[6..], ["or-3-place", "or-3-ship"]);
    assert_eq!(mapped(&rows)[0], product("or-seq-1-product", "A1", "AY", "0.00", AT));
    assert_eq!(mapped(&rows)[1], product("or-seq-2-product", "B2", "BEE", "0.00", "2010-12-01T08:01:00Z"));
}

#[test]
fn a_credit_note_has_positive_quantities_and_names_itself() {
    let rows = rows(&[("C536379", "D", "Discount", -1, 0, 275_000, Some(14_527))]);
    let lines = json!([{"sku": "D", "quantity": 1, "unit_price": pounds("27.50")}]);
    let credit = json!({"credit_id": "C536379", "customer_id": "14527", "currency": "GBP", "country": "EIRE",
        "lines": lines, "restock": true, "reference": "C536379", "occurred_at": AT});
    assert_eq!(mapped(&rows)[1..], [json!(["or-C536379-credit", "RecordCredit", credit])]);
}

#[test]
fn another_negative_line_raises_the_stock_at_its_own_time() {
    let rows = rows(&[("536589", "21777", "-", 2, 0, 0, None), ("536589", "21777", "-", -10, 5, 0, None)]);
    let movement = json!({"sku": "21777", "location": "main", "quantity": 10, "reason": "adjusted",
        "reference": "536589", "occurred_at": "2010-12-01T08:05:00Z"});
    let all = mapped(&rows);
    assert_eq!(all[1][2]["lines"], json!([{"sku": "21777", "quantity": 2, "unit_price": pounds("0.00")}]));
    assert_eq!(all[3..], [json!(["or-seq-2-move", "MoveStock", movement])]);
}

#[test]
fn a_bad_debt_is_an_adjustment_and_moves_its_stock() {
    let rows = rows(&[("A563186", "B", "Adjust bad debt", 1, 0, -110_620_600, None)]);
    let adjustment = json!({"adjustment_id": "A563186", "currency": "GBP", "country": "EIRE",
        "amount": pounds("-11062.06"), "reference": "A563186", "occurred_at": AT});
    let movement = json!({"sku": "B", "location": "main", "quantity": -1, "reason": "adjusted",
        "reference": "A563186", "occurred_at": AT});
    let expected = [
        product("or-seq-1-product", "B", "Adjust bad debt", "0.00", AT),
        json!(["or-A563186-adjust", "RecordAdjustment", adjustment]),
        json!(["or-seq-1-move", "MoveStock", movement]),
    ];
    assert_eq!(mapped(&rows), expected);
}

#[test]
fn what_cannot_be_mapped_stops_the_import_and_names_its_line() {
    let told = |rows: &Rows| Mapping::new(rows).find_map(Result::err).map(|error| error.to_string());
    let zero = rows(&[("1", "X", "-", 1, 0, 0, None), ("1", "X", "-", 0, 0, 0, None)]);
    assert_eq!(told(&zero).as_deref(), Some("line 2 has the quantity 0"));
    let credit = rows(&[("C1", "X", "-", 3, 0, 0, None)]);
    assert_eq!(told(&credit).as_deref(), Some("line 1 of credit note C1 has a quantity above 0"));
}

#[test]
fn the_whole_file_is_used() {
    let Some(data) = config::test_data() else { return };
    let rows = Rows::read(&data.join("online_retail/online_retail.parquet")).unwrap();
    assert_eq!(rows.lines.len(), 541_909);
    let (mut lines, mut ids, mut counts) = (0, std::collections::HashSet::new(), BTreeMap::new());
    let (mut shop, mut net) = (InMemoryShop::default(), 0);
    for invoice in Mapping::new(&rows) {
        let invoice = invoice.unwrap();
        lines += invoice.lines;
        let commands: Vec<_> = invoice.commands.into_iter().map(|one| (one.id, one.command)).collect();
        assert_eq!(shop.decide(&commands), Vec::<String>::new());
        for (id, command) in commands {
            *counts.entry(command.command_type()).or_insert(0) += 1;
            net += net_of(&shop, &command);
            assert!(ids.insert(id), "each command has its own id");
        }
    }
    // The sum of an independent program over the lines: pounds in ten-thousandths.
    assert_eq!(net, 97_477_479_340);
    assert_eq!(lines, 541_909);
    let expected = [
        (CommandType::PutProduct, 4_070),
        (CommandType::MoveStock, 1_339),
        (CommandType::PlaceOrder, 20_725),
        (CommandType::ShipOrder, 20_725),
        (CommandType::RecordCredit, 3_836),
        (CommandType::RecordAdjustment, 3),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}

/// The net revenue of a command that was taken.
fn net_of(shop: &InMemoryShop, command: &Command) -> i128 {
    let (tables, key) = (shop.tables(), command.key());
    let is = |command_type| command.command_type() == command_type;
    let ordered = tables.orders.get(key).filter(|_| is(CommandType::PlaceOrder)).map(|order| order.total.into());
    let credited = tables.credits.get(key).filter(|_| is(CommandType::RecordCredit));
    let adjusted = tables.adjustments.get(key).filter(|_| is(CommandType::RecordAdjustment));
    ordered
        .or(credited.map(|credit| -i128::from(credit.total)))
        .or(adjusted.map(|adjustment| adjustment.amount.amount))
        .unwrap_or_default()
}
