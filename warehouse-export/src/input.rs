//! What the tables are made of: whole epochs, as the output topics have them. The node reads them from the
//! log.

use bytes::Bytes;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use smol_str::SmolStr;

/// An epoch: all its events and all changes of views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochInput {
    /// Its number.
    pub epoch: Epoch,
    /// Its time.
    pub now: Timestamp,
    /// Its events, by their places.
    pub events: Vec<EventInput>,
    /// The rows that changed, at most once each.
    pub changes: Vec<ChangeInput>,
}

/// A record of `<domain>.events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventInput {
    /// Its place in the epoch.
    pub n: u64,
    /// What happened, as in `tradewind.<Name>.v1`.
    pub name: SmolStr,
    /// What it is about.
    pub key: SmolStr,
    /// Its data, as JSON.
    pub data: Bytes,
}

/// A record of `views.<view>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInput {
    /// The view.
    pub view: View,
    /// The row's key.
    pub key: SmolStr,
    /// The row as it is now, as JSON; none if it is gone.
    pub value: Option<Bytes>,
}

impl EpochInput {
    /// How many records it has, and how many bytes are in them: what commits are measured by.
    pub fn size(&self) -> (u64, u64) {
        let EpochInput { epoch: _, now: _, events, changes } = self;
        let of_events = events.iter().map(|event| event.data.len());
        let of_changes = changes.iter().map(|change| change.key.len() + change.value.as_ref().map_or(0, Bytes::len));
        ((events.len() + changes.len()) as u64, of_events.chain(of_changes).sum::<usize>() as u64)
    }
}
