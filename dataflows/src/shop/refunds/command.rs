//! The command that pays money back without goods.

use crate::contract::money::MoneyInput;
use crate::contract::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Pays money of an order back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct IssueRefund {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// The refund's id within the order.
    pub refund_id: SmolStr,
    /// How much, at most what is left.
    pub amount: MoneyInput,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

crate::strict_object! { IssueRefund }
