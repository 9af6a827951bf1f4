//! Cases of Kafka's protocol: few bytes that ask for much, members and requests that never end.

use crate::bench::hostile::attack::{Attack, PATIENCE};
use crate::bench::hostile::innocent::SKU;
use crate::bench::hostile::kafka::{
    API_VERSIONS, Body, Client, Codec, DESCRIBE_GROUPS, INIT_PRODUCER_ID, JOIN_GROUP, NOBODY, OFFSET_COMMIT,
    OFFSET_FETCH, ORDERS, PRODUCE, Producer, STOCK, batch, produce, produced, record, record_front, zstd_of_zeros,
};
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The bytes of an answer, at most: `kafka.fetch_bytes_max`, and some room for its frame.
const ANSWER_BYTES_MAX: usize = (32 << 20) + (1 << 16);
/// An innocent Kafka client waits as long as an innocent command.
const WAIT_MAX: Duration = Duration::from_millis(500);
/// The partitions of each topic of commands.
const PARTITIONS: i32 = 8;
/// The protocol's code for a request whose records are too large.
const MESSAGE_TOO_LARGE: i16 = 10;
/// And one that cannot be meant, such as a partition that is named again.
const INVALID_REQUEST: i16 = 42;

/// Sends a request over a fresh connection, waits for its answer, and returns the time that took.
fn waited(kafka: SocketAddr, request: &[u8]) -> Result<Duration> {
    let started = Instant::now();
    let mut client = Client::new(kafka, PATIENCE)?;
    client.send(request)?;
    client.answer()?;
    Ok(started.elapsed())
}

/// Expects that a fresh Kafka client is served in time, again and again for `during`.
fn expect_served(attack: &mut Attack, request: &[u8], during: Duration) {
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    loop {
        match waited(attack.kafka, request) {
            Ok(took) => longest = longest.max(took),
            Err(error) => {
                attack.expect(false, || format!("another Kafka client is not served: {error:#}"));
                return;
            }
        }
        if begun.elapsed() >= during || attack.is_over() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    attack.note(format!("another Kafka client waited {} ms at most", longest.as_millis()));
    attack.expect(longest <= WAIT_MAX, || format!("another Kafka client waited {} ms", longest.as_millis()));
}

/// C4
pub fn bombs(attack: &mut Attack) -> Result<()> {
    // 16 records of nearly 1 MiB: 16 MiB in all.
    let bomb = batch(&zstd_of_zeros(16, 1_048_000), 16, Codec::Zstd, NOBODY);
    for bytes in [107 << 10, (8 << 20) - 4_096] {
        let count = i32::try_from(bytes / (bomb.len() + 60))?;
        let batches: Vec<(&str, i32, &[u8])> = (0..count).map(|n| (ORDERS, n % PARTITIONS, bomb.as_slice())).collect();
        let mut client = Client::new(attack.kafka, PATIENCE)?;
        let answered = client.ask(PRODUCE, produce(&batches)).and_then(produced);
        let mut codes = BTreeMap::new();
        match answered {
            Ok(parts) => parts.iter().for_each(|(code, _)| *codes.entry(*code).or_insert(0) += 1),
            Err(error) => attack.expect(false, || format!("{count} batches: {error:#}")),
        }
        attack.note(format!("{count} batches of {} bytes: codes {codes:?}", bomb.len()));
        let is = codes.contains_key(&MESSAGE_TOO_LARGE)
            && codes.keys().all(|code| [MESSAGE_TOO_LARGE, INVALID_REQUEST].contains(code));
        attack.expect(is, || format!("{count} batches: codes {codes:?} instead of {MESSAGE_TOO_LARGE}"));
    }
    Ok(())
}

/// A request to enter a group, with metadata of so many bytes. The group waits five minutes for its members.
fn join(group: &str, metadata_bytes: usize) -> Body {
    let body = Body::default().text(group).i32(300_000).i32(300_000).text("").text("consumer");
    body.list([vec![7; metadata_bytes]].iter(), |body, metadata| body.text("range").bytes(metadata))
}

fn commit(group: &str, partitions: &[(&str, i32)], metadata: &str) -> Body {
    let body = Body::default().text(group).i32(-1).text("").i64(-1);
    body.list(partitions.iter(), |body, (topic, partition)| {
        body.text(topic).i32(1).i32(*partition).i64(7).text(metadata)
    })
}

/// The codes of an answer to OffsetCommit.
fn committed(mut answer: crate::bench::hostile::kafka::Fields) -> Result<Vec<i16>> {
    let mut codes = Vec::new();
    for _ in 0..answer.i32()? {
        answer.text()?;
        for _ in 0..answer.i32()? {
            answer.i32()?;
            codes.push(answer.i16()?);
        }
    }
    Ok(codes)
}

/// The offset that a group has committed, -1 if none.
fn fetched(client: &mut Client, group: &str, topic: &str) -> Result<i64> {
    let body = Body::default().text(group).i32(1).text(topic).i32(1).i32(0);
    let mut answer = client.ask(OFFSET_FETCH, body)?;
    ensure!(answer.i32()? == 1, "one topic was asked for");
    answer.text()?;
    ensure!(answer.i32()? == 1, "one partition was asked for");
    answer.i32()?;
    answer.i64()
}

/// C5
pub fn named_often(attack: &mut Attack) -> Result<()> {
    let mut client = Client::new(attack.kafka, PATIENCE)?;
    // As much as a member may send about itself.
    let joined = client.ask(JOIN_GROUP, join("described", 250_000))?;
    ensure!(joined.len() > 8, "the member is told its number");
    let groups = Body::default().list(0..7_900, |body, _| body.text("described"));
    let mut answer = client.ask(DESCRIBE_GROUPS, groups)?;
    let (bytes, count) = (answer.len(), answer.i32()?);
    attack.note(format!("DescribeGroups: {count} groups in {bytes} bytes"));
    attack.expect(bytes <= ANSWER_BYTES_MAX, || format!("DescribeGroups is answered with {bytes} bytes"));
    attack.expect(count == 1, || format!("DescribeGroups describes one group {count} times"));

    let metadata = "m".repeat(4_000);
    let codes = committed(client.ask(OFFSET_COMMIT, commit("fetched", &[(ORDERS, 0)], &metadata))?)?;
    attack.expect(codes == [0], || format!("an offset is not committed: {codes:?}"));
    let body = Body::default().text("fetched").i32(1).text(ORDERS).list(0..49_000, |body, _| body.i32(0));
    let mut answer = client.ask(OFFSET_FETCH, body)?;
    let (bytes, topics) = (answer.len(), answer.i32()?);
    answer.text()?;
    let count = answer.i32()?;
    attack.note(format!("OffsetFetch: {topics} topic, {count} partitions in {bytes} bytes"));
    attack.expect(bytes <= ANSWER_BYTES_MAX, || format!("OffsetFetch is answered with {bytes} bytes"));
    attack.expect(count == 1, || format!("OffsetFetch tells of one partition {count} times"));
    Ok(())
}

/// H4
pub fn empty_records(attack: &mut Attack) -> Result<()> {
    const COUNT: i32 = 500_000;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for delta in 0..i64::from(COUNT) {
        gzip.write_all(&record_front(delta, None))?;
        gzip.write_all(&[0])?;
    }
    let one = batch(&gzip.finish()?, COUNT, Codec::Gzip, NOBODY);
    attack.note(format!("two batches of {} bytes", one.len()));
    let mut client = Client::new(attack.kafka, PATIENCE)?;
    for partition in 0..2 {
        let codes = produced(client.ask(PRODUCE, produce(&[(ORDERS, partition, &one)]))?)?;
        attack.note(format!("code {}", codes.first().map_or(-1, |(code, _)| *code)));
        let known = codes.iter().all(|(code, _)| [0, MESSAGE_TOO_LARGE].contains(code));
        attack.expect(known, || format!("empty records: {codes:?}"));
    }
    // Until all of them are read.
    while !attack.is_over() && attack.json("/api/v1/status")?["lag_records"].as_u64().is_some_and(|lag| lag > 100) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let status = attack.json("/api/v1/status")?;
    attack.note(format!("dead letters: {}", status["dead_letters"]));
    let letters = attack.client.get("/api/v1/dead-letters?limit=1000")?;
    attack.expect(letters.status == 200, || format!("dead letters: {}", letters.problem()));
    let kept = files_bytes(&attack.data.join("dead-letters"))?;
    attack.note(format!("{kept} bytes of dead letters are kept"));
    // 600 whole ones a minute, and every hundredth of the others; each takes less than 1 KiB.
    attack.expect(kept <= 20_000 << 10, || format!("{kept} bytes of dead letters are kept"));
    Ok(())
}

fn files_bytes(folder: &std::path::Path) -> Result<u64> {
    let files = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    files.map(|file| Ok(file?.metadata()?.len())).sum()
}

/// The topics of commands and of events: 128 partitions and more.
fn many_partitions() -> Vec<(&'static str, i32)> {
    let topics = [
        ORDERS,
        STOCK,
        "tradewind.catalog.commands",
        "tradewind.policy.commands",
        "tradewind.activity",
        "tradewind.orders.events",
        "tradewind.stock.events",
        "tradewind.catalog.events",
        "tradewind.payments.events",
        "tradewind.views.orders",
        "tradewind.views.stock",
        "tradewind.views.products",
        "tradewind.views.payments",
        "tradewind.views.credits",
        "tradewind.views.adjustments",
        "tradewind.views.operations",
    ];
    topics.into_iter().flat_map(|topic| (0..PARTITIONS).map(move |partition| (topic, partition))).collect()
}

/// H5
pub fn many_groups(attack: &mut Attack) -> Result<()> {
    let mut client = Client::new(attack.kafka, PATIENCE)?;
    let codes = committed(client.ask(OFFSET_COMMIT, commit("innocent", &[(STOCK, 0)], "mine"))?)?;
    attack.expect(codes == [0], || format!("the innocent offset is not committed: {codes:?}"));
    let (partitions, metadata) = (many_partitions(), "m".repeat(4_090));
    let (mut longest, mut refused, mut heavy) = (Duration::ZERO, BTreeMap::<i16, usize>::new(), 0);
    let begun = Instant::now();
    for n in 0..200 {
        if attack.is_over() || begun.elapsed() > Duration::from_secs(25) {
            break;
        }
        let started = Instant::now();
        let codes = committed(client.ask(OFFSET_COMMIT, commit(&format!("heavy-{n}"), &partitions, &metadata))?)?;
        longest = longest.max(started.elapsed());
        heavy += 1;
        attack.expect(codes.len() == partitions.len(), || format!("{} partitions are answered", codes.len()));
    }
    let begun = Instant::now();
    let mut light = 0;
    for n in 0..1_001 {
        if attack.is_over() || begun.elapsed() > Duration::from_secs(20) {
            break;
        }
        let started = Instant::now();
        let codes = committed(client.ask(OFFSET_COMMIT, commit(&format!("light-{n}"), &[(ORDERS, 0)], ""))?)?;
        longest = longest.max(started.elapsed());
        light += 1;
        codes.into_iter().for_each(|code| *refused.entry(code).or_default() += 1);
    }
    attack.note(format!(
        "{heavy} of 200 heavy groups, {light} of 1,001 light ones, by code {refused:?}; a commit took {} ms at most",
        longest.as_millis()
    ));
    attack.expect(heavy == 200 && light == 1_001, || format!("{heavy} and {light} commits in the time"));
    attack.expect(longest <= WAIT_MAX, || format!("a commit took {} ms", longest.as_millis()));
    let offset = fetched(&mut client, "innocent", STOCK)?;
    attack.expect(offset == 7, || format!("the innocent group's offset is {offset} instead of 7"));
    Ok(())
}

/// H6
pub fn gone_members(attack: &mut Attack) -> Result<()> {
    // A first member enters each group and stays; the others wait for it to enter again.
    for group in ["waits-0", "waits-1"] {
        let mut first = Client::new(attack.kafka, PATIENCE)?;
        first.ask(JOIN_GROUP, join(group, 10))?;
    }
    let mut members = Vec::new();
    for n in 0..256 {
        let mut member = Client::new(attack.kafka, Duration::from_secs(2))?;
        if member.send(&join(&format!("waits-{}", n % 2), 10).request(JOIN_GROUP)).is_err() {
            break;
        }
        members.push(member);
    }
    attack.note(format!("{} members", members.len()));
    drop(members);
    expect_served(attack, &Body::default().request(API_VERSIONS), Duration::from_secs(8));
    Ok(())
}

/// A movement of the innocent stock as a batch of one record.
fn movement(command_id: &str, padding: usize, producer: Producer) -> Vec<u8> {
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", command_id),
        ("ce_type", "tradewind.MoveStock.v1"),
        ("ce_source", "/bench"),
        ("content-type", "application/json"),
    ];
    let reference = "r".repeat(padding);
    // At another place, so that it is not taken for one of the innocent client's.
    let value =
        format!(r#"{{"sku":"{SKU}","quantity":1,"reason":"received","location":"kafka","x_padding":"{reference}"}}"#);
    batch(&record(0, SKU, &headers, value.as_bytes()), 1, Codec::Plain, producer)
}

/// The code and the offset of one batch.
fn appended(client: &mut Client, partition: i32, batch: &[u8]) -> Result<(i16, i64)> {
    let parts = produced(client.ask(PRODUCE, produce(&[(STOCK, partition, batch)]))?)?;
    parts.first().copied().context("one batch was sent")
}

/// M6
pub fn silent_requests(attack: &mut Attack) -> Result<()> {
    let mut silent = Vec::new();
    for _ in 0..32 {
        let mut one = Client::new(attack.kafka, PATIENCE)?;
        one.send(&(1_i32 << 20).to_be_bytes())?;
        silent.push(one);
    }
    // A large request of another client: over 64 KiB.
    let large = produce(&[(STOCK, 1, &movement("kafka-2", 100_000, NOBODY))]).request(PRODUCE);
    expect_served(attack, &large, Duration::from_secs(3));
    drop(silent);

    let mut client = Client::new(attack.kafka, PATIENCE)?;
    let producer = |client: &mut Client| -> Result<(i64, i16)> {
        let mut answer = client.ask(INIT_PRODUCER_ID, Body::default().no_text().i32(60_000))?;
        answer.i32()?;
        let code = answer.i16()?;
        ensure!(code == 0, "InitProducerId: code {code}");
        Ok((answer.i64()?, answer.i16()?))
    };
    let (id, epoch) = producer(&mut client)?;
    let first = movement("kafka-0", 0, (id, epoch, 0));
    let before = appended(&mut client, 0, &first)?;
    let mut others = 0;
    while others < 10_001 && !attack.is_over() {
        producer(&mut client)?;
        others += 1;
    }
    attack.note(format!("{others} InitProducerId"));
    let repeated = appended(&mut client, 0, &first)?;
    attack.expect(before == repeated && before.0 == 0, || format!("a batch sent twice: {before:?}, then {repeated:?}"));
    let next = appended(&mut client, 0, &movement("kafka-1", 0, (id, epoch, 1)))?;
    attack.expect(next.0 == 0, || format!("the next batch of the producer: {next:?}"));
    Ok(())
}
