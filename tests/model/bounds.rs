//! Which readable values lie outside their bounds: the pointer of the first, in declared order.
//! Bounds that depend on the shop's state (an unknown return line, a SKU without stock) are elsewhere.

use super::command::*;
use super::money::Money;
use super::policy::Policy;
use super::time::MINUTE;

const QUANTITY_MAX: i64 = 1_000_000_000;
const ID_CHARACTERS_MAX: usize = 128;
const COUNTRY_CHARACTERS_MAX: usize = 64;
const TEXT_CHARACTERS_MAX: usize = 256;
const NOTE_CHARACTERS_MAX: usize = 10_000;
const TOKEN_CHARACTERS_MAX: usize = 2_048;
const ORDER_LINES_MAX: i64 = 5_000;
const EARLY_MAX: i64 = 5 * MINUTE;

/// The pointer of the first value outside its bounds.
pub fn violation(command: &Command, policy: &Policy, now: i64) -> Option<String> {
    let mut found = FirstFault(None);
    match &command.body {
        Body::PutPolicy(body) => check_policy(&mut found, body),
        Body::PutProduct(body) => check_product(&mut found, body),
        Body::ArchiveProduct(body) => found.id("/product_id", &body.product_id),
        Body::SetPrice(body) => check_price(&mut found, body),
        Body::MoveStock(body) => {
            found.id("/sku", &body.sku);
            found.id("/location", &body.location);
            let magnitude = i128::from(body.quantity).abs();
            found.require("/quantity", (1..=i128::from(QUANTITY_MAX)).contains(&magnitude));
            found.name("/reference", &body.reference);
        }
        Body::TransferStock(body) => {
            found.id("/sku", &body.sku);
            found.id("/from", &body.from);
            found.id("/to", &body.to);
            found.require("/to", body.from != body.to);
            found.quantity("/quantity", body.quantity);
            found.name("/reference", &body.reference);
        }
        Body::PlaceOrder(body) => {
            found.id("/order_id", &body.order_id);
            found.text("/payment/token", body.token.as_deref(), 0..=TOKEN_CHARACTERS_MAX);
            found.party(&body.customer_id, &body.currency, &body.country);
            check_lines(&mut found, &body.lines, policy);
        }
        Body::CancelOrder(body) => found.called_off(&body.order_id, &body.reason),
        Body::ShipOrder(body) => {
            found.id("/order_id", &body.order_id);
            found.name("/carrier", &body.carrier);
            found.name("/tracking", &body.tracking);
        }
        Body::DeliverOrder(body) => found.id("/order_id", &body.order_id),
        Body::RecordShipmentFailure(body) => found.called_off(&body.order_id, &body.reason),
        Body::ReturnItems(body) => check_return(&mut found, body),
        Body::RecordCredit(body) => {
            found.id("/credit_id", &body.credit_id);
            found.name("/reference", &body.reference);
            found.party(&body.customer_id, &body.currency, &body.country);
            check_lines(&mut found, &body.lines, policy);
        }
        Body::RecordAdjustment(body) => {
            found.id("/adjustment_id", &body.adjustment_id);
            found.name("/reference", &body.reference);
            found.party(&body.customer_id, &body.currency, &body.country);
            found.currency("/amount", &body.amount.currency);
        }
        Body::RecordPaymentResult(body) => {
            found.id("/order_id", &body.order_id);
            found.id("/payment_id", &body.payment_id);
            let least = if body.status == PaymentResult::ChargedBack { 1 } else { 0 };
            found.money("/amount", &body.amount, least);
            found.note("/reason", &body.reason);
        }
        Body::IssueRefund(body) => {
            found.id("/order_id", &body.order_id);
            found.id("/refund_id", &body.refund_id);
            found.money("/amount", &body.amount, 1);
            found.note("/reason", &body.reason);
        }
    }
    let early = command.occurred_at.is_some_and(|at| at > now + EARLY_MAX);
    found.require("/occurred_at", !early);
    found.0
}

fn check_policy(found: &mut FirstFault, body: &PutPolicy) {
    let values = [
        ("/payment_timeout_s", body.payment_timeout_s),
        ("/payment_timeout_external_s", body.payment_timeout_external_s),
        ("/id_memory_s", body.id_memory_s),
        ("/order_lines_max", body.order_lines_max),
        ("/dead_letters_per_min", body.dead_letters_per_min),
    ];
    for (pointer, value) in values {
        found.quantity(pointer, value.unwrap_or(1));
    }
    found.require("/order_lines_max", body.order_lines_max.unwrap_or(1) <= ORDER_LINES_MAX);
}

fn check_product(found: &mut FirstFault, body: &PutProduct) {
    found.id("/product_id", &body.product_id);
    found.name("/title", &Some(body.title.clone()));
    found.note("/description", &body.description);
    found.name("/brand", &body.brand);
    found.require("/category", body.category.len() <= 10);
    for (place, segment) in body.category.iter().enumerate() {
        let pointer = format!("/category/{place}");
        found.text(&pointer, Some(segment), 1..=100);
        found.require(&pointer, !segment.contains('/'));
    }
    found.require("/attributes", body.attributes.len() <= 200);
    for (name, value) in &body.attributes {
        found.text("/attributes", Some(name), 0..=100);
        found.text(&format!("/attributes/{name}"), Some(value), 0..=1_000);
    }
    found.require("/variants", (1..=1_000).contains(&body.variants.len()));
    for (place, variant) in body.variants.iter().enumerate() {
        let pointer = format!("/variants/{place}");
        found.id(&format!("{pointer}/sku"), &variant.sku);
        let twice = body.variants[..place].iter().any(|other| other.sku == variant.sku);
        found.require(&format!("{pointer}/sku"), !twice);
        found.name(&format!("{pointer}/title"), &variant.title);
        found.money(&format!("{pointer}/price"), &variant.price, 0);
        let low_stock_at = variant.low_stock_at.unwrap_or(0);
        found.require(&format!("{pointer}/low_stock_at"), (0..=QUANTITY_MAX).contains(&low_stock_at));
    }
}

fn check_price(found: &mut FirstFault, body: &SetPrice) {
    found.id("/product_id", &body.product_id);
    found.id("/sku", &body.sku);
    found.money("/price", &body.price, 0);
    if let (Some(from), Some(to)) = (body.valid_from, body.valid_to) {
        found.require("/valid_to", to > from);
    }
}

fn check_lines(found: &mut FirstFault, lines: &[AskedLine], policy: &Policy) {
    found.require("/lines", !lines.is_empty() && lines.len() as i64 <= policy.order_lines_max);
    for (place, line) in lines.iter().enumerate() {
        found.id(&format!("/lines/{place}/sku"), &line.sku);
        found.quantity(&format!("/lines/{place}/quantity"), line.quantity);
        if let Some(price) = &line.unit_price {
            found.money(&format!("/lines/{place}/unit_price"), price, 0);
        }
    }
}

fn check_return(found: &mut FirstFault, body: &ReturnItems) {
    found.id("/order_id", &body.order_id);
    found.id("/return_id", &body.return_id);
    found.require("/lines", !body.lines.is_empty() && body.lines.len() as i64 <= ORDER_LINES_MAX);
    for (place, line) in body.lines.iter().enumerate() {
        found.quantity(&format!("/lines/{place}/quantity"), line.quantity);
    }
}

/// The first pointer that failed so far.
struct FirstFault(Option<String>);

impl FirstFault {
    fn require(&mut self, pointer: &str, holds: bool) {
        if !holds && self.0.is_none() {
            self.0 = Some(pointer.to_string());
        }
    }

    /// A text of so many characters, none of them a control character.
    fn text(&mut self, pointer: &str, text: Option<&str>, characters: std::ops::RangeInclusive<usize>) {
        if let Some(text) = text {
            let sound = characters.contains(&text.chars().count()) && !text.contains(char::is_control);
            self.require(pointer, sound);
        }
    }

    fn id(&mut self, pointer: &str, id: &str) {
        self.text(pointer, Some(id), 1..=ID_CHARACTERS_MAX);
        let has_white_ends = id.starts_with(char::is_whitespace) || id.ends_with(char::is_whitespace);
        self.require(pointer, !has_white_ends && id != "." && id != "..");
    }

    /// A title, brand, carrier, tracking number or reference.
    fn name(&mut self, pointer: &str, name: &Option<String>) {
        self.text(pointer, name.as_deref(), 1..=TEXT_CHARACTERS_MAX);
    }

    /// A description or a reason: line breaks and tabs count like any character.
    fn note(&mut self, pointer: &str, note: &Option<String>) {
        let plain = note.as_ref().map(|note| note.replace(['\n', '\r', '\t'], " "));
        self.text(pointer, plain.as_deref(), 0..=NOTE_CHARACTERS_MAX);
    }

    /// An order that is cancelled, or could not be delivered.
    fn called_off(&mut self, order_id: &str, reason: &Option<String>) {
        self.id("/order_id", order_id);
        self.note("/reason", reason);
    }

    fn quantity(&mut self, pointer: &str, quantity: i64) {
        self.require(pointer, (1..=QUANTITY_MAX).contains(&quantity));
    }

    fn currency(&mut self, pointer: &str, currency: &str) {
        self.require(pointer, iso_currency::Currency::from_code(currency).is_some());
    }

    fn money(&mut self, pointer: &str, money: &Money, least: i64) {
        self.require(pointer, money.units >= least);
        self.currency(pointer, &money.currency);
    }

    fn party(&mut self, customer_id: &Option<String>, currency: &str, country: &str) {
        if let Some(customer_id) = customer_id {
            self.id("/customer_id", customer_id);
        }
        self.currency("/currency", currency);
        self.text("/country", Some(country), 1..=COUNTRY_CHARACTERS_MAX);
    }
}
