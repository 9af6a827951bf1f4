//! Record batches as clients send them: checked, and their records taken out, whatever they are compressed with. And
//! records as batches for readers. Not for keeping them: the journal makes batches of its own.

use super::error_code;
use crate::log::journal::batch;
use crate::log::journal::batch::{HEADER_BYTES, Records, SPAN_MAX};
use crate::log::{LogRecord, RECORD_BYTES_MAX, Record};
use bytes::Bytes;
use dataflows::contract::topic::TopicPartition;
use smol_str::SmolStr;
use std::io::{Cursor, Read};

/// A batch that a client has sent.
#[derive(Debug)]
pub struct ClientBatch {
    /// The producer, if sequences are to be kept.
    pub producer: Option<Stamp>,
    /// Its records; at least one.
    pub records: Vec<Record>,
}

/// The place of a batch among those that a producer sends to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The producer.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The number of the first record.
    pub first: i32,
    /// The number of the last one.
    pub last: i32,
}

/// A code of the protocol, and words for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchError(pub i16, pub &'static str);

/// The reason why a batch is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not taken, whatever else the request has.
    Refused(BatchError),
    /// There is no room for it beside what the request had before it.
    Full,
}

impl From<BatchError> for Unread {
    fn from(refused: BatchError) -> Unread {
        Unread::Refused(refused)
    }
}

/// The room that the batches of a request still have, all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchBudget {
    /// The bytes that they may have when they are decompressed.
    pub bytes: usize,
    /// The memory that they may take when read: those bytes, and a frame for each record and each header.
    pub memory: usize,
}

/// The memory of a record beside its bytes.
const RECORD_FRAME: usize = size_of::<(TopicPartition, Record)>();
/// The memory of a header beside its bytes.
const HEADER_FRAME: usize = size_of::<(SmolStr, Option<Bytes>)>();

impl BatchBudget {
    /// The likely need of a batch of these bytes: that of records that compress well and have some headers.
    pub fn likely(bytes: &[u8]) -> usize {
        const EXPANSION: usize = 8;
        let count =
            bytes.get(COUNT..HEADER_BYTES).and_then(|count| count.try_into().ok()).map_or(0, u32::from_be_bytes);
        // The count may be a lie, but not about more than the bytes can be.
        (count as usize).min(bytes.len() * EXPANSION).saturating_mul(RECORD_FRAME) + bytes.len() * EXPANSION
    }

    fn take(&mut self, bytes: usize) -> Result<(), Unread> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Unread::Full)?;
        self.frame(bytes)
    }

    fn frame(&mut self, memory: usize) -> Result<(), Unread> {
        self.memory = self.memory.checked_sub(memory).ok_or(Unread::Full)?;
        Ok(())
    }
}

/// The position of a batch's number of records.
const COUNT: usize = HEADER_BYTES - 4;
/// The answer to transactions.
pub const NO_TRANSACTIONS: &str = "there are no transactions here: publish without a transactional id";

const CODEC: i16 = 0x07;
const APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// Reads what a client sends for one partition: one batch, as the protocol has it since version 3.
pub fn read(bytes: &Bytes, bytes_max: usize, room: &mut BatchBudget) -> Result<ClientBatch, Unread> {
    const TORN: Unread = Unread::Refused(BatchError(error_code::CORRUPT_MESSAGE, "the batch is not whole"));
    if bytes.len() > bytes_max {
        return Err(refused(error_code::MESSAGE_TOO_LARGE, "the batch is too large"));
    }
    let header = bytes.get(..HEADER_BYTES).ok_or(TORN)?;
    let i16_at = |at: usize| i16::from_be_bytes([header[at], header[at + 1]]);
    let i32_at = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let i64_at = |at: usize| (i64::from(i32_at(at)) << 32) | i64::from(i32_at(at + 4).cast_unsigned());
    if header[16] != 2 {
        return Err(refused(error_code::UNSUPPORTED_FOR_MESSAGE_FORMAT, "only record batches of version 2 are taken"));
    }
    if usize::try_from(i32_at(8)).ok().map(|length| length + 12) != Some(bytes.len()) {
        return Err(refused(error_code::INVALID_RECORD, "there must be one batch for each partition"));
    }
    if !batch::checksum_is_right(bytes) {
        return Err(refused(error_code::CORRUPT_MESSAGE, "the checksum is wrong"));
    }
    let (attributes, count) = (i16_at(21), i32_at(57));
    if attributes & TRANSACTIONAL != 0 {
        return Err(refused(error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, NO_TRANSACTIONS));
    }
    if attributes & (CONTROL | APPEND_TIME) != 0 {
        return Err(refused(error_code::INVALID_RECORD, "control records are not taken, and times are the producer's"));
    }
    if count < 1 || i32_at(23) != count - 1 {
        return Err(refused(error_code::INVALID_RECORD, "the number of records is not that of its offsets"));
    }
    let (producer_id, epoch, first) = (i64_at(43), i16_at(51), i32_at(53));
    let producer = (producer_id >= 0).then(|| Stamp { producer_id, epoch, first, last: after(first, count - 1) });
    if producer.is_some_and(|stamp| stamp.epoch < 0 || stamp.first < 0) {
        return Err(refused(error_code::INVALID_RECORD, "a producer id goes with an epoch and a sequence"));
    }
    let body = decompressed(attributes & CODEC, bytes.slice(HEADER_BYTES..), room.bytes.min(room.memory))?;
    room.take(body.len())?;
    let records = records(body, count.unsigned_abs(), i64_at(27), room)?;
    Ok(ClientBatch { producer, records })
}

fn refused(code: i16, why: &'static str) -> Unread {
    Unread::Refused(BatchError(code, why))
}

/// The number that many records later; after the largest comes 0.
pub fn after(sequence: i32, records: i32) -> i32 {
    let wrapped = (i64::from(sequence) + i64::from(records)) % (i64::from(i32::MAX) + 1);
    i32::try_from(wrapped).unwrap_or(0)
}

fn records(body: Bytes, count: u32, base_timestamp_ms: i64, room: &mut BatchBudget) -> Result<Vec<Record>, Unread> {
    const BAD: Unread = Unread::Refused(BatchError(error_code::INVALID_RECORD, "a record is not well formed"));
    const LARGE: Unread = Unread::Refused(BatchError(
        error_code::MESSAGE_TOO_LARGE,
        "a record is over 1 MiB (1048576 bytes), the most for its key, value and headers together",
    ));
    let mut read = Records::within(body, count, base_timestamp_ms).map_err(|_| BAD)?;
    room.frame(count as usize * RECORD_FRAME)?;
    let mut records = Vec::with_capacity(count as usize);
    loop {
        // Nothing is made of a record that is far too large: its frame is at most about as large as what it holds.
        if read.next_length().is_some_and(|length| length > 2 * RECORD_BYTES_MAX) {
            return Err(LARGE);
        }
        let Some((_, record)) = read.next_record().map_err(|_| BAD)? else { return Ok(records) };
        if record.content_bytes() > RECORD_BYTES_MAX {
            return Err(LARGE);
        }
        room.frame(record.headers.len() * HEADER_FRAME)?;
        records.push(record);
    }
}

/// The bytes of the records. No more than the limit is ever made of them.
fn decompressed(codec: i16, bytes: Bytes, bytes_max: usize) -> Result<Bytes, Unread> {
    match codec {
        0 => Ok(bytes),
        1 => bounded(flate2::read::MultiGzDecoder::new(Cursor::new(bytes)), bytes_max),
        2 => snappy(&bytes, bytes_max),
        3 => bounded(lz4_flex::frame::FrameDecoder::new(Cursor::new(bytes)), bytes_max),
        4 => {
            let mut decoder = zstd::stream::read::Decoder::new(Cursor::new(bytes)).map_err(|_| UNPACKED)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| UNPACKED)?;
            bounded(decoder, bytes_max)
        }
        _ => Err(refused(error_code::UNSUPPORTED_COMPRESSION_TYPE, "none, gzip, snappy, lz4 and zstd are read")),
    }
}

const UNPACKED: Unread = Unread::Refused(BatchError(error_code::CORRUPT_MESSAGE, "the records cannot be decompressed"));
/// No window is wanted that is larger than what may be made: 2^25 bytes.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

fn bounded(read: impl Read, bytes_max: usize) -> Result<Bytes, Unread> {
    let mut to = Vec::new();
    read.take(bytes_max as u64 + 1).read_to_end(&mut to).map_err(|_| UNPACKED)?;
    if to.len() > bytes_max { Err(Unread::Full) } else { Ok(Bytes::from(to)) }
}

/// Either one block, or the blocks of the Java library after its own header.
fn snappy(bytes: &[u8], bytes_max: usize) -> Result<Bytes, Unread> {
    const MAGIC: &[u8] = b"\x82SNAPPY\0";
    const HEADER: usize = 16;
    let mut decoder = snap::raw::Decoder::new();
    let mut to = Vec::new();
    let mut block = |block: &[u8]| {
        let length = snap::raw::decompress_len(block).map_err(|_| UNPACKED)?;
        if to.len() + length > bytes_max {
            return Err(Unread::Full);
        }
        to.extend_from_slice(&decoder.decompress_vec(block).map_err(|_| UNPACKED)?);
        Ok(())
    };
    if bytes.starts_with(MAGIC) {
        let mut rest = bytes.get(HEADER..).ok_or(UNPACKED)?;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| UNPACKED)?;
            let (one, after) = after.split_at_checked(length).ok_or(UNPACKED)?;
            block(one)?;
            rest = after;
        }
        if !rest.is_empty() {
            return Err(UNPACKED);
        }
    } else {
        block(bytes)?;
    }
    Ok(Bytes::from(to))
}

/// Appends records of one partition as batches at their offsets, with holes where there are some: one batch, unless its
/// offsets reach too far.
pub fn write(records: &[LogRecord], to: &mut Vec<u8>) {
    let mut rest = records;
    while let Some(first) = rest.first() {
        let reach = first.origin.offset + SPAN_MAX;
        let (now, later) = rest.split_at(rest.partition_point(|record| record.origin.offset < reach));
        let begin = to.len();
        batch::encode(now.iter().map(|record| (record.origin.offset, &record.record)), None, to);
        // One node has no leader epochs, and a client that hears of none does not ask. The checksum does not cover it.
        to[begin + 12..begin + 16].copy_from_slice(&(-1_i32).to_be_bytes());
        rest = later;
    }
}

#[cfg(test)]
mod tests;
