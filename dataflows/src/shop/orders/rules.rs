//! Placing an order: prices it, checks every line's stock, reserves every line or none.

use crate::contract::code::{Code, FieldError, Rejection};
use crate::contract::money::{Currency, Money, MoneyInput};
use crate::shop::bounds::LINES_MAX;
use crate::shop::cached_hash::CachedHash;
use crate::shop::catalogue::{Product, Variant};
use crate::shop::command::spec::CommandSpec;
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::field::{Faults, Pointer};
use crate::shop::orders::{
    History, Order, OrderCreated, OrderLine, OrderRejected, OrderStatus, Payment, PaymentStatus, PlaceOrder,
};
use crate::shop::payments::{MoneyMoved, PaymentMethod, PaymentProcessed, PaymentRequested};
use crate::shop::stock::stock_edit::StockEdit;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Returns true if an order that is refused with that code keeps a row.
pub const fn is_recorded(code: Code) -> bool {
    !matches!(code, Code::Invalid | Code::AlreadyExists | Code::CommandIdReused | Code::TooLarge)
}

/// Places an order.
impl Rule for PlaceOrder {
    fn check_bounds(&self, tables: &Tables, faults: &mut Faults) {
        check_line_count(self.lines.len(), tables, faults);
    }

    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let currency = Currency::known(&self.currency);
        if let Some(order) = tables.orders.get(self.id())
            && order.status != OrderStatus::Rejected
        {
            return Err(Rejection::new(Code::AlreadyExists, "", format!("there is an order {:?}", self.id())));
        }
        let mut lines = price_lines(tables, context, self, currency)?;
        let Some(total) = lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.amount)) else {
            return Err(Rejection::new(Code::Overflow, "", "the total does not fit 64 bits"));
        };
        let mut edit = StockEdit::new(tables);
        reserve(tables, &mut edit, &mut lines)?;

        let method = self.payment.method;
        let paid = method == PaymentMethod::Settled || total == 0;
        let status = if paid { OrderStatus::Paid } else { OrderStatus::PendingPayment };
        let policy = tables.policy();
        let timeout_s = match method {
            PaymentMethod::Sandbox | PaymentMethod::Settled => policy.payment_timeout_s,
            PaymentMethod::External => policy.payment_timeout_external_s,
        };
        let payment = Payment {
            method,
            status: if paid { PaymentStatus::Processed } else { PaymentStatus::Requested },
            token: self.payment.token.clone(),
            deadline: (!paid).then(|| context.now.plus_s(timeout_s)),
            processed: paid,
            failed: None,
            charged_back: None,
        };
        let order = Arc::new(Order {
            status,
            lines,
            total,
            captured: if paid { total } else { 0 },
            payment: Some(payment),
            ..new_order(context, self, currency, status)
        });
        for (n, line) in order.lines.iter().enumerate() {
            edit.tell_reserved(&order.order_id, n, line);
        }
        let (stock, mut facts, low) = edit.finish()?;
        facts.push(EventPayload::OrderCreated(OrderCreated(Arc::clone(&order))));
        facts.extend(money_facts(&order));
        facts.extend(low);
        Ok(Decision { writes: Writes { stock, orders: [order].into(), ..Writes::default() }, facts })
    }
}

/// The event of a new order's money: none if it costs nothing.
fn money_facts(order: &Arc<Order>) -> Option<EventPayload> {
    let payment = order.payment.as_ref().filter(|_| order.total > 0)?;
    let amount = Money::new(order.total, order.currency);
    Some(if payment.processed {
        EventPayload::PaymentProcessed(PaymentProcessed(MoneyMoved {
            order: Arc::clone(order),
            refund_id: None,
            amount,
            reason: None,
        }))
    } else {
        EventPayload::PaymentRequested(PaymentRequested {
            order_id: order.order_id.clone(),
            amount,
            method: payment.method,
            token: payment.token.clone(),
        })
    })
}

/// An order without goods and money, in its first state.
fn new_order(context: &Context, command: &PlaceOrder, currency: Currency, status: OrderStatus) -> Order {
    Order {
        order_id: command.id().clone(),
        status,
        code: None,
        customer_id: command.customer_id.clone(),
        country: command.country.clone(),
        currency,
        lines: Vec::new(),
        total: 0,
        captured: 0,
        refunded: 0,
        payment: None,
        shipment: None,
        history: smallvec![History { status, at: context.now, epoch: context.epoch }],
        placed_at: context.occurred_at,
        money_back_ids: Vec::new(),
        memo: CachedHash::default(),
    }
}

/// The row and event of an order that was refused.
pub fn rejected(context: &Context, command: &PlaceOrder, refusal: &Rejection) -> Decision {
    // A bad currency is `invalid`, which keeps no row.
    let currency = Currency::known(&command.currency);
    let order = Order { code: Some(refusal.code), ..new_order(context, command, currency, OrderStatus::Rejected) };
    let fact = EventPayload::OrderRejected(OrderRejected {
        order_id: order.order_id.clone(),
        code: refusal.code,
        errors: refusal.errors.clone(),
    });
    Decision { writes: Writes { orders: [Arc::new(order)].into(), ..Writes::default() }, facts: vec![fact] }
}

/// Refuses more lines than the policy allows.
pub fn check_line_count(count: usize, tables: &Tables, faults: &mut Faults) {
    let most = tables.policy().order_lines_max;
    // More than any policy may allow is out of the list's own bounds.
    if count <= LINES_MAX && i64::try_from(count).is_ok_and(|count| count > most) {
        faults.add(&Pointer::ROOT.field("lines"), format!("the policy allows 1 to {most} lines"));
    }
}

/// The lines of the order with their prices, or what is wrong with each.
fn price_lines(
    tables: &Tables,
    context: &Context,
    command: &PlaceOrder,
    currency: Currency,
) -> Result<Vec<OrderLine>, Rejection> {
    let (mut lines, mut problems) = (Vec::with_capacity(command.lines.len()), Vec::new());
    for (n, line) in command.lines.iter().enumerate() {
        let priced = sellable(tables, &line.sku).and_then(|(product, variant)| {
            let given = line.unit_price.as_ref().map(MoneyInput::money);
            let price = given.unwrap_or_else(|| variant.price_at(context.now));
            let (unit_price, amount) = amount(line.quantity, price, currency)?;
            Ok(OrderLine {
                sku: variant.sku.clone(),
                category: product.category_path.clone(),
                quantity: line.quantity,
                unit_price,
                amount,
                returned: 0,
                taken: SmallVec::new(),
            })
        });
        match priced {
            Ok(line) => lines.push(line),
            Err((code, detail)) => problems.push(problem(n, code, detail)),
        }
    }
    Rejection::of(problems).map_or(Ok(lines), Err)
}

type LineError = (Code, String);

/// A problem of a line.
pub fn problem(n: usize, code: Code, detail: String) -> FieldError {
    FieldError { pointer: format!("/lines/{n}").into(), code, detail: detail.into() }
}

/// The product and variant of a SKU, if it is sold.
pub fn sellable<'a>(tables: &'a Tables, sku: &str) -> Result<(&'a Arc<Product>, &'a Variant), LineError> {
    let unknown = || (Code::UnknownSku, format!("{sku:?} is not in the catalogue"));
    let (product, variant) = tables.product_of_sku(sku).ok_or_else(unknown)?;
    let variant = variant.filter(|_| !product.archived);
    let variant = variant.ok_or_else(|| (Code::NotSold, format!("{sku:?} is no longer sold")))?;
    Ok((product, variant))
}

/// Unit price and amount of a line, in the document's currency.
pub fn amount(quantity: i64, price: Money, currency: Currency) -> Result<(i64, i64), LineError> {
    if price.currency != currency {
        let detail = format!("the price is in {}, the document in {}", price.currency.as_str(), currency.as_str());
        return Err((Code::CurrencyMismatch, detail));
    }
    let unit_price = i64::try_from(price.amount).ok();
    let amount = unit_price.and_then(|price| price.checked_mul(quantity));
    unit_price.zip(amount).ok_or_else(|| (Code::Overflow, "quantity × unit price does not fit 64 bits".to_owned()))
}

/// Reserves every line or none. Lines are taken in order; one that falls short takes all that there is, so that lines
/// of one SKU count together.
fn reserve(tables: &Tables, edit: &mut StockEdit<'_>, lines: &mut [OrderLine]) -> Result<(), Rejection> {
    let mut problems = Vec::new();
    for (n, line) in lines.iter_mut().enumerate() {
        let (taken, short) = edit.take(&line.sku, line.quantity, tables.inventory_policy(&line.sku));
        if short > 0 {
            let detail = format!("{} of {:?} are wanted, {} are left", line.quantity, line.sku, line.quantity - short);
            problems.push(problem(n, Code::OutOfStock, detail));
        }
        line.taken = taken;
    }
    Rejection::of(problems).map_or(Ok(()), Err)
}
