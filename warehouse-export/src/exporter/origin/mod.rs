//! Which log each table is made of, and which of its epochs it lacks: properties of the table, so that they go where its
//! folder goes. Not for finding out what is lacking: who follows the topics sees that.

#[cfg(test)]
mod tests;

use super::gaps::lack;
use super::{Exporter, FactTable};
use crate::Error;
use crate::delta::millis;
use crate::input::EpochInput;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;

/// The property that has the id of the log.
const LOG: &str = "tradewind.log";

impl Exporter {
    /// The id of the log that the tables say they are made of, if any of them does.
    pub fn log_id(&self) -> Option<String> {
        let of_tables = || self.tables().find_map(|table| table.property(LOG)).map(str::to_owned);
        self.log_id.clone().or_else(of_tables)
    }

    /// Tells which log the epochs are from. An error if any table is made of another one.
    pub fn identify(&mut self, log_id: &str) -> Result<(), Error> {
        let other = |found: &str, place: String| Error::OtherLog {
            place,
            found: found.to_owned(),
            expected: log_id.to_owned(),
        };
        if let Some(found) = self.log_id.as_deref().filter(|found| *found != log_id) {
            return Err(other(found, self.place.describe("")));
        }
        for table in self.tables() {
            if let Some(found) = table.property(LOG).filter(|found| *found != log_id) {
                return Err(other(found, self.place.describe(&table.schema().table)));
            }
        }
        for table in self.tables_mut().filter(|table| table.property(LOG).is_none()) {
            table.set_property(LOG, log_id.to_owned())?;
        }
        if self.log_id.replace(log_id.to_owned()).is_none() {
            // Known before the next commit too, if there was one.
            self.cut.1.map_or(Ok(()), |now_ms| self.write_progress(self.cut.0, now_ms))?;
        }
        Ok(())
    }

    /// Continues at the epoch `first`, whose time is `now`, although there are others between the tables' end and it: nobody
    /// has them any more, and each table notes what it lacks. `state` has every row of every view at its epoch, which is
    /// the one before `first` or later, and no events: views lack what is before it, facts what is before `first`.
    pub fn resume(&mut self, first: Epoch, now: Timestamp, state: &EpochInput) -> Result<(), Error> {
        let (next, last) = (self.next(), Epoch(first.0.saturating_sub(1)));
        // Views first: as long as what all tables hold is not said to be later, facts are read again.
        for (view, tables) in &mut self.views {
            tables.resume(*view, next, state, self.config.current_rows.max(1))?;
        }
        for FactTable { fact: _, table, rows: _ } in &mut self.facts {
            lack(table, next, last)?;
        }
        let now_ms = millis(now);
        self.write_progress(last, now_ms)?;
        self.cut = (last, Some(now_ms));
        self.taken = self.cut;
        Ok(())
    }
}
