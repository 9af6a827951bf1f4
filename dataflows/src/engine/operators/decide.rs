//! The operator that holds the decider: one, on one worker. Its result is the plain loop over the log, whatever the
//! number of workers and however far the frontier jumps at once, since an epoch runs when it is whole, in order.

use super::InProcess;
use super::update::CoreUpdate;
use crate::contract::epoch::EpochRecord;
use crate::contract::input::{CommandEnvelope, DeadLetter};
use crate::engine::control::EngineControl;
use crate::ports::{CommandTime, EpochTime, Stopwatch};
use crate::shop::dead_letters::LetterCounts;
use crate::shop::decider;
use crate::shop::decider::Decider;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

/// The input from the workers: commands and dead letters, and from one of them the epochs.
#[derive(Clone, Debug)]
pub enum DeciderInput {
    /// An epoch is sealed.
    Epoch(Arc<EpochRecord>),
    /// A command.
    Command(Box<CommandEnvelope>),
    /// A record that could not be read.
    Dead(DeadLetter),
}

/// An epoch that is not whole yet.
#[derive(Default)]
struct PendingEpoch {
    record: Option<Arc<EpochRecord>>,
    commands: Vec<CommandEnvelope>,
    dead: Vec<DeadLetter>,
}

/// Runs the epochs through `decider`, each with all of its commands, and counts dead letters on from `counts`.
/// `is_new`: it has decided nothing yet. `progress` holds the flag that stops the engine.
pub fn decide<'s>(
    fed: Stream<'s, u64, Vec<(InProcess<DeciderInput>, u64)>>,
    mut decider: Decider,
    mut counts: LetterCounts,
    is_new: bool,
    progress: Arc<EngineControl>,
    stopwatch: Arc<dyn Stopwatch>,
) -> Stream<'s, u64, Vec<(InProcess<CoreUpdate>, u64)>> {
    let to_one = Exchange::new(|_: &(InProcess<DeciderInput>, u64)| 0);
    fed.unary_frontier(to_one, "Decide", |initial, _info| {
        // A capability is held only for what is stashed.
        drop(initial);
        let mut inboxes = BTreeMap::<u64, PendingEpoch>::new();
        let mut held: Option<Capability<u64>> = None;
        let mut first = is_new;
        move |(input, frontier), output| {
            input.for_each(|cap, data| {
                let Some(cap) = cap.retain_least(output.output_index()) else { return };
                if held.as_ref().is_none_or(|held| cap.time() < held.time()) {
                    held = Some(cap);
                }
                for (InProcess(fed), epoch) in data.drain(..) {
                    let inbox = inboxes.entry(epoch).or_default();
                    match fed {
                        DeciderInput::Epoch(record) => inbox.record = Some(record),
                        DeciderInput::Command(envelope) => inbox.commands.push(*envelope),
                        DeciderInput::Dead(letter) => inbox.dead.push(letter),
                    }
                }
            });
            let Some(cap) = held.as_mut() else { return };
            {
                let mut session = output.session(&*cap);
                while let Some(entry) = inboxes.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
                    let (epoch, mut inbox) = entry.remove_entry();
                    let Some(record) = inbox.record else {
                        // The worker that feeds the epochs has stopped before others did; nothing that leaves from here
                        // on counts.
                        let is_stopping = progress.stopping.load(Ordering::Acquire);
                        assert!(is_stopping, "the worker that feeds epochs feeds each of them");
                        continue;
                    };
                    let decided = run(&mut decider, &record, inbox.commands, &*stopwatch);
                    if !inbox.dead.is_empty() {
                        let per_minute = decider.tables().policy().dead_letters_per_min;
                        let quota = counts.take(record.now, per_minute, &mut inbox.dead);
                        session.give((InProcess(CoreUpdate::Quota(quota)), epoch));
                    }
                    session.give((InProcess(CoreUpdate::Epoch { record, first }), epoch));
                    first = false;
                    session
                        .give_iterator(decided.changes.into_iter().map(|row| (InProcess(CoreUpdate::Row(row)), epoch)));
                    let events = decided.events.into_iter().map(Arc::new);
                    session.give_iterator(events.map(|event| (InProcess(CoreUpdate::Event(event)), epoch)));
                    session.give_iterator(
                        inbox.dead.into_iter().map(|letter| (InProcess(CoreUpdate::Dead(letter)), epoch)),
                    );
                }
            }
            match inboxes.first_key_value() {
                Some((epoch, _)) => cap.downgrade(epoch),
                None => held = None,
            }
        }
    })
}

/// Runs an epoch, and reports how long that took.
fn run(
    decider: &mut Decider,
    record: &EpochRecord,
    commands: Vec<CommandEnvelope>,
    stopwatch: &dyn Stopwatch,
) -> decider::EpochOutput {
    let begin = stopwatch.elapsed();
    let (mut last, mut slowest, count) = (begin, None::<CommandTime>, commands.len() as u64);
    let decided = decider.run_watched(record, commands, |origin, command_type| {
        let now = stopwatch.elapsed();
        let took = now.saturating_sub(last);
        last = now;
        if slowest.is_none_or(|slowest| slowest.took < took) {
            slowest = Some(CommandTime { origin, command_type, took });
        }
    });
    let took = stopwatch.elapsed().saturating_sub(begin);
    stopwatch.decided(&EpochTime { epoch: record.epoch, commands: count, took, slowest });
    decided
}
