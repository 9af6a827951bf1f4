//! Every column of every table, filtered by readers outside: what the log says of files makes them pass by some, and none
//! that holds a row. Each answer is compared with the rows, and the rows against the node's views at the same epoch.

use super::{all_readers, exported, jvm, often, python, script_of, verified};
use crate::process::{Api, TestEnv, shop};
use dataflows::shop::row::View;
use serde_json::{Value, json};

/// The rows of every view at an epoch, by key.
fn views(api: &Api, epoch: u64) -> Value {
    let rows = |view: &View| {
        let (rows, _) = api.rows(&format!("/api/v1/views/{}?as_of={epoch}&limit=1000", view.name()));
        let row = |mut row: Value| (row["key"].as_str().expect("a row has its key").to_owned(), row["value"].take());
        (view.name().to_owned(), Value::Object(rows.into_iter().map(row).collect()))
    };
    Value::Object(View::ALL.iter().map(rows).collect())
}

/// Something of every kind, with texts beyond what a log says in full; apart, so that each table has several files.
fn fill(env: &TestEnv) -> u64 {
    let long = |end: &str| format!("{}{end}", "long-".repeat(20));
    let mut last = 0;
    for n in 0..3 {
        let sku = format!("S{n}");
        shop::stock(env, &sku, "reserve", 40);
        for (at, id) in [format!("short-{n}"), long(&n.to_string())].into_iter().enumerate() {
            let mut order = if n == 1 { shop::unpaid_order(&sku, 2) } else { shop::order(&sku, 1 + n) };
            (order["order_id"], order["customer_id"]) = (json!(id), json!(format!("ann-{at}")));
            order["country"] = json!(["GB", "EIRE", "United Kingdom"][n as usize]);
            env.post("/api/v1/orders", &id, &order).expect(201);
        }
        let mut credit = shop::credit(&format!("c{n}"), &sku, 1 + n);
        (credit["restock"], credit["reference"]) = (json!(n != 1), json!(long("reference")));
        env.post("/api/v1/credits", &format!("c{n}"), &credit).expect(201);
        let amount = ["-0.01", "91234567890.1234", "7"][n as usize];
        let adjustment = json!({"adjustment_id": format!("a{n}"), "currency": "GBP", "country": "GB",
            "amount": shop::gbp(amount), "occurred_at": format!("20{}-03-04T05:06:07.000{n}89Z", 11 + 7 * n)});
        last = env.post("/api/v1/adjustments", &format!("a{n}"), &adjustment).expect(201).epoch();
        if n == 2 {
            env.post("/api/v1/orders/short-0/shipments", "s1", &json!({})).expect(201);
            let back = json!({"return_id": "r1", "lines": [{"line": 1, "quantity": 1}]});
            env.post("/api/v1/orders/short-0/returns", "r1", &back).expect(201);
            last = env.command("DELETE", "/api/v1/products/S2", "gone", &json!({})).expect(200).epoch();
        }
        exported(env, last);
    }
    last
}

#[test]
fn every_column_of_every_table_can_be_filtered_by() {
    let Some(python) = python() else { return };
    let env = TestEnv::start_as(&often());
    let last = fill(&env);
    let epoch = exported(&env, last);
    verified(&env);
    let task = tempfile::NamedTempFile::new().expect("there is room for a file");
    std::fs::write(task.path(), json!({"epoch": epoch, "views": views(&env, epoch)}).to_string()).expect("written");
    let (root, task) = (env.data().join("warehouse").display().to_string(), task.path().display().to_string());
    let jars = all_readers().then(|| jvm::jars(jvm::SPARK).display().to_string());
    let said = script_of("filters.py", &python, &[&root, &task, &jars.unwrap_or_default()]);
    let at_least = |name: &str, least: u64| said[name].as_u64() >= Some(least);
    assert!(at_least("tables", 20) && at_least("asked", 1_500) && at_least("compared", 800), "{said}");
    println!("filters: {said}");
}
