//! The next action of a customer: chosen by the seed's numbers from what the books make possible, at times from what
//! they make impossible. Not for doing it.

use super::actions::{Action, Books};
use super::order::{Order, OrderState, Way};
use crate::split_mix::SplitMix64;

/// The locations of a customer's own SKUs.
pub const LOCATIONS: [&str; 3] = ["east", "main", "west"];
/// The units of an order line, at most.
const UNITS_MAX: u64 = 4;
/// With so many orders in hand, a customer begins no further one.
const IN_HAND_MAX: usize = 200;

/// The planner of a customer.
pub struct Planner {
    /// The numbers that the choices follow from.
    pub numbers: SplitMix64,
    /// The prefix of the customer's ids.
    pub name: String,
    /// The country of all orders of the run.
    pub country: String,
    /// The customer's own SKUs.
    pub own: Vec<String>,
    /// The SKUs that all customers buy.
    pub shared: Vec<String>,
    /// The orders that may continue.
    pub in_hand: Vec<String>,
    /// The number of planned orders.
    pub placed: u64,
}

impl Planner {
    fn chance(&mut self, percent: u64) -> bool {
        self.numbers.below(100) < percent
    }

    fn units(&mut self, most: u64) -> i64 {
        i64::try_from(1 + self.numbers.below(most.max(1))).unwrap_or(1)
    }

    fn own_sku(&mut self) -> String {
        self.numbers.pick(&self.own).cloned().unwrap_or_default()
    }

    fn location(&mut self) -> String {
        self.numbers.pick(&LOCATIONS).copied().unwrap_or("main").to_owned()
    }

    /// The next thing to do.
    pub fn next(&mut self, books: &Books) -> Action {
        match self.numbers.below(100) {
            0..40 if self.in_hand.len() < IN_HAND_MAX => self.place(books),
            0..84 => match self.go_on(books) {
                Some(act) => act,
                None => self.place(books),
            },
            84..90 => self.movement(books),
            90..95 => self.transfer(),
            95..97 => Action::Price { product: self.name.clone(), sku: self.own_sku(), price: self.price() },
            _ => self.mistake(books),
        }
    }

    /// A price of whole cents.
    pub fn price(&mut self) -> i64 {
        self.units(10_000) * 100
    }

    fn place(&mut self, books: &Books) -> Action {
        self.placed += 1;
        let way = match self.numbers.below(100) {
            0..30 => Way::Approved,
            30..38 => Way::Declined,
            38..41 => Way::Slow,
            41..43 => Way::Lost,
            43..65 => Way::External,
            _ => Way::Settled,
        };
        // When the gateway answers late or never, the time at which goods are free is unknown: not for exact books.
        let only_shared = matches!(way, Way::Slow | Way::Lost);
        let lines = (0..self.units(3))
            .map(|_| {
                let shared = only_shared || self.chance(40);
                let sku = if shared { self.numbers.pick(&self.shared).cloned() } else { Some(self.own_sku()) };
                (sku.unwrap_or_default(), self.units(UNITS_MAX))
            })
            .collect();
        let mut order = format!("{}-{}", self.name, self.placed);
        // A rejected order's id may be used again.
        if self.chance(10)
            && let Some((rejected, _)) = books.rejected.last_key_value()
        {
            order = rejected.clone();
        }
        Action::Place { order, customer: self.name.clone(), country: self.country.clone(), way, lines }
    }

    fn movement(&mut self, books: &Books) -> Action {
        if self.chance(30) {
            let sku = self.numbers.pick(&self.shared).cloned().unwrap_or_default();
            return Action::Move { sku, location: self.location(), quantity: self.units(40) };
        }
        let (sku, location) = (self.own_sku(), self.location());
        let free = u64::try_from(books.shelves.at(&sku, &location).free()).unwrap_or_default();
        let quantity = if free > 0 && self.chance(20) { -self.units(free.min(3)) } else { self.units(12) };
        Action::Move { sku, location, quantity }
    }

    fn transfer(&mut self) -> Action {
        let (sku, from) = (self.own_sku(), self.location());
        let to = LOCATIONS.iter().find(|to| **to != from).copied().unwrap_or("main").to_owned();
        Action::Transfer { sku, from, to, quantity: self.units(8) }
    }

    /// The next step of an order.
    fn go_on(&mut self, books: &Books) -> Option<Action> {
        let at = usize::try_from(self.numbers.below(self.in_hand.len().max(1) as u64)).unwrap_or_default();
        let order = books.orders.get(self.in_hand.get(at)?)?;
        let act = self.step(order);
        if act.is_none() {
            self.in_hand.swap_remove(at);
        }
        act
    }

    fn step(&mut self, of: &Order) -> Option<Action> {
        let (order, choice) = (of.id.clone(), self.numbers.below(100));
        Some(match (of.state, of.way) {
            (OrderState::PendingPayment, Way::External) => match choice {
                0..80 => Action::Pay { order, result: "processed", amount: of.total() },
                80..90 => Action::Pay { order, result: "failed", amount: of.total() },
                _ => Action::Cancel { order },
            },
            (OrderState::PendingPayment, _) => match choice {
                0..30 => Action::Cancel { order },
                _ => return None,
            },
            (OrderState::Paid, _) => match choice {
                0..80 => Action::Ship { order },
                80..88 => Action::Cancel { order },
                88..93 => Action::Fail { order, restock: true },
                _ => return self.money_back(of, choice),
            },
            (OrderState::Shipped, _) => match choice {
                0..55 => Action::Deliver { order },
                55..75 => self.give_back(of),
                75..83 => Action::Cancel { order },
                83..91 => Action::Fail { order, restock: choice < 87 },
                _ => return self.money_back(of, choice),
            },
            (OrderState::Delivered | OrderState::PartlyReturned, _) => match choice {
                0..35 => self.give_back(of),
                35..50 => return self.money_back(of, choice),
                _ => return None,
            },
            (OrderState::Returned | OrderState::Cancelled, _) => return None,
        })
    }

    fn give_back(&mut self, of: &Order) -> Action {
        let open: Vec<usize> = (0..of.lines.len()).filter(|n| of.lines[*n].returned < of.lines[*n].quantity).collect();
        let line = self.numbers.pick(&open).copied().unwrap_or_default();
        let left = u64::try_from(of.lines[line].quantity - of.lines[line].returned).unwrap_or_default();
        let quantity = self.units(left);
        Action::Return { order: of.id.clone(), part: of.parts, line, quantity, restock: self.chance(75) }
    }

    fn money_back(&mut self, of: &Order, choice: u64) -> Option<Action> {
        let cents = u64::try_from(of.left() / 100).ok().filter(|cents| *cents > 0)?;
        let amount = self.units(cents) * 100;
        Some(if choice.is_multiple_of(3) && !of.is_charged_back {
            Action::Pay { order: of.id.clone(), result: "charged_back", amount }
        } else {
            Action::Refund { order: of.id.clone(), part: of.parts, amount }
        })
    }

    /// Something that the shop must refuse.
    fn mistake(&mut self, books: &Books) -> Action {
        let settled: Vec<&Order> = books.orders.values().rev().take(20).filter(|order| is_certain(order)).collect();
        let Some(of) = self.numbers.pick(&settled).copied() else { return self.transfer() };
        let order = of.id.clone();
        match self.numbers.below(6) {
            0 => Action::Refund { order, part: of.parts, amount: of.left() + 100 },
            1 => Action::Return { order, part: of.parts, line: 0, quantity: of.lines[0].quantity + 1, restock: true },
            2 => Action::Pay { order, result: "processed", amount: of.total() + 100 },
            3 => {
                let unknown = (format!("{}-none", self.name), 1);
                Action::Place {
                    order: format!("{}-none-{}", self.name, self.placed),
                    customer: self.name.clone(),
                    country: self.country.clone(),
                    way: Way::Settled,
                    lines: vec![unknown],
                }
            }
            4 => Action::Cancel { order: format!("{}-nobody", self.name) },
            _ => Action::Transfer { sku: self.own_sku(), from: "east".into(), to: "main".into(), quantity: 1_000_000 },
        }
    }
}

/// Returns true if no other party can change the shop's row of the order.
const fn is_certain(order: &Order) -> bool {
    !matches!(order.way, Way::Slow | Way::Lost)
}
