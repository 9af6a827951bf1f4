//! The commands as decoded: defaults filled in, `null` taken as absent, nothing else judged.
//! Two commands are the same command exactly if these values are equal.

use std::collections::BTreeMap;

use super::money::Money;

/// A command of any type, with the business time that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub occurred_at: Option<i64>,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    PutPolicy(PutPolicy),
    PutProduct(PutProduct),
    ArchiveProduct(ArchiveProduct),
    SetPrice(SetPrice),
    MoveStock(MoveStock),
    TransferStock(TransferStock),
    PlaceOrder(PlaceOrder),
    CancelOrder(CancelOrder),
    ShipOrder(ShipOrder),
    DeliverOrder(DeliverOrder),
    RecordShipmentFailure(RecordShipmentFailure),
    ReturnItems(ReturnItems),
    RecordCredit(RecordCredit),
    RecordAdjustment(RecordAdjustment),
    RecordPaymentResult(RecordPaymentResult),
    IssueRefund(IssueRefund),
}

#[derive(Debug, Clone, PartialEq)]
pub struct PutPolicy {
    pub payment_timeout_s: Option<i64>,
    pub payment_timeout_external_s: Option<i64>,
    pub id_memory_s: Option<i64>,
    pub order_lines_max: Option<i64>,
    pub dead_letters_per_min: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PutProduct {
    pub product_id: String,
    pub title: String,
    pub description: Option<String>,
    pub brand: Option<String>,
    pub category: Vec<String>,
    pub attributes: BTreeMap<String, String>,
    pub variants: Vec<Variant>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    pub sku: String,
    pub title: Option<String>,
    pub price: Money,
    pub inventory_policy: InventoryPolicy,
    pub low_stock_at: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InventoryPolicy {
    Reserve,
    TrackOnly,
    None,
}

impl InventoryPolicy {
    pub fn word(self) -> &'static str {
        match self {
            InventoryPolicy::Reserve => "reserve",
            InventoryPolicy::TrackOnly => "track_only",
            InventoryPolicy::None => "none",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveProduct {
    pub product_id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SetPrice {
    pub product_id: String,
    pub sku: String,
    pub price: Money,
    pub valid_from: Option<i64>,
    pub valid_to: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MoveStock {
    pub sku: String,
    pub location: String,
    pub quantity: i64,
    pub reason: String,
    pub reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TransferStock {
    pub sku: String,
    pub from: String,
    pub to: String,
    pub quantity: i64,
    pub reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PlaceOrder {
    pub order_id: String,
    pub customer_id: Option<String>,
    pub currency: String,
    pub country: String,
    pub lines: Vec<AskedLine>,
    pub method: PaymentMethod,
    pub token: Option<String>,
}

/// A line that an order or a credit asks for; a credit's price is always given.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedLine {
    pub sku: String,
    pub quantity: i64,
    pub unit_price: Option<Money>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentMethod {
    Sandbox,
    External,
    Settled,
}

impl PaymentMethod {
    pub fn word(self) -> &'static str {
        match self {
            PaymentMethod::Sandbox => "sandbox",
            PaymentMethod::External => "external",
            PaymentMethod::Settled => "settled",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct CancelOrder {
    pub order_id: String,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ShipOrder {
    pub order_id: String,
    pub carrier: Option<String>,
    pub tracking: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeliverOrder {
    pub order_id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordShipmentFailure {
    pub order_id: String,
    pub reason: Option<String>,
    pub restock: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReturnItems {
    pub order_id: String,
    pub return_id: String,
    pub lines: Vec<ReturnLine>,
    pub restock: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReturnLine {
    pub line: i64,
    pub quantity: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordCredit {
    pub credit_id: String,
    pub customer_id: Option<String>,
    pub currency: String,
    pub country: String,
    pub lines: Vec<AskedLine>,
    pub restock: bool,
    pub reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordAdjustment {
    pub adjustment_id: String,
    pub customer_id: Option<String>,
    pub currency: String,
    pub country: String,
    pub amount: Money,
    pub reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordPaymentResult {
    pub order_id: String,
    pub payment_id: String,
    pub status: PaymentResult,
    pub amount: Money,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaymentResult {
    Processed,
    Failed,
    ChargedBack,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IssueRefund {
    pub order_id: String,
    pub refund_id: String,
    pub amount: Money,
    pub reason: Option<String>,
}

impl Body {
    /// The id that the record's key must be.
    pub fn key(&self) -> &str {
        match self {
            Body::PutPolicy(_) => "policy",
            Body::PutProduct(command) => &command.product_id,
            Body::ArchiveProduct(command) => &command.product_id,
            Body::SetPrice(command) => &command.product_id,
            Body::MoveStock(command) => &command.sku,
            Body::TransferStock(command) => &command.sku,
            Body::PlaceOrder(command) => &command.order_id,
            Body::CancelOrder(command) => &command.order_id,
            Body::ShipOrder(command) => &command.order_id,
            Body::DeliverOrder(command) => &command.order_id,
            Body::RecordShipmentFailure(command) => &command.order_id,
            Body::ReturnItems(command) => &command.order_id,
            Body::RecordCredit(command) => &command.credit_id,
            Body::RecordAdjustment(command) => &command.adjustment_id,
            Body::RecordPaymentResult(command) => &command.order_id,
            Body::IssueRefund(command) => &command.order_id,
        }
    }
}
