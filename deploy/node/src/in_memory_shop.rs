//! A shop for tests that decides commands at once, in memory. Not for how they get there.

use dataflows::contract::epoch::{Cut, Epoch, EpochRecord};
use dataflows::contract::input::CommandEnvelope;
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::Origin;
use dataflows::shop::command::Command;
use dataflows::shop::decider::{Decider, Tables};

/// A shop with its log.
#[derive(Default)]
pub struct InMemoryShop {
    decider: Decider,
    epoch: Epoch,
    offset: u64,
}

impl InMemoryShop {
    /// Decides commands in an epoch and returns those that were refused, with their codes.
    pub fn decide(&mut self, commands: &[(String, Command)]) -> Vec<String> {
        self.epoch = self.epoch.next();
        let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time").plus_s(self.epoch.0 as i64);
        let envelopes = commands.iter().map(|(id, command)| {
            self.offset += 1;
            let (topic, key) = (command.command_type().topic(), command.key().to_owned());
            CommandEnvelope {
                origin: Origin { topic, partition: 0, offset: self.offset },
                command_id: id.as_str().into(),
                fingerprint: command.fingerprint(key.as_bytes()),
                command: command.clone(),
            }
        });
        let envelopes = envelopes.collect();
        self.decider.run(&EpochRecord { v: 1, epoch: self.epoch, now, rules: 1, cut: Cut::default() }, envelopes);
        let refused = |id: &str| {
            let operation = self.tables().operations.get(id).expect("each command has an outcome");
            operation.refusal.as_ref().map(|refusal| format!("{id}: {:?}", refusal.0))
        };
        commands.iter().filter_map(|(id, _)| refused(id)).collect()
    }

    /// The tables of the shop.
    pub fn tables(&self) -> &Tables {
        self.decider.tables()
    }
}
