//! Record batches of Kafka's format version 2: the bytes that the journal keeps and that a Kafka client reads as they are.
//! Their records may be compressed by zstd, and by nothing else. Not for transactions or control records.

use super::varint::{self, Cursor};
use crate::log::Record;
use bytes::Bytes;
use smol_str::SmolStr;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// The bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;
/// The bytes that a batch's own length does not count: the base offset and the length itself.
const LENGTH_END: usize = 12;
/// The start of the part that the batch's checksum covers.
const CHECKED_FROM: usize = 21;
const ATTRIBUTES: usize = CHECKED_FROM;
const MAGIC: u8 = 2;
/// No batch reaches over more offsets.
pub const SPAN_MAX: u64 = 1 << 31;
/// Every record has at least so many bytes.
const RECORD_BYTES_MIN: usize = 7;

/// The attributes of a batch that zstd compresses; no other flag is set.
const ZSTD: u16 = 4;
/// The fastest level that is not worse than none.
const LEVEL: i32 = 1;

/// The reason why bytes are no record batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no record batch: {0}")]
pub struct BadBatch(pub &'static str);

/// The front of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of its first record.
    pub base_offset: u64,
    /// The length in bytes.
    pub bytes: usize,
    /// The number of records.
    pub count: u32,
    /// The number of offsets that it spans: more than its records where there are holes between them.
    pub span: u32,
    /// The time that the records' timestamps count from.
    pub base_timestamp_ms: i64,
    /// True if the records are compressed.
    pub is_compressed: bool,
}

/// Creates a compressor, to be used for many batches, since it takes more to make than to use.
pub fn compressor() -> Compressor<'static> {
    Compressor::new(LEVEL).expect("zstd has that level")
}

/// Appends records, each with its offset, as one batch; [`place`] may move it. The offsets rise, by less than 2^31 in all,
/// and there must be at least one. Compresses the records if that makes them smaller.
pub fn encode<'a>(
    records: impl Iterator<Item = (u64, &'a Record)> + Clone,
    compressor: Option<&mut Compressor<'_>>,
    to: &mut Vec<u8>,
) {
    let start = to.len();
    let count = i32::try_from(records.clone().count()).expect("batches are cut far below 2^31 records");
    let (base_offset, base_timestamp_ms) =
        records.clone().next().map_or((0, 0), |(offset, record)| (offset, record.timestamp_ms));
    let last_offset = records.clone().last().map_or(base_offset, |(offset, _)| offset);
    let last_delta = i32::try_from(last_offset - base_offset).expect("batches are cut far below 2^31 offsets");
    let last_timestamp_ms = records.clone().map(|(_, record)| record.timestamp_ms).max().unwrap_or(base_timestamp_ms);
    to.extend_from_slice(&base_offset.to_be_bytes());
    to.extend_from_slice(&0_i32.to_be_bytes()); // length, below
    to.extend_from_slice(&0_i32.to_be_bytes()); // leader epoch
    to.push(MAGIC);
    to.extend_from_slice(&0_u32.to_be_bytes()); // checksum, below
    to.extend_from_slice(&0_u16.to_be_bytes()); // attributes: uncompressed, times as given
    to.extend_from_slice(&last_delta.to_be_bytes());
    to.extend_from_slice(&base_timestamp_ms.to_be_bytes());
    to.extend_from_slice(&last_timestamp_ms.to_be_bytes());
    to.extend_from_slice(&(-1_i64).to_be_bytes()); // producer id
    to.extend_from_slice(&(-1_i16).to_be_bytes()); // producer epoch
    to.extend_from_slice(&(-1_i32).to_be_bytes()); // sequence
    to.extend_from_slice(&count.to_be_bytes());
    for (offset, record) in records {
        let delta = (offset - base_offset).cast_signed();
        encode_record(record, record.timestamp_ms.wrapping_sub(base_timestamp_ms), delta, to);
    }
    let body = start + HEADER_BYTES;
    let compressed = compressor.and_then(|compressor| compressor.compress(&to[body..]).ok());
    if let Some(compressed) = compressed.filter(|compressed| compressed.len() < to.len() - body) {
        to.truncate(body);
        to.extend_from_slice(&compressed);
        to[start + ATTRIBUTES..start + ATTRIBUTES + 2].copy_from_slice(&ZSTD.to_be_bytes());
    }
    let length = i32::try_from(to.len() - start - LENGTH_END).expect("batches are cut far below 2 GiB");
    to[start + 8..start + 12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&to[start + CHECKED_FROM..]);
    to[start + 17..start + 21].copy_from_slice(&checksum.to_be_bytes());
}

/// Gives an encoded batch its place; the checksum does not cover it, so that a broker can do this.
pub fn place(batch: &mut [u8], base_offset: u64) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
}

fn encode_record(record: &Record, timestamp_delta: i64, offset_delta: i64, to: &mut Vec<u8>) {
    let optional = |bytes: &Option<Bytes>| bytes.as_ref().map_or(1, |bytes| varint::sized(bytes.len()));
    let headers: usize =
        record.headers.iter().map(|(name, value)| varint::sized(name.len()) + optional(value)).sum::<usize>();
    let length = 1
        + varint::size(timestamp_delta)
        + varint::size(offset_delta)
        + optional(&record.key)
        + optional(&record.value)
        + varint::size(as_i64(record.headers.len()))
        + headers;
    to.reserve(length + 5);
    varint::put(as_i64(length), to);
    to.push(0); // attributes
    varint::put(timestamp_delta, to);
    varint::put(offset_delta, to);
    put_optional(record.key.as_deref(), to);
    put_optional(record.value.as_deref(), to);
    varint::put(as_i64(record.headers.len()), to);
    for (name, value) in &record.headers {
        put_optional(Some(name.as_bytes()), to);
        put_optional(value.as_deref(), to);
    }
}

fn put_optional(bytes: Option<&[u8]>, to: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => {
            varint::put(as_i64(bytes.len()), to);
            to.extend_from_slice(bytes);
        }
        None => varint::put(-1, to),
    }
}

fn as_i64(length: usize) -> i64 {
    i64::try_from(length).expect("lengths in memory fit 63 bits")
}

/// Reads the front of the batch that the bytes begin with, without looking at its records.
pub fn header(bytes: &[u8]) -> Result<BatchHeader, BadBatch> {
    let fixed = bytes.get(..HEADER_BYTES).ok_or(BadBatch("it is shorter than a header"))?;
    let i32_at = |at: usize| i32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let i64_at = |at: usize| (i64::from(i32_at(at)) << 32) | i64::from(i32_at(at + 4).cast_unsigned());
    if fixed[16] != MAGIC {
        return Err(BadBatch("its format is not version 2"));
    }
    let attributes = u16::from_be_bytes([fixed[ATTRIBUTES], fixed[ATTRIBUTES + 1]]);
    if ![0, ZSTD].contains(&attributes) {
        return Err(BadBatch("it is compressed otherwise, transactional or otherwise not ours"));
    }
    let length = usize::try_from(i32_at(8)).map_err(|_| BadBatch("its length is negative"))?;
    let size = length + LENGTH_END;
    if size < HEADER_BYTES || size > bytes.len() {
        return Err(BadBatch("its length does not fit"));
    }
    let base_offset = u64::try_from(i64_at(0)).map_err(|_| BadBatch("its offset is negative"))?;
    let count = u32::try_from(i32_at(57)).map_err(|_| BadBatch("its count is negative"))?;
    let span = u32::try_from(i64::from(i32_at(23)) + 1).map_err(|_| BadBatch("its last offset is before its first"))?;
    if count == 0 || span < count {
        return Err(BadBatch("its count is not that of its offsets"));
    }
    let is_compressed = attributes == ZSTD;
    if !is_compressed {
        check_count(count, size - HEADER_BYTES)?;
    }
    Ok(BatchHeader { base_offset, bytes: size, count, span, base_timestamp_ms: i64_at(27), is_compressed })
}

/// A count beyond that is a lie.
fn check_count(count: u32, bytes: usize) -> Result<(), BadBatch> {
    if count as usize > bytes / RECORD_BYTES_MIN { Err(BadBatch("its count does not fit its length")) } else { Ok(()) }
}

thread_local! {
    /// To make one takes longer than to decompress a small batch.
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("zstd asks for memory only"));
}

fn decompressed(bytes: &[u8]) -> Result<Bytes, BadBatch> {
    // No batch was longer when it was made.
    const BYTES_MAX: usize = i32::MAX as usize;
    let length = Decompressor::upper_bound(bytes).filter(|length| *length <= BYTES_MAX);
    let length = length.ok_or(BadBatch("it does not say how much was compressed"))?;
    let bytes = DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.decompress(bytes, length));
    Ok(Bytes::from(bytes.map_err(|_| BadBatch("it cannot be decompressed"))?))
}

/// Checks the batch's own checksum. The journal has one of its own over more, so this is for other sources.
pub fn checksum_is_right(batch: &[u8]) -> bool {
    batch.len() >= HEADER_BYTES && crc32c::crc32c(&batch[CHECKED_FROM..]).to_be_bytes() == batch[17..21]
}

/// The records of a batch, one after another. They share the bytes of the batch, or of what it is decompressed to.
#[derive(Debug)]
pub struct Records {
    cursor: Cursor,
    header: BatchHeader,
    /// The number of records before the cursor.
    passed: u32,
    /// The least that the next record's offset can be, counted from the batch's.
    next: u32,
}

impl Records {
    /// The records of the batch that the bytes are.
    pub fn of(batch: Bytes) -> Result<Records, BadBatch> {
        let header = header(&batch)?;
        let mut body = batch.slice(HEADER_BYTES..header.bytes);
        if header.is_compressed {
            body = decompressed(&body)?;
            check_count(header.count, body.len())?;
        }
        Ok(Records { cursor: Cursor::new(body), header, passed: 0, next: 0 })
    }

    /// The records that the bytes are, without the front of a batch, counted from offset 0.
    pub fn within(bytes: Bytes, count: u32, base_timestamp_ms: i64) -> Result<Records, BadBatch> {
        check_count(count, bytes.len())?;
        let size = bytes.len() + HEADER_BYTES;
        let is_compressed = false;
        let header = BatchHeader { base_offset: 0, bytes: size, count, span: count, base_timestamp_ms, is_compressed };
        Ok(Records { cursor: Cursor::new(bytes), header, passed: 0, next: 0 })
    }

    /// The next record with its offset; none after the last.
    pub fn next_record(&mut self) -> Result<Option<(u64, Record)>, BadBatch> {
        if self.passed == self.header.count {
            let rest = self.cursor.left();
            return if rest == 0 { Ok(None) } else { Err(BadBatch("bytes are left after its last record")) };
        }
        self.decode().map(Some).ok_or(BadBatch("a record is not well formed"))
    }

    /// The length of the next record in bytes, as it states it.
    pub fn next_length(&self) -> Option<usize> {
        self.cursor.clone().length()
    }

    /// Skips the records before an offset.
    pub fn skip_before(&mut self, offset: u64) -> Result<(), BadBatch> {
        while self.passed < self.header.count && self.skip_one(offset).ok_or(BadBatch("a record is not well formed"))? {
        }
        Ok(())
    }

    /// Skips the next record if it is before the offset; returns true if it was.
    fn skip_one(&mut self, offset: u64) -> Option<bool> {
        let mut ahead = self.cursor.clone();
        let length = ahead.length()?;
        let left_after = ahead.left().checked_sub(length)?;
        ahead.byte()?; // attributes
        ahead.varint()?; // time
        let delta = self.delta(ahead.varint()?)?;
        let is_before = self.header.base_offset + u64::from(delta) < offset;
        if is_before {
            ahead.advance(ahead.left().checked_sub(left_after)?);
            self.cursor = ahead;
            self.pass(delta);
        }
        Some(is_before)
    }

    /// The place that a record claims within the batch, if it can have it.
    fn delta(&self, said: i64) -> Option<u32> {
        u32::try_from(said).ok().filter(|delta| (self.next..self.header.span).contains(delta))
    }

    const fn pass(&mut self, delta: u32) {
        self.passed += 1;
        self.next = delta + 1;
    }

    fn decode(&mut self) -> Option<(u64, Record)> {
        let cursor = &mut self.cursor;
        let length = cursor.length()?;
        let left_after = cursor.left().checked_sub(length)?;
        cursor.byte()?; // attributes
        let timestamp_ms = self.header.base_timestamp_ms.wrapping_add(cursor.varint()?);
        let said = cursor.varint()?;
        let key = cursor.optional()?;
        let value = cursor.optional()?;
        let count = cursor.length()?;
        // A header has at least two bytes; a count beyond that would only reserve memory for nothing.
        if count > cursor.left().checked_sub(left_after)? / 2 {
            return None;
        }
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            let length = cursor.length()?;
            let name = SmolStr::new(std::str::from_utf8(cursor.peek(length)?).ok()?);
            cursor.advance(length);
            headers.push((name, cursor.optional()?));
        }
        let is_whole = cursor.left() == left_after;
        let delta = self.delta(said).filter(|_| is_whole)?;
        self.pass(delta);
        Some((self.header.base_offset + u64::from(delta), Record { key, value, headers, timestamp_ms }))
    }
}

#[cfg(test)]
mod tests;
