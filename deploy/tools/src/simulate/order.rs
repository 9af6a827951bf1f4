//! An order as in its customer's books: the state and the money that it must have after each acknowledged step. Written
//! from the contract, not from the shop's code.

use super::expected_stock::{Allocations, Shelves};
use dataflows::contract::money::parse_decimal;
use serde_json::{Value, json};

/// The currency of all that is simulated.
pub const CURRENCY: &str = "EUR";

/// The way that a payment will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The gateway approves.
    Approved,
    /// The gateway declines.
    Declined,
    /// The gateway approves, late.
    Slow,
    /// The gateway never answers.
    Lost,
    /// The customer's own connector decides.
    External,
    /// It is paid already.
    Settled,
}

impl Way {
    /// The payment as an order is given it.
    pub fn payment(self) -> Value {
        let token = match self {
            Way::Approved => Some("approve"),
            Way::Declined => Some("decline"),
            Way::Slow => Some("slow"),
            Way::Lost => Some("error"),
            Way::External => return json!({"method": "external"}),
            Way::Settled => return json!({"method": "settled"}),
        };
        json!({"method": "sandbox", "token": token})
    }
}

/// The state of an order, as in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    PendingPayment,
    Paid,
    Shipped,
    Delivered,
    PartlyReturned,
    Returned,
    Cancelled,
}

impl OrderState {
    const fn name(self) -> &'static str {
        match self {
            OrderState::PendingPayment => "pending_payment",
            OrderState::Paid => "paid",
            OrderState::Shipped => "shipped",
            OrderState::Delivered => "delivered",
            OrderState::PartlyReturned => "partly_returned",
            OrderState::Returned => "returned",
            OrderState::Cancelled => "cancelled",
        }
    }
}

/// A line.
#[derive(Clone, Debug)]
pub struct ExpectedLine {
    /// The SKU.
    pub sku: String,
    /// The number of units.
    pub quantity: i64,
    /// The price of a unit.
    pub price: i64,
    /// The units that came back.
    pub returned: i64,
    /// The units that left the shop and were not put back on a shelf.
    pub away: i64,
    /// The locations they were taken from, as far as the books know.
    pub taken: Option<Allocations>,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The way of its payment.
    pub way: Way,
    /// Its lines.
    pub lines: Vec<ExpectedLine>,
    /// Its state.
    pub state: OrderState,
    /// The money that came in.
    pub captured: i64,
    /// The money that went back.
    pub refunded: i64,
    /// True if it counts in the revenue.
    pub is_sold: bool,
    /// The part of `refunded` for goods.
    pub returned: i64,
    /// The units of that.
    pub units_returned: i64,
    /// True if the customer's bank took money back.
    pub is_charged_back: bool,
    /// True if the gateway's late answer may have met it before or after its cancellation.
    pub is_raced: bool,
    /// The number of return and refund ids that were used.
    pub parts: u32,
}

impl Order {
    /// An order that was just taken.
    pub fn new(id: String, way: Way, lines: Vec<ExpectedLine>) -> Order {
        let mut order = Order {
            id,
            way,
            lines,
            state: OrderState::PendingPayment,
            captured: 0,
            refunded: 0,
            is_sold: false,
            returned: 0,
            units_returned: 0,
            is_charged_back: false,
            is_raced: false,
            parts: 0,
        };
        if way == Way::Settled {
            order.pay();
        }
        order
    }

    /// Σ quantity × price.
    pub fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity * line.price).sum()
    }

    /// The rest of its money.
    pub const fn left(&self) -> i64 {
        self.captured - self.refunded
    }

    /// Returns true if goods are promised to it.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, OrderState::PendingPayment | OrderState::Paid)
    }

    /// Its money comes.
    pub fn pay(&mut self) {
        self.state = OrderState::Paid;
        self.captured = self.total();
        self.is_sold = true;
    }

    /// It is called off; goods that left come back if `restock`.
    pub fn cancel(&mut self, shelves: &mut Shelves, restock: bool) {
        let was_open = self.is_open();
        for line in &mut self.lines {
            for (location, quantity) in line.taken.iter().flatten() {
                if was_open {
                    shelves.change(&line.sku, location, 0, -quantity);
                } else if restock {
                    shelves.change(&line.sku, location, *quantity, 0);
                }
            }
            if restock {
                line.away = 0;
            }
        }
        if self.is_sold {
            self.units_returned += self.lines.iter().map(|line| line.quantity).sum::<i64>();
            self.returned += self.left();
        }
        self.is_raced = self.way == Way::Slow && self.state == OrderState::PendingPayment;
        self.refunded = self.captured;
        self.state = OrderState::Cancelled;
    }

    /// It leaves the shop.
    pub fn ship(&mut self, shelves: &mut Shelves) {
        for line in &mut self.lines {
            line.away = line.quantity;
            for (location, quantity) in line.taken.iter().flatten() {
                shelves.change(&line.sku, location, -quantity, -quantity);
            }
        }
        self.state = OrderState::Shipped;
    }

    /// So many of a line, by its index, come back.
    pub fn give_back(&mut self, shelves: &mut Shelves, index: usize, quantity: i64, restock: bool) {
        let left = self.left();
        let line = &mut self.lines[index];
        if restock {
            line.away -= quantity;
            // The places it was taken from, as a row of single units: those after what came back before.
            let (from, to) = (line.returned, line.returned + quantity);
            let mut begin = 0;
            for (location, part) in line.taken.iter().flatten() {
                let here = to.min(begin + part) - from.max(begin);
                if here > 0 {
                    shelves.change(&line.sku, location, here, 0);
                }
                begin += part;
            }
        }
        line.returned += quantity;
        let money = (quantity * line.price).min(left);
        self.refunded += money;
        self.returned += money;
        self.units_returned += quantity;
        let is_all = self.lines.iter().all(|line| line.returned == line.quantity);
        self.state = if is_all { OrderState::Returned } else { OrderState::PartlyReturned };
        self.parts += 1;
    }

    /// The difference of the shop's row from what it must be; `None` if there is none. A fact that the books cannot
    /// know — which of a cancellation and a late answer of the gateway was first — is taken over from the row.
    pub fn difference(&mut self, row: &Value) -> Option<String> {
        let (status, captured, refunded) = (row["status"].as_str(), money(&row["captured"]), money(&row["refunded"]));
        if self.way == Way::Slow && self.state == OrderState::PendingPayment && status == Some(OrderState::Paid.name())
        {
            self.pay();
        }
        // The shop's own clock calls off unpaid orders; such an order holds nothing whose place the books know.
        if self.way == Way::Lost && self.state == OrderState::PendingPayment && row["payment"]["status"] == "expired" {
            self.state = OrderState::Cancelled;
        }
        if self.is_raced && self.captured == 0 && captured == Some(self.total()) && refunded == captured {
            (self.captured, self.refunded) = (self.total(), self.total());
            let history = row["history"].as_array().map(Vec::as_slice).unwrap_or_default();
            if history.iter().any(|entry| entry["status"] == OrderState::Paid.name()) {
                self.is_sold = true;
                self.returned = self.total();
                self.units_returned = self.lines.iter().map(|line| line.quantity).sum();
            }
        }
        let lines = row["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
        let same_lines = lines.len() == self.lines.len()
            && self.lines.iter().zip(lines).all(|(line, row)| {
                row["sku"] == line.sku.as_str()
                    && row["quantity"] == line.quantity
                    && row["returned"] == line.returned
                    && money(&row["unit_price"]) == Some(line.price)
                    && money(&row["amount"]) == Some(line.quantity * line.price)
            });
        let same = row["order_id"] == self.id.as_str()
            && status == Some(self.state.name())
            && money(&row["total"]) == Some(self.total())
            && captured == Some(self.captured)
            && refunded == Some(self.refunded)
            && same_lines;
        (!same).then(|| format!("order {}: expected {self:?}, the shop has {row}", self.id))
    }
}

/// An amount in our currency, in ten-thousandths.
pub fn money(value: &Value) -> Option<i64> {
    (value["currency"] == CURRENCY).then_some(())?;
    parse_decimal(value["amount"].as_str()?).ok()
}
