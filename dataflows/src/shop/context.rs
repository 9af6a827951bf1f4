//! The input of a decision beside the tables.

use crate::contract::code::{Code, Rejection};
use crate::contract::epoch::Epoch;
use crate::contract::time::Timestamp;

/// The input of a decision beside the tables.
#[derive(Clone, Debug)]
pub struct Context {
    /// The epoch.
    pub epoch: Epoch,
    /// Its time.
    pub now: Timestamp,
    /// Business time: the command's own, or `now`.
    pub occurred_at: Timestamp,
}

/// The refusal of a command about something that is not there.
pub fn not_found(what: &'static str, id: &str) -> Rejection {
    Rejection::new(Code::NotFound, "", format!("there is no {what} {id:?}"))
}
