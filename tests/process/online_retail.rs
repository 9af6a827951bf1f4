//! The main job: a year of a real shop through the real process, against reference answers that another engine gave.
//! Needs the data: `TRADEWIND_TEST_DATA` names its folder.

use super::env::assert_sound;
use super::{Api, Program, TestEnv, Way};
use crate::support::test_data;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const ROWS: u64 = 541_909;

#[test]
fn a_year_of_a_real_shop_is_exact_and_stays_so() {
    let Some(data) = test_data() else { return };
    let folder = data.join("online_retail");
    let file = folder.join("online_retail.parquet").display().to_string();
    let answers = read_answers(&folder);
    let mut env = TestEnv::start_as(&Way::workers(2));

    let (said, polled) = import_watched(&env, &file);
    assert!(said.starts_with(&format!("{ROWS} rows in ")) && said.contains(", 0 of them decided before"), "{said}");
    assert!(polled > 20, "only {polled} epochs were looked at");
    check_revenue(&env, &answers);
    check_stock(&env, &answers);

    let first = env.digests();
    let said = import(&env, &file);
    let commands = said.rsplit_once(": ").and_then(|(_, rest)| rest.split_once(" commands, ")).map(|(count, _)| count);
    let commands = commands.unwrap_or_else(|| panic!("the import says how many commands it sent: {said}"));
    assert!(said.contains(&format!("{commands} commands, {commands} of them decided before")), "{said}");
    assert_eq!(env.digests(), first, "a second import changes nothing");

    let listen = env.base().trim_start_matches("http://").to_owned();
    env.kill();
    env.begin(&Way { listen: Some(listen), ..Way::workers(2) });
    check_starting(&env);
    env.wait_ready();
    assert_eq!(env.digests(), first, "after a power cut");
    env.assert_sound();
    env.stop();
    env.restart(&Way::workers(1));
    assert_eq!(env.digests(), first, "with another number of workers");
}

/// Imports the file and returns what the import said.
fn import(api: &Api, file: &str) -> String {
    let ended = Program::run(&["import", "online-retail", file, "--to", api.base()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

/// The same, while somebody looks at the invariants at one epoch after another; also how many epochs that were.
fn import_watched(env: &TestEnv, file: &str) -> (String, u64) {
    let (api, is_over) = (env.client(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut epochs, mut next) = (0, 1);
            while !is_over.load(Ordering::Relaxed) {
                let headers = [("tradewind-min-epoch", next.to_string()), ("prefer", "wait=30".to_owned())];
                let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
                let answer = api.get_with("/api/v1/invariants", &headers).ok();
                assert!(answer.epoch() >= next, "the answer is as fresh as asked for");
                assert_sound(&answer.json(), answer.epoch());
                (epochs, next) = (epochs + 1, answer.epoch() + 1);
            }
            epochs
        });
        // Also when the import fails, since the watcher continues until then.
        let over = Over(&is_over);
        let said = import(env, file);
        drop(over);
        (said, watcher.join().expect("a test that panics ends the process"))
    })
}

/// Says that it is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// While the log is taken in, the node answers, and says how far it is, how fast it goes, and how long that takes still.
fn check_starting(api: &Api) {
    let answer = api.get_first("/api/v1/epochs/latest");
    assert_eq!(answer.problem(), (503, "starting".to_owned()));
    let ready = api.get("/health/ready").expect(503).json();
    assert_eq!(ready["ready"], false);
    assert!(ready["why"].as_str().is_some_and(|why| !why.is_empty()), "{ready}");
    api.get("/health/live").ok();
    assert_eq!(api.get("/api/v1/status").ok().json()["replay"]["replaying"], true);
    let shown = Program::run(&["status", "--to", api.base()]);
    assert!(shown.code == Some(0) && shown.stdout.starts_with("NOT READY: starting"), "{shown:?}");
    let mut whys = Vec::new();
    loop {
        let ready = api.get("/health/ready");
        match ready.json()["why"].as_str() {
            Some(why) => whys.push(why.to_owned()),
            None => break,
        }
    }
    let epoch =
        |why: &String| why.strip_prefix("starting: replaying: epoch ")?.split_once(" of ")?.0.parse::<u64>().ok();
    assert!(whys.iter().filter_map(epoch).is_sorted(), "{whys:?}");
    let is_whole = |why: &String| why.contains(" epochs/s, ") && why.contains(" commands/s, about ");
    assert!(whys.iter().any(is_whole), "{whys:?}");
}

fn read_answers(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("answers_visible.json")).expect("the answers lie beside the data");
    serde_json::from_str::<Value>(&text).expect("JSON")["answers"].take()
}

fn rows<'a>(answers: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answers[name]["result"].as_array().unwrap_or_else(|| panic!("{name} is among the answers")).iter()
}

/// An amount in ten-thousandths.
fn decimal(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 4, "{text}");
    format!("{whole}{fraction:0<4}").parse().unwrap_or_else(|_| panic!("{text} is a decimal"))
}

fn amount(row: &Value, name: &str) -> i128 {
    assert_eq!(row[name]["currency"], "GBP", "{row}");
    decimal(row[name]["amount"].as_str().expect("amounts are text"))
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_else(|| panic!("{name} of {row} is text")).to_owned()
}

/// Net and gross by month and country, net by hour, units by month.
fn check_revenue(api: &Api, answers: &Value) {
    let (found, _) = api.rows("/api/v1/analytics/revenue?by=month&group=country&to=2011-06&limit=1000");
    // The reference counts `A` invoices in its gross; here they are money without goods.
    let found = found.iter().map(|row| {
        let gross = amount(row, "gross") + amount(row, "adjusted");
        assert_eq!(amount(row, "net"), gross - amount(row, "returned"), "{row}");
        ((text(row, "period"), text(row, "country")), (amount(row, "net"), gross))
    });
    let expected = rows(answers, "monthly_revenue_by_country_2010-12_to_2011-05").map(|row| {
        let figures = (decimal(&text(row, "net_revenue")), decimal(&text(row, "gross_revenue")));
        ((text(row, "month"), text(row, "country")), figures)
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected.collect::<BTreeMap<_, _>>());

    let (found, _) = api.rows("/api/v1/analytics/revenue?by=hour&limit=1000");
    let by_hour: BTreeMap<_, _> = found.iter().map(|row| (text(row, "period"), amount(row, "net"))).collect();
    for row in rows(answers, "busiest_hours_top10") {
        let hour = format!("{}Z", text(row, "hour"));
        assert_eq!(by_hour.get(&hour), Some(&decimal(&text(row, "net_revenue"))), "{hour}");
    }

    let (found, _) = api.rows("/api/v1/analytics/revenue?by=month");
    let units = |row: &Value, name: &str| row[name].as_i64().unwrap_or_else(|| panic!("{name} of {row} is a number"));
    let found = found.iter().map(|row| (text(row, "period"), units(row, "units"), units(row, "units_returned")));
    let expected = rows(answers, "return_rate_by_month").map(|row| {
        let month = text(row, "grp");
        // The three `A` invoices, all of this month, have a unit each in the reference.
        let adjustments = if month == "2011-08" { 3 } else { 0 };
        (month, units(row, "sold_units") - adjustments, units(row, "returned_units"))
    });
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// The stock of every code at the end.
fn check_stock(api: &Api, answers: &Value) {
    let (found, _) = api.rows("/api/v1/views/stock?limit=1000");
    let on_hand: BTreeMap<_, _> =
        found.iter().map(|row| (text(row, "key"), row["value"]["on_hand"].as_i64().expect("a number"))).collect();
    assert_eq!(on_hand.len(), 4_070, "codes as written");
    let mut count = 0;
    for row in rows(answers, "stock_balance_end_visible_half") {
        let code = text(row, "stock_code");
        assert_eq!(on_hand.get(&code).copied(), row["balance"].as_i64(), "{code}");
        count += 1;
    }
    assert_eq!(count, 2_043);
    let one = api.get("/api/v1/stock/BANK%20CHARGES").ok().json();
    assert_eq!(one["on_hand"].as_i64(), on_hand.get("BANK CHARGES").copied());
}
