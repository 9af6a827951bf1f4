//! The memory of command ids: each decided once, with its outcome, until it is forgotten.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Record;
use super::command::{Body, Command};
use super::events::Refusal;

#[derive(Default)]
pub struct Operations(BTreeMap<String, Operation>);

/// A decided command's row.
struct Operation {
    row: Value,
    forget_after: i64,
    is_remembered: bool,
}

impl Operations {
    /// True if an id is remembered.
    pub fn knows(&self, command_id: &str) -> bool {
        self.0.get(command_id).is_some_and(|operation| operation.is_remembered)
    }

    pub fn remember(
        &mut self,
        epoch: u64,
        record: &Record,
        command: &Command,
        refusal: Option<&Refusal>,
        forget_after: i64,
    ) {
        let row = json!({
            "command_id": record.command_id,
            "type": record.type_name,
            "status": if refusal.is_some() { "rejected" } else { "succeeded" },
            "epoch": epoch,
            "origin": {
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
            },
            "ids": ids(&command.body),
            "code": refusal.map(|refusal| refusal.code),
            "errors": refusal.map_or_else(|| json!([]), Refusal::errors_json),
        });
        let names_one_sku = matches!(command.body, Body::SetPrice(_) | Body::MoveStock(_) | Body::TransferStock(_));
        let is_remembered = match refusal.map(|refusal| refusal.code) {
            Some("not_found" | "unknown_payment") => false,
            Some("unknown_sku") => !names_one_sku,
            Some(_) | None => true,
        };
        self.0.insert(record.command_id.clone(), Operation { row, forget_after, is_remembered });
    }

    /// After an epoch's commands: ids whose time `now` has passed.
    pub fn forget(&mut self, now: i64) {
        self.0.retain(|_, operation| now <= operation.forget_after);
    }

    pub fn rows(&self) -> BTreeMap<String, Value> {
        self.0.iter().map(|(id, operation)| (id.clone(), operation.row.clone())).collect()
    }
}

/// The ids that a command names, refused or not.
fn ids(body: &Body) -> Value {
    let pairs: Vec<(&str, &String)> = match body {
        Body::PutPolicy(_) => vec![],
        Body::PutProduct(command) => vec![("product_id", &command.product_id)],
        Body::ArchiveProduct(command) => vec![("product_id", &command.product_id)],
        Body::SetPrice(command) => {
            vec![("product_id", &command.product_id), ("sku", &command.sku)]
        }
        Body::MoveStock(command) => vec![("sku", &command.sku)],
        Body::TransferStock(command) => vec![("sku", &command.sku)],
        Body::PlaceOrder(command) => vec![("order_id", &command.order_id)],
        Body::CancelOrder(command) => vec![("order_id", &command.order_id)],
        Body::ShipOrder(command) => vec![("order_id", &command.order_id)],
        Body::DeliverOrder(command) => vec![("order_id", &command.order_id)],
        Body::RecordShipmentFailure(command) => vec![("order_id", &command.order_id)],
        Body::ReturnItems(command) => {
            vec![("order_id", &command.order_id), ("return_id", &command.return_id)]
        }
        Body::RecordCredit(command) => vec![("credit_id", &command.credit_id)],
        Body::RecordAdjustment(command) => vec![("adjustment_id", &command.adjustment_id)],
        Body::RecordPaymentResult(command) => {
            vec![("order_id", &command.order_id), ("payment_id", &command.payment_id)]
        }
        Body::IssueRefund(command) => {
            vec![("order_id", &command.order_id), ("refund_id", &command.refund_id)]
        }
    };
    let mut ids = Map::new();
    // Those that are as long as ids may be.
    for (name, id) in pairs.into_iter().filter(|(_, id)| (1..=128).contains(&id.chars().count())) {
        ids.insert(name.to_string(), json!(id));
    }
    Value::Object(ids)
}
