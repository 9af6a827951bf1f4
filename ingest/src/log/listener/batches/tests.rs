//! Batches as clients compress them, and batches that lie.

use super::*;
use std::io::Write;

fn record(value: &str) -> Record {
    Record { value: Some(Bytes::copy_from_slice(value.as_bytes())), timestamp_ms: 7, ..Record::default() }
}

/// So many bytes, and more memory than is needed.
fn room(bytes: usize) -> BatchBudget {
    BatchBudget { bytes, memory: 1 << 30 }
}

fn code_of(read: Result<ClientBatch, Unread>) -> i16 {
    match read.map(drop).unwrap_err() {
        Unread::Refused(BatchError(code, _)) => code,
        Unread::Full => panic!("there was room"),
    }
}

/// A batch whose records are compressed by that function, under that number.
fn compressed(records: &[Record], codec: i16, compress: impl Fn(&[u8]) -> Vec<u8>) -> Bytes {
    let mut plain = Vec::new();
    batch::encode((0..).zip(records), None, &mut plain);
    let mut bytes = plain[..HEADER_BYTES].to_vec();
    bytes.extend_from_slice(&compress(&plain[HEADER_BYTES..]));
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[21..23].copy_from_slice(&codec.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    Bytes::from(bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut to = lz4_flex::frame::FrameEncoder::new(Vec::new());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

fn java_snappy(bytes: &[u8]) -> Vec<u8> {
    let mut to = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in bytes.chunks(1_000) {
        let block = snap::raw::Encoder::new().compress_vec(block).unwrap();
        to.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
        to.extend_from_slice(&block);
    }
    to
}

type Compress = fn(&[u8]) -> Vec<u8>;
const CODECS: [(i16, Compress); 6] = [
    (0, |bytes| bytes.to_vec()),
    (1, gzip),
    (2, |bytes| snap::raw::Encoder::new().compress_vec(bytes).unwrap()),
    (2, java_snappy),
    (3, lz4),
    (4, |bytes| zstd::bulk::compress(bytes, 1).unwrap()),
];

#[test]
fn records_come_out_whatever_they_were_compressed_with() {
    let records: Vec<Record> = (0..500).map(|number| record(&format!("value {number}"))).collect();
    for (codec, compress) in CODECS {
        let batch = read(&compressed(&records, codec, compress), 1 << 20, &mut room(1 << 20)).unwrap();
        assert_eq!(batch.records, records, "{codec}");
        assert_eq!(batch.producer, None);
    }
}

#[test]
fn no_more_is_made_of_a_batch_than_may_be() {
    let records = [record(&"x".repeat(1 << 20))];
    for (codec, compress) in &CODECS[1..] {
        let unread = read(&compressed(&records, *codec, compress), 2 << 20, &mut room(1 << 19));
        assert_eq!(unread.map(drop), Err(Unread::Full), "{codec}");
    }
    let plain = compressed(&records, 0, CODECS[0].1);
    assert_eq!(code_of(read(&plain, 1 << 19, &mut room(1 << 21))), error_code::MESSAGE_TOO_LARGE);
}

#[test]
fn records_and_headers_count_with_their_frames() {
    let mut records = vec![record("a"); 100];
    records[0].headers = vec![(SmolStr::new_static("h"), None); 50];
    let batch = compressed(&records, 0, CODECS[0].1);
    let most = BatchBudget { bytes: 1 << 20, memory: 1 << 20 };
    let mut left = most;
    read(&batch, 1 << 20, &mut left).unwrap();
    let bytes = batch.len() - HEADER_BYTES;
    let memory = bytes + 100 * RECORD_FRAME + 50 * HEADER_FRAME;
    assert_eq!((most.bytes - left.bytes, most.memory - left.memory), (bytes, memory));
    assert!(read(&batch, 1 << 20, &mut BatchBudget { bytes, memory }).is_ok());
    assert_eq!(read(&batch, 1 << 20, &mut BatchBudget { bytes, memory: memory - 1 }).map(drop), Err(Unread::Full));
    assert_eq!(read(&batch, 1 << 20, &mut BatchBudget { bytes: bytes - 1, memory }).map(drop), Err(Unread::Full));
    assert!(BatchBudget::likely(&batch) >= memory, "that of usual records is guessed right at first");
}

#[test]
fn what_is_no_batch_is_refused_with_its_code() {
    let records = [record("a"), record("b")];
    let good = compressed(&records, 0, CODECS[0].1);
    let changed = |at: usize, bytes: &[u8]| {
        let mut bad = good.to_vec();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        let checksum = crc32c::crc32c(&bad[21..]);
        bad[17..21].copy_from_slice(&checksum.to_be_bytes());
        code_of(read(&Bytes::from(bad), 1 << 20, &mut room(1 << 20)))
    };
    assert_eq!(changed(16, &[1]), error_code::UNSUPPORTED_FOR_MESSAGE_FORMAT);
    assert_eq!(changed(21, &[0, 5]), error_code::UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(changed(21, &[0, 0x10]), error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "transactional");
    assert_eq!(changed(57, &[0, 0, 0, 3]), error_code::INVALID_RECORD, "another count");
    assert_eq!(changed(57, &[0x7f, 0xff, 0xff, 0xff]), error_code::INVALID_RECORD, "a count that lies");
    let not = |codec: u8| changed(21, &[0, codec]);
    assert_eq!([not(1), not(2), not(3), not(4)], [error_code::CORRUPT_MESSAGE; 4]);
    let two = Bytes::from([&good[..], &good[..]].concat());
    assert_eq!(code_of(read(&two, 1 << 20, &mut room(1 << 20))), error_code::INVALID_RECORD);
    assert_eq!(code_of(read(&good.slice(..60), 1 << 20, &mut room(1 << 20))), error_code::CORRUPT_MESSAGE);
}

#[test]
fn records_keep_their_offsets_in_one_batch_if_that_reaches_so_far() {
    let at = |offset| LogRecord {
        origin: dataflows::contract::topic::Origin {
            topic: dataflows::contract::topic::Topic::Orders,
            partition: 0,
            offset,
        },
        record: record("x"),
    };
    let mut bytes = Vec::new();
    let far = 6 + SPAN_MAX;
    let records = [at(5), at(6), at(9), at(far - 2), at(far - 1), at(far + 7)];
    write(&records, &mut bytes);
    let mut rest = Bytes::from(bytes);
    let (mut batches, mut offsets) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let header = batch::header(&rest).unwrap();
        assert!(batch::checksum_is_right(&rest[..header.bytes]));
        batches.push((header.base_offset, header.count));
        let mut records = Records::of(rest.slice(..header.bytes)).unwrap();
        while let Some((offset, record)) = records.next_record().unwrap() {
            assert_eq!(record, at(offset).record);
            offsets.push(offset);
        }
        rest = rest.slice(header.bytes..);
    }
    assert_eq!(batches, [(5, 4), (far - 1, 2)]);
    assert_eq!(offsets, records.map(|record| record.origin.offset));
}
