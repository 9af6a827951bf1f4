//! An export that is turned on after the beginning of the shop is gone: it says what to do; once that is done it continues, and
//! each table says what it lacks. Not for single tables: the room tests those.

use super::{compare, exported, python, until};
use crate::process::{Api, Program, TestEnv, Way, shop};
use serde_json::{Value, json};

fn way(tables: &str) -> Way {
    let variables = [
        ("TRADEWIND_EXPORT_TABLES", tables),
        ("TRADEWIND_EXPORT_COMMIT_S", "1"),
        ("TRADEWIND_LOG_SEGMENT_BYTES", "1048576"),
        ("TRADEWIND_OUTPUTS_RETENTION_S", "1"),
        ("TRADEWIND_OUTPUTS_SEGMENT_BYTES", "65536"),
    ];
    Way { variables: variables.map(|(name, value)| (name, value.to_owned())).into(), ..Way::workers(2) }
}

/// A thousand movements of stock.
fn move_stock(api: &Api, round: usize) {
    let line = |number: usize| {
        let data = json!({"sku": "A", "quantity": 1 + number % 7, "reason": "received"});
        json!({"id": format!("{round}-{number}"), "type": "MoveStock", "data": data}).to_string() + "\n"
    };
    let answers = api.batch((0..1_000).map(line).collect::<String>());
    assert!(answers.iter().all(|answer| answer["status"] == "succeeded"), "{:?}", answers.first());
}

/// Every table tells what it lacks, and nothing else is the matter with any.
fn only_gaps_are_wrong(env: &TestEnv, facts: &Value, views: &Value) {
    let standing = env.get("/api/v1/export").ok().json();
    assert_eq!(standing["stalled"], json!(null), "{standing}");
    for table in standing["tables"].as_array().expect("tables") {
        let is_view =
            table["table"].as_str().is_some_and(|name| name.ends_with("_current") || name.ends_with("_changes"));
        assert_eq!(table["gaps"], json!([if is_view { views } else { facts }]), "{table}");
    }
    let ended = Program::run(&["export", "verify", "--json", "--to", env.base()]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let problems = said["problems"].as_array().expect("problems");
    let is_gap =
        |problem: &Value| problem["why"].as_str().is_some_and(|why| why.starts_with("it lacks the epochs 1 to "));
    assert!(said["without_views"].is_null() && problems.iter().all(is_gap), "{said}");
    assert_eq!(Some(problems.len()), standing["tables"].as_array().map(Vec::len), "{said}");
}

#[test]
fn an_export_that_is_turned_on_after_outputs_were_cut_says_what_to_do_and_does_it() {
    // Given a shop without tables, of whose outputs and log the beginning is gone.
    let mut env = TestEnv::start_as(&way("none"));
    shop::stock(&env, "A", "reserve", 50);
    env.post("/api/v1/orders", "o1", &shop::order("A", 2)).expect(201);
    for round in 0..30 {
        move_stock(&env, round);
        env.post("/api/v1/checkpoints", &format!("k{round}"), &json!({})).expect(201);
    }
    // Whole segments go: a floor somewhere in the first would not do.
    let last = env.get("/api/v1/epochs/latest").ok().epoch();
    until(&env, "outputs are not cut", |status| status["outputs_floor"]["epoch"].as_u64() >= Some(last));
    env.stop();
    // When tables are to be written, then it says what to do, and nothing else is the matter.
    env.restart(&way("all"));
    let why = |status: &Value| status["stalled"]["export"].as_str().map(str::to_owned);
    let status = until(&env, "it writes past a gap", |status| why(status).is_some());
    assert!(why(&status).is_some_and(|why| why.contains("tradewind export rebuild --data DIR")), "{status}");
    env.until_ready(true);
    env.stop();
    // When that is done, then it says what is lacking.
    let data = env.data().display().to_string();
    let ended = Program::run(&["export", "rebuild", "--json", "--data", &data]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let (facts, views) = (&said["gaps"]["facts"], &said["gaps"]["views"]);
    assert!(facts["from"] == 1 && facts["to"].as_u64() > Some(0), "{said}");
    assert!(views["from"] == 1 && views["to"].as_u64() >= facts["to"].as_u64(), "{said}");
    // The next start writes what follows; only the gaps are wrong with the tables.
    env.restart(&way("all"));
    let last = env.post("/api/v1/orders", "o2", &shop::order("A", 3)).expect(201).epoch();
    exported(&env, last);
    only_gaps_are_wrong(&env, facts, views);
    if let Some(python) = python() {
        compare(&python, env.data());
    }
    env.stop();
    // Asked again, it does nothing.
    let ended = Program::run(&["export", "rebuild", "--data", &data]);
    assert!(ended.code == Some(1) && ended.stderr.contains("go on by themselves at epoch"), "{}", ended.stderr);
}
