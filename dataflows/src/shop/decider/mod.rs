//! The decider: runs the commands of an epoch one after another, then the timers that are due (Rule S). Plain functions
//! on tables in memory; `decide` reads and returns the rows to write and the facts, and only then the tables change.
//! Not for dataflow: the operator that holds a decider is `operators/decide.rs`.

mod rule;
mod size;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod writes;

pub use rule::Rule;
pub use table::Table;
pub use tables::Tables;
pub use writes::{Decision, Writes, WrittenRows};

use crate::contract::changes::{Change, ViewChange, ViewChanges};
use crate::contract::code::Rejection;
use crate::contract::epoch::{Epoch, EpochRecord};
use crate::contract::event::Event;
use crate::contract::input::CommandEnvelope;
use crate::contract::time::Timestamp;
use crate::contract::topic::Origin;
use crate::shop::bounds::AHEAD_S;
use crate::shop::command::{Command, CommandType};
use crate::shop::event::EventPayload;
use crate::shop::field::{Faults, FieldType, Pointer, has_length_of_id};
use crate::shop::operations::{Ids, Operation};
use crate::shop::orders::Order;
use crate::shop::payments::PaymentRow;
use crate::shop::{Context, orders, payments};
use smol_str::SmolStr;
use std::sync::Arc;

/// All state that decisions read, and the only code that changes it.
#[derive(Debug, Default)]
pub struct Decider {
    tables: Tables,
}

/// The output of an epoch.
#[derive(Debug, Default)]
pub struct EpochOutput {
    /// Its events, in order.
    pub events: Vec<Event>,
    /// The rows of tables that changed, before and after the epoch.
    pub changes: Vec<ViewChange>,
}

impl Decider {
    /// The decider as it was after an epoch.
    pub fn after(base: &ViewChanges) -> Decider {
        let mut decider = Decider::default();
        decider.tables.load(base);
        decider
    }

    /// The tables, to look at.
    pub const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Runs an epoch: its commands in the order of their origins, then the timers that are due, then forgets command
    /// ids whose time is over.
    pub fn run(&mut self, record: &EpochRecord, commands: Vec<CommandEnvelope>) -> EpochOutput {
        self.run_watched(record, commands, |_, _| {})
    }

    /// The same; reports after each command which one it was.
    pub fn run_watched(
        &mut self,
        record: &EpochRecord,
        mut commands: Vec<CommandEnvelope>,
        mut decided: impl FnMut(Origin, CommandType),
    ) -> EpochOutput {
        commands.sort_unstable_by_key(|envelope| envelope.origin);
        let mut teller = EventRecorder { epoch: record.epoch, now: record.now, events: Vec::new() };
        for envelope in commands {
            let (origin, command_type) = (envelope.origin, envelope.command.command_type());
            self.command(&mut teller, envelope);
            decided(origin, command_type);
        }
        while let Some(order) = self.tables.next_due(record.now) {
            let context = Context { epoch: record.epoch, now: record.now, occurred_at: record.now };
            let decision = payments::rules::expire(&self.tables, &context, &order);
            teller.record(&SmolStr::new_static("timer:payment_timeout"), record.now, decision.facts);
            self.tables.apply(decision.writes);
        }
        self.tables.forget(record.now);
        EpochOutput { events: teller.events, changes: self.take_changes() }
    }

    fn command(&mut self, teller: &mut EventRecorder, envelope: CommandEnvelope) {
        // Decided before: a repeat changes nothing, and another command under the same id leaves the outcome as it was.
        if self.tables.operation_of(&envelope).is_some_and(|known| known.is_remembered()) {
            return;
        }
        let (epoch, now) = (teller.epoch, teller.now);
        let is_first = match &envelope.command {
            Command::PutProduct(command) => self.tables.products.get(&command.product_id).is_none(),
            _ => false,
        };
        let occurred_at = envelope.command.occurred_at().unwrap_or(now);
        let context = Context { epoch, now, occurred_at };
        let outcome = decide(&self.tables, &context, &envelope.command).and_then(|decision| {
            let first = EventContext { epoch, n: teller.next(), cause: &envelope.command_id, at: now, occurred_at };
            size::check(&decision, &first)?;
            Ok(decision)
        });
        let refusal = match outcome {
            Ok(decision) => {
                teller.record(&envelope.command_id, occurred_at, decision.facts);
                self.tables.apply(decision.writes);
                None
            }
            Err(refusal) => {
                if let Command::PlaceOrder(order) = &envelope.command
                    && orders::rules::is_recorded(refusal.code)
                {
                    let decision = orders::rules::rejected(&context, order, &refusal);
                    teller.record(&envelope.command_id, occurred_at, decision.facts);
                    self.tables.apply(decision.writes);
                }
                Some(Box::new((refusal.code, refusal.errors)))
            }
        };
        let remembered_until = now.plus_s(self.tables.policy().id_memory_s);
        self.tables.remember(Operation {
            command_id: envelope.command_id,
            command_type: envelope.command.command_type(),
            epoch,
            origin: envelope.origin,
            ids: ids(&envelope.command),
            is_first: is_first && refusal.is_none(),
            refusal,
            fingerprint: envelope.fingerprint,
            remembered_until,
        });
    }

    fn take_changes(&mut self) -> Vec<ViewChange> {
        let mut changes = self.tables.take_changes();
        let payments = changes.iter().filter_map(|change| {
            let ViewChange::Orders(change) = change else { return None };
            payment_change(change).map(ViewChange::Payments)
        });
        let payments: Vec<ViewChange> = payments.collect();
        changes.extend(payments);
        changes
    }
}

/// The change of the payment that an order's change shows, if it shows one.
fn payment_change(change: &Change<Order>) -> Option<Change<PaymentRow>> {
    let row = |order: &Option<Arc<Order>>| order.as_deref().and_then(PaymentRow::of);
    let (before, after) = (row(&change.before), row(&change.after));
    if before == after {
        return None;
    }
    Change::of(before.map(Arc::new), after.map(Arc::new))
}

/// The place and time of a decision's first event.
struct EventContext<'a> {
    epoch: Epoch,
    n: u64,
    cause: &'a SmolStr,
    at: Timestamp,
    occurred_at: Timestamp,
}

/// Numbers the facts of an epoch.
struct EventRecorder {
    epoch: Epoch,
    now: Timestamp,
    events: Vec<Event>,
}

impl EventRecorder {
    /// The number of the next event.
    const fn next(&self) -> u64 {
        self.events.len() as u64 + 1
    }

    fn record(&mut self, cause: &SmolStr, occurred_at: Timestamp, facts: Vec<EventPayload>) {
        for fact in facts {
            let n = self.next();
            self.events.push(Event { epoch: self.epoch, n, cause: cause.clone(), at: self.now, occurred_at, fact });
        }
    }
}

macro_rules! commands {
    ($($name:ident: $command:ty;)*) => {
        /// The decision on a command, or why it is refused. Everything that is out of bounds is reported together.
        pub fn decide(tables: &Tables, context: &Context, command: &Command) -> Result<Decision, Rejection> {
            let mut faults = Faults::default();
            match command {
                $(Command::$name(command) => {
                    <$command as FieldType>::check(command, &Pointer::ROOT, &mut faults);
                    command.check_bounds(tables, &mut faults);
                })*
            }
            if context.occurred_at > context.now.plus_s(AHEAD_S) {
                let latest = format!("this is at most 5 minutes after {}", context.now);
                faults.add(&Pointer::ROOT.field("occurred_at"), latest);
            }
            faults.into_result()?;
            match command {
                $(Command::$name(command) => command.decide(tables, context),)*
            }
        }
    };
}

crate::for_each_command!(commands);

/// The ids that a command is about, as far as they are within their bound.
fn ids(command: &Command) -> Ids {
    let part = command.part();
    let part = part.filter(|id| has_length_of_id(id));
    let of = Some(command.id()).filter(|id| has_length_of_id(id)).cloned().unwrap_or_default();
    Ids { of, part: part.map(|id| Box::new(id.clone())) }
}
