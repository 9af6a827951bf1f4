//! Revenue by period, currency, country and category: sums that documents add to.
//! Each addition goes to all three grains, to its categories, and once undivided.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::money;
use super::time;

#[derive(Debug, Clone, Default)]
pub struct Revenue(BTreeMap<Key, Sums>);

/// The category is absent in the row that is not split by category.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub period: String,
    pub currency: String,
    pub country: String,
    pub category: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    pub gross: i128,
    pub returned: i128,
    pub adjusted: i128,
    pub orders: i64,
    pub units: i64,
    pub units_returned: i64,
}

/// What one line of a document adds.
#[derive(Debug, Clone)]
pub struct Part {
    pub category: String,
    pub sums: Sums,
}

impl Sums {
    pub fn sold(amount: i64, units: i64) -> Sums {
        Sums { gross: i128::from(amount), units, ..Sums::default() }
    }

    pub fn returned(amount: i64, units: i64) -> Sums {
        Sums { returned: i128::from(amount), units_returned: units, ..Sums::default() }
    }

    pub fn adjusted(amount: i64) -> Sums {
        Sums { adjusted: i128::from(amount), ..Sums::default() }
    }

    fn add(&mut self, other: &Sums) {
        self.gross += other.gross;
        self.returned += other.returned;
        self.adjusted += other.adjusted;
        self.orders += other.orders;
        self.units += other.units;
        self.units_returned += other.units_returned;
    }
}

impl Revenue {
    /// Adds a document that is no order.
    pub fn add(&mut self, at: i64, currency: &str, country: &str, parts: &[Part]) {
        self.add_document(at, currency, country, parts, 0);
    }

    /// Adds an order's sale: it counts once in each of its categories, and once undivided.
    pub fn add_order(&mut self, at: i64, currency: &str, country: &str, parts: &[Part]) {
        self.add_document(at, currency, country, parts, 1);
    }

    fn add_document(&mut self, at: i64, currency: &str, country: &str, parts: &[Part], orders: i64) {
        let mut by_category: BTreeMap<Option<String>, Sums> = BTreeMap::new();
        for part in parts {
            by_category.entry(Some(part.category.clone())).or_default().add(&part.sums);
            by_category.entry(None).or_default().add(&part.sums);
        }
        for (category, mut sums) in by_category {
            sums.orders = orders;
            for period in time::periods(at) {
                let key = Key {
                    period,
                    currency: currency.to_string(),
                    country: country.to_string(),
                    category: category.clone(),
                };
                self.0.entry(key).or_default().add(&sums);
            }
        }
    }

    /// The rows; those of only zeros are absent.
    pub fn rows(&self) -> BTreeMap<String, Value> {
        let mut rows = BTreeMap::new();
        for (key, sums) in &self.0 {
            if *sums == Sums::default() {
                continue;
            }
            let parts = json!([key.period, key.currency, key.country, key.category]);
            let net = sums.gross - sums.returned + sums.adjusted;
            let row = json!({
                "period": key.period,
                "currency": key.currency,
                "country": key.country,
                "category": key.category,
                "gross": money::write(sums.gross, &key.currency),
                "returned": money::write(sums.returned, &key.currency),
                "adjusted": money::write(sums.adjusted, &key.currency),
                "net": money::write(net, &key.currency),
                "orders": sums.orders,
                "units": sums.units,
                "units_returned": sums.units_returned,
            });
            rows.insert(parts.to_string(), row);
        }
        rows
    }
}
