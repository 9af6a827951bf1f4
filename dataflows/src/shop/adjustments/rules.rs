//! Money without goods.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::Money;
use crate::shop::adjustments::{Adjustment, RecordAdjustment};
use crate::shop::context::Context;
use crate::shop::decider::Tables;
use crate::shop::decider::{Decision, Writes};
use crate::shop::event::EventPayload;
use crate::shop::validation;
use std::sync::Arc;

/// Records money without goods.
pub fn record_adjustment(
    tables: &Tables,
    context: &Context,
    command: &RecordAdjustment,
) -> Result<Decision, Rejection> {
    validation::id(&command.adjustment_id, "/adjustment_id")?;
    validation::optional_id(command.customer_id.as_deref(), "/customer_id")?;
    let currency = validation::currency(&command.currency, "/currency")?;
    validation::country(&command.country)?;
    validation::optional_text(command.reference.as_ref(), || "/reference".to_owned())?;
    let (amount, given) = validation::signed(&command.amount, "/amount")?;
    if tables.adjustments.get(&command.adjustment_id).is_some() {
        let detail = format!("there is an adjustment {:?}", command.adjustment_id);
        return Err(Rejection::new(Code::AlreadyExists, "", detail));
    }
    if given != currency {
        let detail = format!("the adjustment is in {}", currency.as_str());
        return Err(Rejection::new(Code::CurrencyMismatch, "/amount", detail));
    }
    let adjustment = Arc::new(Adjustment {
        adjustment_id: command.adjustment_id.clone(),
        customer_id: command.customer_id.clone(),
        currency,
        country: command.country.clone(),
        amount: Money::new(amount, currency),
        reference: command.reference.clone(),
        occurred_at: context.occurred_at,
        epoch: context.epoch,
    });
    let fact = EventPayload::AdjustmentRecorded(Arc::clone(&adjustment));
    Ok(Decision { writes: Writes { adjustment: Some(adjustment), ..Writes::default() }, facts: vec![fact] })
}
