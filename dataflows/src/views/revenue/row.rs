//! The row of revenue: sums of a period, by currency and country, split by category or not.

use crate::contract::money::{Currency, Money};
use crate::contract::time::{Civil, Timestamp};
use crate::engine::encoding::{encode_enum, encode_struct};
use crate::shop::footprint::{Footprint, maybe, text};
use crate::shop::row::{Row, View, json_key};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;

/// The length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// `2010-12-09T15:00Z`
    Hour,
    /// `2010-12-09`
    Day,
    /// `2010-12`
    Month,
}

impl Grain {
    /// Every grain.
    pub const ALL: [Grain; 3] = [Grain::Hour, Grain::Day, Grain::Month];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Grain::Hour => "hour",
            Grain::Day => "day",
            Grain::Month => "month",
        }
    }

    /// The period that holds a moment.
    pub fn period(self, at: Timestamp) -> Period {
        let Civil { year, month, day, hour, minute: _, second: _, micro: _ } = at.civil();
        let (day, hour) = match self {
            Grain::Hour => (day, hour),
            Grain::Day => (day, 0),
            Grain::Month => (1, 0),
        };
        // Years have four digits and the others two, so every part has room.
        Period { start: ((year * 16 + month) * 32 + day) * 32 + hour, grain: self }
    }
}

/// A period in UTC. The order is that of the times, and of the grains where two periods begin together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Year, month, day and hour of its begin, packed.
    start: i64,
    grain: Grain,
}

impl Period {
    /// Its length.
    pub const fn grain(self) -> Grain {
        self.grain
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour) = (self.start >> 14, self.start >> 10 & 15, self.start >> 5 & 31, self.start & 31);
        match self.grain {
            Grain::Hour => write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:00Z"),
            Grain::Day => write!(f, "{year:04}-{month:02}-{day:02}"),
            Grain::Month => write!(f, "{year:04}-{month:02}"),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The key of sums. A row without a category is over all of them: an order counts there once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RevenueKey {
    /// The period.
    pub period: Period,
    /// The currency.
    pub currency: Currency,
    /// The country.
    pub country: SmolStr,
    /// The category path, joined by `/`; `None` is all of them.
    pub category: Option<SmolStr>,
}

/// The sums, in ten-thousandths and in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Σ quantity × unit price of what was sold.
    pub gross: i128,
    /// The money of what came back.
    pub returned: i128,
    /// Money without goods, signed.
    pub adjusted: i128,
    /// The number of orders.
    pub orders: i64,
    /// The number of units that were sold.
    pub units: i128,
    /// The number of units that came back.
    pub units_returned: i128,
}

impl Sums {
    /// gross − returned + adjusted.
    pub const fn net(&self) -> i128 {
        self.gross - self.returned + self.adjusted
    }

    /// Adds another's sums.
    pub const fn add(&mut self, other: &Sums) {
        self.gross += other.gross;
        self.returned += other.returned;
        self.adjusted += other.adjusted;
        self.orders += other.orders;
        self.units += other.units;
        self.units_returned += other.units_returned;
    }
}

/// The revenue of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revenue {
    /// The key.
    pub key: RevenueKey,
    /// The sums.
    pub sums: Sums,
}

impl Serialize for Revenue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let money = |amount: i128| Money::new(amount, self.key.currency);
        let mut row = serializer.serialize_struct("Revenue", 11)?;
        row.serialize_field("period", &self.key.period)?;
        row.serialize_field("currency", &self.key.currency)?;
        row.serialize_field("country", &self.key.country)?;
        row.serialize_field("category", &self.key.category)?;
        row.serialize_field("gross", &money(self.sums.gross))?;
        row.serialize_field("returned", &money(self.sums.returned))?;
        row.serialize_field("adjusted", &money(self.sums.adjusted))?;
        row.serialize_field("net", &money(self.sums.net()))?;
        row.serialize_field("orders", &self.sums.orders)?;
        row.serialize_field("units", &self.sums.units)?;
        row.serialize_field("units_returned", &self.sums.units_returned)?;
        row.end()
    }
}

impl Row for Revenue {
    const VIEW: View = View::Revenue;

    fn key(&self) -> Cow<'_, str> {
        let RevenueKey { period, currency, country, category } = &self.key;
        json_key(&(period, currency, country, category))
    }
}

encode_struct! {
    Revenue { key, sums }
    RevenueKey { period, currency, country, category }
    Period { start, grain }
    Sums { gross, returned, adjusted, orders, units, units_returned }
}

encode_enum! {
    Grain { Hour = 0, Day = 1, Month = 2 }
}

impl Footprint for Revenue {
    fn heap_bytes(&self) -> usize {
        text(&self.key.country) + maybe(self.key.category.as_ref())
    }
}
