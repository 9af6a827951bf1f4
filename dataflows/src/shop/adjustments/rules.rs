//! Money without goods.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::Money;
use crate::shop::adjustments::{Adjustment, AdjustmentRecorded, RecordAdjustment};
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::validation;
use std::sync::Arc;

/// Records money without goods.
impl Rule for RecordAdjustment {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        validation::id(&self.adjustment_id, "/adjustment_id")?;
        validation::optional_id(self.customer_id.as_deref(), "/customer_id")?;
        let currency = validation::currency(&self.currency, "/currency")?;
        validation::country(&self.country)?;
        validation::optional_text(self.reference.as_ref(), || "/reference".to_owned())?;
        let (amount, given) = validation::signed(&self.amount, "/amount")?;
        if tables.adjustments.get(&self.adjustment_id).is_some() {
            let detail = format!("there is an adjustment {:?}", self.adjustment_id);
            return Err(Rejection::new(Code::AlreadyExists, "", detail));
        }
        if given != currency {
            let detail = format!("the adjustment is in {}", currency.as_str());
            return Err(Rejection::new(Code::CurrencyMismatch, "/amount", detail));
        }
        let adjustment = Arc::new(Adjustment {
            adjustment_id: self.adjustment_id.clone(),
            customer_id: self.customer_id.clone(),
            currency,
            country: self.country.clone(),
            amount: Money::new(amount, currency),
            reference: self.reference.clone(),
            occurred_at: context.occurred_at,
            epoch: context.epoch,
        });
        let fact = EventPayload::AdjustmentRecorded(AdjustmentRecorded(Arc::clone(&adjustment)));
        Ok(Decision { writes: Writes { adjustments: [adjustment].into(), ..Writes::default() }, facts: vec![fact] })
    }
}
