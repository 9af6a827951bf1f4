//! Stock as a customer of the shop would keep it with paper and pencil: by SKU and location, from acknowledged outcomes
//! alone. Not shared with the shop's own arithmetic.

use serde_json::Value;
use std::collections::BTreeMap;

/// The stock at a location, and the promised part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocationStock {
    /// The units that are there.
    pub on_hand: i64,
    /// The units that are promised.
    pub reserved: i64,
}

impl LocationStock {
    /// The units that can be promised.
    pub const fn free(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// SKUs, each with its locations.
#[derive(Clone, Debug, Default)]
pub struct Shelves(BTreeMap<String, BTreeMap<String, LocationStock>>);

/// A part of a line, and the location it was taken from.
pub type Allocations = Vec<(String, i64)>;

impl Shelves {
    /// Returns true if the SKU is kept here.
    pub fn has(&self, sku: &str) -> bool {
        self.0.contains_key(sku)
    }

    /// The stock at a location.
    pub fn at(&self, sku: &str, location: &str) -> LocationStock {
        self.0.get(sku).and_then(|places| places.get(location)).copied().unwrap_or_default()
    }

    /// Changes the stock at a location, and makes it if need be.
    pub fn change(&mut self, sku: &str, location: &str, on_hand: i64, reserved: i64) {
        let place = self.0.entry(sku.to_owned()).or_default().entry(location.to_owned()).or_default();
        place.on_hand += on_hand;
        place.reserved += reserved;
    }

    /// Promises so many, from the locations in the order of their ids; `None` if there are too few.
    pub fn take(&mut self, sku: &str, quantity: i64) -> Option<Allocations> {
        let (mut taken, mut left) = (Allocations::new(), quantity);
        for (location, place) in self.0.get_mut(sku)? {
            let part = place.free().clamp(0, left);
            if part > 0 {
                place.reserved += part;
                left -= part;
                taken.push((location.clone(), part));
            }
        }
        (left == 0).then_some(taken)
    }

    /// The difference of a stock row from what it must be; `None` if there is none.
    pub fn difference(&self, sku: &str, row: &Value) -> Option<String> {
        let number = |value: &Value| value.as_i64().unwrap_or(i64::MIN);
        let place =
            |row: &Value| LocationStock { on_hand: number(&row["on_hand"]), reserved: number(&row["reserved"]) };
        let empty = BTreeMap::new();
        let expected = self.0.get(sku).unwrap_or(&empty);
        let rows = row["locations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let seen: BTreeMap<String, LocationStock> =
            rows.iter().map(|row| (row["location"].as_str().unwrap_or_default().to_owned(), place(row))).collect();
        let sum = expected.values().fold(LocationStock::default(), |sum, place| LocationStock {
            on_hand: sum.on_hand + place.on_hand,
            reserved: sum.reserved + place.reserved,
        });
        let fits = seen == *expected && place(row) == sum && number(&row["available"]) == sum.free();
        (!fits).then(|| format!("stock of {sku}: expected {expected:?}, the shop has {row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn goods_are_taken_in_the_order_of_locations_or_not_at_all() {
        let mut shelves = Shelves::default();
        shelves.change("a", "west", 5, 0);
        shelves.change("a", "east", 3, 1);
        assert_eq!(shelves.take("a", 4), Some(vec![("east".to_owned(), 2), ("west".to_owned(), 2)]));
        assert_eq!(shelves.clone().take("a", 4), None);
        assert_eq!(shelves.take("b", 1), None);
        let at = |location: &str, on_hand: i64, reserved: i64| json!({"location": location, "on_hand": on_hand, "reserved": reserved, "available": on_hand - reserved});
        let row = |east: Value| json!({"sku": "a", "on_hand": 8, "reserved": 5, "available": 3, "locations": [east, at("west", 5, 2)]});
        assert_eq!(shelves.difference("a", &row(at("east", 3, 3))), None);
        assert!(shelves.difference("a", &row(at("east", 3, 2))).is_some());
        assert!(shelves.difference("a", &json!({})).is_some());
    }
}
