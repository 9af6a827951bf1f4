//! The workload's commands about goods: policy, products, prices, stock. Five products, three locations.

use serde_json::{Value, json};

use super::time::{self, SECOND};
use super::workload::{Draft, Random};
use super::workload_commands::{World, about, money};

pub const PRODUCTS: [(&str, &[&str], &[&str]); 5] = [
    ("p-lamp", &["Home", "Light"], &["LAMP-R", "LAMP-B"]),
    ("p-mug", &["Home"], &["MUG", "85123a"]),
    ("p-song", &[], &["SONG"]),
    ("p-shirt", &["Wear", "Top"], &["SHIRT S", "SHIRT M"]),
    ("p-gift", &["Home"], &["GIFT É"]),
];
/// What takes a kilobyte on each line of an order.
pub const WIDE_SKU: &str = "WIDE";
const LOCATIONS: [&str; 3] = ["east", "main", "west"];

impl World {
    /// Every product, and a little stock of each SKU.
    pub fn opening(&mut self) -> Vec<Draft> {
        let mut random = Random::new(7);
        let mut drafts = Vec::new();
        for place in 0..PRODUCTS.len() {
            drafts.push(self.product(&mut random, place, true));
        }
        let variant = json!({"sku": WIDE_SKU, "price": money(10_000, "GBP"), "inventory_policy": "none"});
        let wide = json!({"product_id": "p-wide", "title": "Wide", "category": vec!["w".repeat(100); 10],
            "variants": [variant]});
        drafts.push(about("PutProduct", "p-wide", wide));
        for (_, _, skus) in PRODUCTS {
            for sku in skus {
                let data = json!({"sku": sku, "quantity": 6, "reason": "received"});
                drafts.push(Draft { type_name: "MoveStock", key: Some(sku.to_string()), data });
            }
        }
        drafts
    }

    pub fn put_policy(&mut self, random: &mut Random) -> Draft {
        let mut data = json!({});
        let usual = random.percent(30);
        if random.percent(60) {
            data["payment_timeout_s"] = json!(if usual { 900 } else { random.between(1, 400) });
        }
        if random.percent(60) {
            let seconds = if usual { 86_400 } else { random.between(1, 3_600) };
            data["payment_timeout_external_s"] = json!(seconds);
        }
        if random.percent(60) {
            data["id_memory_s"] = json!(if usual { 604_800 } else { random.between(1, 1_800) });
        }
        if random.percent(60) {
            data["dead_letters_per_min"] = json!(if usual { 600 } else { random.between(1, 2) });
        }
        if random.percent(60) {
            data["order_lines_max"] = json!(if usual { 1_500 } else { random.between(3, 6) });
        }
        about("PutPolicy", "policy", data)
    }

    pub fn product(&mut self, random: &mut Random, place: usize, opening: bool) -> Draft {
        let (product_id, category, skus) = PRODUCTS[place];
        let mut skus = skus.to_vec();
        if !opening && skus.len() > 1 && random.percent(15) {
            skus.remove(random.below(2) as usize);
        }
        if !opening && random.percent(14) {
            skus.push("85123a");
        }
        let mut variants = Vec::new();
        for sku in skus {
            let units = random.between(0, 40) * 2_500;
            self.prices.insert(sku.to_string(), units);
            let mut policy = match sku {
                "MUG" | "SHIRT M" => "track_only",
                "SONG" => "none",
                _ => "reserve",
            };
            if !opening && random.percent(8) {
                policy = *random.pick(&["reserve", "track_only", "none"]);
            }
            let mut variant = json!({"sku": sku, "price": money(units, "GBP"),
                "inventory_policy": policy, "low_stock_at": random.between(0, 4)});
            if random.percent(30) {
                variant["title"] = json!("One size");
            }
            if policy == "reserve" && random.percent(50) {
                variant["inventory_policy"] = Value::Null;
            }
            variants.push(variant);
        }
        let mut data = json!({"product_id": product_id, "title": "A thing", "variants": variants});
        if !category.is_empty() {
            data["category"] = json!(category);
            if !opening && random.percent(15) {
                data["category"] = json!(["Sale"]);
            }
        }
        if random.percent(50) {
            data["brand"] = json!("Ünder");
            data["attributes"] = json!({"size": "L", "colour": "grün"});
            data["description"] = json!("Long \"story\"");
        }
        about("PutProduct", product_id, data)
    }

    pub fn set_price(&mut self, random: &mut Random, now: i64) -> Draft {
        let (product_id, _, skus) = *random.pick(&PRODUCTS);
        let mut sku = *random.pick(skus);
        if random.percent(8) {
            sku = *random.pick(&["NO-SUCH", "MUG"]);
        }
        let product_id = if random.percent(5) { "p-none" } else { product_id };
        let units = random.between(0, 40) * 2_500 + random.between(0, 3);
        let currency = if random.percent(8) { "EUR" } else { "GBP" };
        let mut data = json!({"product_id": product_id, "sku": sku, "price": money(units, currency)});
        if random.percent(60) {
            let from = now + random.between(-3_600, 3_600) * SECOND;
            let to = from + random.between(1, 7_200) * SECOND;
            if random.percent(80) {
                data["valid_from"] = json!(time::write(from));
            }
            if random.percent(80) {
                data["valid_to"] = json!(time::write(to));
            }
        } else if currency == "GBP" {
            self.prices.insert(sku.to_string(), units);
        }
        about("SetPrice", product_id, data)
    }

    pub fn move_stock(&mut self, random: &mut Random) -> Draft {
        let sku = some_sku(random);
        let (quantity, reason) = match random.below(10) {
            0..=6 => (random.between(1, 8), "received"),
            7 => (random.between(-4, -1), "adjusted"),
            8 => (random.between(-7, -1), "written_off"),
            _ => (random.between(1, 3), "written_off"),
        };
        let mut data = json!({"sku": sku, "quantity": quantity, "reason": reason});
        if random.percent(60) {
            data["location"] = json!(random.pick(&LOCATIONS));
        }
        if random.percent(30) {
            data["reference"] = json!("delivery 7");
        }
        about("MoveStock", sku, data)
    }

    pub fn transfer(&mut self, random: &mut Random) -> Draft {
        let sku = some_sku(random);
        let (from, to) = (random.pick(&LOCATIONS), random.pick(&LOCATIONS));
        let quantity = random.between(1, 5);
        let data = json!({"sku": sku, "from": from, "to": to, "quantity": quantity});
        about("TransferStock", sku, data)
    }
}

pub fn some_sku(random: &mut Random) -> &'static str {
    let (_, _, skus) = *random.pick(&PRODUCTS);
    let sku: &&str = random.pick(skus);
    sku
}
