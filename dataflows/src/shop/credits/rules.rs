//! Credits without an order.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::{Currency, Money};
use crate::shop::catalogue::InventoryPolicy;
use crate::shop::context::Context;
use crate::shop::credits::{Credit, CreditLine, CreditRecorded, RecordCredit};
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::orders::rules::{amount, problem, sellable};
use crate::shop::stock::StockReason;
use crate::shop::stock::stock_edit::{MovementCause, StockEdit, number};
use crate::shop::validation;
use smol_str::SmolStr;
use std::sync::Arc;

/// Records a credit note.
impl Rule for RecordCredit {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let (currency, prices) = check_credit(tables, self)?;
        if tables.credits.get(&self.credit_id).is_some() {
            let detail = format!("there is a credit {:?}", self.credit_id);
            return Err(Rejection::new(Code::AlreadyExists, "", detail));
        }
        let lines = credit_lines(tables, self, currency, &prices)?;
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

/// Checks the bounds of a credit; gives back its currency and its prices.
fn check_credit(tables: &Tables, command: &RecordCredit) -> Result<(Currency, Vec<Money>), Rejection> {
    validation::id(&command.credit_id, "/credit_id")?;
    validation::optional_id(command.customer_id.as_deref(), "/customer_id")?;
    let currency = validation::currency(&command.currency, "/currency")?;
    validation::country(&command.country)?;
    validation::optional_text(command.reference.as_ref(), || "/reference".to_owned())?;
    validation::lines(command.lines.len(), tables.policy().order_lines_max)?;
    let mut prices = Vec::with_capacity(command.lines.len());
    for (n, line) in command.lines.iter().enumerate() {
        validation::id_in(&line.sku, "lines", n, "sku")?;
        validation::quantity(line.quantity, || format!("/lines/{n}/quantity"))?;
        prices.push(validation::price(&line.unit_price, &format!("/lines/{n}/unit_price"))?);
    }
    Ok((currency, prices))
}

fn credit_lines(
    tables: &Tables,
    command: &RecordCredit,
    currency: Currency,
    prices: &[Money],
) -> Result<Vec<CreditLine>, Rejection> {
    let (mut lines, mut problems) = (Vec::with_capacity(command.lines.len()), Vec::new());
    for (n, (line, price)) in command.lines.iter().zip(prices).enumerate() {
        let priced = sellable(tables, &line.sku).and_then(|(product, variant)| {
            let (unit_price, amount) = amount(line.quantity, *price, currency)?;
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
