//! The size of the rows and events of a decision, as JSON: what would be too large is not written. An upper estimate
//! comes first; it is near the limit for few rows only, and only those are measured. Not for the bounds of single
//! values.

use super::EventContext;
use super::writes::Decision;
use crate::contract::code::{Code, Rejection};
use crate::contract::event::Event;
use crate::contract::money::Currency;
use crate::shop::bounds::ROW_BYTES_MAX;
use crate::shop::catalogue::Product;
use crate::shop::credits::Credit;
use crate::shop::event::EventPayload;
use crate::shop::event_spec::Document;
use crate::shop::orders::Order;
use serde::Serialize;
use smol_str::SmolStr;
use std::io;

/// The bytes of a row or event beside its lists, at most: its names, its ids, one description or reason.
const REST_BYTES_MAX: usize = 96 << 10;
/// The bytes of a line beside its texts, at most; in those a character may take two bytes.
const LINE_BYTES_MAX: usize = 240;
/// The bytes of a variant, at most.
const VARIANT_BYTES_MAX: usize = 240;
/// The bytes of a price window, at most.
const WINDOW_BYTES_MAX: usize = 180;
/// As many lines as always fit, with the longest SKUs and categories.
const LINES_SMALL: usize = 190;

/// Refuses a decision that would write a row or event above the limit. `first` is where its first event goes.
///
/// The other rows and events are within the limit as their values are: no list of theirs is long enough. A SKU has
/// stock at 1001 locations at most, a return 5000 entries, a refusal 100 errors.
pub fn check(decision: &Decision, first: &EventContext<'_>) -> Result<(), Rejection> {
    let Decision { writes, facts } = decision;
    for product in &writes.products {
        refuse_above(|| product_most(product), || json_bytes(product.as_ref()), "the product's row")?;
    }
    for order in &writes.orders {
        refuse_above(|| order_most(order), || order_bytes(order), "the order's row")?;
    }
    for credit in &writes.credits {
        refuse_above(|| credit_most(credit), || credit_bytes(credit), "the credit's row")?;
    }
    for (fact, n) in facts.iter().zip(first.n..) {
        refuse_above(|| fact_most(fact), || event_bytes(fact, n, first), fact.name())?;
    }
    Ok(())
}

fn refuse_above(most: impl Fn() -> usize, measured: impl Fn() -> usize, what: &str) -> Result<(), Rejection> {
    if most() <= ROW_BYTES_MAX {
        return Ok(());
    }
    let bytes = measured();
    if bytes <= ROW_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("{what} would have {bytes} bytes; at most {ROW_BYTES_MAX} are allowed");
    Err(Rejection::new(Code::TooLarge, "", detail))
}

fn fact_most(fact: &EventPayload) -> usize {
    match fact.document() {
        None => 0,
        Some(Document::Product(product)) => product_most(product),
        Some(Document::Order(order)) => order_most(order),
        Some(Document::Credit(credit)) => credit_most(credit),
    }
}

/// The bytes of an event. Lines of documents are counted apart from it, since there may be many.
fn event_bytes(fact: &EventPayload, n: u64, first: &EventContext<'_>) -> usize {
    let lines = match fact.document() {
        None | Some(Document::Product(_)) => 0,
        Some(Document::Order(order)) => order_lines(order),
        Some(Document::Credit(credit)) => credit_lines(credit),
    };
    let EventContext { epoch, n: _, cause, at, occurred_at } = *first;
    json_bytes(&Event { epoch, n, cause: cause.clone(), at, occurred_at, fact: fact.without_lines() }) + lines
}

fn product_most(product: &Product) -> usize {
    let attributes = product.attributes.iter().map(|(name, value)| 2 * (name.len() + value.len()) + 6);
    let variants = product.variants.iter().map(|variant| {
        let title = variant.title.as_ref().map_or(0, SmolStr::len);
        VARIANT_BYTES_MAX + 2 * (variant.sku.len() + title) + variant.scheduled.len() * WINDOW_BYTES_MAX
    });
    REST_BYTES_MAX + attributes.sum::<usize>() + variants.sum::<usize>()
}

fn order_most(order: &Order) -> usize {
    lines_most(order.lines.iter().map(|line| (&line.sku, &line.category)))
}

fn credit_most(credit: &Credit) -> usize {
    lines_most(credit.lines.iter().map(|line| (&line.sku, &line.category)))
}

fn lines_most<'a>(lines: impl ExactSizeIterator<Item = (&'a SmolStr, &'a SmolStr)>) -> usize {
    if lines.len() <= LINES_SMALL {
        return 0;
    }
    let lines = lines.map(|(sku, category)| LINE_BYTES_MAX + 2 * (sku.len() + category.len()));
    REST_BYTES_MAX + lines.sum::<usize>()
}

fn order_bytes(order: &Order) -> usize {
    json_bytes(&order.without_lines()) + order_lines(order)
}

fn credit_bytes(credit: &Credit) -> usize {
    json_bytes(&credit.without_lines()) + credit_lines(credit)
}

/// The bytes of an order's lines and what is between them.
fn order_lines(order: &Order) -> usize {
    let fields = r#"{"line":,"sku":,"quantity":,"unit_price":,"amount":,"category":,"returned":},"#.len();
    let lines = order.lines.iter().zip(1..).map(|(line, n)| {
        let texts = text_bytes(&line.sku) + text_bytes(&line.category);
        let money = money_bytes(line.unit_price, order.currency) + money_bytes(line.amount, order.currency);
        fields + texts + money + digits(n) + digits(line.quantity) + digits(line.returned)
    });
    lines.sum::<usize>().saturating_sub(1)
}

/// The same of a credit's.
fn credit_lines(credit: &Credit) -> usize {
    let fields = r#"{"line":,"sku":,"quantity":,"unit_price":,"amount":,"category":},"#.len();
    let lines = credit.lines.iter().zip(1..).map(|(line, n)| {
        let texts = text_bytes(&line.sku) + text_bytes(&line.category);
        let money = money_bytes(line.unit_price, credit.currency) + money_bytes(line.amount, credit.currency);
        fields + texts + money + digits(n) + digits(line.quantity)
    });
    lines.sum::<usize>().saturating_sub(1)
}

/// The bytes of a text as JSON.
fn text_bytes(text: &str) -> usize {
    let more = |byte: u8| match byte {
        b'"' | b'\\' | 8 | 9 | 10 | 12 | 13 => 1,
        0..0x20 => 5,
        0x20.. => 0,
    };
    2 + text.len() + text.bytes().map(more).sum::<usize>()
}

/// The bytes of a number that is not negative.
const fn digits(number: i64) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// The bytes of money that is not negative: what [`crate::contract::money::Money`] writes.
fn money_bytes(amount: i64, currency: Currency) -> usize {
    let (whole, mut part, mut decimals) = (amount / 10_000, amount % 10_000, 4);
    while decimals > currency.minor_digits() && part % 10 == 0 {
        part /= 10;
        decimals -= 1;
    }
    let point = usize::from(decimals > 0);
    r#"{"amount":"","currency":"GBP"}"#.len() + digits(whole) + point + decimals
}

/// The bytes of JSON, counted without keeping them.
fn json_bytes(of: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, of).expect("rows and events have only texts, whole numbers and lists");
    count.0
}

#[cfg(test)]
mod tests;
