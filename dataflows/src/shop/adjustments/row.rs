//! The row of an adjustment; it never changes.

use crate::contract::epoch::Epoch;
use crate::contract::money::{Currency, Money};
use crate::contract::time::Timestamp;
use crate::engine::encoding::encode_struct;
use crate::shop::footprint::{Footprint, maybe, text};
use crate::shop::row::{Row, TableRow, View};
use serde::Serialize;
use smol_str::SmolStr;
use std::borrow::Cow;

/// Money without goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adjustment {
    /// Its id.
    pub adjustment_id: SmolStr,
    /// The customer's id.
    pub customer_id: Option<SmolStr>,
    /// The currency.
    pub currency: Currency,
    /// The country.
    pub country: SmolStr,
    /// The amount, signed.
    pub amount: Money,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Timestamp,
    /// The epoch that recorded it.
    pub epoch: Epoch,
}

impl Row for Adjustment {
    const VIEW: View = View::Adjustments;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.adjustment_id)
    }

    fn key_text(&self) -> SmolStr {
        self.adjustment_id.clone()
    }
}

impl TableRow for Adjustment {
    fn id(&self) -> &str {
        &self.adjustment_id
    }
}

encode_struct! {
    Adjustment { adjustment_id, customer_id, currency, country, amount, reference, occurred_at, epoch }
}

impl Footprint for Adjustment {
    fn heap_bytes(&self) -> usize {
        let texts = text(&self.adjustment_id) + maybe(self.customer_id.as_ref()) + text(&self.country);
        texts + maybe(self.reference.as_ref())
    }
}
