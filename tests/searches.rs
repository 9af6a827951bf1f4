//! The view of searches against its plain recomputation from the records: whatever the number of workers, however the
//! log is read, and from whatever epoch on it is restored. Observations come double, late, early and wrong.

use crate::restore::StoredTables;
use crate::rule_s;
use crate::support::views::Views;
use crate::support::{SealedLog, Way, for_each_seed, run, run_from, seeds};
use bytes::Bytes;
use dataflows::contract::changes::Changes;
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic};
use dataflows::shop::row::View;
use ingest::log::Record;
use ingest::testing::Random;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const EPOCHS: usize = 150;
const MINUTE_US: i64 = 60_000_000;
const BEGIN_US: i64 = 1_767_300_000_000_000;

/// An observation as its publisher knows it; none for one that nobody can read.
#[derive(Clone, Debug)]
pub struct ObservationRecord {
    partition: u32,
    offset: u64,
    type_name: &'static str,
    data: Value,
    is_readable: bool,
}

pub type Epochs = Vec<(Timestamp, Vec<ObservationRecord>)>;

fn pick<'a>(random: &mut Random, of: &[&'a str]) -> &'a str {
    of[random.below(of.len())]
}

fn any(random: &mut Random, now: i64, ids: usize) -> (&'static str, Value, bool) {
    let search_id = format!("s{}", random.below(ids));
    let mut data = if random.below(3) == 0 {
        let query = pick(random, &["usb cable", " USB  Cable", "Lamp", "lamp", "LÄMP", "", "5 m"]);
        json!({"search_id": search_id, "query": query, "results": random.below(3)})
    } else {
        json!({"search_id": search_id, "product_id": format!("p{}", random.below(4)), "position": random.below(9)})
    };
    let of_search = data["query"].is_string();
    // Yesterday, soon, and so far ahead that it counts as now.
    let at = now + [-86_400, 120, 7_200][random.below(3)] * 1_000_000;
    if random.below(4) == 0 {
        data["occurred_at"] = json!(Timestamp::from_micros(at));
    }
    let is_readable = random.below(12) != 0;
    if !is_readable {
        data.as_object_mut().expect("an object").remove("search_id");
    }
    (if of_search { "SearchPerformed" } else { "SearchResultClicked" }, data, is_readable)
}

pub fn workload(seed: u64) -> Epochs {
    let mut random = Random::new(seed);
    let (mut now, mut ends) = (BEGIN_US, [0_u64; 3]);
    let ids = 5 + random.below(40);
    let epoch = |_| {
        // Often within a minute, sometimes beyond all memory.
        let more = [1, 5_000_000, MINUTE_US, 17 * MINUTE_US, 59 * MINUTE_US, 61 * MINUTE_US];
        let most = if random.below(5) == 0 { more.len() } else { 3 };
        now += more[random.below(most)];
        let told = (0..random.below(9)).map(|_| {
            let (partition, (type_name, data, is_readable)) = (random.below(3), any(&mut random, now, ids));
            ends[partition] += 1;
            ObservationRecord { partition: partition as u32, offset: ends[partition] - 1, type_name, data, is_readable }
        });
        (Timestamp::from_micros(now), told.collect())
    };
    (0..EPOCHS).map(epoch).collect()
}

pub fn record_of(told: &ObservationRecord) -> (Origin, Record) {
    let header = |name: &str, value: String| (SmolStr::new(name), Some(Bytes::from(value)));
    let record = Record {
        key: Some(Bytes::from_static(b"anyone")),
        value: Some(Bytes::from(told.data.to_string())),
        headers: vec![
            header("ce_specversion", "1.0".to_owned()),
            header("ce_id", "e".to_owned()),
            header("ce_type", format!("tradewind.{}.v1", told.type_name)),
            header("ce_source", "/tests".to_owned()),
        ],
        timestamp_ms: 0,
    };
    (Origin { topic: Topic::Activity, partition: told.partition, offset: told.offset }, record)
}

/// The observations, and beside them in the same epochs the commands of a shop.
fn sealed(epochs: &Epochs, beside: &rule_s::Epochs) -> Arc<SealedLog> {
    let mut log = SealedLog::default();
    for (number, (now, told)) in epochs.iter().enumerate() {
        let mut records: Vec<_> = told.iter().map(record_of).collect();
        let commands = beside.get(number).map(|(_, commands)| commands.as_slice()).unwrap_or_default();
        records.extend(commands.iter().map(rule_s::record_of));
        log.seal(*now, records);
    }
    Arc::new(log)
}

/// What a search came to, as far as it is remembered.
#[derive(Default)]
struct SearchState {
    since: i64,
    search: Option<(String, String, bool)>,
    opened: BTreeSet<String>,
}

/// The sums, counted one observation after another from the description alone.
#[derive(Default)]
struct Plain {
    known: BTreeMap<String, SearchState>,
    minute: Option<i64>,
    rows: BTreeMap<(String, String), [i64; 4]>,
}

impl Plain {
    fn epoch(&mut self, now: i64, mut told: Vec<ObservationRecord>) {
        told.retain(|told| told.is_readable);
        told.sort_by_key(|told| (told.partition, told.offset));
        for told in told {
            self.take(now, &told);
        }
        let minute = now.div_euclid(MINUTE_US);
        if self.minute.replace(minute) != Some(minute) {
            self.known.retain(|_, known| known.since > minute - 60);
        }
    }

    fn take(&mut self, now: i64, told: &ObservationRecord) {
        let text = |name: &str| told.data[name].as_str().expect("a text").to_owned();
        let new = || SearchState { since: now.div_euclid(MINUTE_US), ..SearchState::default() };
        let known = self.known.entry(text("search_id")).or_insert_with(new);
        let given = told.data["occurred_at"].as_str().map(|at| Timestamp::parse(at).expect("a time"));
        let at = given.filter(|at| at.micros() <= now + 5 * MINUTE_US).unwrap_or(Timestamp::from_micros(now));
        match told.type_name {
            "SearchPerformed" if known.search.is_none() => {
                let query = text("query").to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
                let (day, is_empty) = (at.to_string()[..10].to_owned(), told.data["results"] == 0);
                let row = self.rows.entry((day.clone(), query.clone())).or_default();
                let clicks = known.opened.len() as i64;
                for (sum, more) in row.iter_mut().zip([1, i64::from(is_empty), clicks, i64::from(clicks > 0)]) {
                    *sum += more;
                }
                known.search = Some((day, query, is_empty));
            }
            "SearchResultClicked" if known.opened.insert(text("product_id")) => {
                if let Some((day, query, _)) = &known.search {
                    let row = self.rows.entry((day.clone(), query.clone())).or_default();
                    row[2] += 1;
                    row[3] += i64::from(known.opened.len() == 1);
                }
            }
            _ => {}
        }
    }

    fn rows(&self) -> BTreeMap<String, Value> {
        let row = |((day, query), sums): (&(String, String), &[i64; 4])| {
            let [searches, without_results, clicks, searches_with_click] = sums;
            let value = json!({"day": day, "query": query, "searches": searches, "without_results": without_results,
                "clicks": clicks, "searches_with_click": searches_with_click});
            (json!([day, query]).to_string(), value)
        };
        self.rows.iter().map(row).collect()
    }
}

fn compare(epochs: &Epochs, left: &[Arc<Changes>]) -> Plain {
    let (mut plain, mut views) = (Plain::default(), Views::default());
    assert_eq!(left.len(), epochs.len());
    for ((now, told), changes) in epochs.iter().zip(left) {
        plain.epoch(now.micros(), told.clone());
        views.apply(changes);
        assert_eq!(views.json(View::Searches), plain.rows(), "rows of epoch {}", changes.epoch());
        let standing = changes.standings.of(View::Searches);
        assert_eq!(standing.digest, views.digest(View::Searches), "digest of epoch {}", changes.epoch());
        let unreadable = told.iter().filter(|told| !told.is_readable).count();
        let dead = changes.dead_letters.iter().filter(|letter| letter.origin.topic == Topic::Activity).count();
        // Beyond a topic's quota they are only counted, by their code alone.
        let dead_at_most = dead + changes.quota.dropped.len();
        assert!((dead..=dead_at_most).contains(&unreadable), "dead letters of epoch {}", changes.epoch());
    }
    plain
}

#[test]
fn searches_are_what_a_plain_count_says() {
    let mut totals = [0; 4];
    for seed in seeds(400, 30) {
        for_each_seed("searches_are_what_a_plain_count_says", vec![seed], |seed| {
            let epochs = workload(seed);
            compare(&epochs, &run(&sealed(&epochs, &Vec::new()), Way { workers: 1, stride: 1, in_flight: 1 }));
        });
        let (epochs, mut plain) = (workload(seed), Plain::default());
        epochs.into_iter().for_each(|(now, told)| plain.epoch(now.micros(), told));
        plain.rows.values().for_each(|row| totals.iter_mut().zip(row).for_each(|(total, sum)| *total += sum));
    }
    assert!(totals.iter().all(|total| *total > 100), "the seeds bring something of each: {totals:?}");
}

#[test]
fn workers_strides_and_commands_beside_them_change_nothing_of_searches() {
    for_each_seed("workers_strides_and_commands_beside_them", seeds(500, 4), |seed| {
        let (epochs, beside) = (workload(seed), rule_s::workload(seed));
        let log = sealed(&epochs, &beside);
        let expected = run(&log, Way { workers: 1, stride: 1, in_flight: 1 });
        compare(&epochs, &expected);
        for workers in 1..=4 {
            for (stride, in_flight) in [(1, 64), (7, 100), (1_000, 1_000)] {
                let way = Way { workers, stride, in_flight };
                let left = run(&log, way);
                assert!(left == expected, "{way:?}");
            }
        }
    });
}

#[test]
fn searches_that_were_kept_go_on_as_those_that_never_stopped() {
    for_each_seed("searches_that_were_kept_go_on", seeds(600, 4), |seed| {
        let (epochs, beside) = (workload(seed), rule_s::workload(seed));
        let log = sealed(&epochs, &beside);
        let all = run(&log, Way { workers: 2, stride: 3, in_flight: 8 });
        let mut kept = StoredTables::default();
        for (at, changes) in all.iter().enumerate() {
            kept.apply(changes);
            if (at as u64 + seed) % 23 != 3 {
                continue;
            }
            let base = kept.load(&changes.record);
            assert_eq!(base.standings, changes.standings, "epoch {} as it was kept", changes.epoch());
            for workers in 1..=3 {
                let after = run_from(&log, Some(Arc::clone(&base)), Way { workers, stride: 7, in_flight: 8 });
                assert_eq!(after.len(), all.len() - at);
                for (found, expected) in after[1..].iter().zip(&all[at + 1..]) {
                    assert_eq!(found, expected, "{workers} workers, from epoch {}", changes.epoch());
                }
            }
        }
    });
}
