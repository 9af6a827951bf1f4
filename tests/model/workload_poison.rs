//! What is wrong with the workload's strange records: one fault a record, so that its code is certain.

use serde_json::{Value, json};

use super::Record;
use super::time::{self, MINUTE};
use super::workload::{Draft, Random};

/// Makes a sound record a dead letter.
pub fn poison(random: &mut Random, record: &mut Record) {
    match random.below(100) {
        0..=14 => {
            let names = ["Unheard", "placeorder", "PlaceOrder.v2", ""];
            record.type_name = random.pick(&names).to_string();
        }
        15..=24 => {
            let elsewhere = record.topic == "orders.commands";
            record.topic = if elsewhere { "stock.commands" } else { "orders.commands" }.to_string();
        }
        25..=36 => {
            if record.data.get("order_id").is_none() && record.type_name == "PlaceOrder" {
                record.data["order_id"] = json!("o-named");
            }
            let keys = [None, Some("someone else's".to_string()), Some(String::new())];
            record.key = random.pick(&keys).clone();
        }
        37..=49 => {
            let ids = ["", "two words", "ümlaut", "tab\tbed", "del\u{7f}"];
            record.command_id = random.pick(&ids).to_string();
            if random.percent(30) {
                record.command_id = "x".repeat(256);
            }
        }
        50..=53 => record.data["x_ballast"] = json!("b".repeat(1 << 20)),
        _ => make_unreadable(random, record),
    }
}

fn make_unreadable(random: &mut Random, record: &mut Record) {
    let required = required_fields(&record.type_name);
    match random.below(10) {
        0..=1 if !required.is_empty() => {
            let field = *random.pick(required);
            // `null` is absent too.
            record.data[field] = Value::Null;
            if random.percent(50)
                && let Some(data) = record.data.as_object_mut()
            {
                data.remove(field);
            }
        }
        2..=3 if !required.is_empty() => {
            // Wrong for a text, a number, an object and a list of objects.
            record.data[*random.pick(required)] = json!([[]]);
        }
        4..=5 => {
            let times = [
                "2010-12-01T00:00:00+24:00",
                "2016-12-31T23:59:60Z",
                "2010-02-30T00:00:00Z",
                "2010-12-01",
                "2010-12-01T00:00:00.1234567",
                "2010-12-01T24:00:00Z",
                "soon",
                "",
            ];
            record.data["occurred_at"] = json!(random.pick(&times));
        }
        6 => record.data["occurred_at"] = json!(1_291_900_000),
        7..=8 => break_value(random, record),
        _ => {
            record.data = random.pick(&[json!([]), json!("{"), Value::Null, json!(7)]).clone();
        }
    }
}

/// Breaks a money, an integer or a word of the command's own; else its business time.
fn break_value(random: &mut Random, record: &mut Record) {
    let amounts =
        ["1.", ".5", "1e3", "+1", "1.23456", "922337203685477.5808", "", "1,5", " 1", "-922337203685477.5809"];
    let integers = [json!(9_223_372_036_854_775_808_u64), json!(1.5), json!("3"), json!(1e20), json!(2.0)];
    let integer = random.pick(&integers).clone();
    let money = match random.below(4) {
        0 => json!({"amount": 5, "currency": "GBP"}),
        1 => json!({"amount": "5"}),
        _ => json!({"amount": random.pick(&amounts), "currency": "GBP"}),
    };
    let data = &mut record.data;
    match record.type_name.as_str() {
        "PutPolicy" => data["id_memory_s"] = integer,
        "PutProduct" if random.percent(50) => data["variants"][0]["price"] = money,
        "PutProduct" => data["variants"][0]["inventory_policy"] = json!("sometimes"),
        "SetPrice" => data["price"] = money,
        "MoveStock" if random.percent(50) => data["reason"] = json!("stolen"),
        "MoveStock" | "TransferStock" => data["quantity"] = integer,
        "PlaceOrder" if random.percent(30) => data["payment"]["method"] = json!("cash"),
        "PlaceOrder" | "RecordCredit" if random.percent(50) => data["lines"][0]["unit_price"] = money,
        "PlaceOrder" | "RecordCredit" | "ReturnItems" => data["lines"][0]["quantity"] = integer,
        "RecordPaymentResult" if random.percent(50) => data["status"] = json!("maybe"),
        "RecordAdjustment" | "RecordPaymentResult" | "IssueRefund" => data["amount"] = money,
        "RecordShipmentFailure" => data["restock"] = json!("true"),
        _ => data["occurred_at"] = json!(true),
    }
}

fn required_fields(type_name: &str) -> &'static [&'static str] {
    match type_name {
        "PutProduct" => &["product_id", "title", "variants"],
        "ArchiveProduct" => &["product_id"],
        "SetPrice" => &["product_id", "sku", "price"],
        "MoveStock" => &["sku", "quantity", "reason"],
        "TransferStock" => &["sku", "from", "to", "quantity"],
        "PlaceOrder" => &["currency", "country", "lines", "payment"],
        "CancelOrder" | "ShipOrder" | "DeliverOrder" | "RecordShipmentFailure" => &["order_id"],
        "ReturnItems" => &["order_id", "return_id", "lines"],
        "RecordCredit" => &["credit_id", "currency", "country", "lines"],
        "RecordAdjustment" => &["adjustment_id", "currency", "country", "amount"],
        "RecordPaymentResult" => &["order_id", "payment_id", "status", "amount"],
        "IssueRefund" => &["order_id", "refund_id", "amount"],
        _ => &[],
    }
}

/// Puts one readable value outside its bounds: the outcome is `invalid`.
pub fn break_bounds(random: &mut Random, draft: &mut Draft, now: i64) {
    let quantity = random.pick(&[0, -1, 1_000_000_001, i64::MIN, i64::MAX]);
    let currency = *random.pick(&["gbp", "EURO", "", "É£"]);
    if random.percent(50) && break_text(random, draft) {
        return;
    }
    let data = &mut draft.data;
    match draft.type_name {
        "PutPolicy" => data["order_lines_max"] = json!(random.pick(&[0, 5_001, i64::MIN])),
        "PutProduct" => match random.below(6) {
            0 => data["category"] = json!([random.pick(&["", "A/B"])]),
            1 => data["variants"] = json!([]),
            2 => data["category"] = json!(vec!["c"; 11]),
            3 => data["attributes"] = named(201),
            4 => {
                let skus = (0..1_001).map(|n| json!({"sku": format!("S{n}"), "price": data["variants"][0]["price"]}));
                data["variants"] = skus.collect();
            }
            _ => {
                let first = data["variants"][0].clone();
                data["variants"] = json!([first, first]);
            }
        },
        "SetPrice" => {
            data["valid_from"] = json!(time::write(now));
            data["valid_to"] = json!(time::write(now - random.between(0, 5)));
        }
        "MoveStock" => data["quantity"] = json!(*quantity.max(&0) / 1_000_000_001 * 1_000_000_001),
        "TransferStock" if random.percent(50) => data["to"] = data["from"].clone(),
        "TransferStock" => data["quantity"] = json!(quantity),
        "PlaceOrder" | "RecordCredit" => match random.below(6) {
            0 => data["currency"] = json!(currency),
            1 => data["country"] = json!(""),
            2 => data["country"] = json!("x".repeat(65)),
            3 => data["lines"] = json!([]),
            4 => {
                let line = data["lines"][0].clone();
                data["lines"] = json!(vec![line; 2_001]);
            }
            _ => data["lines"][0]["quantity"] = json!(quantity),
        },
        "ReturnItems" if random.percent(20) => {
            let line = data["lines"][0].clone();
            data["lines"] = json!(vec![line; 5_001]);
        }
        "ReturnItems" => data["lines"][0]["quantity"] = json!(quantity),
        "RecordAdjustment" => data["customer_id"] = json!(random.pick(&["", "a\u{7}b"])),
        "RecordPaymentResult" => data["amount"]["amount"] = json!("-0.01"),
        "IssueRefund" => data["amount"]["amount"] = json!(random.pick(&["0", "-0", "-1"])),
        _ => data["occurred_at"] = json!(time::write(now + 5 * MINUTE + 1)),
    }
}

/// The texts of a command, each with its greatest number of characters, and whether it may have several lines.
fn texts(type_name: &str) -> &'static [(&'static str, usize, bool)] {
    match type_name {
        "PutProduct" => &[
            ("/title", 256, false),
            ("/brand", 256, false),
            ("/description", 10_000, true),
            ("/variants/0/title", 256, false),
        ],
        "MoveStock" | "TransferStock" => &[("/reference", 256, false)],
        "RecordCredit" | "RecordAdjustment" => &[("/reference", 256, false), ("/country", 64, false)],
        "PlaceOrder" => &[("/payment/token", 2_048, false), ("/country", 64, false), ("/customer_id", 128, false)],
        "ShipOrder" => &[("/carrier", 256, false), ("/tracking", 256, false)],
        "CancelOrder" | "RecordShipmentFailure" | "RecordPaymentResult" | "IssueRefund" => &[("/reason", 10_000, true)],
        _ => &[],
    }
}

fn set_text(draft: &mut Draft, pointer: &str, text: String) {
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    if let Some(parent) = draft.data.pointer_mut(parent) {
        parent[field] = json!(text);
    }
}

/// Makes one text too long, or gives it a control character; false if the command has none.
fn break_text(random: &mut Random, draft: &mut Draft) -> bool {
    let texts = texts(draft.type_name);
    if texts.is_empty() {
        return false;
    }
    let (pointer, characters_max, _) = *random.pick(texts);
    let control = *random.pick(&["a\u{0}", "\u{7f}", "\u{9f}b", "\u{b}"]);
    let text = if random.percent(60) { "ä".repeat(characters_max + 1) } else { control.to_string() };
    set_text(draft, pointer, text);
    true
}

/// Makes the texts and lists of a command as large as they may be.
pub fn stretch(random: &mut Random, draft: &mut Draft) {
    for (pointer, characters_max, has_lines) in texts(draft.type_name) {
        let parts: &[&str] =
            if *has_lines { &["ä", "\n", "\t", "\r", "\""] } else { &["ä", "\\", "\"", "\u{1f600}"] };
        let text = (0..*characters_max).map(|_| *random.pick(parts)).collect();
        set_text(draft, pointer, text);
    }
    if draft.type_name == "PutProduct" {
        draft.set("category", json!(vec!["ö".repeat(100); 10]));
        draft.set("attributes", named(200));
    }
}

fn named(count: usize) -> Value {
    (0..count).map(|n| (n.to_string(), json!("value"))).collect()
}
