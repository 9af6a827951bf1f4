//! The row of a standing check.

use crate::engine::encoding::{encode_enum, encode_struct};
use crate::shop::footprint::Footprint;
use crate::shop::row::{Row, View, json_key};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::borrow::Cow;

/// A check of every epoch. Each compares facts with the state that they led to, on different paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Per SKU and location: the stock on hand is the sum of its movements.
    StockConservation,
    /// Per SKU and location: what is reserved is what open orders have taken.
    ReservedByOpenOrders,
    /// Per order: its total is the sum of quantity × unit price of its lines.
    OrderTotals,
    /// Per order: captured − refunded is what payments brought less what refunds took.
    OrderMoney,
    /// Per currency and grain: net revenue in total is the money of orders, credits and adjustments in total.
    RevenueOfOrders,
    /// Per order: what its lines were returned is what came back in returns.
    UnitsReturned,
}

impl Check {
    /// Every check.
    pub const ALL: [Check; 6] = [
        Check::StockConservation,
        Check::ReservedByOpenOrders,
        Check::OrderTotals,
        Check::OrderMoney,
        Check::RevenueOfOrders,
        Check::UnitsReturned,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Check::StockConservation => "stock_conservation",
            Check::ReservedByOpenOrders => "reserved_by_open_orders",
            Check::OrderTotals => "order_totals",
            Check::OrderMoney => "order_money",
            Check::RevenueOfOrders => "revenue_of_orders",
            Check::UnitsReturned => "units_returned",
        }
    }
}

/// The state of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invariant {
    /// The check.
    pub name: Check,
    /// The number of things that it holds for or does not.
    pub checked: i64,
    /// The number of things that it does not hold for.
    pub violations: i64,
    /// The first of them, by key.
    pub first_violation: Option<String>,
}

impl Row for Invariant {
    const VIEW: View = View::Invariants;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.name.name())
    }
}

/// The subject of a check: an order, or a SKU at a location, or a currency by a grain.
pub type Subject = (SmolStr, SmolStr);

/// A sum that a check keeps. Not a view's row: outsiders see what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residual {
    /// The check.
    pub check: Check,
    /// The subject; without one, the sum is the number of subjects, and one more.
    pub subject: Option<Subject>,
    /// The difference between facts and state; 0 is none.
    pub sum: i128,
}

impl Residual {
    /// The check and the subject, as a text.
    pub fn key(&self) -> SmolStr {
        SmolStr::from(json_key(&(self.check, &self.subject)))
    }
}

encode_struct! {
    Residual { check, subject, sum }
}

encode_enum! {
    Check {
        StockConservation = 0,
        ReservedByOpenOrders = 1,
        OrderTotals = 2,
        OrderMoney = 3,
        RevenueOfOrders = 4,
        UnitsReturned = 5,
    }
}

impl Footprint for Invariant {
    fn heap_bytes(&self) -> usize {
        self.first_violation.as_ref().map_or(0, String::len)
    }
}

impl Footprint for Residual {
    fn heap_bytes(&self) -> usize {
        0
    }
}
