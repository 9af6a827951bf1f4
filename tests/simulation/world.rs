//! A machine: its disk, its clock, who publishes, and what was ever seen. It outlives its nodes.

use super::history::History;
use super::node::{Node, PARTITIONS, Parts};
use super::reference;
use crate::model::workload::Workload;
use crate::rule_s::record_of;
use dataflows::contract::topic::{Origin, TopicPartition};
use dataflows::ports::AppendError;
use ingest::log::{Log, Record};
use ingest::testing::{Disk, DiskFaults, LogFaults, ManualClock, Random, Stop};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The faults that may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing, but that the process is killed and stopped now and then.
    Plain,
    /// Everything, now and then.
    Faults,
    /// The machine stops once, at this point.
    Stop(Stop),
}

/// The number of epochs of the workload are published.
const BATCHES: usize = 30;
/// As often as the workload has few, when every point is to be passed several times.
const BATCHES_PLAIN: usize = 60;
/// The number of appends may be on their way.
const IN_FLIGHT: usize = 3;
const HOUR: i64 = 3_600_000_000;
/// A run that takes longer makes no progress.
const STEPS_MAX: usize = 100_000;

type AckSlot = Arc<Mutex<Option<Result<Vec<Origin>, AppendError>>>>;

/// What somebody publishes: repeated until it is acknowledged.
struct Batch {
    now: i64,
    records: Vec<(TopicPartition, Record)>,
    landed: Option<AckSlot>,
    acknowledged: Option<Vec<Origin>>,
}

pub struct World {
    plan: Plan,
    random: Random,
    disk: Disk,
    faults: LogFaults,
    clock: Arc<ManualClock>,
    wall: i64,
    batches: Vec<Batch>,
    history: History,
    counts: BTreeMap<String, u64>,
    steps: usize,
}

impl World {
    /// Runs a machine until everything that is to be published is decided, and checks what it made of it.
    pub fn run(seed: u64, plan: Plan) -> World {
        let mut world = World::new(seed, plan);
        while world.batches.iter().any(|batch| batch.acknowledged.is_none()) {
            world.live();
        }
        world.settle();
        world
    }

    fn new(seed: u64, plan: Plan) -> World {
        let mut workload = Workload::with_partitions(seed, PARTITIONS);
        let count = if plan == Plan::Faults { BATCHES } else { BATCHES_PLAIN };
        let batches = (0..count).map(|_| {
            let batch = workload.next_epoch();
            let place = |record| {
                let (origin, record) = record_of(record);
                (origin.topic_partition(), record)
            };
            let records = batch.records.iter().map(place).collect();
            Batch { now: batch.now_micros, records, landed: None, acknowledged: None }
        });
        let disk = Disk::default();
        let world = World {
            random: Random::new(seed),
            disk,
            faults: LogFaults::default(),
            clock: Arc::default(),
            wall: 0,
            batches: batches.filter(|batch| !batch.records.is_empty()).collect(),
            history: History::default(),
            counts: BTreeMap::new(),
            steps: 0,
            plan,
        };
        if let Plan::Stop(stop) = &world.plan {
            world.disk.fail(DiskFaults { stop: Some(stop.clone()), ..DiskFaults::default() });
        }
        world
    }

    /// The number of times that each thing happened: to the disk, to the log, to the rest.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = self.counts.clone();
        counts.extend(self.history.seen().counts.clone());
        counts.extend(self.faults.counts().into_iter().map(|(what, count)| (what.to_owned(), count)));
        counts
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn one_in(&mut self, one_in: usize) -> bool {
        self.random.below(one_in) == 0
    }

    fn start(&mut self) -> Option<Node> {
        let (disk, faults) = (self.disk.clone(), self.faults.clone());
        let parts = Parts { disk, faults, clock: Arc::clone(&self.clock), history: self.history.clone() };
        match Node::start(parts) {
            Ok(node) => {
                let from = if node.base.is_some() { "start from a checkpoint" } else { "start from nothing" };
                self.count(from);
                Some(node)
            }
            Err(error) => {
                assert!(!error.is_fatal() || self.disk.is_stopped(), "a node cannot start: {error}");
                self.count("start failed");
                None
            }
        }
    }

    /// One life of a process, from its start to whatever ends it.
    fn live(&mut self) {
        self.set_faults();
        if let Some(mut node) = self.start() {
            let steps_max = if self.plan == Plan::Faults { 1_500 } else { 400 };
            let steps = 20 + self.random.below(steps_max);
            for _ in 0..steps {
                let is_done = self.batches.iter().all(|batch| batch.acknowledged.is_some());
                if is_done || self.disk.is_stopped() {
                    break;
                }
                self.step(&mut node);
            }
            self.end(node);
        } else if self.disk.is_stopped() {
            self.reboot();
        }
    }

    fn set_faults(&mut self) {
        if self.plan != Plan::Faults {
            return;
        }
        // Some lives are without faults, and some are hard.
        let mut rate = |choices: &[usize]| {
            let one_in = choices[self.random.below(choices.len())];
            (one_in > 0).then(|| (Random::new(self.random.next()), one_in))
        };
        self.faults.set(rate(&[0, 10, 40]));
        self.history.seen().one_in = rate(&[0, 5]);
        let mut faults = DiskFaults { one_in: rate(&[0, 0, 30, 100]), ..DiskFaults::default() };
        match self.random.below(4) {
            0 => faults.room_bytes = Some(self.random.below(20_000)),
            1 => faults.steps_left = Some(self.random.below(400)),
            _ => {}
        }
        if faults.room_bytes.is_some() {
            self.count("disk full");
        }
        let known: Vec<&str> = self.counts.keys().filter_map(|what| what.strip_prefix("disk ")).collect();
        if !known.is_empty() && self.random.below(3) == 0 {
            let point = known[self.random.below(known.len())].to_owned();
            faults.stop = Some(Stop { point, hit: 1 + self.random.below(20) as u64 });
        }
        self.disk.fail(faults);
    }

    fn step(&mut self, node: &mut Node) {
        self.steps += 1;
        assert!(self.steps < STEPS_MAX, "no progress");
        if let Some(error) = node.fatal.lock().unwrap().take() {
            assert!(self.disk.is_stopped(), "a node cannot go on: {error}");
        }
        match self.random.below(100) {
            0..20 => self.publish(node),
            20..32 => drop(node.writer.step()),
            32..40 => self.publish_outputs(node, 8),
            40..55 => self.close(node),
            55..75 => drop(node.engine.work()),
            // Without faults there are fewer lives, which are to pass every point often.
            82..90 if self.plan != Plan::Faults => {
                self.publish_outputs(node, 200);
                drop(node.keeper.take().and_then(|_| node.keeper.tidy()));
            }
            75..90 => {
                let messages_max = if self.plan == Plan::Faults && self.one_in(3) {
                    self.count("sink slow");
                    1
                } else {
                    usize::MAX
                };
                node.engine.collect(messages_max);
            }
            90..92 => drop(node.letters.flush()),
            92..96 => {
                self.publish_outputs(node, 40);
                drop(node.keeper.take().and_then(|_| node.keeper.tidy()));
            }
            96..98 => self.faults.release(),
            _ => self.pass_time(),
        }
    }

    fn close(&mut self, node: &mut Node) {
        if let Err(error) = node.closer.step() {
            assert!(!error.is_fatal() || self.disk.is_stopped(), "no epoch can be closed: {error}");
        }
    }

    /// A checkpoint waits for what is published.
    fn publish_outputs(&self, node: &mut Node, turns: usize) {
        for _ in 0..turns {
            if node.outbox.waiting() == 0 || self.disk.is_stopped() {
                return;
            }
            drop(node.publisher.step());
            node.outputs_writer.step();
        }
    }

    fn publish(&mut self, node: &Node) {
        let mut in_flight = 0;
        for batch in &mut self.batches {
            let landed = batch.landed.as_ref().and_then(|landed| landed.lock().unwrap().take());
            match landed {
                Some(Ok(origins)) => {
                    // A batch that is published again is acknowledged again; the first time counts.
                    batch.acknowledged.get_or_insert(origins);
                    batch.landed = None;
                }
                Some(Err(_)) => batch.landed = None,
                None => {}
            }
            if batch.acknowledged.is_none() {
                in_flight += 1;
                if batch.landed.is_none() {
                    self.wall = self.wall.max(batch.now);
                    let landed = AckSlot::default();
                    batch.landed = Some(Arc::clone(&landed));
                    let done = Box::new(move |result| *landed.lock().unwrap() = Some(result));
                    node.log.append(batch.records.clone(), done);
                    break;
                }
            }
            if in_flight == IN_FLIGHT {
                break;
            }
        }
        self.clock.set(self.wall);
    }

    fn pass_time(&mut self) {
        let jump = if self.plan == Plan::Faults && self.one_in(10) {
            let (what, jump) = match self.random.below(2) {
                0 => ("clock stepped back an hour", -HOUR),
                _ => ("clock stepped forward an hour", HOUR),
            };
            self.count(what);
            jump
        } else {
            self.random.below(2_000_000) as i64
        };
        self.wall += jump;
        self.clock.set(self.wall);
    }

    /// Ends the process in one of the ways that there are.
    fn end(&mut self, mut node: Node) {
        let is_told = self.one_in(3);
        if is_told {
            // As a node stops: what was taken in is written.
            while node.writer.step() {}
            node.engine.collect(usize::MAX);
            drop(node.letters.flush());
        }
        drop(node);
        if self.disk.is_stopped() {
            return self.reboot();
        }
        self.count(if is_told { "process stopped" } else { "process killed" });
        let power_lost = self.plan != Plan::Plain && !is_told && self.one_in(2);
        self.next_disk(power_lost);
        self.forget_calls();
    }

    /// The machine stopped: with or without its disk having what was not synced.
    fn reboot(&mut self) {
        self.count("machine stopped");
        let power_lost = self.one_in(2);
        self.next_disk(power_lost);
        self.forget_calls();
    }

    fn next_disk(&mut self, power_lost: bool) {
        for (point, count) in self.disk.points() {
            *self.counts.entry(format!("disk {point}")).or_default() += count;
        }
        let left = match &self.plan {
            Plan::Stop(stop) if !self.counts.contains_key("machine stopped") => {
                let passed = self.counts.get(&format!("disk {}", stop.point)).copied().unwrap_or(0);
                Some(Stop { hit: stop.hit - passed, ..stop.clone() })
            }
            Plan::Stop(_) | Plan::Plain | Plan::Faults => None,
        };
        self.disk = if power_lost {
            self.count("power lost");
            let random = &mut self.random;
            self.disk.after_power_loss(|synced, current| torn(random, synced, current))
        } else {
            self.disk.copy()
        };
        self.disk.fail(DiskFaults { stop: left, ..DiskFaults::default() });
    }

    /// Nobody is told any more what became of what was on its way.
    fn forget_calls(&mut self) {
        self.faults.release();
        self.batches.iter_mut().for_each(|batch| batch.landed = None);
    }

    /// Without faults from here on, everything is decided; then what was made of it is checked.
    fn settle(&mut self) {
        self.disk.fail(DiskFaults::default());
        self.faults.set(None);
        self.history.seen().one_in = None;
        let mut node = self.start().expect("nothing fails any more");
        let ends = |node: &Node| {
            let mut ends = node.journal.ends().unwrap();
            ends.0.remove(&dataflows::contract::topic::Topic::Epochs);
            ends
        };
        let is_behind = |node: &Node| {
            let cut = node.shop.cut();
            ends(node).iter().any(|(at, end)| cut.get(at).unwrap_or(0) < end)
        };
        while is_behind(&node) {
            self.steps += 1;
            assert!(self.steps < STEPS_MAX, "no end");
            self.close(&mut node);
            node.writer.step();
            node.engine.work();
            node.engine.collect(usize::MAX);
        }
        // What is closed beyond that is applied too.
        while node.writer.step() {}
        for _ in 0..10 {
            node.engine.work();
            node.engine.collect(usize::MAX);
        }
        assert!(node.fatal.lock().unwrap().is_none());
        node.letters.flush().unwrap();
        while node.outbox.waiting() > 0 {
            node.publisher.step().unwrap();
            node.outputs_writer.step();
        }
        self.history.see_log(&node.journal).unwrap();
        for batch in &self.batches {
            let origins = batch.acknowledged.as_ref().expect("everything was acknowledged");
            let seen = self.history.seen();
            for (origin, (_, record)) in origins.iter().zip(&batch.records) {
                let found = &seen.records[&origin.topic_partition()][usize::try_from(origin.offset).unwrap()];
                assert_eq!((found.0, &found.1), (origin.offset, record), "what was acknowledged is there");
            }
        }
        reference::check(&mut node, &self.disk, &self.history);
    }
}

/// What a disk may have of a file that was not synced: some of what is new, perhaps not what was written.
fn torn(random: &mut Random, synced: &[u8], current: &[u8]) -> Vec<u8> {
    if random.below(4) == 0 {
        return current.to_vec();
    }
    if random.below(3) == 0 {
        return synced.to_vec();
    }
    let upto = if current.len() > synced.len() {
        synced.len() + random.below(current.len() - synced.len() + 1)
    } else {
        current.len()
    };
    let mut bytes = current[..upto].to_vec();
    // A page that was not written is zeros.
    if upto > synced.len() && random.below(2) == 0 {
        let hole = synced.len() + random.below(upto - synced.len());
        let end = (hole + 64).min(upto);
        bytes[hole..end].fill(0);
    }
    bytes
}
