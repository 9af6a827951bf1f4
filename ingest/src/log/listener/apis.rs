//! The requests that are answered, with their versions and the shape of their bytes. Not for what is answered.
//!
//! The decoder that follows reserves room for as many items as a request claims, before it has seen them. So a
//! request is walked through first, by the shapes here: what is not all there, or has too many items, is never decoded.

use kafka_protocol::messages::ApiKey;

/// The rights of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Append to the topics of commands, and read all.
    Client,
    /// Do with the inputs what the log itself can: append epochs too, and delete.
    Owner,
}

/// A kind of request.
#[derive(Debug)]
pub struct Api {
    /// The kind.
    pub key: ApiKey,
    /// The first version that is answered.
    pub least: i16,
    /// The last one.
    pub most: i16,
    /// The first version that is announced.
    pub announced_from: i16,
    /// The first version with compact lengths and tagged fields.
    flexible_from: i16,
    /// True if only the log's owner may ask.
    is_for_owner: bool,
    shape: &'static [Field],
}

/// A field, of the versions that have it.
#[derive(Debug)]
struct Field {
    since: i16,
    until: i16,
    kind: FieldKind,
}

#[derive(Debug)]
enum FieldKind {
    /// That many bytes.
    Fixed(usize),
    /// Characters with their length, which may be none.
    Text,
    /// Bytes with their length, which may be none.
    Bytes,
    /// Items of a simple kind.
    Plain(&'static FieldKind),
    /// Items with fields of their own.
    List(&'static [Field]),
}

const fn all(kind: FieldKind) -> Field {
    Field { since: 0, until: i16::MAX, kind }
}

const fn since(since: i16, kind: FieldKind) -> Field {
    Field { since, until: i16::MAX, kind }
}

const fn until(until: i16, kind: FieldKind) -> Field {
    Field { since: 0, until, kind }
}

const fn between(since: i16, until: i16, kind: FieldKind) -> Field {
    Field { since, until, kind }
}

const I8: FieldKind = FieldKind::Fixed(1);
const I16: FieldKind = FieldKind::Fixed(2);
const I32: FieldKind = FieldKind::Fixed(4);
const I64: FieldKind = FieldKind::Fixed(8);
const UUID: FieldKind = FieldKind::Fixed(16);
const TEXT: FieldKind = FieldKind::Text;

const fn api(
    key: ApiKey,
    (least, most): (i16, i16),
    announced_from: i16,
    flexible_from: i16,
    shape: &'static [Field],
) -> Api {
    let is_for_owner = matches!(key, ApiKey::DeleteRecords);
    Api { key, least, most, announced_from, flexible_from, is_for_owner, shape }
}

/// None of the versions that are answered.
const NEVER: i16 = i16::MAX;

/// Every kind of request that is answered, in the versions of Kafka 2.8 to 3.x. They end where a later one would only
/// bring what one node has not: ids of topics, other replicas. What [`super::old`] reads is in its own form.
pub const ALL: [Api; 26] = [
    // Clients of librdkafka do not compress unless the first versions are announced, though none sends them.
    api(ApiKey::Produce, (3, 9), 0, 9, PRODUCE),
    api(ApiKey::Fetch, (4, 12), 4, 12, FETCH),
    api(ApiKey::ListOffsets, (0, 8), 0, 6, LIST_OFFSETS),
    api(ApiKey::Metadata, (0, 12), 0, 9, METADATA),
    api(ApiKey::OffsetCommit, (1, 9), 1, 8, OFFSET_COMMIT),
    api(ApiKey::OffsetFetch, (1, 9), 1, 6, OFFSET_FETCH),
    api(ApiKey::FindCoordinator, (0, 4), 0, 3, &[until(3, TEXT), since(1, I8), since(4, FieldKind::Plain(&TEXT))]),
    api(ApiKey::JoinGroup, (0, 9), 0, 6, JOIN_GROUP),
    api(ApiKey::Heartbeat, (0, 4), 0, 4, &[all(TEXT), all(I32), all(TEXT), since(3, TEXT)]),
    api(ApiKey::LeaveGroup, (0, 5), 0, 4, &[all(TEXT), until(2, TEXT), since(3, FieldKind::List(LEAVING))]),
    api(ApiKey::SyncGroup, (0, 5), 0, 4, SYNC_GROUP),
    api(ApiKey::DescribeGroups, (0, 5), 0, 5, &[all(FieldKind::Plain(&TEXT)), since(3, I8)]),
    api(ApiKey::ListGroups, (0, 5), 0, 3, &[since(4, FieldKind::Plain(&TEXT)), since(5, FieldKind::Plain(&TEXT))]),
    api(ApiKey::ApiVersions, (0, 4), 0, 3, &[since(3, TEXT), since(3, TEXT)]),
    api(ApiKey::CreateTopics, (0, 7), 0, 5, &[all(FieldKind::List(CREATE_TOPIC)), all(I32), since(1, I8)]),
    api(ApiKey::DeleteRecords, (0, 2), 0, 2, &[all(FieldKind::List(DELETE_TOPIC)), all(I32)]),
    api(ApiKey::InitProducerId, (0, 4), 0, 2, &[all(TEXT), all(I32), since(3, I64), since(3, I16)]),
    api(ApiKey::AddPartitionsToTxn, (0, 3), 0, 3, &[all(TEXT), all(I64), all(I16), all(FieldKind::List(PARTITIONS))]),
    api(ApiKey::AddOffsetsToTxn, (0, 3), 0, 3, &[all(TEXT), all(I64), all(I16), all(TEXT)]),
    api(ApiKey::EndTxn, (0, 3), 0, 3, &[all(TEXT), all(I64), all(I16), all(I8)]),
    api(ApiKey::TxnOffsetCommit, (0, 3), 0, 3, TXN_OFFSET_COMMIT),
    api(ApiKey::DescribeConfigs, (0, 4), 0, 4, DESCRIBE_CONFIGS),
    api(ApiKey::DescribeLogDirs, (0, 4), 0, 2, &[all(FieldKind::List(PARTITIONS))]),
    api(ApiKey::DeleteGroups, (0, 2), 0, 2, &[all(FieldKind::Plain(&TEXT))]),
    api(ApiKey::OffsetDelete, (0, 0), 0, NEVER, &[all(TEXT), all(FieldKind::List(OFFSET_DELETE_TOPIC))]),
    api(ApiKey::DescribeCluster, (0, 1), 0, 0, &[all(I8), since(1, I8)]),
];

const PRODUCE: &[Field] = &[since(3, TEXT), all(I16), all(I32), all(FieldKind::List(PRODUCE_TOPIC))];
const PRODUCE_TOPIC: &[Field] = &[all(TEXT), all(FieldKind::List(&[all(I32), all(FieldKind::Bytes)]))];
const FETCH: &[Field] = &[
    all(I32),
    all(I32),
    all(I32),
    all(I32),
    all(I8),
    since(7, I64),
    all(FieldKind::List(FETCH_TOPIC)),
    since(7, FieldKind::List(&[all(TEXT), all(FieldKind::Plain(&I32))])),
    since(11, TEXT),
];
const FETCH_TOPIC: &[Field] = &[all(TEXT), all(FieldKind::List(FETCH_PARTITION))];
const FETCH_PARTITION: &[Field] = &[all(I32), since(9, I32), all(I64), since(12, I32), since(5, I64), all(I32)];
const LIST_OFFSETS: &[Field] = &[all(I32), since(2, I8), all(FieldKind::List(LIST_OFFSETS_TOPIC))];
const LIST_OFFSETS_TOPIC: &[Field] =
    &[all(TEXT), all(FieldKind::List(&[all(I32), since(4, I32), all(I64), until(0, I32)]))];
const METADATA: &[Field] =
    &[all(FieldKind::List(&[since(10, UUID), all(TEXT)])), since(4, I8), between(8, 10, I8), since(8, I8)];
const OFFSET_COMMIT: &[Field] = &[
    all(TEXT),
    all(I32),
    all(TEXT),
    since(7, TEXT),
    between(2, 4, I64),
    all(FieldKind::List(&[all(TEXT), all(FieldKind::List(OFFSET_COMMIT_PARTITION))])),
];
const OFFSET_COMMIT_PARTITION: &[Field] = &[all(I32), all(I64), until(1, I64), since(6, I32), all(TEXT)];
const OFFSET_FETCH: &[Field] = &[
    until(7, TEXT),
    until(7, FieldKind::List(PARTITIONS)),
    since(8, FieldKind::List(&[all(TEXT), since(9, TEXT), since(9, I32), all(FieldKind::List(PARTITIONS))])),
    since(7, I8),
];
/// Partitions of a topic.
const PARTITIONS: &[Field] = &[all(TEXT), all(FieldKind::Plain(&I32))];
const JOIN_GROUP: &[Field] = &[
    all(TEXT),
    all(I32),
    since(1, I32),
    all(TEXT),
    since(5, TEXT),
    all(TEXT),
    all(FieldKind::List(&[all(TEXT), all(FieldKind::Bytes)])),
    since(8, TEXT),
];
const LEAVING: &[Field] = &[all(TEXT), all(TEXT), since(5, TEXT)];
const SYNC_GROUP: &[Field] = &[
    all(TEXT),
    all(I32),
    all(TEXT),
    since(3, TEXT),
    since(5, TEXT),
    since(5, TEXT),
    all(FieldKind::List(&[all(TEXT), all(FieldKind::Bytes)])),
];
const CREATE_TOPIC: &[Field] = &[
    all(TEXT),
    all(I32),
    all(I16),
    all(FieldKind::List(&[all(I32), all(FieldKind::Plain(&I32))])),
    all(FieldKind::List(&[all(TEXT), all(TEXT)])),
];
const TXN_OFFSET_COMMIT: &[Field] = &[
    all(TEXT),
    all(TEXT),
    all(I64),
    all(I16),
    since(3, I32),
    since(3, TEXT),
    since(3, TEXT),
    all(FieldKind::List(&[all(TEXT), all(FieldKind::List(&[all(I32), all(I64), since(2, I32), all(TEXT)]))])),
];
const OFFSET_DELETE_TOPIC: &[Field] = &[all(TEXT), all(FieldKind::List(&[all(I32)]))];
const DELETE_TOPIC: &[Field] = &[all(TEXT), all(FieldKind::List(&[all(I32), all(I64)]))];
const DESCRIBE_CONFIGS: &[Field] =
    &[all(FieldKind::List(&[all(I8), all(TEXT), all(FieldKind::Plain(&TEXT))])), since(1, I8), since(3, I8)];

impl Api {
    /// The kind of request of that number, if it is answered to such a client.
    pub fn find(number: i16, access: Access) -> Option<&'static Api> {
        Api::allowed(access).find(|api| api.key as i16 == number)
    }

    /// Every kind that is answered to such a client.
    pub fn allowed(access: Access) -> impl Iterator<Item = &'static Api> {
        ALL.iter().filter(move |api| !api.is_for_owner || access == Access::Owner)
    }

    /// Returns true if that version is answered.
    pub fn has(&self, version: i16) -> bool {
        (self.least..=self.most).contains(&version)
    }

    /// Returns true if that version has compact lengths and tagged fields.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from && self.flexible_from != NEVER
    }

    /// The number of bytes left over after those that have the shape of the request, with so many items at most; none
    /// if it is not all there. What is left over is skipped, as Kafka's brokers do: librdkafka writes three bytes too
    /// many after its request for the metadata of all topics.
    pub fn left_over(&self, version: i16, body: &[u8], items_max: usize) -> Option<usize> {
        let mut walk = Walk { rest: body, items_left: items_max, is_flexible: self.is_flexible(version) };
        walk.fields(self.shape, version)?;
        Some(walk.rest.len())
    }
}

/// Goes over a request's bytes. Every step returns none when they are not what they should be.
pub struct Walk<'a> {
    /// The bytes that are left.
    pub rest: &'a [u8],
    /// The number of items that there may still be.
    pub items_left: usize,
    /// True if lengths are compact and fields may be tagged.
    pub is_flexible: bool,
}

impl<'a> Walk<'a> {
    /// The next bytes.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn fields(&mut self, fields: &[Field], version: i16) -> Option<()> {
        for field in fields.iter().filter(|field| (field.since..=field.until).contains(&version)) {
            self.kind(&field.kind, version)?;
        }
        if self.is_flexible { self.tags() } else { Some(()) }
    }

    fn kind(&mut self, kind: &FieldKind, version: i16) -> Option<()> {
        match kind {
            FieldKind::Fixed(length) => self.take(*length).map(drop),
            FieldKind::Text => self.text(),
            FieldKind::Bytes => {
                let length = self.length(4)?.unwrap_or(0);
                self.take(length).map(drop)
            }
            FieldKind::Plain(item) => self.items(|walk| walk.kind(item, version)),
            FieldKind::List(fields) => self.items(|walk| walk.fields(fields, version)),
        }
    }

    fn items(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let count = self.length(4)?.unwrap_or(0);
        self.items_left = self.items_left.checked_sub(count)?;
        (0..count).try_for_each(|_| item(self))
    }

    fn text(&mut self) -> Option<()> {
        let length = self.length(2)?.unwrap_or(0);
        self.take(length).map(drop)
    }

    /// A text with a length of two bytes, whatever the version: the name of the client.
    pub fn plain_text(&mut self) -> Option<()> {
        let length = self.fixed_length(2)?.unwrap_or(0);
        self.take(length).map(drop)
    }

    /// Tagged fields.
    pub fn tags(&mut self) -> Option<()> {
        let count = usize::try_from(self.varint()?).ok()?;
        self.items_left = self.items_left.checked_sub(count)?;
        for _ in 0..count {
            self.varint()?;
            let length = usize::try_from(self.varint()?).ok()?;
            self.take(length)?;
        }
        Some(())
    }

    /// A length or a count; none within if what it counts is absent.
    fn length(&mut self, bytes: usize) -> Option<Option<usize>> {
        if self.is_flexible {
            return Some(usize::try_from(self.varint()?).ok()?.checked_sub(1));
        }
        self.fixed_length(bytes)
    }

    fn fixed_length(&mut self, bytes: usize) -> Option<Option<usize>> {
        let taken = self.take(bytes)?;
        let length = match *taken {
            [a, b] => i32::from(i16::from_be_bytes([a, b])),
            [a, b, c, d] => i32::from_be_bytes([a, b, c, d]),
            _ => return None,
        };
        match length {
            -1 => Some(None),
            length => Some(Some(usize::try_from(length).ok()?)),
        }
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let byte = *self.take(1)?.first()?;
            // The fifth byte has room for four bits.
            if shift == 28 && byte > 0x0f {
                return None;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}
