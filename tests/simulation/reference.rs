//! The node that never stopped: it reads the same log from its beginning, without faults. What the other one has must be
//! what it has: every epoch, the kept state in every byte, the dead letters.

use super::history::History;
use super::node::{Node, Parts};
use crate::outputs;
use ingest::dead_letters::{DeadLetters, Letter, LetterFilter};
use ingest::log::Log;
use ingest::testing::{Disk, LogFaults, ManualClock};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Holds a node that has decided everything against the reference.
pub fn check(node: &mut Node, disk: &Disk, history: &History) {
    let last = node.shop.latest().expect("it has decided something");
    let reference_disk = Disk::default();
    let reference_history = History::default();
    let parts = || Parts {
        disk: reference_disk.clone(),
        faults: LogFaults::default(),
        clock: Arc::new(ManualClock::default()),
        history: reference_history.clone(),
    };
    // Its log is the other's, with what was deleted there.
    let mut filling = Node::start(parts()).expect("nothing fails");
    for (at, records) in &history.seen().records {
        let records = records.iter().map(|(_, record)| (*at, record.clone())).collect();
        filling.journal.append(records, Box::new(|result| drop(result.expect("it has room"))));
        while filling.writer.step() {}
    }
    drop(filling);
    let mut reference = Node::start(parts()).expect("nothing fails");
    while reference.shop.latest() != Some(last) {
        reference.engine.work();
        reference.engine.collect(usize::MAX);
    }
    reference.letters.flush().expect("nothing fails");

    let (seen, expected) = (history.seen().epochs.clone(), reference_history.seen().epochs.clone());
    assert_eq!(seen.len(), expected.len(), "as many epochs");
    for (epoch, changes) in &seen {
        assert_eq!(changes, &expected[epoch], "epoch {epoch}");
    }
    let all: Vec<_> = expected.values().cloned().collect();
    outputs::check(&*node.outputs, &all);
    while reference.outbox.waiting() > 0 {
        reference.publisher.step().expect("nothing fails");
        reference.outputs_writer.step();
    }
    let (found, expected) = (letters(&node.letters), letters(&reference.letters));
    let places = |of: &[Letter]| of.iter().map(|letter| letter.summary.origin.to_string()).collect::<Vec<_>>();
    assert_eq!(places(&found), places(&expected));
    assert_eq!(found, expected);
    let manifests = [node.keeper.take(), reference.keeper.take()].map(|taken| taken.expect("nothing fails"));
    assert_eq!(manifests[0], manifests[1]);
    assert_eq!(files(disk, last.0), files(&reference_disk, last.0));
}

fn letters(of: &DeadLetters) -> Vec<Letter> {
    let all = of.list(None, LetterFilter::All, usize::MAX).expect("it can be read");
    all.into_iter().map(|summary| of.letter(summary.origin).expect("it is there")).collect()
}

fn files(disk: &Disk, epoch: u64) -> BTreeMap<String, Vec<u8>> {
    let folder = format!("checkpoints/{epoch}/");
    let names = disk.names().into_iter().filter(|name| name.starts_with(&folder));
    names.map(|name| (name.clone(), disk.bytes(&name))).collect()
}
