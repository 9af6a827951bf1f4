//! A year of a real shop as tables, against the reference answers, the node's own, and while it is being written. Needs
//! the data: `TRADEWIND_TEST_DATA` names its folder.

use super::{compare, exported, often, python, queries, verified};
use crate::process::{Program, TestEnv};
use crate::support::test_data;
use serde_json::Value;
use std::collections::BTreeMap;

/// An amount in ten-thousandths.
fn decimal(text: &Value) -> i128 {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is an amount"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<4}").parse().unwrap_or_else(|_| panic!("{text} is a decimal"))
}

#[test]
fn the_tables_of_a_year_give_the_reference_answers_at_one_epoch() {
    let (Some(data), Some(python)) = (test_data(), python()) else { return };
    let folder = data.join("online_retail");
    let file = folder.join("online_retail.parquet").display().to_string();
    let text = std::fs::read_to_string(folder.join("answers_visible.json")).expect("the answers lie beside the data");
    let answers = serde_json::from_str::<Value>(&text).expect("JSON")["answers"].take();
    let rows = |name: &str| answers[name]["result"].as_array().unwrap_or_else(|| panic!("{name} is among them"));

    // Readers agree with each other while the year is being written.
    let env = TestEnv::start_as(&often());
    exported(&env, 1);
    let looks = std::thread::scope(|scope| {
        let import = scope.spawn(|| Program::run(&["import", "online-retail", &file, "--to", env.base()]));
        let mut looks = Vec::new();
        while !import.is_finished() {
            looks.push(compare(&python, env.data()));
        }
        let ended = import.join().expect("a test that panics ends the process");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        looks
    });
    assert!(looks.windows(2).any(|pair| pair[0]["epoch"].as_u64() < pair[1]["epoch"].as_u64()), "{looks:?}");
    let last = env.get("/api/v1/epochs/latest").ok().epoch();
    let epoch = exported(&env, last);
    let whole = compare(&python, env.data());
    assert!(whole["rows"].as_u64() > Some(2 * 541_909), "{whole}");
    verified(&env);

    // Revenue equals the node's answer at the same epoch, and the reference.
    let found = queries(&python, &env, epoch);
    let by_month: BTreeMap<_, _> = found["monthly_revenue"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let text = |at: usize| row[at].as_str().unwrap_or_default().to_owned();
            ((text(0), text(2)), [3, 4, 5, 6].map(|at| decimal(&row[at])))
        })
        .collect();
    let (own, _) = env.rows(&format!("/api/v1/analytics/revenue?by=month&group=country&limit=1000&as_of={epoch}"));
    let own: BTreeMap<_, _> = own
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let amounts = ["gross", "returned", "adjusted", "net"].map(|name| decimal(&row[name]["amount"]));
            ((text("period"), text("country")), amounts)
        })
        .collect();
    // The node leaves out rows of only zeros.
    let by_month: BTreeMap<_, _> = by_month.into_iter().filter(|(key, _)| own.contains_key(key)).collect();
    assert_eq!(by_month, own);
    let reference = rows("monthly_revenue_by_country_2010-12_to_2011-05");
    assert_eq!(reference.len(), 145);
    for row in reference {
        let key = (
            row["month"].as_str().unwrap_or_default().to_owned(),
            row["country"].as_str().unwrap_or_default().to_owned(),
        );
        assert_eq!(by_month[&key][3], decimal(&row["net_revenue"]), "{row}");
    }

    // So do the lowest and the highest stock of each code.
    let balances: BTreeMap<_, _> = found["running_balance"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row[0].as_str().unwrap_or_default().to_owned(), [1, 2, 3, 4].map(|at| row[at].as_i64())))
        .collect();
    let reference = rows("stock_balance_end_visible_half");
    assert_eq!((reference.len(), balances.len()), (2_043, 4_070));
    for row in reference {
        let expected = ["lowest", "highest", "movements", "balance"].map(|name| row[name].as_i64());
        assert_eq!(balances[row["stock_code"].as_str().unwrap_or_default()], expected, "{row}");
    }
}
