//! The events in the built-in shop: story `n` is an order and its end, and follows from the seed and `n` alone, so
//! that playing it again repeats the same commands. Not for when it is played.

use super::shop::{Shop, Variant, received};
use crate::split_mix::SplitMix64;
use dataflows::contract::money::Amount;
use dataflows::shop::adjustments::RecordAdjustment;
use dataflows::shop::catalogue::InventoryPolicy;
use dataflows::shop::command::Command;
use dataflows::shop::credits::{CreditLineInput, RecordCredit};
use dataflows::shop::fulfilment::ShipOrder;
use dataflows::shop::orders::{CancelOrder, PlaceLine, PlaceOrder, PlacePayment};
use dataflows::shop::payments::PaymentMethod;

/// The number of stories after which an order ends.
pub const ENDS_AFTER: u64 = 6;
/// Every so many stories, goods come in.
const DELIVERY_EVERY: u64 = 4;
const COUNTRIES: [&str; 8] = ["DE", "DE", "DE", "FR", "NL", "AT", "GB", "DK"];

/// The end of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderEnding {
    /// It is shipped.
    Shipped,
    /// It is cancelled before it was paid.
    NeverPaid,
    /// It is cancelled after it was paid.
    Cancelled,
    /// It is shipped, and one of its lines is credited.
    Credited,
    /// It is shipped, and something is paid back for the wait.
    Adjusted,
}

/// An order and its end.
pub struct Story<'a> {
    shop: &'a Shop,
    n: u64,
    customer: String,
    country: &'static str,
    lines: Vec<(&'a Variant, i64)>,
    ending: OrderEnding,
}

impl<'a> Story<'a> {
    /// Story `n`.
    pub fn new(shop: &'a Shop, seed: u64, n: u64) -> Story<'a> {
        let mut numbers = SplitMix64::new(seed ^ n.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let variants: Vec<&Variant> = shop.variants().collect();
        let customer = numbers.below(200);
        let country = COUNTRIES[usize::try_from(customer).expect("a customer is small") % COUNTRIES.len()];
        let lines = (0..1 + numbers.below(3)).map(|_| {
            // The smaller of two, so that some goods sell better than others.
            let count = variants.len() as u64;
            let at = usize::try_from(numbers.below(count).min(numbers.below(count))).expect("an index is small");
            (variants[at], i64::from(numbers.below(8) == 0) + 1)
        });
        let lines = lines.collect();
        let ending = match numbers.below(100) {
            0..70 => OrderEnding::Shipped,
            70..78 => OrderEnding::NeverPaid,
            78..86 => OrderEnding::Cancelled,
            86..95 => OrderEnding::Credited,
            _ => OrderEnding::Adjusted,
        };
        Story { shop, n, customer: format!("demo-customer-{customer:03}"), country, lines, ending }
    }

    /// The id of its order.
    pub fn order_id(n: u64) -> String {
        format!("demo-{n}")
    }

    /// The id of the command that places its order.
    pub fn place_id(n: u64) -> String {
        format!("demo-{n}-place")
    }

    /// Its beginning: an order, and sometimes a delivery to the shop.
    pub fn beginning(&self) -> Vec<(String, Command)> {
        let lines = self.lines.iter().map(|(variant, quantity)| PlaceLine {
            sku: variant.sku.as_str().into(),
            quantity: *quantity,
            unit_price: None,
        });
        let method =
            if self.ending == OrderEnding::NeverPaid { PaymentMethod::External } else { PaymentMethod::Settled };
        let place = PlaceOrder {
            order_id: Some(Story::order_id(self.n).into()),
            customer_id: Some(self.customer.as_str().into()),
            currency: self.shop.currency.as_str().into(),
            country: self.country.into(),
            lines: lines.collect(),
            payment: PlacePayment { method, token: None },
            occurred_at: None,
        };
        let mut commands = vec![(Story::place_id(self.n), Command::PlaceOrder(place))];
        commands.extend(self.delivery());
        commands
    }

    /// Its end, if its order was taken.
    pub fn end(&self) -> Vec<(String, Command)> {
        let (n, order_id) = (self.n, Story::order_id(self.n));
        let cancel = |reason: &str| {
            let cancel =
                CancelOrder { order_id: order_id.as_str().into(), reason: Some(reason.into()), occurred_at: None };
            (format!("demo-{n}-cancel"), Command::CancelOrder(cancel))
        };
        let ship = || {
            let ship = ShipOrder {
                order_id: order_id.as_str().into(),
                carrier: Some("Tradewind Post".into()),
                tracking: Some(format!("TW{n:08}").into()),
                occurred_at: None,
            };
            (format!("demo-{n}-ship"), Command::ShipOrder(ship))
        };
        match self.ending {
            OrderEnding::Shipped => vec![ship()],
            OrderEnding::NeverPaid => vec![cancel("not paid")],
            OrderEnding::Cancelled => vec![cancel("changed my mind")],
            OrderEnding::Credited => vec![ship(), (format!("demo-{n}-credit"), Command::RecordCredit(self.credit()))],
            OrderEnding::Adjusted => {
                vec![ship(), (format!("demo-{n}-adjust"), Command::RecordAdjustment(self.adjustment()))]
            }
        }
    }

    /// Goods come in, one SKU after the other, at one location and the other.
    fn delivery(&self) -> Option<(String, Command)> {
        if !self.n.is_multiple_of(DELIVERY_EVERY) {
            return None;
        }
        let kept: Vec<&Variant> =
            self.shop.variants().filter(|variant| variant.inventory_policy != InventoryPolicy::None).collect();
        let count = self.n / DELIVERY_EVERY;
        let variant = kept[usize::try_from(count % kept.len() as u64).expect("an index is small")];
        let location = if (count / kept.len() as u64).is_multiple_of(2) { "main" } else { "north" };
        let reference = format!("demo-delivery-{count}");
        Some((reference.clone(), Command::MoveStock(received(&variant.sku, location, 9, &reference))))
    }

    fn credit(&self) -> RecordCredit {
        let (variant, _) = self.lines[0];
        let line = CreditLineInput {
            sku: variant.sku.as_str().into(),
            quantity: 1,
            unit_price: self.shop.money(variant.price),
        };
        RecordCredit {
            credit_id: format!("demo-credit-{}", self.n).into(),
            customer_id: Some(self.customer.as_str().into()),
            currency: self.shop.currency.as_str().into(),
            country: self.country.into(),
            lines: vec![line],
            // No goods come back of a variant that is not kept in stock.
            restock: variant.inventory_policy != InventoryPolicy::None,
            reference: Some(Story::order_id(self.n).into()),
            occurred_at: None,
        }
    }

    fn adjustment(&self) -> RecordAdjustment {
        RecordAdjustment {
            adjustment_id: format!("demo-adjustment-{}", self.n).into(),
            customer_id: Some(self.customer.as_str().into()),
            currency: self.shop.currency.as_str().into(),
            country: self.country.into(),
            amount: self.shop.money(Amount(-50_000)),
            reference: Some(Story::order_id(self.n).into()),
            occurred_at: None,
        }
    }
}

#[cfg(test)]
impl Story<'_> {
    /// Its kind of end.
    pub fn ending(&self) -> OrderEnding {
        self.ending
    }
}
