//! Batches against their golden bytes, and against random records and random damage.

use super::*;
use crate::testing::Random;

fn decode(bytes: Vec<u8>) -> Result<Vec<(u64, Record)>, BadBatch> {
    let mut records = Records::of(Bytes::from(bytes))?;
    let mut all = Vec::new();
    while let Some(record) = records.next_record()? {
        all.push(record);
    }
    Ok(all)
}

fn random_record(random: &mut Random) -> Record {
    let bytes = |random: &mut Random| (random.below(5) > 0).then(|| Bytes::from(random.bytes(200)));
    let name = |random: &mut Random| SmolStr::new("header-with-ä-".repeat(random.below(3)) + "x");
    Record {
        key: bytes(random),
        value: bytes(random),
        headers: (0..random.below(4)).map(|_| (name(random), bytes(random))).collect(),
        timestamp_ms: if random.below(20) == 0 { i64::MIN } else { random.next().cast_signed() >> 20 },
    }
}

#[test]
fn a_batch_has_the_bytes_that_kafka_clients_read() {
    let record = Record {
        key: Some(Bytes::from_static(b"k")),
        value: None,
        headers: vec![(SmolStr::new("h"), Some(Bytes::from_static(b"v"))), (SmolStr::new("n"), None)],
        timestamp_ms: 1000,
    };
    let mut bytes = Vec::new();
    encode([(0, &record)].into_iter(), None, &mut bytes);
    place(&mut bytes, 7);
    let checksum = crc32c::crc32c(&bytes[21..]).to_be_bytes();
    let mut golden = vec![0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 64, 0, 0, 0, 0, 2];
    golden.extend(checksum);
    golden.extend([0, 0, 0, 0, 0, 0]); // attributes, last offset delta
    golden.extend([0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 3, 232]); // first and last time
    golden.extend([255; 14]); // no producer, no sequence
    golden.extend([0, 0, 0, 1]);
    golden.extend([28, 0, 0, 0, 2, b'k', 1, 4, 2, b'h', 2, b'v', 2, b'n', 1]);
    assert_eq!(bytes, golden);
    assert_eq!(decode(bytes), Ok(vec![(7, record)]));
}

#[test]
fn records_that_were_compressed_are_read() {
    let record = Record { value: Some(Bytes::from("value ".repeat(20))), timestamp_ms: 1000, ..Record::default() };
    let golden = include_bytes!("../golden/compressed_batch");
    assert_eq!(decode(golden.to_vec()), Ok(vec![(3, record.clone()), (5, record)]));
    assert!(golden.len() < 110 && checksum_is_right(golden));
}

#[test]
fn records_come_back_as_they_were() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let records: Vec<Record> = (0..=random.below(20)).map(|_| random_record(&mut random)).collect();
        let mut bytes = Vec::new();
        let mut next = 0;
        let mut with_offset = |record| {
            let offset = next;
            next += 1 + random.below(3) as u64;
            (offset, record)
        };
        let records: Vec<(u64, Record)> = records.into_iter().map(&mut with_offset).collect();
        let mut compressor = (seed % 2 == 0).then(compressor);
        encode(records.iter().map(|(offset, record)| (*offset, record)), compressor.as_mut(), &mut bytes);
        let base = random.next() >> 1;
        place(&mut bytes, base);
        assert!(checksum_is_right(&bytes), "seed {seed}");
        let mut rest = Records::of(Bytes::copy_from_slice(&bytes)).unwrap();
        rest.skip_before(base + next / 2).unwrap();
        let first = records.iter().find(|(at, _)| *at >= next / 2).map(|(at, record)| (base + at, record.clone()));
        assert_eq!(rest.next_record(), Ok(first), "seed {seed}");
        let expected: Vec<(u64, Record)> = records.into_iter().map(|(at, record)| (base + at, record)).collect();
        assert_eq!(decode(bytes), Ok(expected), "seed {seed}");
    }
}

#[test]
fn damage_is_seen_and_never_kills() {
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let records: Vec<Record> = (0..=random.below(3)).map(|_| random_record(&mut random)).collect();
        let mut bytes = Vec::new();
        encode((0..).zip(&records), (seed % 2 == 0).then(compressor).as_mut(), &mut bytes);
        let at = CHECKED_FROM + random.below(bytes.len() - CHECKED_FROM);
        bytes[at] ^= 1 << random.below(8);
        assert!(!checksum_is_right(&bytes), "seed {seed}");
        // The records may read differently or not at all; what counts is that nothing breaks.
        let _ = decode(bytes.clone());
        bytes.truncate(random.below(bytes.len()));
        assert!(decode(bytes).is_err(), "seed {seed}");
    }
}

#[test]
fn every_number_comes_back() {
    let edges = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::MAX, i64::MIN];
    let mut random = Random::new(1);
    let any = (0..1000).map(|_| random.next().cast_signed() >> random.below(64));
    for value in edges.into_iter().chain(any.collect::<Vec<_>>()) {
        let mut bytes = Vec::new();
        varint::put(value, &mut bytes);
        assert_eq!(bytes.len(), varint::size(value), "{value}");
        assert_eq!(Cursor::new(Bytes::from(bytes)).varint(), Some(value));
    }
}
