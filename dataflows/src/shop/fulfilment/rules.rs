//! Shipping, delivering, and shipments that fail.

use crate::contract::code::{Code, Rejection};
use crate::shop::catalogue::InventoryPolicy;
use crate::shop::context::Context;
use crate::shop::decider::Tables;
use crate::shop::decider::{Decision, Rule};
use crate::shop::fulfilment::{DeliverOrder, RecordShipmentFailure, ShipOrder};
use crate::shop::orders::cancel::{Cancellation, cancel};
use crate::shop::orders::state::{invalid_transition, order, transition_to, updated};
use crate::shop::orders::{OrderStatus, PaymentStatus, Shipment, ShipmentStatus};
use crate::shop::stock::StockReason;
use crate::shop::stock::stock_edit::{MovementCause, StockEdit, number};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Ships a paid order.
impl Rule for ShipOrder {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let before = order(tables, &self.order_id)?;
        if before.status != OrderStatus::Paid || (before.total > 0 && before.refundable() == 0) {
            return Err(invalid_transition(before, "shipped"));
        }
        let mut leaving = BTreeMap::<(&SmolStr, &SmolStr), i64>::new();
        for line in &before.lines {
            for part in &line.taken {
                *leaving.entry((&line.sku, &part.location)).or_default() += part.quantity;
            }
        }
        let mut edit = StockEdit::new(tables);
        for ((sku, location), quantity) in leaving {
            let there = edit.get(sku).and_then(|stock| stock.location(location)).map_or(0, |at| at.on_hand);
            if tables.inventory_policy(sku) == InventoryPolicy::Reserve && there < quantity {
                let detail = format!("{quantity} of {sku:?} are to leave {location:?}, where {there} lie");
                return Err(Rejection::new(Code::InsufficientStock, "", detail));
            }
        }
        for (n, line) in before.lines.iter().enumerate() {
            for part in &line.taken {
                let why = MovementCause {
                    reason: StockReason::Shipped,
                    reference: Some(before.order_id.clone()),
                    line: Some(number(n)),
                };
                edit.move_by(&line.sku, &part.location, -part.quantity, -part.quantity, why);
            }
        }
        let mut after = before.as_ref().clone();
        after.shipment = Some(Box::new(Shipment {
            carrier: self.carrier.clone(),
            tracking: self.tracking.clone(),
            status: ShipmentStatus::Shipped,
        }));
        transition_to(&mut after, context, OrderStatus::Shipped);
        updated(edit, after, before.status, None)
    }
}

/// Records that a shipped order arrived.
impl Rule for DeliverOrder {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let before = order(tables, &self.order_id)?;
        let on_its_way = before.shipment.as_ref().is_some_and(|shipment| shipment.status == ShipmentStatus::Shipped);
        let open = matches!(before.status, OrderStatus::Shipped | OrderStatus::PartlyReturned);
        if !open || !on_its_way {
            return Err(invalid_transition(before, "delivered"));
        }
        let mut after = before.as_ref().clone();
        if let Some(shipment) = &mut after.shipment {
            shipment.status = ShipmentStatus::Delivered;
        }
        // What came back in part stays so: the delivery is recorded, and no new state entered.
        if before.status == OrderStatus::Shipped {
            transition_to(&mut after, context, OrderStatus::Delivered);
        }
        updated(StockEdit::new(tables), after, before.status, None)
    }
}

/// Cancels an order that cannot be delivered.
impl Rule for RecordShipmentFailure {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let before = order(tables, &self.order_id)?;
        if !matches!(before.status, OrderStatus::Paid | OrderStatus::Shipped) {
            return Err(invalid_transition(before, "reported as not delivered"));
        }
        let how = Cancellation {
            reason: self.reason.clone(),
            refund: "shipment_failed",
            shipment: ShipmentStatus::Failed,
            payment: PaymentStatus::Cancelled,
            restock: self.restock,
        };
        cancel(tables, context, before, how)
    }
}
