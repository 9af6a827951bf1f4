//! Revenue over HTTP: the groups, the periods, the pages. The rows are made by hand: the core's sums are its own tests.

use super::env::TestEnv;
use dataflows::contract::changes::{Change, ViewChanges};
use dataflows::contract::money::Currency;
use dataflows::contract::time::Timestamp;
use dataflows::views::revenue::{Grain, Revenue, RevenueKey, Sums};
use serde_json::{Value, json};
use std::sync::Arc;

/// A row of a day and its month; without a category it is over all of them.
fn rows(
    day: &str,
    currency: &str,
    country: &str,
    category: Option<&str>,
    gross: i128,
    orders: i64,
) -> Vec<Change<Revenue>> {
    let at = Timestamp::parse(&format!("{day}T15:30:00Z")).unwrap();
    let row = |grain: Grain| {
        let key = RevenueKey {
            period: grain.period(at),
            currency: Currency::parse(currency).unwrap(),
            country: country.into(),
            category: category.map(Into::into),
        };
        let sums = Sums { gross: gross * 10_000, orders, units: i128::from(orders) * 2, ..Sums::default() };
        Change { before: None, after: Some(Arc::new(Revenue { key, sums })) }
    };
    vec![row(Grain::Hour), row(Grain::Day)]
}

fn revenue() -> TestEnv {
    let env = TestEnv::new();
    let all = [
        rows("2010-12-01", "GBP", "EIRE", None, 30, 2),
        rows("2010-12-01", "GBP", "EIRE", Some("Home"), 10, 1),
        rows("2010-12-01", "GBP", "EIRE", Some(""), 20, 2),
        rows("2010-12-01", "GBP", "France", None, 5, 1),
        rows("2010-12-01", "GBP", "France", Some("Home"), 5, 1),
        rows("2010-12-01", "EUR", "France", None, 7, 1),
        rows("2010-12-01", "EUR", "France", Some("Home"), 7, 1),
        rows("2010-12-02", "GBP", "EIRE", None, 1, 1),
        rows("2010-12-02", "GBP", "EIRE", Some("Home"), 1, 1),
        // Sums that are nothing together.
        rows("2010-12-03", "GBP", "EIRE", None, 4, 0),
        rows("2010-12-03", "GBP", "France", None, -4, 0),
    ];
    env.log.publish_rows(ViewChanges { revenue: all.concat(), ..ViewChanges::default() });
    env
}

async fn told(env: &TestEnv, query: &str) -> Vec<String> {
    let reply = env.get(&format!("/api/v1/analytics/revenue{query}")).await;
    let body = reply.json();
    let texts = |row: &Value| {
        let part = |name: &str| row.get(name).map_or("-", |value| value.as_str().unwrap()).to_owned();
        let gross = row["gross"]["amount"].as_str().unwrap().to_owned();
        [part("period"), part("currency"), part("country"), part("category"), gross, row["orders"].to_string()]
            .join(" ")
    };
    body["data"].as_array().unwrap_or_else(|| panic!("{body}")).iter().map(texts).collect()
}

#[tokio::test]
async fn rows_are_split_as_asked() {
    let env = revenue();
    assert_eq!(
        told(&env, "?by=day").await,
        ["2010-12-01 EUR - - 7.00 1", "2010-12-01 GBP - - 35.00 3", "2010-12-02 GBP - - 1.00 1"]
    );
    assert_eq!(
        told(&env, "?by=day&group=country&to=2010-12-02").await,
        ["2010-12-01 EUR France - 7.00 1", "2010-12-01 GBP EIRE - 30.00 2", "2010-12-01 GBP France - 5.00 1"]
    );
    assert_eq!(
        told(&env, "?by=day&group=category&to=2010-12-02").await,
        ["2010-12-01 EUR - Home 7.00 1", "2010-12-01 GBP -  20.00 2", "2010-12-01 GBP - Home 15.00 2"]
    );
    let both =
        ["2010-12-01 GBP EIRE  20.00 2", "2010-12-01 GBP EIRE Home 10.00 1", "2010-12-01 GBP France Home 5.00 1"];
    assert_eq!(told(&env, "?by=day&group=country,category&to=2010-12-02").await[1..], both);
    assert_eq!(told(&env, "?by=day&from=2010-12-02").await[..1], ["2010-12-02 GBP - - 1.00 1"]);
    assert_eq!(
        told(&env, "?by=hour&from=2010-12-02T15:00Z&to=2010-12-02T16:00Z").await,
        ["2010-12-02T15:00Z GBP - - 1.00 1"]
    );
    assert_eq!(told(&env, "?by=hour&from=2010-12-02T16:00Z&to=2010-12-03T00:00Z").await, [""; 0]);
    assert_eq!(told(&env, "?by=month").await, [""; 0]);
}

#[tokio::test]
async fn a_row_has_the_documented_fields() {
    let row = env_row(&revenue()).await;
    let money = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    let expected = json!({"period": "2010-12-01", "currency": "EUR", "country": "France", "category": "Home",
        "gross": money("7.00"), "returned": money("0.00"), "adjusted": money("0.00"), "net": money("7.00"),
        "orders": 1, "units": 2, "units_returned": 0});
    assert_eq!(row, expected);
}

async fn env_row(env: &TestEnv) -> Value {
    env.get("/api/v1/analytics/revenue?by=day&group=country,category&limit=1").await.json()["data"][0].clone()
}

#[tokio::test]
async fn pages_go_on_where_they_stopped() {
    let env = revenue();
    for group in ["", "&group=country", "&group=category", "&group=country,category", "&group=category,country"] {
        let query = format!("?by=day{group}");
        let whole = told(&env, &query).await;
        let (mut parts, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("{query}&limit=1{cursor}");
            parts.extend(told(&env, &page).await);
            let body = env.get(&format!("/api/v1/analytics/revenue{page}")).await.json();
            match body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(parts, whole, "{group}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_by_name() {
    let env = revenue();
    for (query, pointer) in
        [("by=week", "/by"), ("group=sku", "/group"), ("by=month&from=2010-12-01", "/from"), ("to=x", "/to")]
    {
        let reply = env.get(&format!("/api/v1/analytics/revenue?{query}")).await;
        assert_eq!((reply.problem().0, &reply.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{query}");
    }
}

#[tokio::test]
async fn the_views_key_is_its_json_array() {
    let env = revenue();
    let rows = env.get("/api/v1/views/revenue?prefix=%5B%222010-12-02%22").await.json();
    let keys: Vec<_> = rows["data"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect();
    assert_eq!(keys, [r#"["2010-12-02","GBP","EIRE","Home"]"#, r#"["2010-12-02","GBP","EIRE",null]"#]);
}
