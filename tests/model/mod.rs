//! The test model: the shop's rules once more, plainly, over sorted maps and from the contract alone.
//! It is the oracle of the real decider; it is not fast, durable or parallel, and shares no type with it.
//!
//! record -> read (or dead letter) -> command id -> bounds -> aggregate -> events and rows

pub mod bounds;
pub mod catalog;
pub mod command;
pub mod documents;
pub mod events;
pub mod fulfilment;
pub mod money;
pub mod operations;
pub mod orders;
pub mod payments;
pub mod policy;
pub mod read;
pub mod returns;
pub mod revenue;
pub mod stock;
pub mod time;
pub mod workload;
pub mod workload_commands;
pub mod workload_goods;
pub mod workload_poison;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::catalog::Catalog;
use self::command::{Body, Command};
use self::events::{EventLog, Refusal, refuse, refuse_at};
use self::operations::Operations;
use self::orders::Order;
use self::policy::Policy;
use self::revenue::Revenue;
use self::stock::Stock;

/// A record of a command topic; its data need not be readable.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Without prefix: `orders.commands`.
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
    pub key: Option<String>,
    pub command_id: String,
    /// `PlaceOrder`, without `tradewind.` and `.v1`.
    pub type_name: String,
    pub data: Value,
}

/// A record that could not be taken as a command.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
    pub code: &'static str,
}

/// The bytes of a row or an event.
const ROW_BYTES_MAX: usize = 1 << 20;
/// Documents of as many lines or variants are never too large.
const LISTED_SMALL: usize = 150;

/// Everything that the clerk knows of the shop, command ids apart.
#[derive(Clone)]
pub struct Shop {
    pub policy: Policy,
    pub catalog: Catalog,
    pub stock: Stock,
    pub orders: BTreeMap<String, Order>,
    pub credits: BTreeMap<String, Value>,
    pub adjustments: BTreeMap<String, Value>,
    pub revenue: Revenue,
}

pub struct Model {
    shop: Shop,
    operations: Operations,
    dead_letters: Vec<DeadLetter>,
    /// The number of there were of a topic in a minute, and which minute that is.
    unread: BTreeMap<String, (i64, i64)>,
    dropped: usize,
}

impl Default for Model {
    fn default() -> Model {
        Model::new()
    }
}

impl Model {
    pub fn new() -> Model {
        let shop = Shop {
            policy: Policy::default(),
            catalog: Catalog::default(),
            stock: Stock::default(),
            orders: BTreeMap::new(),
            credits: BTreeMap::new(),
            adjustments: BTreeMap::new(),
            revenue: Revenue::default(),
        };
        let operations = Operations::default();
        Model { shop, operations, dead_letters: Vec::new(), unread: BTreeMap::new(), dropped: 0 }
    }

    /// Runs one epoch: commands in the order of Rule S, then due timers, then the forgetting of ids.
    pub fn epoch(&mut self, epoch: u64, now_micros: i64, mut records: Vec<Record>) -> Vec<Value> {
        self.dead_letters.clear();
        records.sort_by_key(|record| (phase(&record.topic), record.partition, record.offset));
        let mut log = EventLog::new(epoch, now_micros);
        for record in &records {
            match read::read(record) {
                Ok(command) => self.take(&mut log, record, command),
                Err(code) => self.dead_letters.push(DeadLetter {
                    topic: record.topic.clone(),
                    partition: record.partition,
                    offset: record.offset,
                    code,
                }),
            }
        }
        payments::fire_timeouts(&mut self.shop, &mut log);
        self.thin_out(now_micros.div_euclid(time::MINUTE));
        self.operations.forget(now_micros);
        log.into_events()
    }

    /// The rows of a view, key to value; a view that there is not has none.
    pub fn view(&self, name: &str) -> BTreeMap<String, Value> {
        let shop = &self.shop;
        match name {
            "products" => {
                let ids = shop.catalog.products.keys();
                ids.map(|id| (id.clone(), shop.catalog.row(id))).collect()
            }
            "stock" => shop.stock.rows(),
            "orders" => shop.orders.iter().map(|(id, order)| (id.clone(), order.row())).collect(),
            "credits" => shop.credits.clone(),
            "adjustments" => shop.adjustments.clone(),
            "operations" => self.operations.rows(),
            "payments" => payments::rows(shop),
            "revenue" => shop.revenue.rows(),
            "policy" if shop.policy.was_put => BTreeMap::from([("policy".to_string(), shop.policy.row())]),
            _ => BTreeMap::new(),
        }
    }

    /// Of the dead letters of a topic only so many of a minute keep their bytes, and then every hundredth by its offset.
    fn thin_out(&mut self, minute: i64) {
        let before = self.dead_letters.len();
        let (unread, per_min) = (&mut self.unread, self.shop.policy.dead_letters_per_min);
        self.dead_letters.retain(|letter| {
            let count = unread.get(&letter.topic).filter(|(of, _)| *of == minute).map_or(0, |(_, count)| *count) + 1;
            unread.insert(letter.topic.clone(), (minute, count));
            count <= per_min || letter.offset % 100 == 0
        });
        self.dropped = before - self.dead_letters.len();
    }

    /// The number of dead letters of the last epoch are only counted.
    pub fn dropped_letters(&self) -> usize {
        self.dropped
    }

    /// The dead letters of the last epoch that keep their bytes, in the order of Rule S.
    pub fn dead_letters(&self) -> &[DeadLetter] {
        &self.dead_letters
    }

    /// A readable command: decided and remembered, unless its id is known already, be it as a repeat or reused.
    fn take(&mut self, log: &mut EventLog, record: &Record, command: Command) {
        if self.operations.knows(&record.command_id) {
            return;
        }
        let refusal = self.decide(log, &record.command_id, &command).err();
        let forget_after = log.now + self.shop.policy.id_memory_s * time::SECOND;
        self.operations.remember(log.epoch, record, &command, refusal.as_ref(), forget_after);
    }

    /// Bounds first, then the aggregate's own rules, then a word about stock that runs low.
    fn decide(&mut self, log: &mut EventLog, id: &str, command: &Command) -> Result<(), Refusal> {
        let shop = &mut self.shop;
        if let Some(pointer) = bounds::violation(command, &shop.policy, log.now) {
            return Err(refuse_at(&pointer, "invalid"));
        }
        log.begin(id, command.occurred_at.unwrap_or(log.now));
        if !may_be_large(shop, &command.body) {
            return settle(shop, log, &command.body);
        }
        // What it comes to is written down on a copy, which is thrown away if any of it is too large.
        let (mut trial, mut told) = (shop.clone(), log.clone());
        let outcome = settle(&mut trial, &mut told, &command.body);
        if told.longest_after(log.count()).max(row_bytes(&trial, &command.body)) > ROW_BYTES_MAX {
            return Err(refuse("too_large"));
        }
        (*shop, *log) = (trial, told);
        outcome
    }
}

fn settle(shop: &mut Shop, log: &mut EventLog, body: &Body) -> Result<(), Refusal> {
    let before = availability(shop);
    run(shop, log, body)?;
    emit_low_stock(shop, log, &before);
    Ok(())
}

/// True if there are so many lines or variants that the row has to be measured.
fn may_be_large(shop: &Shop, body: &Body) -> bool {
    let listed = match body {
        Body::PlaceOrder(command) => command.lines.len(),
        Body::RecordCredit(command) => command.lines.len(),
        Body::PutProduct(command) => command.variants.len().max(command.attributes.len()),
        other => {
            let lines = shop.orders.get(other.key()).map_or(0, |order| order.lines.len());
            let product = shop.catalog.products.get(other.key());
            lines.max(product.map_or(0, |product| product.put.variants.len().max(product.put.attributes.len())))
        }
    };
    listed > LISTED_SMALL
}

/// The bytes of the row that a command is about.
fn row_bytes(shop: &Shop, body: &Body) -> usize {
    let key = body.key();
    let bytes = |row: Value| row.to_string().len();
    let product = shop.catalog.products.get(key).map(|_| bytes(shop.catalog.row(key)));
    let order = shop.orders.get(key).map(|order| bytes(order.row()));
    let credit = shop.credits.get(key).map(|row| bytes(row.clone()));
    [product, order, credit].into_iter().flatten().max().unwrap_or(0)
}

fn run(shop: &mut Shop, log: &mut EventLog, body: &Body) -> Result<(), Refusal> {
    match body {
        Body::PutPolicy(command) => {
            shop.policy.put(command);
            Ok(())
        }
        Body::PutProduct(command) => catalog::put_product(shop, log, command),
        Body::ArchiveProduct(command) => catalog::archive_product(shop, log, command),
        Body::SetPrice(command) => catalog::set_price(shop, log, command),
        Body::MoveStock(command) => stock::move_stock(shop, log, command),
        Body::TransferStock(command) => stock::transfer_stock(shop, log, command),
        Body::PlaceOrder(command) => orders::place_order(shop, log, command),
        Body::CancelOrder(command) => fulfilment::cancel_order(shop, log, command),
        Body::ShipOrder(command) => fulfilment::ship_order(shop, log, command),
        Body::DeliverOrder(command) => fulfilment::deliver_order(shop, log, command),
        Body::RecordShipmentFailure(command) => fulfilment::record_shipment_failure(shop, log, command),
        Body::ReturnItems(command) => returns::return_items(shop, log, command),
        Body::RecordCredit(command) => documents::record_credit(shop, log, command),
        Body::RecordAdjustment(command) => documents::record_adjustment(shop, log, command),
        Body::RecordPaymentResult(command) => payments::record_payment_result(shop, log, command),
        Body::IssueRefund(command) => payments::issue_refund(shop, log, command),
    }
}

fn phase(topic: &str) -> u32 {
    match topic {
        "policy.commands" => 0,
        "catalog.commands" => 1,
        "stock.commands" => 2,
        "customers.commands" => 3,
        "orders.commands" => 4,
        _ => 5,
    }
}

fn availability(shop: &Shop) -> BTreeMap<String, i64> {
    shop.catalog.skus.keys().map(|sku| (sku.clone(), shop.stock.available(sku))).collect()
}

/// Once a command and SKU, when what is available falls from above the mark to it or below.
fn emit_low_stock(shop: &Shop, log: &mut EventLog, before: &BTreeMap<String, i64>) {
    for (sku, before) in before {
        let available = shop.stock.available(sku);
        let Some(low_stock_at) = shop.catalog.skus[sku].variant.low_stock_at else {
            continue;
        };
        if *before > low_stock_at && available <= low_stock_at {
            log.emit("LowStock", json!({"sku": sku, "available": available, "low_stock_at": low_stock_at}));
        }
    }
}
