//! Credits without an order.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::Currency;
use crate::shop::catalogue::InventoryPolicy;
use crate::shop::context::Context;
use crate::shop::credits::{Credit, CreditLine, CreditRecorded, RecordCredit};
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::field::Faults;
use crate::shop::orders::rules::{amount, check_line_count, problem, sellable};
use crate::shop::stock::StockReason;
use crate::shop::stock::stock_edit::{MovementCause, StockEdit, number};
use smol_str::SmolStr;
use std::sync::Arc;

/// Records a credit note.
impl Rule for RecordCredit {
    fn check_bounds(&self, tables: &Tables, faults: &mut Faults) {
        check_line_count(self.lines.len(), tables, faults);
    }

    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let currency = Currency::known(&self.currency);
        if tables.credits.get(&self.credit_id).is_some() {
            let detail = format!("there is a credit {:?}", self.credit_id);
            return Err(Rejection::new(Code::AlreadyExists, "", detail));
        }
        let lines = credit_lines(tables, self, currency)?;
        let Some(total) = lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.amount)) else {
            return Err(Rejection::new(Code::Overflow, "", "the total does not fit 64 bits"));
        };
        let mut edit = StockEdit::new(tables);
        let stocked = |sku: &str| tables.inventory_policy(sku) != InventoryPolicy::None;
        for (n, line) in lines.iter().enumerate().filter(|(_, line)| self.restock && stocked(&line.sku)) {
            let why = MovementCause {
                reason: StockReason::Credited,
                reference: Some(self.credit_id.clone()),
                line: Some(number(n)),
            };
            edit.move_by(&line.sku, &SmolStr::new_static("main"), line.quantity, 0, why);
        }
        let credit = Arc::new(Credit {
            credit_id: self.credit_id.clone(),
            customer_id: self.customer_id.clone(),
            currency,
            country: self.country.clone(),
            lines,
            total,
            restock: self.restock,
            reference: self.reference.clone(),
            occurred_at: context.occurred_at,
            epoch: context.epoch,
        });
        let (stock, mut facts, low) = edit.finish()?;
        facts.push(EventPayload::CreditRecorded(CreditRecorded(Arc::clone(&credit))));
        facts.extend(low);
        Ok(Decision { writes: Writes { stock, credits: [credit].into(), ..Writes::default() }, facts })
    }
}

fn credit_lines(tables: &Tables, command: &RecordCredit, currency: Currency) -> Result<Vec<CreditLine>, Rejection> {
    let (mut lines, mut problems) = (Vec::with_capacity(command.lines.len()), Vec::new());
    for (n, line) in command.lines.iter().enumerate() {
        let priced = sellable(tables, &line.sku).and_then(|(product, variant)| {
            let (unit_price, amount) = amount(line.quantity, line.unit_price.money(), currency)?;
            let category = product.category_path.clone();
            Ok(CreditLine { sku: variant.sku.clone(), quantity: line.quantity, unit_price, amount, category })
        });
        match priced {
            Ok(line) => lines.push(line),
            Err((code, detail)) => problems.push(problem(n, code, detail)),
        }
    }
    Rejection::of(problems).map_or(Ok(lines), Err)
}
