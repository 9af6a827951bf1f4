//! Money of an order that goes back without goods.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::Money;
use crate::shop::Context;
use crate::shop::bounds::REFUNDS_MAX;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::orders::Order;
use crate::shop::orders::state::order;
use crate::shop::payments::MoneyMoved;
use crate::shop::refunds::{IssueRefund, RefundIssued, RefundKind};
use smol_str::SmolStr;
use std::sync::Arc;

/// The refund ids that the shop itself uses: taken from the start.
const SHOP_WORDS: [&str; 4] = ["cancelled", "shipment_failed", "late_capture", "charged_back"];

pub fn check_free(order: &Order, id: &SmolStr, pointer: &'static str) -> Result<(), Rejection> {
    if order.money_back_ids.contains(id) || SHOP_WORDS.contains(&id.as_str()) {
        return Err(Rejection::new(Code::AlreadyExists, pointer, format!("the id {id:?} is taken in this order")));
    }
    Ok(())
}

/// Pays money back without goods.
impl Rule for IssueRefund {
    fn decide(&self, tables: &Tables, _: &Context) -> Result<Decision, Rejection> {
        let amount = self.amount.money();
        let before = order(tables, &self.order_id)?;
        if before.refunds() >= REFUNDS_MAX {
            return Err(Rejection::invalid("/refund_id", "an order has at most 200 refunds"));
        }
        check_free(before, &self.refund_id, "/refund_id")?;
        if amount.currency != before.currency {
            return Err(currency_mismatch(before));
        }
        if self.amount.amount.0 > before.refundable() {
            let detail = format!("{} is left of the order's money", Money::new(before.refundable(), before.currency));
            return Err(Rejection::new(Code::OverRefund, "/amount", detail));
        }
        let mut after = before.as_ref().clone();
        after.refunded += self.amount.amount.0;
        after.money_back_ids.push(self.refund_id.clone());
        let order = Arc::new(after);
        let moved = MoneyMoved {
            order: Arc::clone(&order),
            refund_id: Some(self.refund_id.clone()),
            amount,
            reason: self.reason.clone(),
        };
        let facts = vec![EventPayload::RefundIssued(RefundIssued(RefundKind::MoneyOnly, moved))];
        Ok(Decision { writes: Writes { orders: [order].into(), ..Writes::default() }, facts })
    }
}

/// The refusal of an amount in another currency than the order's.
pub fn currency_mismatch(order: &Order) -> Rejection {
    Rejection::new(Code::CurrencyMismatch, "/amount", format!("the order is in {}", order.currency.as_str()))
}
