//! A sample row of each view.

use super::documents::{adjustment, credit, order, product};
use super::{COMMAND_ID, currency, moment, text};
use dataflows::contract::code::{Code, FieldError};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::topic::{Origin, Topic};
use dataflows::shop::CachedHash;
use dataflows::shop::command::CommandType;
use dataflows::shop::operations::{Ids, Operation};
use dataflows::shop::payments::PaymentRow;
use dataflows::shop::policy::Policy;
use dataflows::shop::row::{Row, View};
use dataflows::shop::stock::{Stock, StockLocation};
use dataflows::views::invariants::{Check, Invariant};
use dataflows::views::revenue::{Grain, Revenue, RevenueKey, Sums};
use dataflows::views::searches::{SearchKey, SearchSums, Searches};

/// The key and the value of the sample. A new view stops the build here.
pub fn row(view: View) -> (String, Vec<u8>) {
    match view {
        View::Adjustments => bytes(&*adjustment()),
        View::Credits => bytes(&*credit()),
        View::Invariants => bytes(&invariant()),
        View::Operations => bytes(&operation()),
        View::Orders => bytes(&*order()),
        View::Payments => bytes(&PaymentRow::of(&order()).unwrap()),
        View::Policy => bytes(&Policy::default()),
        View::Products => bytes(&*product()),
        View::Revenue => bytes(&revenue()),
        View::Searches => bytes(&searches()),
        View::Stock => bytes(&stock()),
    }
}

fn bytes<R: Row>(row: &R) -> (String, Vec<u8>) {
    (row.key().into_owned(), row.value())
}

fn invariant() -> Invariant {
    let first_violation = Some("85123A at main".to_owned());
    Invariant { name: Check::StockConservation, checked: 3, violations: 1, first_violation }
}

fn operation() -> Operation {
    let problem = FieldError { pointer: "/lines/0".into(), code: Code::OverReturn, detail: "2 of 1".into() };
    Operation {
        command_id: text(COMMAND_ID),
        command_type: CommandType::ReturnItems,
        epoch: Epoch(7),
        origin: Origin { topic: Topic::Orders, partition: 3, offset: 42 },
        ids: Ids { of: text("o-1"), part: Some(Box::new(text("r-1"))) },
        is_first: false,
        refusal: Some(Box::new((Code::OverReturn, vec![problem]))),
        fingerprint: u128::MAX,
        remembered_until: moment(604_800),
    }
}

fn revenue() -> Revenue {
    let category = Some(text("Home/Kitchen"));
    let key =
        RevenueKey { period: Grain::Hour.period(moment(0)), currency: currency(), country: text("EIRE"), category };
    let sums = Sums { gross: 250_000, returned: 125_000, adjusted: -5, orders: 1, units: 2, units_returned: 1 };
    Revenue { key, sums }
}

fn searches() -> Searches {
    let key = SearchKey { day: Grain::Day.period(moment(0)), query: text("red \"café\" lamp") };
    Searches { key, sums: SearchSums { searches: 7, without_results: 1, clicks: 4, searches_with_click: 3 } }
}

fn stock() -> Stock {
    let location = |location, on_hand, reserved| StockLocation { location: text(location), on_hand, reserved };
    Stock {
        sku: text("85123A"),
        locations: vec![location("main", 40, 3), location("shop 2", -1, 0)].into(),
        memo: CachedHash::default(),
    }
}
