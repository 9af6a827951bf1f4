//! Sample documents with every field set, also the ones that outsiders do not see, so that those are missed if they leak.

use super::{currency, moment, pounds, text};
use dataflows::contract::code::Code;
use dataflows::contract::epoch::Epoch;
use dataflows::shop::CachedHash;
use dataflows::shop::adjustments::Adjustment;
use dataflows::shop::catalogue::{FormerSku, InventoryPolicy, Product, ScheduledPrice, Variant};
use dataflows::shop::credits::{Credit, CreditLine};
use dataflows::shop::orders::{
    Allocation, History, Order, OrderLine, OrderStatus, Payment, PaymentStatus, Shipment, ShipmentStatus,
};
use dataflows::shop::payments::PaymentMethod;
use std::sync::Arc;

/// A product with a scheduled price and a variant that is no longer sold.
pub fn product() -> Arc<Product> {
    let scheduled = ScheduledPrice { price: pounds(99_900), valid_from: Some(moment(1)), valid_to: None };
    let variant = Variant {
        sku: text("85123A"),
        title: None,
        price: 125_000,
        currency: currency(),
        inventory_policy: InventoryPolicy::TrackOnly,
        low_stock_at: Some(5),
        scheduled: vec![scheduled],
    };
    Arc::new(Product {
        product_id: text("p-1"),
        title: text("Größe \"M\"\n"),
        description: Some(text("A stand.")),
        brand: None,
        category: vec![text("Home"), text("Kitchen")],
        attributes: [(text("size"), text("M")), (text("colour"), text("cream"))].into(),
        archived: false,
        variants: vec![variant.clone()],
        left_out: [FormerSku { sku: text("unseen"), rule: variant.rule() }].into_iter().collect(),
        category_path: text("Home/Kitchen"),
    })
}

/// An order that was shipped, and returned in part.
pub fn order() -> Arc<Order> {
    let line = OrderLine {
        sku: text("85123A"),
        category: text("Home/Kitchen"),
        quantity: 2,
        unit_price: 125_000,
        amount: 250_000,
        returned: 1,
        taken: vec![Allocation { location: text("unseen"), quantity: 2 }].into(),
    };
    let payment = Payment {
        method: PaymentMethod::External,
        status: PaymentStatus::ChargedBack,
        token: Some(text("token")),
        deadline: Some(moment(900)),
        processed: true,
        failed: Some(250_000),
        charged_back: Some(1),
    };
    let shipment = Shipment { carrier: Some(text("post")), tracking: None, status: ShipmentStatus::Delivered };
    let history = [(OrderStatus::PendingPayment, 0), (OrderStatus::Shipped, 1), (OrderStatus::PartlyReturned, 2)];
    let history = history.map(|(status, s)| History { status, at: moment(s), epoch: Epoch(s as u64 + 5) });
    Arc::new(Order {
        order_id: text("o-1"),
        status: OrderStatus::PartlyReturned,
        code: None,
        customer_id: Some(text("14527")),
        country: text("EIRE"),
        currency: currency(),
        lines: vec![line],
        total: 250_000,
        captured: 250_000,
        refunded: 125_000,
        payment: Some(payment),
        shipment: Some(Box::new(shipment)),
        history: history.to_vec().into(),
        placed_at: moment(0),
        money_back_ids: vec![text("unseen")],
        memo: CachedHash::default(),
    })
}

/// An order that was refused.
pub fn rejected() -> Order {
    Order {
        status: OrderStatus::Rejected,
        code: Some(Code::OutOfStock),
        lines: Vec::new(),
        total: 0,
        captured: 0,
        refunded: 0,
        payment: None,
        shipment: None,
        ..Order::clone(&order())
    }
}

/// A credit note.
pub fn credit() -> Arc<Credit> {
    let line = CreditLine { sku: text("D"), quantity: 3, unit_price: 275_000, amount: 825_000, category: text("") };
    Arc::new(Credit {
        credit_id: text("C536379"),
        customer_id: None,
        currency: currency(),
        country: text("United Kingdom"),
        lines: vec![line],
        total: 825_000,
        restock: true,
        reference: Some(text("C536379")),
        occurred_at: moment(0),
        epoch: Epoch(7),
    })
}

/// An adjustment.
pub fn adjustment() -> Arc<Adjustment> {
    Arc::new(Adjustment {
        adjustment_id: text("A563185"),
        customer_id: None,
        currency: currency(),
        country: text("Unspecified"),
        amount: pounds(-110_620_600),
        reference: None,
        occurred_at: moment(0),
        epoch: Epoch(7),
    })
}
