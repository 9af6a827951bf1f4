//! The progress of a node that replays the log: which epoch of how many, how fast, how long still. Not for a node
//! that has replayed it.

use crate::node_status::NodeStatus;
use crate::shop::{Rates, ViewStore};
use dataflows::contract::epoch::Epoch;
use std::fmt;

/// The progress of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The last epoch that was taken in.
    pub epoch: Epoch,
    /// The last one that the log held when the node started.
    pub to_epoch: Epoch,
    /// Its rates.
    pub rates: Rates,
    /// The time left at that pace; none before there is a pace.
    pub seconds_left: Option<u64>,
}

impl Progress {
    /// The progress of the node; none before it has anything, and once it is through.
    pub fn of(shop: &ViewStore, vitals: &NodeStatus) -> Option<Progress> {
        let (epoch, to_epoch, rates) = (shop.applied(), vitals.replay_to?, shop.rates());
        if epoch == Epoch(0) || !shop.is_replaying() {
            return None;
        }
        // Epochs are of any size: whichever of the two takes longer is nearer to the truth.
        let epochs = seconds(to_epoch.0.saturating_sub(epoch.0), rates.epochs_per_s);
        let records = seconds(vitals.lag(&shop.cut()), rates.commands_per_s);
        Some(Progress { epoch, to_epoch, rates, seconds_left: epochs.max(records) })
    }
}

fn seconds(left: u64, per_s: f64) -> Option<u64> {
    (per_s > 0.0).then(|| (left as f64 / per_s).ceil() as u64)
}

impl fmt::Display for Progress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { epoch, to_epoch, rates: Rates { commands_per_s, epochs_per_s }, seconds_left } = self;
        write!(out, "replaying: epoch {epoch} of {to_epoch}")?;
        match seconds_left {
            None => Ok(()),
            Some(left) => {
                write!(out, ", {epochs_per_s:.0} epochs/s, {commands_per_s:.0} commands/s, about {left} s left")
            }
        }
    }
}
