//! The shared parts of the tests: a shop that is made up from a seed, its changes, and its stock.

use dataflows::contract::changes::{Change, Changes, ViewChanges, ViewDigest, ViewDigests};
use dataflows::contract::epoch::{Cut, Epoch, EpochRecord};
use dataflows::contract::money::Currency;
use dataflows::contract::time::Timestamp;
use dataflows::ports::product_search::OfferContext;
use dataflows::shop::catalogue::{InventoryPolicy, LeftOut, Product, Variant};
use dataflows::shop::dead_letters::LetterQuota;
use dataflows::shop::orders::{Order, OrderLine, OrderStatus};
use dataflows::shop::row::{Row, View};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Numbers that follow from a seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// Runs a test for each seed, and names the one that fails.
pub fn for_each_seed(count: u64, run: impl Fn(u64)) {
    struct SeedReport(u64);
    impl Drop for SeedReport {
        fn drop(&mut self) {
            println!("seed {} fails; again: TRADEWIND_TEST_SEED={} cargo test -p search", self.0, self.0);
        }
    }
    let seeds = match std::env::var("TRADEWIND_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=count).collect(),
    };
    for seed in seeds {
        let named = SeedReport(seed);
        run(seed);
        std::mem::forget(named);
    }
}

const WORDS: [&str; 16] = [
    "usb",
    "cables",
    "cable",
    "hdmi",
    "5 m",
    "5m",
    "128GB",
    "WH-1000XM4",
    "wireless",
    "Mouse",
    "batteries",
    "café",
    "smartwatch",
    "27\"",
    "black",
    "x",
];
const BRANDS: [&str; 4] = ["Acme", "Bolt", "Côte", "Delta"];
const CATEGORIES: [&str; 4] = ["Cables", "Cables/HDMI", "Sound/Portable/Small", ""];

fn texts(random: &mut Random, most: u64) -> SmolStr {
    let count = 1 + random.below(most);
    let words: Vec<&str> = (0..count).map(|_| *random.one(&WORDS)).collect();
    SmolStr::new(words.join(" "))
}

/// A product of that id, otherwise made up.
pub fn product(random: &mut Random, id: u64) -> Product {
    let category = *random.one(&CATEGORIES);
    let optional = |random: &mut Random, text: SmolStr| (random.below(4) > 0).then_some(text);
    let title = texts(random, 6);
    let description = texts(random, 12);
    let description = optional(random, description);
    let brand = SmolStr::new(random.one(&BRANDS));
    let brand = optional(random, brand);
    let colour = *random.one(&["black", "red", "7"]);
    let variants = (0..1 + random.below(2)).map(|n| Variant {
        sku: SmolStr::new(format!("sku-{id}-{n}")),
        title: None,
        price: 10_000 * (1 + random.below(300) as i64),
        currency: Currency::parse("EUR").unwrap(),
        inventory_policy: *random.one(&[InventoryPolicy::Reserve, InventoryPolicy::None]),
        low_stock_at: None,
        scheduled: Vec::new(),
    });
    let variants = variants.collect();
    Product {
        product_id: SmolStr::new(format!("p{id}")),
        title,
        description,
        brand,
        category: category.split('/').filter(|part| !part.is_empty()).map(SmolStr::new).collect(),
        attributes: BTreeMap::from([("colour".into(), colour.into())]),
        archived: random.below(10) == 0,
        variants,
        left_out: LeftOut::default(),
        category_path: SmolStr::new(category),
    }
}

/// A shop's products, and its epochs so far.
#[derive(Clone, Default)]
pub struct Shop {
    pub epoch: u64,
    pub products: BTreeMap<SmolStr, Arc<Product>>,
    pub orders: BTreeMap<SmolStr, Arc<Order>>,
}

/// An order of one line.
pub fn order(id: &str, status: OrderStatus, sku: &str, quantity: i64, returned: i64) -> Order {
    let line = OrderLine {
        sku: sku.into(),
        category: "".into(),
        quantity,
        unit_price: 0,
        amount: 0,
        returned,
        taken: Default::default(),
    };
    Order {
        order_id: id.into(),
        status,
        code: None,
        customer_id: None,
        country: "GB".into(),
        currency: Currency::parse("EUR").unwrap(),
        lines: vec![line],
        total: 0,
        captured: 0,
        refunded: 0,
        payment: None,
        shipment: None,
        history: Default::default(),
        placed_at: Timestamp::from_micros(0),
        money_back_ids: Vec::new(),
        memo: Default::default(),
    }
}

impl Shop {
    /// The next epoch: some products are put. One in four has none.
    pub fn next(&mut self, random: &mut Random, ids: u64) -> Arc<Changes> {
        let count = random.below(4) * random.below(5);
        let puts: BTreeMap<u64, Product> = (0..count)
            .map(|_| {
                let id = random.below(ids);
                (id, product(random, id))
            })
            .collect();
        self.put(puts.into_values().collect())
    }

    /// The next epoch, with these products.
    pub fn put(&mut self, products: Vec<Product>) -> Arc<Changes> {
        self.epoch += 1;
        let mut changes = Vec::new();
        for product in products {
            let after = Arc::new(product);
            let before = self.products.insert(after.product_id.clone(), Arc::clone(&after));
            changes.extend(Change::of(before, Some(after)));
        }
        self.changes(changes)
    }

    /// The next epoch, with an order that became another.
    pub fn order(&mut self, before: Option<Order>, after: Order) -> Arc<Changes> {
        self.epoch += 1;
        self.orders.insert(after.order_id.clone(), Arc::new(after.clone()));
        let changes = self.changes(Vec::new());
        let order = Change { before: before.map(Arc::new), after: Some(Arc::new(after)) };
        let rows = ViewChanges { orders: vec![order], ..ViewChanges::default() };
        Arc::new(Changes { rows: Arc::new(rows), ..Changes::clone(&changes) })
    }

    /// The state as the engine gives it first after a restart from a checkpoint.
    pub fn base(&self) -> Arc<Changes> {
        let rows = self.products.values().map(|row| Change { before: None, after: Some(Arc::clone(row)) });
        let changes = self.changes(rows.collect());
        let orders = self.orders.values().map(|row| Change { before: None, after: Some(Arc::clone(row)) });
        let rows = ViewChanges { orders: orders.collect(), ..ViewChanges::clone(&changes.rows) };
        Arc::new(Changes { rows: Arc::new(rows), ..Changes::clone(&changes) })
    }

    fn changes(&self, products: Vec<Change<Product>>) -> Arc<Changes> {
        let mut rows = ViewChanges { products, ..ViewChanges::default() };
        rows.sort();
        let now = Timestamp::from_micros(self.epoch as i64);
        let record = EpochRecord { v: 1, epoch: Epoch(self.epoch), now, rules: 1, cut: Cut::default() };
        // Not the digest of the contract, but as good: it depends on the rows alone.
        let products = self.products.values().map(|row| hash_of(row.as_ref()));
        let digest = products.chain(self.orders.values().map(|row| hash_of(row.as_ref()))).fold(0, u128::wrapping_add);
        let standing = ViewDigest { rows: self.products.len() as u64, digest };
        Arc::new(Changes {
            record: Arc::new(record),
            rows: Arc::new(rows),
            events: Vec::new(),
            dead_letters: Vec::new(),
            imbalances: Vec::new(),
            quota: LetterQuota::default(),
            search_memory: Vec::new(),
            standings: ViewDigests(BTreeMap::from([(View::Products, standing)])),
        })
    }
}

fn hash_of<R: Row>(row: &R) -> u128 {
    dataflows::contract::changes::row_hash(R::VIEW, &row.key(), &row.value())
}

/// The stock: of every third SKU nothing.
pub struct Stock;

impl OfferContext for Stock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0)
    }

    fn available(&self, sku: &str, policy: InventoryPolicy) -> Option<i64> {
        let sum: u64 = sku.bytes().map(u64::from).sum();
        (policy == InventoryPolicy::Reserve).then_some((sum % 3) as i64)
    }
}
