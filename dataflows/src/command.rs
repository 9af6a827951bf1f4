//! Commands: what may be asked of the shop, as JSON gives it. Only the shape is checked here; whether a value is within
//! its bounds is the decider's to say, since that has an outcome.

pub mod shape;

use crate::money::GivenMoney;
use crate::time::Timestamp;
use crate::topic::Topic;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::Xxh3;

/// `null` is absent: a field with a default takes it then.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn null_is_true<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(true))
}

fn null_is_main<'de, D: Deserializer<'de>>(from: D) -> Result<SmolStr, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(main_location))
}

const fn main_location() -> SmolStr {
    SmolStr::new_static("main")
}

const fn yes() -> bool {
    true
}

crate::objects! {
    PutPolicy, PutProduct, PutVariant, ArchiveProduct, SetPrice, MoveStock, TransferStock, PlaceLine, PlacePayment,
    PlaceOrder, CancelOrder, ShipOrder, DeliverOrder, RecordShipmentFailure, ReturnLine, ReturnItems, GivenCreditLine,
    RecordCredit, RecordAdjustment, RecordPaymentResult, IssueRefund,
}

/// Sets what decisions depend on; absent keys keep their value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PutPolicy {
    /// How long a sandbox payment may take.
    pub payment_timeout_s: Option<i64>,
    /// How long an external payment may take.
    pub payment_timeout_external_s: Option<i64>,
    /// How long command ids are remembered.
    pub id_memory_s: Option<i64>,
    /// How many lines an order or a credit may have.
    pub order_lines_max: Option<i64>,
    /// How many dead letters of a topic keep their bytes in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters_per_min: Option<i64>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// How the stock of a SKU is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InventoryPolicy {
    /// Stock is checked and reserved.
    #[default]
    Reserve,
    /// Stock is counted and may go below zero.
    TrackOnly,
    /// There is no stock: digital goods.
    None,
}

/// Puts a product in the catalogue, or replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PutProduct {
    /// The product's id, and the record's key.
    pub product_id: SmolStr,
    /// What it is called.
    pub title: SmolStr,
    /// What it is.
    pub description: Option<SmolStr>,
    /// Who makes it.
    pub brand: Option<SmolStr>,
    /// One path, from the top.
    #[serde(default, deserialize_with = "null_is_default")]
    pub category: Vec<SmolStr>,
    /// Named texts.
    #[serde(default, deserialize_with = "null_is_default")]
    pub attributes: BTreeMap<SmolStr, SmolStr>,
    /// What can be bought; at least one.
    pub variants: Vec<PutVariant>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// A variant of a product: what a SKU stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PutVariant {
    /// The SKU; it belongs to one product for ever.
    pub sku: SmolStr,
    /// What tells it from its siblings.
    pub title: Option<SmolStr>,
    /// The price.
    pub price: GivenMoney,
    /// How its stock is kept.
    #[serde(default, deserialize_with = "null_is_default")]
    pub inventory_policy: InventoryPolicy,
    /// Reports when the available stock falls to this.
    pub low_stock_at: Option<i64>,
}

/// Takes a product out of lists and search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ArchiveProduct {
    /// The product's id, and the record's key.
    pub product_id: SmolStr,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Sets the price of a SKU, or schedules one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct SetPrice {
    /// The product's id, and the record's key.
    pub product_id: SmolStr,
    /// One of its SKUs.
    pub sku: SmolStr,
    /// The price.
    pub price: GivenMoney,
    /// From when, inclusive.
    pub valid_from: Option<Timestamp>,
    /// Until when, exclusive.
    pub valid_to: Option<Timestamp>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Why stock moves from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveReason {
    /// Goods came in.
    Received,
    /// A count was put right.
    Adjusted,
    /// Goods are lost.
    WrittenOff,
}

/// Changes the stock of a SKU at a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct MoveStock {
    /// The SKU, and the record's key.
    pub sku: SmolStr,
    /// Where; `main` by default.
    #[serde(default = "main_location", deserialize_with = "null_is_main")]
    pub location: SmolStr,
    /// How many, signed, not 0.
    pub quantity: i64,
    /// Why.
    pub reason: MoveReason,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Moves stock from one location to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct TransferStock {
    /// The SKU, and the record's key.
    pub sku: SmolStr,
    /// From where; only what is not reserved there.
    pub from: SmolStr,
    /// To where.
    pub to: SmolStr,
    /// How many.
    pub quantity: i64,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// A line of an order as it is placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PlaceLine {
    /// What.
    pub sku: SmolStr,
    /// How many.
    pub quantity: i64,
    /// At what price; the catalogue's by default.
    pub unit_price: Option<GivenMoney>,
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// The gateway that is built in, for trying things.
    Sandbox,
    /// A connector of one's own.
    External,
    /// The money is there already.
    Settled,
}

/// How an order is to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PlacePayment {
    /// By which way.
    pub method: PaymentMethod,
    /// What the gateway needs.
    pub token: Option<SmolStr>,
}

/// Places an order: prices it, and reserves every line or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PlaceOrder {
    /// The order's id, and the record's key; the command id by default.
    pub order_id: Option<SmolStr>,
    /// Who buys.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: SmolStr,
    /// From which country.
    pub country: SmolStr,
    /// What; at least one line.
    pub lines: Vec<PlaceLine>,
    /// How it is paid.
    pub payment: PlacePayment,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Cancels an order; releases its stock and refunds what was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct CancelOrder {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Ships a paid order: its reserved goods leave the stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ShipOrder {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Who carries it.
    pub carrier: Option<SmolStr>,
    /// Under which number.
    pub tracking: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Says that a shipped order arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct DeliverOrder {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Says that a paid or shipped order cannot be delivered: it is cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RecordShipmentFailure {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Whether the goods come back into stock.
    #[serde(default = "yes", deserialize_with = "null_is_true")]
    pub restock: bool,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// An entry of a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ReturnLine {
    /// The order's line, from 1.
    pub line: i64,
    /// How many.
    pub quantity: i64,
}

/// Takes goods of a shipped order back, at the line's price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ReturnItems {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// The return's id within the order.
    pub return_id: SmolStr,
    /// What comes back; at least one entry.
    pub lines: Vec<ReturnLine>,
    /// Whether the goods come back into stock.
    #[serde(default = "yes", deserialize_with = "null_is_true")]
    pub restock: bool,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// A line of a credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct GivenCreditLine {
    /// What.
    pub sku: SmolStr,
    /// How many.
    pub quantity: i64,
    /// At what price.
    pub unit_price: GivenMoney,
}

/// A credit note without an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RecordCredit {
    /// The credit's id, and the record's key.
    pub credit_id: SmolStr,
    /// For whom.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: SmolStr,
    /// For which country.
    pub country: SmolStr,
    /// What; at least one line.
    pub lines: Vec<GivenCreditLine>,
    /// Whether the goods come back into stock, at `main`.
    #[serde(default = "yes", deserialize_with = "null_is_true")]
    pub restock: bool,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Money without goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RecordAdjustment {
    /// The adjustment's id, and the record's key.
    pub adjustment_id: SmolStr,
    /// For whom.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: SmolStr,
    /// For which country.
    pub country: SmolStr,
    /// How much, signed.
    pub amount: GivenMoney,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentResult {
    /// The money was taken.
    Processed,
    /// It was not.
    Failed,
    /// The customer's bank took it back.
    ChargedBack,
}

/// Says what became of an order's payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RecordPaymentResult {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// The payment's id.
    pub payment_id: SmolStr,
    /// What became of it.
    pub status: PaymentResult,
    /// How much.
    pub amount: GivenMoney,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Pays money of an order back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct IssueRefund {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// The refund's id within the order.
    pub refund_id: SmolStr,
    /// How much, at most what is left.
    pub amount: GivenMoney,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

/// Why a record cannot be read as a command. The record becomes a dead letter, or 422 before the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No command has that name.
    #[error("no command has the type {0}")]
    UnknownType(String),
    /// The data is not of the type's shape.
    #[error("at {pointer:?}: {detail}")]
    Shape {
        /// A JSON pointer to the first thing that is wrong.
        pointer: String,
        /// What is wrong.
        detail: String,
    },
}

macro_rules! commands {
    ($($name:ident $topic:ident $key:ident,)*) => {
        /// Everything that may be asked of the shop.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Command {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        /// The type of a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum CommandType {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name,)*
        }

        impl CommandType {
            /// Every type.
            pub const ALL: &[CommandType] = &[$(CommandType::$name,)*];

            /// Its name, as in `tradewind.<Name>.v1`.
            pub const fn name(self) -> &'static str {
                match self { $(CommandType::$name => stringify!($name),)* }
            }

            /// The topic that its commands are published to.
            pub const fn topic(self) -> Topic {
                match self { $(CommandType::$name => Topic::$topic,)* }
            }

            fn read(self, data: &[u8]) -> Result<Command, Unreadable> {
                match self { $(CommandType::$name => shape::shaped(data).map(Command::$name),)* }
            }

            /// The pointers of the fields that the data of such a command does not have, the first 100.
            pub fn unknown_fields(self, data: &[u8]) -> Vec<String> {
                match self { $(CommandType::$name => shape::unknown_fields::<$name>(data),)* }
            }
        }

        impl Command {
            /// Its type.
            pub const fn command_type(&self) -> CommandType {
                match self { $(Command::$name(_) => CommandType::$name,)* }
            }

            /// The business time that it gives, if any.
            pub const fn occurred_at(&self) -> Option<Timestamp> {
                match self { $(Command::$name(command) => command.occurred_at,)* }
            }

            /// The same id as a text of its own, shared with the command.
            pub fn id(&self) -> SmolStr {
                match self { $(Command::$name(command) => command.id(),)* }
            }

            /// The id of the aggregate that it is about: the key of its record.
            pub fn key(&self) -> &str {
                match self { $(Command::$name(command) => command.$key(),)* }
            }
        }
    };
}

commands! {
    PutPolicy Policy key,
    PutProduct Catalog key,
    ArchiveProduct Catalog key,
    SetPrice Catalog key,
    MoveStock Stock key,
    TransferStock Stock key,
    PlaceOrder Orders key,
    CancelOrder Orders key,
    ShipOrder Orders key,
    DeliverOrder Orders key,
    RecordShipmentFailure Orders key,
    ReturnItems Orders key,
    RecordCredit Orders key,
    RecordAdjustment Orders key,
    RecordPaymentResult Orders key,
    IssueRefund Orders key,
}

macro_rules! keys {
    ($($name:ident $field:ident,)*) => {
        $(impl $name {
            fn key(&self) -> &str { &self.$field }
            fn id(&self) -> SmolStr { self.$field.clone() }
        })*
    };
}

keys! {
    PutProduct product_id, ArchiveProduct product_id, SetPrice product_id, MoveStock sku, TransferStock sku,
    CancelOrder order_id, ShipOrder order_id, DeliverOrder order_id,
    RecordShipmentFailure order_id, ReturnItems order_id, RecordCredit credit_id, RecordAdjustment adjustment_id,
    RecordPaymentResult order_id, IssueRefund order_id,
}

impl PlaceOrder {
    /// The order's id; empty only before [`Command::read`] has filled it in.
    pub fn key(&self) -> &str {
        self.order_id.as_deref().unwrap_or_default()
    }

    /// The same, shared.
    pub fn id(&self) -> SmolStr {
        self.order_id.clone().unwrap_or_default()
    }
}

impl PutPolicy {
    const fn id(&self) -> SmolStr {
        SmolStr::new_static("policy")
    }

    const fn key(&self) -> &str {
        "policy"
    }
}

impl CommandType {
    /// The type of that name.
    pub fn from_name(name: &str) -> Option<CommandType> {
        CommandType::ALL.iter().copied().find(|known| known.name() == name)
    }
}

impl Command {
    /// Reads a command's data. An order without an id gets the command's.
    pub fn read(command_type: CommandType, command_id: &str, data: &[u8]) -> Result<Command, Unreadable> {
        let mut command = command_type.read(data)?;
        if let Command::PlaceOrder(place) = &mut command
            && place.order_id.is_none()
        {
            place.order_id = Some(SmolStr::new(command_id));
        }
        Ok(command)
    }

    /// What tells this command from another under the same id: a hash over type, key and data as read, so that
    /// spelling, field order and unknown fields do not matter.
    pub fn fingerprint(&self, key: &[u8]) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(self.command_type().name().as_bytes());
        hash.update(&[0]);
        hash.update(key);
        hash.update(&[0]);
        hash.update(&serde_json::to_vec(self).expect("a command has only texts, numbers and lists"));
        hash.digest128()
    }

    /// A command's canonical data, as it is written to the log.
    pub fn data(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a command has only texts, numbers and lists")
    }
}
