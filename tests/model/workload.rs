//! A seeded workload: random records over a small shop, cut into epochs, one in ten of them strange.
//! It knows the shop only by guesses, so that its commands come at every step and in wrong states too.
//! The plain commands stand in `workload_commands.rs` and `workload_goods.rs`, what is wrong with the others in `workload_poison.rs`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Record;
use super::time::{HOUR, MINUTE, SECOND};
use super::workload_commands::World;
use super::workload_poison;

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit` − 1.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next_u64() % limit
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// One epoch's records, in the order in which they were appended.
#[derive(Debug, Clone)]
pub struct Batch {
    pub now_micros: i64,
    pub records: Vec<Record>,
}

/// A command before it has a place in the log.
#[derive(Debug, Clone)]
pub struct Draft {
    pub type_name: &'static str,
    pub key: Option<String>,
    pub data: Value,
}

impl Draft {
    pub fn set(&mut self, field: &str, value: Value) {
        if let Value::Object(data) = &mut self.data {
            data.insert(field.to_string(), value);
        }
    }
}

pub struct Workload {
    random: Random,
    partitions: u32,
    epoch: u64,
    now: i64,
    offsets: BTreeMap<(String, u32), u64>,
    ids_made: u64,
    past: Vec<Record>,
    /// Ids that only dead letters bore, so that they are still free.
    unused_ids: Vec<String>,
    world: World,
}

impl Workload {
    pub fn new(seed: u64) -> Workload {
        Workload::with_partitions(seed, 4)
    }

    pub fn with_partitions(seed: u64, partitions: u32) -> Workload {
        Workload {
            random: Random::new(seed),
            partitions,
            epoch: 0,
            now: 1_291_900_000 * SECOND,
            offsets: BTreeMap::new(),
            ids_made: 0,
            past: Vec::new(),
            unused_ids: Vec::new(),
            world: World::default(),
        }
    }

    /// The next epoch; the first one opens the shop.
    pub fn next_epoch(&mut self) -> Batch {
        self.epoch += 1;
        self.now += self.pause();
        let mut records = Vec::new();
        if self.epoch == 1 {
            for draft in self.world.opening() {
                self.append(&mut records, draft);
            }
        }
        let size = match self.random.below(10) {
            0 => 0,
            1..=3 => self.random.between(1, 3),
            4..=8 => self.random.between(4, 25),
            _ => self.random.between(26, 90),
        };
        for _ in 0..size {
            self.step(&mut records);
        }
        Batch { now_micros: self.now, records }
    }

    /// 1 µs, a moment, seconds, minutes, sometimes hours.
    fn pause(&mut self) -> i64 {
        match self.random.below(100) {
            0..=29 => 1,
            30..=64 => self.random.between(1, SECOND),
            65..=84 => self.random.between(SECOND, MINUTE),
            85..=97 => self.random.between(MINUTE, 6 * MINUTE),
            _ => self.random.between(HOUR, 30 * HOUR),
        }
    }

    fn step(&mut self, records: &mut Vec<Record>) {
        match self.random.below(100) {
            0..=3 => self.append_poison(records),
            4..=7 => self.append_duplicate(records),
            8..=9 => self.append_reused_id(records),
            10..=11 => {
                // Two orders want the same two SKUs in opposite order.
                for draft in self.world.crossed_orders(&mut self.random) {
                    self.append(records, draft);
                }
            }
            12..=15 => {
                let mut draft = self.stray_command("");
                workload_poison::break_bounds(&mut self.random, &mut draft, self.now);
                self.append(records, draft);
            }
            16 if self.random.percent(10) => {
                let draft = self.world.wide_order(&mut self.random);
                self.append(records, draft);
            }
            17 => {
                let command_id = self.new_id();
                let mut draft = self.world.command(&mut self.random, self.now, &command_id);
                workload_poison::stretch(&mut self.random, &mut draft);
                self.append_as(records, draft, command_id);
            }
            _ => {
                let command_id = self.new_id();
                let draft = self.world.command(&mut self.random, self.now, &command_id);
                self.append_as(records, draft, command_id);
            }
        }
    }

    /// A command that will come to nothing: the world is to believe that it was never there.
    fn stray_command(&mut self, command_id: &str) -> Draft {
        let world = self.world.clone();
        let draft = self.world.command(&mut self.random, self.now, command_id);
        self.world = world;
        draft
    }

    fn new_id(&mut self) -> String {
        if self.random.percent(3)
            && let Some(id) = self.unused_ids.pop()
        {
            return id;
        }
        self.ids_made += 1;
        format!("c-{}", self.ids_made)
    }

    fn append(&mut self, records: &mut Vec<Record>, draft: Draft) {
        let command_id = self.new_id();
        self.append_as(records, draft, command_id);
    }

    fn append_as(&mut self, records: &mut Vec<Record>, draft: Draft, command_id: String) {
        let topic = topic_of(draft.type_name).to_string();
        let type_name = draft.type_name.to_string();
        let record = Record { topic, partition: 0, offset: 0, key: draft.key, command_id, type_name, data: draft.data };
        self.push(records, record);
    }

    /// Gives a record its place: a partition by its key, and the next offset there, with some holes.
    fn push(&mut self, records: &mut Vec<Record>, mut record: Record) {
        let key = record.key.as_deref().unwrap_or_default();
        record.partition = (hash(key) % u64::from(self.partitions)) as u32;
        let hole = u64::from(self.random.percent(2));
        let next = self.offsets.entry((record.topic.clone(), record.partition)).or_default();
        record.offset = *next + hole;
        *next = record.offset + 1;
        // A record too large for the log is sent once only.
        if record.data.to_string().len() < 100_000 {
            self.past.push(record.clone());
        }
        records.push(record);
    }

    fn append_poison(&mut self, records: &mut Vec<Record>) {
        self.ids_made += 1;
        let command_id = format!("dead-{}", self.ids_made);
        let draft = self.stray_command(&command_id);
        let mut record = Record {
            topic: topic_of(draft.type_name).to_string(),
            partition: 0,
            offset: 0,
            key: draft.key,
            command_id: command_id.clone(),
            type_name: draft.type_name.to_string(),
            data: draft.data,
        };
        workload_poison::poison(&mut self.random, &mut record);
        self.unused_ids.push(command_id);
        self.push(records, record);
    }

    /// An earlier record again, sometimes spelled otherwise.
    fn append_duplicate(&mut self, records: &mut Vec<Record>) {
        if let Some(mut record) = self.earlier() {
            if self.random.percent(40) {
                record.data = respelled(&record.data);
            }
            self.push(records, record);
        }
    }

    fn append_reused_id(&mut self, records: &mut Vec<Record>) {
        if let Some(record) = self.earlier() {
            let draft = self.stray_command(&record.command_id);
            self.append_as(records, draft, record.command_id);
        }
    }

    fn earlier(&mut self) -> Option<Record> {
        let reach = if self.random.percent(80) { 60 } else { self.past.len() };
        let recent = &self.past[self.past.len().saturating_sub(reach)..];
        if recent.is_empty() { None } else { Some(self.random.pick(recent).clone()) }
    }
}

/// The same data with its fields the other way round, an unknown one, and a `null`.
fn respelled(data: &Value) -> Value {
    let Value::Object(fields) = data else {
        return data.clone();
    };
    let mut other = Map::new();
    other.insert("x_trace".to_string(), json!({"hop": 1}));
    for (name, value) in fields.iter().rev() {
        other.insert(name.clone(), respell_money(value));
    }
    other.insert("x_none".to_string(), Value::Null);
    Value::Object(other)
}

fn respell_money(value: &Value) -> Value {
    let mut other = value.clone();
    if let Some(Value::String(amount)) = other.get_mut("amount") {
        amount.push_str(if amount.contains('.') { "00" } else { ".0" });
    }
    other
}

pub fn topic_of(type_name: &str) -> &'static str {
    match type_name {
        "PutPolicy" => "policy.commands",
        "PutProduct" | "ArchiveProduct" | "SetPrice" => "catalog.commands",
        "MoveStock" | "TransferStock" => "stock.commands",
        _ => "orders.commands",
    }
}

/// FNV-1a; any fixed hash would do.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}
