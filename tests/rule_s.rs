//! Rule S: what the engine does equals one careful clerk who handles every command, one after another. The clerk is
//! the model, written from the contract alone.

use crate::model::workload::Workload;
use crate::model::{Model, Record as ModelRecord};
use crate::support::views::Views;
use crate::support::{SealedLog, Way, for_each_seed, run, seeds};
use bytes::Bytes;
use dataflows::contract::changes::Changes;
use dataflows::contract::event::Event;
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic};
use dataflows::shop::row::View;
use ingest::log::Record;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::sync::Arc;

const EPOCHS: usize = 120;
const PLAIN: Way = Way { workers: 1, stride: 1, in_flight: 1 };

/// A record of the model as one of the log.
pub fn record_of(of: &ModelRecord) -> (Origin, Record) {
    let topic = Topic::from_name(&of.topic).expect("the workload uses the contract's topics");
    let header = |name: &str, value: String| (SmolStr::new(name), Some(Bytes::from(value)));
    let record = Record {
        key: of.key.clone().map(Bytes::from),
        value: Some(Bytes::from(of.data.to_string())),
        headers: vec![
            header("ce_specversion", "1.0".to_owned()),
            header("ce_id", of.command_id.clone()),
            header("ce_type", format!("tradewind.{}.v1", of.type_name)),
            header("ce_source", "/tests".to_owned()),
            header("content-type", "application/json".to_owned()),
        ],
        timestamp_ms: 0,
    };
    (Origin { topic, partition: of.partition, offset: of.offset }, record)
}

pub type Epochs = Vec<(Timestamp, Vec<ModelRecord>)>;

pub fn workload(seed: u64) -> Epochs {
    let mut workload = Workload::new(seed);
    (0..EPOCHS)
        .map(|_| {
            let batch = workload.next_epoch();
            (Timestamp::from_micros(batch.now_micros), batch.records)
        })
        .collect()
}

pub fn sealed(epochs: &Epochs) -> Arc<SealedLog> {
    let mut log = SealedLog::default();
    for (now, records) in epochs {
        log.seal(*now, records.iter().map(record_of).collect());
    }
    Arc::new(log)
}

/// Takes out what people read and no one compares: the words of errors, and where a bound is broken.
fn plain(mut value: Value) -> Value {
    let code = value["code"].clone();
    if let Some(errors) = value.get_mut("errors").and_then(Value::as_array_mut) {
        for error in &mut *errors {
            error["detail"] = json!("");
            if !error["pointer"].as_str().is_some_and(|pointer| pointer.starts_with("/lines/")) || code == "invalid" {
                error["pointer"] = json!("");
            }
        }
        if code == "invalid" || code == "sku_taken" {
            errors.truncate(1);
        }
    }
    value
}

fn event_json(event: &Arc<Event>) -> Value {
    let mut json = serde_json::to_value(event.as_ref()).expect("events are JSON");
    json["type"] = json!(event.fact.name());
    plain(json)
}

/// Fails with the fields that differ.
fn same(model: &Value, engine: &Value, what: &str) {
    if model == engine {
        return;
    }
    let empty = serde_json::Map::new();
    let (ours, theirs) = (engine.as_object().unwrap_or(&empty), model.as_object().unwrap_or(&empty));
    let names: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differ = names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name));
    let differ = differ.map(|name| format!("\n  {name}: model {:?}\n  engine {:?}", theirs.get(name), ours.get(name)));
    panic!("{what} differs:{}\n(model {model})", differ.collect::<String>());
}

/// Runs the model beside what left the engine: compares every event, and every row at every `rows_every`th epoch.
fn compare(epochs: &Epochs, left: &[Arc<Changes>], rows_every: u64) {
    assert_eq!(left.len(), epochs.len());
    let (mut model, mut views) = (Model::new(), Views::default());
    for (number, ((now, records), changes)) in epochs.iter().zip(left).enumerate() {
        let epoch = number as u64 + 1;
        let expected = model.epoch(epoch, now.micros(), records.clone());
        for (place, (expected, event)) in expected.iter().zip(&changes.events).enumerate() {
            same(&plain(expected.clone()), &event_json(event), &format!("epoch {epoch}, event {}", place + 1));
        }
        assert_eq!(expected.len(), changes.events.len(), "events of epoch {epoch}");
        views.apply(changes);
        if epoch.is_multiple_of(rows_every) || number + 1 == epochs.len() {
            compare_rows(&model, &views, changes);
        }
        let dead: Vec<_> = changes.dead_letters.iter().map(|letter| (letter.origin, letter.code.as_str())).collect();
        let expected = model.dead_letters().iter().map(|letter| {
            let topic = Topic::from_name(&letter.topic).expect("a topic of the contract");
            (Origin { topic, partition: letter.partition, offset: letter.offset }, letter.code)
        });
        assert_eq!(dead, expected.collect::<Vec<_>>(), "dead letters of epoch {epoch}");
        assert_eq!(changes.quota.dropped.len(), model.dropped_letters(), "dead letters of epoch {epoch} without bytes");
    }
}

/// Compares every row and every digest at an epoch.
fn compare_rows(model: &Model, views: &Views, changes: &Changes) {
    let epoch = changes.epoch();
    for view in View::ALL.iter().filter(|view| **view != View::Invariants) {
        let (mut ours, mut theirs) = (views.json(*view), model.view(view.name()));
        ours.values_mut().chain(theirs.values_mut()).for_each(|row| *row = plain(row.take()));
        for (key, row) in &theirs {
            let ours = ours.get(key).unwrap_or(&Value::Null);
            same(row, ours, &format!("epoch {epoch}, {} {key}", view.name()));
        }
        assert_eq!(ours.len(), theirs.len(), "epoch {epoch}, rows of {}", view.name());
    }
    for view in View::ALL {
        let standing = changes.standings.of(*view);
        assert_eq!(standing.digest, views.digest(*view), "epoch {epoch}, digest of {}", view.name());
        assert_eq!(standing.rows, views.0.get(view).map_or(0, |rows| rows.len() as u64));
    }
    for (name, check) in views.json(View::Invariants) {
        assert_eq!(check["violations"], 0, "epoch {epoch}, {name}: {check}");
    }
}

#[test]
fn the_engine_equals_the_clerk() {
    for_each_seed("the_engine_equals_the_clerk", seeds(1, 30), |seed| {
        let epochs = workload(seed);
        // Rows are compared at every epoch for some of the seeds, since the clerk writes all of them out each time.
        compare(&epochs, &run(&sealed(&epochs), PLAIN), if seed <= 3 { 1 } else { 40 });
    });
}

#[test]
fn workers_strides_and_bounds_change_nothing() {
    for_each_seed("workers_strides_and_bounds_change_nothing", seeds(100, 4), |seed| {
        let log = sealed(&workload(seed));
        let expected = run(&log, PLAIN);
        for workers in [1, 2, 3, 4] {
            for (stride, in_flight) in [(1, 1), (1, 64), (7, 7), (7, 100), (1000, 1000)] {
                let way = Way { workers, stride, in_flight };
                let left = run(&log, way);
                assert_eq!(left.len(), expected.len(), "{way:?}");
                for (left, expected) in left.iter().zip(&expected) {
                    assert_eq!(left.standings, expected.standings, "digests of epoch {}, {way:?}", expected.epoch());
                    assert!(left == expected, "epoch {} differs, {way:?}", expected.epoch());
                }
            }
        }
    });
}

#[test]
fn another_cutting_of_the_same_records_is_again_the_clerks() {
    for_each_seed("another_cutting_of_the_same_records_is_again_the_clerks", seeds(200, 6), |seed| {
        let whole: Epochs = workload(seed);
        for size in [1, 3, 50] {
            let mut epochs = Epochs::new();
            for (now, records) in &whole {
                // Prefixes of the log, since records of a partition cannot be cut out of order.
                for (part, records) in records.chunks(size).enumerate() {
                    epochs.push((Timestamp::from_micros(now.micros() + part as i64), records.to_vec()));
                }
            }
            compare(&epochs, &run(&sealed(&epochs), Way { workers: 2, stride: 16, in_flight: 64 }), 100);
        }
    });
}
