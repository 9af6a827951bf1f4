//! The commands that this node sent to the log and that no readable epoch holds yet. Not for outcomes: those are rows.

use dataflows::contract::topic::Origin;
use dataflows::shop::command::{Command, CommandType};
use parking_lot::Mutex;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A command on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightCommand {
    /// Its type.
    pub command_type: CommandType,
    /// The id that it is about.
    pub of: SmolStr,
    /// Its place, once the log has reported it.
    pub origin: Option<Origin>,
}

/// All of them, by command id.
pub struct InFlightCommands {
    state: Mutex<BTreeMap<SmolStr, InFlightCommand>>,
    flights_max: usize,
}

impl InFlightCommands {
    /// None, and no more than that many later.
    pub fn new(flights_max: usize) -> InFlightCommands {
        InFlightCommands { state: Mutex::default(), flights_max }
    }

    /// Notes commands that are about to be appended; false if there are too many.
    pub fn start<'c>(
        &self,
        commands: impl ExactSizeIterator<Item = (&'c SmolStr, &'c Command)>,
        is_covered: impl Fn(Origin) -> bool,
    ) -> bool {
        let mut state = self.state.lock();
        if state.len() + commands.len() > self.flights_max {
            // Those whose callers went away before the decision are only found here.
            state.retain(|_, flight| !flight.origin.is_some_and(&is_covered));
        }
        if state.len() + commands.len() > self.flights_max {
            return false;
        }
        for (command_id, command) in commands {
            let of = SmolStr::new(command.key());
            state
                .insert(command_id.clone(), InFlightCommand { command_type: command.command_type(), of, origin: None });
        }
        true
    }

    /// Notes the place of a command.
    pub fn appended(&self, command_id: &SmolStr, origin: Origin) {
        if let Some(flight) = self.state.lock().get_mut(command_id) {
            flight.origin = Some(origin);
        }
    }

    /// Forgets a command: it has an outcome, or the log did not take it.
    pub fn end(&self, command_id: &SmolStr) {
        self.state.lock().remove(command_id);
    }

    /// A command that may still get its outcome.
    pub fn get(&self, command_id: &str) -> Option<InFlightCommand> {
        self.state.lock().get(command_id).cloned()
    }

    /// The number of commands.
    pub fn len(&self) -> usize {
        self.state.lock().len()
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
