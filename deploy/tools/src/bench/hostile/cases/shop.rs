//! Cases of commands that are large: long texts, many lines, many variants.

use crate::bench::hostile::attack::{Attack, line, longest_id, longest_product, order, pounds, product};
use anyhow::Result;
use serde_json::{Value, json};

/// The answers to an order of a product that was refused.
const NOT_THERE: &[&str] = &["unknown_sku", "invalid"];
/// The answers to a row that may be above 1 MiB.
const MAY_BE_LARGE: &[&str] = &["succeeded", "too_large"];

fn orders(name: &str, sku: &str, count: usize, lines: usize) -> Vec<Value> {
    let one = |n: usize| {
        let id = format!("{name}-{n}");
        line(&id, "PlaceOrder", order(&id, sku, lines))
    };
    (0..count).map(one).collect()
}

/// Puts the product whose texts are as long as they may be.
fn put_longest(attack: &mut Attack) -> Result<String> {
    let sku = longest_id("longest-");
    attack.expect_outcomes(
        "the longest product",
        &[line("longest", "PutProduct", longest_product(&sku))],
        &["succeeded"],
    )?;
    Ok(sku)
}

/// Every table holds what the views hold.
fn expect_tables(attack: &mut Attack) -> Result<()> {
    let verified = attack.client.post("/api/v1/export/verifications")?;
    let problems = verified.json().map(|body| body["problems"].to_string()).unwrap_or_default();
    attack.expect(verified.status == 200 && problems == "[]", || format!("tables: {} {problems}", verified.problem()));
    Ok(())
}

/// C1
pub fn long_texts(attack: &mut Attack) -> Result<()> {
    attack.expect_outcomes("31,000 characters", &[line("p", "PutProduct", product("P", 31_000))], &["invalid"])?;
    attack.expect_outcomes("orders of it", &orders("p", "P", 37, 2_000), NOT_THERE)?;
    let sku = put_longest(attack)?;
    attack.expect_outcomes("orders of 400 lines", &orders("o", &sku, 37, 400), MAY_BE_LARGE)?;
    // In two requests, since one may have 8 MiB.
    for name in ["a", "b"] {
        attack.expect_outcomes("orders of 1,500 lines", &orders(name, &sku, 18, 1_500), &["too_large"])?;
    }
    expect_tables(attack)
}

/// C2
pub fn large_rows(attack: &mut Attack) -> Result<()> {
    let policy = |most: u64| line(&format!("policy-{most}"), "PutPolicy", json!({"order_lines_max": most}));
    attack.expect_outcomes("order_lines_max 20,000", &[policy(20_000)], &["invalid"])?;
    attack.expect_outcomes("order_lines_max 5,000", &[policy(5_000)], &["succeeded"])?;
    attack.expect_outcomes(
        "1,000,000 characters",
        &[line("p", "PutProduct", product("P", 1_000_000))],
        &["invalid"],
    )?;
    attack.expect_outcomes("orders of 12,000 lines", &orders("p", "P", 2, 12_000), NOT_THERE)?;
    let sku = put_longest(attack)?;
    for name in ["a", "b"] {
        attack.expect_outcomes("orders of 450 lines", &orders(name, &sku, 50, 450), MAY_BE_LARGE)?;
    }
    attack.expect_outcomes("an order of 5,000 lines", &orders("c", &sku, 1, 5_000), &["too_large"])?;
    expect_tables(attack)
}

/// C3
pub fn one_large_row(attack: &mut Attack) -> Result<()> {
    attack.expect_outcomes("34,000 characters", &[line("p", "PutProduct", product("P", 34_000))], &["invalid"])?;
    attack.expect_outcomes("an order of it", &orders("p", "P", 1, 2_000), NOT_THERE)?;
    let sku = put_longest(attack)?;
    attack.expect_outcomes("an order of 1,500 lines", &orders("o", &sku, 1, 1_500), &["too_large"])?;
    expect_tables(attack)?;
    let status = attack.json("/api/v1/status")?;
    let stalled = &status["stalled"];
    attack.expect(*stalled == json!({}), || format!("stalled: {stalled}"));
    Ok(())
}

/// H2
pub fn many_variants(attack: &mut Attack) -> Result<()> {
    let put = |turn: usize, count: usize| {
        let price = pounds("1.00");
        let variants: Vec<Value> = (0..count)
            .map(|n| json!({"sku": format!("{turn}-{n}"), "price": price, "inventory_policy": "none"}))
            .collect();
        let data = json!({"product_id": "P", "title": "A thing", "variants": variants});
        line(&format!("put-{turn}-{count}"), "PutProduct", data)
    };
    for turn in 0..20 {
        attack.expect_outcomes("6,500 variants", &[put(turn, 6_500)], &["invalid"])?;
    }
    for turn in 20..40 {
        attack.expect_outcomes("1,000 variants", &[put(turn, 1_000)], MAY_BE_LARGE)?;
    }
    Ok(())
}
