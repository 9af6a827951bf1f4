//! From a record to a command, or to the code of its dead letter.
//! Shape only: whether a value is within its bounds is asked in `bounds.rs`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Record;
use super::command::*;
use super::money::{self, Money};
use super::time;

const RECORD_BYTES_MAX: usize = 1 << 20;

/// The data has not its type's shape.
struct Unreadable;
type Read<T> = Result<T, Unreadable>;

/// Reads a record; the error is the dead letter's code.
pub fn read(record: &Record) -> Result<Command, &'static str> {
    if record.data.to_string().len() > RECORD_BYTES_MAX {
        return Err("too_large");
    }
    if !is_command_id(&record.command_id) {
        return Err("bad_command_id");
    }
    if topic_of(&record.type_name) != Some(record.topic.as_str()) {
        return Err("unknown_type");
    }
    let Some(data) = record.data.as_object() else {
        return Err("unreadable");
    };
    let data = Fields(data);
    let Ok(command) = read_command(record, &data) else {
        return Err("unreadable");
    };
    // An order without an id of its own takes the command id, and then any key will do.
    let own_id_absent = record.type_name == "PlaceOrder" && data.get("order_id").is_none();
    if !own_id_absent && record.key.as_deref() != Some(command.body.key()) {
        return Err("wrong_key");
    }
    Ok(command)
}

/// 1–255 visible ASCII characters.
fn is_command_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn topic_of(type_name: &str) -> Option<&'static str> {
    match type_name {
        "PutPolicy" => Some("policy.commands"),
        "PutProduct" | "ArchiveProduct" | "SetPrice" => Some("catalog.commands"),
        "MoveStock" | "TransferStock" => Some("stock.commands"),
        "PlaceOrder"
        | "CancelOrder"
        | "ShipOrder"
        | "DeliverOrder"
        | "RecordShipmentFailure"
        | "ReturnItems"
        | "RecordCredit"
        | "RecordAdjustment"
        | "RecordPaymentResult"
        | "IssueRefund" => Some("orders.commands"),
        _ => None,
    }
}

fn read_command(record: &Record, data: &Fields) -> Read<Command> {
    let body = match record.type_name.as_str() {
        "PutPolicy" | "PutProduct" | "ArchiveProduct" | "SetPrice" | "MoveStock" | "TransferStock" => {
            read_goods(&record.type_name, data)?
        }
        "PlaceOrder" => Body::PlaceOrder(read_place_order(data, &record.command_id)?),
        "RecordCredit" => Body::RecordCredit(read_credit(data)?),
        "RecordAdjustment" => Body::RecordAdjustment(RecordAdjustment {
            adjustment_id: data.need_text("adjustment_id")?,
            customer_id: data.text("customer_id")?,
            currency: data.need_text("currency")?,
            country: data.need_text("country")?,
            amount: data.need_money("amount")?,
            reference: data.text("reference")?,
        }),
        _ => read_about_order(&record.type_name, data)?,
    };
    Ok(Command { occurred_at: data.time("occurred_at")?, body })
}

/// Policy, catalogue and stock.
fn read_goods(type_name: &str, data: &Fields) -> Read<Body> {
    Ok(match type_name {
        "PutPolicy" => Body::PutPolicy(PutPolicy {
            payment_timeout_s: data.integer("payment_timeout_s")?,
            payment_timeout_external_s: data.integer("payment_timeout_external_s")?,
            id_memory_s: data.integer("id_memory_s")?,
            order_lines_max: data.integer("order_lines_max")?,
            dead_letters_per_min: data.integer("dead_letters_per_min")?,
        }),
        "PutProduct" => Body::PutProduct(read_product(data)?),
        "ArchiveProduct" => Body::ArchiveProduct(ArchiveProduct { product_id: data.need_text("product_id")? }),
        "SetPrice" => Body::SetPrice(SetPrice {
            product_id: data.need_text("product_id")?,
            sku: data.need_text("sku")?,
            price: data.need_money("price")?,
            valid_from: data.time("valid_from")?,
            valid_to: data.time("valid_to")?,
        }),
        "MoveStock" => Body::MoveStock(MoveStock {
            sku: data.need_text("sku")?,
            location: data.text("location")?.unwrap_or_else(|| "main".to_string()),
            quantity: data.need_integer("quantity")?,
            reason: need(data.word("reason", &["received", "adjusted", "written_off"])?)?,
            reference: data.text("reference")?,
        }),
        "TransferStock" => Body::TransferStock(TransferStock {
            sku: data.need_text("sku")?,
            from: data.need_text("from")?,
            to: data.need_text("to")?,
            quantity: data.need_integer("quantity")?,
            reference: data.text("reference")?,
        }),
        _ => return Err(Unreadable),
    })
}

/// What happens to an order after it was placed.
fn read_about_order(type_name: &str, data: &Fields) -> Read<Body> {
    let order_id = data.need_text("order_id")?;
    Ok(match type_name {
        "CancelOrder" => Body::CancelOrder(CancelOrder { order_id, reason: data.text("reason")? }),
        "ShipOrder" => {
            Body::ShipOrder(ShipOrder { order_id, carrier: data.text("carrier")?, tracking: data.text("tracking")? })
        }
        "DeliverOrder" => Body::DeliverOrder(DeliverOrder { order_id }),
        "RecordShipmentFailure" => Body::RecordShipmentFailure(RecordShipmentFailure {
            order_id,
            reason: data.text("reason")?,
            restock: data.flag("restock")?.unwrap_or(true),
        }),
        "ReturnItems" => Body::ReturnItems(ReturnItems {
            order_id,
            return_id: data.need_text("return_id")?,
            lines: read_return_lines(data)?,
            restock: data.flag("restock")?.unwrap_or(true),
        }),
        "RecordPaymentResult" => Body::RecordPaymentResult(RecordPaymentResult {
            order_id,
            payment_id: data.need_text("payment_id")?,
            status: read_payment_status(data)?,
            amount: data.need_money("amount")?,
            reason: data.text("reason")?,
        }),
        "IssueRefund" => Body::IssueRefund(IssueRefund {
            order_id,
            refund_id: data.need_text("refund_id")?,
            amount: data.need_money("amount")?,
            reason: data.text("reason")?,
        }),
        _ => return Err(Unreadable),
    })
}

fn read_product(data: &Fields) -> Read<PutProduct> {
    let mut category = Vec::new();
    for segment in data.list("category")?.unwrap_or(&[]) {
        category.push(segment.as_str().ok_or(Unreadable)?.to_string());
    }
    let mut attributes = BTreeMap::new();
    if let Some(value) = data.get("attributes") {
        for (name, text) in value.as_object().ok_or(Unreadable)? {
            // `null` is absent, here as everywhere.
            if !text.is_null() {
                attributes.insert(name.clone(), text.as_str().ok_or(Unreadable)?.to_string());
            }
        }
    }
    let mut variants = Vec::new();
    for value in need(data.list("variants")?)? {
        let variant = Fields::of(value)?;
        let words = ["reserve", "track_only", "none"];
        let inventory_policy = match variant.word("inventory_policy", &words)?.as_deref() {
            Some("track_only") => InventoryPolicy::TrackOnly,
            Some("none") => InventoryPolicy::None,
            _ => InventoryPolicy::Reserve,
        };
        variants.push(Variant {
            sku: variant.need_text("sku")?,
            title: variant.text("title")?,
            price: variant.need_money("price")?,
            inventory_policy,
            low_stock_at: variant.integer("low_stock_at")?,
        });
    }
    Ok(PutProduct {
        product_id: data.need_text("product_id")?,
        title: data.need_text("title")?,
        description: data.text("description")?,
        brand: data.text("brand")?,
        category,
        attributes,
        variants,
    })
}

fn read_place_order(data: &Fields, command_id: &str) -> Read<PlaceOrder> {
    let payment = Fields::of(need(data.get("payment"))?)?;
    let words = ["sandbox", "external", "settled"];
    let method = match need(payment.word("method", &words)?)?.as_str() {
        "sandbox" => PaymentMethod::Sandbox,
        "external" => PaymentMethod::External,
        _ => PaymentMethod::Settled,
    };
    Ok(PlaceOrder {
        order_id: data.text("order_id")?.unwrap_or_else(|| command_id.to_string()),
        customer_id: data.text("customer_id")?,
        currency: data.need_text("currency")?,
        country: data.need_text("country")?,
        lines: read_asked_lines(data)?,
        method,
        token: payment.text("token")?,
    })
}

fn read_credit(data: &Fields) -> Read<RecordCredit> {
    let lines = read_asked_lines(data)?;
    if lines.iter().any(|line| line.unit_price.is_none()) {
        return Err(Unreadable);
    }
    Ok(RecordCredit {
        credit_id: data.need_text("credit_id")?,
        customer_id: data.text("customer_id")?,
        currency: data.need_text("currency")?,
        country: data.need_text("country")?,
        lines,
        restock: data.flag("restock")?.unwrap_or(true),
        reference: data.text("reference")?,
    })
}

fn read_asked_lines(data: &Fields) -> Read<Vec<AskedLine>> {
    let mut lines = Vec::new();
    for value in need(data.list("lines")?)? {
        let line = Fields::of(value)?;
        lines.push(AskedLine {
            sku: line.need_text("sku")?,
            quantity: line.need_integer("quantity")?,
            unit_price: line.money("unit_price")?,
        });
    }
    Ok(lines)
}

fn read_return_lines(data: &Fields) -> Read<Vec<ReturnLine>> {
    let mut lines = Vec::new();
    for value in need(data.list("lines")?)? {
        let line = Fields::of(value)?;
        lines.push(ReturnLine { line: line.need_integer("line")?, quantity: line.need_integer("quantity")? });
    }
    Ok(lines)
}

fn read_payment_status(data: &Fields) -> Read<PaymentResult> {
    let words = ["processed", "failed", "charged_back"];
    Ok(match need(data.word("status", &words)?)?.as_str() {
        "processed" => PaymentResult::Processed,
        "failed" => PaymentResult::Failed,
        _ => PaymentResult::ChargedBack,
    })
}

/// A JSON object whose fields are asked for by name; others are ignored, `null` is absent.
struct Fields<'a>(&'a Map<String, Value>);

fn need<T>(value: Option<T>) -> Read<T> {
    value.ok_or(Unreadable)
}

impl<'a> Fields<'a> {
    fn of(value: &'a Value) -> Read<Fields<'a>> {
        value.as_object().map(Fields).ok_or(Unreadable)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Read<Option<String>> {
        match self.get(name) {
            Some(value) => Ok(Some(value.as_str().ok_or(Unreadable)?.to_string())),
            None => Ok(None),
        }
    }

    fn need_text(&self, name: &str) -> Read<String> {
        need(self.text(name)?)
    }

    fn word(&self, name: &str, words: &[&str]) -> Read<Option<String>> {
        match self.text(name)? {
            Some(text) if !words.contains(&text.as_str()) => Err(Unreadable),
            other => Ok(other),
        }
    }

    fn integer(&self, name: &str) -> Read<Option<i64>> {
        match self.get(name) {
            Some(value) => Ok(Some(value.as_i64().ok_or(Unreadable)?)),
            None => Ok(None),
        }
    }

    fn need_integer(&self, name: &str) -> Read<i64> {
        need(self.integer(name)?)
    }

    fn flag(&self, name: &str) -> Read<Option<bool>> {
        match self.get(name) {
            Some(value) => Ok(Some(value.as_bool().ok_or(Unreadable)?)),
            None => Ok(None),
        }
    }

    fn list(&self, name: &str) -> Read<Option<&'a [Value]>> {
        match self.get(name) {
            Some(value) => Ok(Some(value.as_array().ok_or(Unreadable)?)),
            None => Ok(None),
        }
    }

    fn time(&self, name: &str) -> Read<Option<i64>> {
        match self.text(name)? {
            Some(text) => Ok(Some(time::read(&text).ok_or(Unreadable)?)),
            None => Ok(None),
        }
    }

    fn money(&self, name: &str) -> Read<Option<Money>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let money = Fields::of(value)?;
        let units = money::read_amount(&money.need_text("amount")?).ok_or(Unreadable)?;
        Ok(Some(Money { units, currency: money.need_text("currency")? }))
    }

    fn need_money(&self, name: &str) -> Read<Money> {
        need(self.money(name)?)
    }
}
