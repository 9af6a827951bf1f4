//! Goods of an order that come back.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::Money;
use crate::shop::bounds::RETURNS_MAX;
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::field::{Faults, Pointer};
use crate::shop::orders::state::{invalid_transition, order, take_up_to, transition_to};
use crate::shop::orders::{Order, OrderStatus, OrderUpdated};
use crate::shop::payments::MoneyMoved;
use crate::shop::refunds::rules::check_free;
use crate::shop::refunds::{RefundIssued, RefundKind};
use crate::shop::returns::{ItemsReturned, Return, ReturnItems, ReturnedLine};
use crate::shop::stock::StockReason;
use crate::shop::stock::stock_edit::{MovementCause, StockEdit, number};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Takes goods back, at the line's price.
impl Rule for ReturnItems {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let before = order(tables, &self.order_id)?;
        if before.returns() >= RETURNS_MAX {
            return Err(Rejection::invalid("/return_id", "an order has at most 200 returns"));
        }
        let quantities = by_line(before, self)?;
        check_free(before, &self.return_id, "/return_id")?;
        if !matches!(before.status, OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::PartlyReturned) {
            return Err(invalid_transition(before, "returned"));
        }
        check_left(before, self)?;

        let mut after = before.as_ref().clone();
        let mut edit = StockEdit::new(tables);
        let mut left = before.refundable();
        let mut lines = Vec::with_capacity(quantities.len());
        for (index, quantity) in quantities {
            if self.restock {
                restock(&mut edit, before, index, quantity, &self.return_id);
            }
            let line = &mut after.lines[index];
            line.returned += quantity;
            // At most the line's amount, which fits 64 bits.
            let amount = take_up_to(&mut left, quantity * line.unit_price);
            lines.push(ReturnedLine { line: number(index), quantity, amount: Money::new(amount, before.currency) });
        }
        let refund = before.refundable() - left;
        after.refunded += refund;
        after.money_back_ids.push(self.return_id.clone());
        let all = after.lines.iter().all(|line| line.returned == line.quantity);
        transition_to(&mut after, context, if all { OrderStatus::Returned } else { OrderStatus::PartlyReturned });
        tell_return(edit, after, before.status, self, lines, refund)
    }
}

fn tell_return(
    edit: StockEdit<'_>,
    after: Order,
    from: OrderStatus,
    command: &ReturnItems,
    lines: Vec<ReturnedLine>,
    refund: i64,
) -> Result<Decision, Rejection> {
    let order = Arc::new(after);
    let money = Money::new(refund, order.currency);
    let (stock, mut facts, low) = edit.finish()?;
    facts.push(EventPayload::ItemsReturned(ItemsReturned {
        order: Arc::clone(&order),
        returned: Return { return_id: command.return_id.clone(), lines, refund: money, restock: command.restock },
    }));
    facts.push(EventPayload::OrderUpdated(OrderUpdated { order: Arc::clone(&order), from, reason: None }));
    if refund > 0 {
        let moved = MoneyMoved {
            order: Arc::clone(&order),
            refund_id: Some(command.return_id.clone()),
            amount: money,
            reason: Some(SmolStr::new_static("returned")),
        };
        facts.push(EventPayload::RefundIssued(RefundIssued(RefundKind::Returned, moved)));
    }
    facts.extend(low);
    Ok(Decision { writes: Writes { stock, orders: [order].into(), ..Writes::default() }, facts })
}

/// The number of pieces of each line that come back, by the line's index. Entries that name one line count together.
fn by_line(order: &Order, command: &ReturnItems) -> Result<BTreeMap<usize, i64>, Rejection> {
    let (mut quantities, mut faults) = (BTreeMap::<usize, i64>::new(), Faults::default());
    for (n, entry) in command.lines.iter().enumerate() {
        let index = usize::try_from(entry.line).ok().and_then(|line| line.checked_sub(1));
        let Some(index) = index.filter(|index| *index < order.lines.len()) else {
            let detail = format!("the order has {} lines, numbered from 1", order.lines.len());
            faults.add(&Pointer::ROOT.field("lines").entry(n).field("line"), detail);
            continue;
        };
        let sum = quantities.entry(index).or_default();
        *sum = sum.saturating_add(entry.quantity);
    }
    faults.into_result().map(|()| quantities)
}

/// Refuses what is more than was sold and not yet returned, naming each entry at which a line is passed.
fn check_left(order: &Order, command: &ReturnItems) -> Result<(), Rejection> {
    let mut left: Vec<i64> = order.lines.iter().map(|line| line.quantity - line.returned).collect();
    let mut problems = Vec::new();
    for (n, entry) in command.lines.iter().enumerate() {
        let index = usize::try_from(entry.line - 1).expect("the lines are known");
        if entry.quantity > left[index] {
            let detail = format!("{} of line {} can still be returned", left[index].max(0), entry.line);
            problems.push(crate::shop::orders::rules::problem(n, Code::OverReturn, detail));
        }
        left[index] = left[index].saturating_sub(entry.quantity);
    }
    Rejection::of(problems).map_or(Ok(()), Err)
}

/// Puts goods of a line back where they were taken from, from the front, after those that came back before.
fn restock(edit: &mut StockEdit<'_>, order: &Order, index: usize, quantity: i64, return_id: &SmolStr) {
    let line = &order.lines[index];
    let (mut skip, mut left) = (line.returned, quantity);
    for part in &line.taken {
        let room = (part.quantity - skip).max(0);
        skip = (skip - part.quantity).max(0);
        let here = room.min(left);
        if here > 0 {
            let why = MovementCause {
                reason: StockReason::Returned,
                reference: Some(return_id.clone()),
                line: Some(number(index)),
            };
            edit.move_by(&line.sku, &part.location, here, 0, why);
            left -= here;
        }
    }
}
