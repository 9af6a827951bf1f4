//! Money without goods.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::Currency;
use crate::shop::adjustments::{Adjustment, AdjustmentRecorded, RecordAdjustment};
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use std::sync::Arc;

/// Records money without goods.
impl Rule for RecordAdjustment {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let (currency, amount) = (Currency::known(&self.currency), self.amount.money());
        if tables.adjustments.get(&self.adjustment_id).is_some() {
            let detail = format!("there is an adjustment {:?}", self.adjustment_id);
            return Err(Rejection::new(Code::AlreadyExists, "", detail));
        }
        if amount.currency != currency {
            let detail = format!("the adjustment is in {}", currency.as_str());
            return Err(Rejection::new(Code::CurrencyMismatch, "/amount", detail));
        }
        let adjustment = Arc::new(Adjustment {
            adjustment_id: self.adjustment_id.clone(),
            customer_id: self.customer_id.clone(),
            currency,
            country: self.country.clone(),
            amount,
            reference: self.reference.clone(),
            occurred_at: context.occurred_at,
            epoch: context.epoch,
        });
        let fact = EventPayload::AdjustmentRecorded(AdjustmentRecorded(Arc::clone(&adjustment)));
        Ok(Decision { writes: Writes { adjustments: [adjustment].into(), ..Writes::default() }, facts: vec![fact] })
    }
}
