//! Mutated commands to a real node: lines of POST /commands, single routes, and records through its Kafka listener. Then
//! its books must agree, and a node on the same folder, killed and with other workers, must be the same.

use super::{Shot, mutation, share, shots};
use crate::model::workload::Random;
use crate::process::{Answer, TestEnv, Way};
use crate::rule_s::record_of;
use crate::support::{for_each_seed, seeds};
use bytes::Bytes;
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::shop::command::CommandType;
use ingest::log::kafka::KafkaLog;
use ingest::log::{Log, Partitions, Record};
use ingest::output::publisher::Progress;
use ingest::testing::broker::until;
use ingest::testing::contract_tests::read_to;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc;

/// The share of all commands, per mille: in lines, by single routes, as records.
const LINES: usize = 200;
const SINGLE: usize = 40;
const RECORDS: usize = 60;
/// Lines of a request.
const AT_ONCE: usize = 400;

/// Every code that the contract has.
const CODES: &str = "malformed as_of_with_min_epoch bad_cursor unauthenticated bad_credentials session_closed \
    step_up_required forbidden origin_refused price_not_allowed blocked not_found epoch_unknown method_not_allowed \
    not_acceptable too_large uri_too_long unsupported_media_type misdirected headers_too_large already_exists sku_taken \
    invalid_transition out_of_stock insufficient_stock insufficient_balance order_held total_changed code_used_up archived \
    already_used too_many_votes epoch_forgotten erased precondition_failed invalid unknown_sku unknown_vendor not_sold \
    no_price currency_mismatch amount_mismatch unknown_payment over_payment over_return over_refund over_payout \
    code_not_valid no_shipping_rate not_shipped_there card_data_refused declined overflow command_id_reused rate_limited";

fn assert_code(code: &Value, about: &str) {
    let known = code.as_str().is_some_and(|code| CODES.split_whitespace().any(|known| known == code));
    assert!(known, "{code} is no code of the contract: {about}");
}

fn assert_errors(errors: &Value, about: &str) {
    for error in errors.as_array().expect("a list") {
        let pointer = error["pointer"].as_str().expect("a pointer");
        assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer:?} is no pointer: {about}");
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{about}");
        assert_code(&error["code"], about);
    }
}

/// A line of `POST /commands`, perhaps wrong around its data too.
fn line(random: &mut Random, shot: &Shot) -> Vec<u8> {
    let Shot { record, data } = shot;
    let mut line = json!({"id": record.command_id, "type": record.type_name, "data": null}).to_string().into_bytes();
    match random.below(60) {
        0 => line = json!({"type": record.type_name, "data": null}).to_string().into_bytes(),
        1 => line = json!({"id": 7, "type": record.type_name, "data": null}).to_string().into_bytes(),
        2 => line = json!({"id": record.command_id, "data": null}).to_string().into_bytes(),
        3 => line = json!([record.command_id, null]).to_string().into_bytes(),
        _ => {}
    }
    let mark = b"null";
    if let Some(at) = line.windows(mark.len()).rposition(|part| part == mark) {
        line.splice(at..at + mark.len(), data.iter().copied());
    }
    line.retain(|byte| *byte != b'\n');
    line.push(b'\n');
    line
}

/// Sends lines, and holds what each is answered to.
fn send_lines(env: &TestEnv, random: &mut Random, shots: &[Shot]) {
    for shots in shots.chunks(AT_ONCE) {
        let lines: Vec<Vec<u8>> = shots.iter().map(|shot| line(random, shot)).filter(|line| line.len() > 1).collect();
        let outcomes = env.batch(lines.concat());
        assert_eq!(outcomes.len(), lines.len(), "each line has an outcome");
        for (line, outcome) in lines.iter().zip(outcomes) {
            let about = format!("{outcome} of {}", String::from_utf8_lossy(&line[..line.len().min(2_000)]));
            match outcome["status"].as_str() {
                Some("succeeded") => {
                    assert_eq!((&outcome["code"], &outcome["errors"]), (&Value::Null, &json!([])), "{about}")
                }
                Some("rejected") => {
                    assert_code(&outcome["code"], &about);
                    assert_errors(&outcome["errors"], &about);
                    assert!(outcome["code"] != "invalid" || outcome["errors"] != json!([]), "what is invalid? {about}");
                }
                _ => panic!("within 30 s a line is decided: {about}"),
            }
        }
    }
}

/// The place where a command is sent alone: the method and the path, with the ids that its data has.
fn route(record: &crate::model::Record) -> Option<(&'static str, String)> {
    let id = |field: &str| {
        let text = record.data[field].as_str().filter(|text| !text.is_empty() && !text.starts_with('.'))?;
        Some(node::client::percent_encoded(text))
    };
    let of_order = |what: &str| Some(("POST", format!("/api/v1/orders/{}/{what}", id("order_id")?)));
    match CommandType::from_name(&record.type_name)? {
        CommandType::PutPolicy => Some(("PUT", "/api/v1/policy".to_owned())),
        CommandType::PutProduct => Some(("PUT", format!("/api/v1/products/{}", id("product_id")?))),
        CommandType::ArchiveProduct => Some(("DELETE", format!("/api/v1/products/{}", id("product_id")?))),
        CommandType::SetPrice => {
            Some(("PUT", format!("/api/v1/products/{}/variants/{}/price", id("product_id")?, id("sku")?)))
        }
        CommandType::MoveStock => Some(("POST", format!("/api/v1/stock/{}/movements", id("sku")?))),
        CommandType::TransferStock => Some(("POST", format!("/api/v1/stock/{}/transfers", id("sku")?))),
        CommandType::PlaceOrder => Some(("POST", "/api/v1/orders".to_owned())),
        CommandType::CancelOrder => of_order("cancellations"),
        CommandType::ShipOrder => of_order("shipments"),
        CommandType::DeliverOrder => of_order("deliveries"),
        CommandType::RecordShipmentFailure => of_order("shipment-failures"),
        CommandType::ReturnItems => of_order("returns"),
        CommandType::IssueRefund => of_order("refunds"),
        CommandType::RecordCredit => Some(("POST", "/api/v1/credits".to_owned())),
        CommandType::RecordAdjustment => Some(("POST", "/api/v1/adjustments".to_owned())),
        CommandType::RecordPaymentResult => Some(("POST", format!("/api/v1/payments/{}/results", id("order_id")?))),
    }
}

/// Sends commands alone, each to the route of its type.
fn send_alone(env: &TestEnv, shots: &[Shot]) {
    for Shot { record, data } in shots {
        let Some((method, path)) = route(record) else { continue };
        // A key that no header can carry is not sent.
        let key = record.command_id.as_str();
        let is_sendable = !key.is_empty() && key.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let headers = [("content-type", "application/json"), ("prefer", "wait=30"), ("idempotency-key", key)];
        let answer = env.call(method, &path, if is_sendable { &headers } else { &headers[..2] }, data);
        let about = format!("{method} {path} {}", String::from_utf8_lossy(&data[..data.len().min(2_000)]));
        assert_told(&answer, &about);
    }
}

fn assert_told(answer: &Answer, about: &str) {
    match answer.status {
        200 | 201 => {}
        400..=499 => {
            let body = answer.json();
            assert_eq!(answer.header("content-type"), "application/problem+json", "{about}");
            assert_code(&body["code"], about);
            assert_errors(&body["errors"], about);
        }
        status => panic!("{status} {}: {about}", answer.text()),
    }
}

/// Publishes records through the node's listener, as a Kafka client does; each lands, and is decided or a dead letter.
fn publish(env: &TestEnv, random: &mut Random, shots: Vec<Shot>) {
    let log = client(env, &Partitions::uniform(8));
    let records = shots.into_iter().map(|Shot { record, data }| {
        let (origin, sound) = record_of(&record);
        let mut sent = Record { value: Some(Bytes::from(data)), ..sound };
        if random.percent(10) {
            mutation::record(random, &mut sent);
        }
        (TopicPartition::new(origin.topic, origin.partition), sent)
    });
    let records: Vec<_> =
        records.filter(|(at, record)| at.topic != Topic::Epochs && record.bytes() < 1 << 20).collect();
    let (done, landed) = mpsc::channel();
    let count = records.len();
    log.append(records, Box::new(move |result| drop(done.send(result))));
    let origins = landed.recv().expect("it is told").expect("the listener takes records of any content");
    assert_eq!(origins.len(), count);
}

/// The digest of all views at each epoch, as the node published it, up to an epoch that is there now.
fn said(env: &TestEnv) -> BTreeMap<Epoch, String> {
    let log = client(env, &Partitions::outputs(8));
    let at = TopicPartition::new(Topic::Progress, 0);
    let (mut from, mut said) = (Cut::default(), BTreeMap::new());
    from.set(at, 0);
    let latest = Epoch(env.get("/api/v1/epochs/latest").ok().epoch());
    until("the progress of the latest epoch", || {
        let mut end = Cut::default();
        end.set(at, log.ends().expect("ends").get(at)?);
        for found in read_to(&mut *log.reader(&from).expect("a reader"), &end) {
            let progress: Progress = serde_json::from_slice(&found.record.value.expect("a value")).expect("a progress");
            said.insert(progress.epoch, progress.digest);
            from.set(at, found.origin.offset + 1);
        }
        said.last_key_value().filter(|(last, _)| **last >= latest).map(|_| ())
    });
    said
}

fn client(env: &TestEnv, partitions: &Partitions) -> KafkaLog {
    let ready = env.get("/health/ready").ok().json();
    let bootstrap = ready["kafka"].as_str().expect("Kafka clients are listened to").to_owned();
    let config = ingest::log::kafka::KafkaConfig { bootstrap, ..ingest::log::kafka::KafkaConfig::default() };
    KafkaLog::open(config, partitions).expect("the listener is a log")
}

/// With so many workers, and without checkpoints: the whole log is replayed.
fn way(workers: u32) -> Way {
    let mut way = Way::workers(workers);
    way.variables.push(("TRADEWIND_CHECKPOINTS_INTERVAL_S", "86400".to_owned()));
    way
}

#[test]
fn mutated_commands_leave_a_node_sound() {
    for_each_seed("mutated_commands_leave_a_node_sound", seeds(8_000, 1), |seed| {
        let mut env = TestEnv::start_as(&way(2));
        let mut random = Random::new(seed);
        let all = |seed, per_mille| shots(seed, share(per_mille)).into_iter().flat_map(|(_, shots)| shots).collect();
        let lines: Vec<Shot> = all(seed, LINES);
        send_lines(&env, &mut random, &lines);
        let alone: Vec<Shot> = all(seed + 1, SINGLE);
        send_alone(&env, &alone);
        publish(&env, &mut random, all(seed + 2, RECORDS));
        // What was published before is decided by then.
        env.batch(line(&mut Random::new(1), &lines[0]));
        env.assert_sound();
        // Timers and the gateway continue between two readings of the node, so it is what was said of each epoch that counts.
        let said = said(&env);
        for workers in [1, 4] {
            env.kill();
            std::fs::remove_dir_all(env.data().join("outputs")).expect("outputs were published");
            env.restart(&way(workers));
            env.assert_sound();
            let again = self::said(&env);
            let different = said.iter().find(|(epoch, digest)| again.get(epoch) != Some(digest));
            assert_eq!(different, None, "with {workers} workers; of the first {} epochs", said.len());
        }
    });
}
