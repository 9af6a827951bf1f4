//! A customer: does one thing after the other over its own connection, at its own pace, and checks every answer against
//! its books. Not for choosing what to do, and not for what all customers did together.

use super::actions::{Action, Books, ExpectedOutcome};
use super::figures::SimulationCounts;
use super::http::{Connection, HttpResponse, Request};
use super::order::{OrderState, Way, money};
use super::planner::{LOCATIONS, Planner};
use anyhow::{Context, Result, bail, ensure};
use node::client::RetryPolicy;
use std::time::{Duration, Instant};

/// The number of SKUs that a customer has for itself.
pub const OWN_SKUS: usize = 3;
/// The opening stock of each at a location.
const OPENING_STOCK: i64 = 15;
/// The time that the gateway may take.
const GATEWAY_MAX: Duration = Duration::from_secs(60);

/// A customer.
pub struct Shopper {
    /// Its books.
    pub books: Books,
    /// Its counts.
    pub figures: SimulationCounts,
    planner: Planner,
    connection: Connection,
    /// The newest epoch that it has seen.
    epoch: u64,
    commands: u64,
}

impl Shopper {
    /// Creates one that plans like that and has these prices of the shared SKUs before it.
    pub fn new(planner: Planner, connection: Connection, shared: &[(String, i64)]) -> Shopper {
        let mut books = Books::default();
        books.prices.extend(shared.iter().cloned());
        books.received.extend(shared.iter().map(|(sku, _)| (sku.clone(), 0)));
        Shopper { books, figures: SimulationCounts::default(), planner, connection, epoch: 0, commands: 0 }
    }

    /// Puts its own product and stock in.
    pub async fn open(&mut self) -> Result<()> {
        let name = self.planner.name.clone();
        let skus: Vec<(String, i64)> = (0..OWN_SKUS).map(|n| (format!("{name}-{n}"), self.planner.price())).collect();
        self.planner.own = skus.iter().map(|(sku, _)| sku.clone()).collect();
        self.command(Action::Put { product: name, skus: skus.clone() }).await?;
        for (sku, _) in &skus {
            for location in LOCATIONS {
                let (sku, location) = (sku.clone(), location.to_owned());
                self.command(Action::Move { sku, location, quantity: OPENING_STOCK }).await?;
            }
        }
        Ok(())
    }

    /// Does something every `interval` from `first` on, until `until`; at once if it is late.
    pub async fn go(&mut self, first: Instant, interval: Duration, until: Instant) -> Result<()> {
        let mut next = first;
        while next < until && Instant::now() < until {
            tokio::time::sleep_until(next.into()).await;
            next += interval;
            if self.planner.numbers.below(100) < 25 {
                self.browse().await?;
            }
            let act = self.planner.next(&self.books);
            self.command(act).await?;
        }
        Ok(())
    }

    /// Sends a command until it is decided, compares the outcome with the books, and writes it down.
    pub async fn command(&mut self, act: Action) -> Result<()> {
        self.commands += 1;
        let request = act.request(format!("{}-c{}", self.planner.name, self.commands));
        let expected = self.books.expected(&act);
        let started = Instant::now();
        let (answer, tries) = self.decided(&request).await?;
        self.figures.took_us.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        self.epoch = self.epoch.max(answer.epoch);
        self.judge(&act, expected, &answer);
        if tries == 1 && self.planner.numbers.below(100) < 2 {
            self.repeat(&request, &answer).await?;
        }
        if let Some(order) = act.order().filter(|_| matches!(act, Action::Place { .. })) {
            let order = order.to_owned();
            if answer.status == 201 {
                self.planner.in_hand.push(order.clone());
                self.await_gateway(&order).await?;
            }
        }
        Ok(())
    }

    /// Repeats a request under its id: the outcome is the same, and nothing changes.
    async fn repeat(&mut self, request: &Request, first: &HttpResponse) -> Result<()> {
        let (again, _) = self.decided(request).await?;
        let same = again.status == first.status && again.is_replay;
        let what = || format!("{} was answered {}, again {}", request.path, first.status, again.status);
        self.figures.compare((!same).then(what));
        Ok(())
    }

    /// The answer that holds a decision, and the number of the try. A repetition under the same id is safe.
    async fn decided(&mut self, request: &Request) -> Result<(HttpResponse, u32)> {
        let patience = RetryPolicy::RESTART;
        let mut why = String::new();
        for tries in 1..=patience.tries_max {
            match self.connection.ask(request).await {
                Ok(answer) if !matches!(answer.status, 202 | 429 | 500..) => return Ok((answer, tries)),
                Ok(answer) => why = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
                Err(error) => why = error.to_string(),
            }
            self.figures.undecided += u64::from(tries == 1);
            tokio::time::sleep(patience.pause(tries, None)).await;
        }
        bail!("{} {} was not decided in time: {why}", request.method, request.path)
    }

    /// Checks an answer against the books.
    fn judge(&mut self, act: &Action, expected: ExpectedOutcome, answer: &HttpResponse) {
        let row = answer.json();
        let code = row["code"].as_str().filter(|_| answer.status >= 400);
        match code {
            Some(code) => *self.figures.refused.entry(code.to_owned()).or_default() += 1,
            None => self.figures.accepted += 1,
        }
        let fits = match (expected, code) {
            (ExpectedOutcome::Accepted(status) | ExpectedOutcome::Either(status, _), None) => answer.status == status,
            (ExpectedOutcome::Refused(allowed) | ExpectedOutcome::Either(_, allowed), Some(code)) => allowed == code,
            (ExpectedOutcome::Accepted(_), Some(_)) | (ExpectedOutcome::Refused(_), None) => false,
        };
        if !fits {
            self.figures.differ(format!("{act:?}: expected {expected:?}, answered {} {row}", answer.status));
        }
        match code {
            Some(code) => self.books.refuse(act, code),
            None => self.books.apply(act),
        }
        if code.is_none() {
            let difference = match act {
                Action::Move { sku, .. } | Action::Transfer { sku, .. } if self.books.shelves.has(sku) => {
                    self.books.shelves.difference(sku, &row)
                }
                // The gateway may have been as fast as the answer.
                Action::Place { .. } => None,
                _ => act.order().and_then(|id| self.books.orders.get_mut(id)?.difference(&row)),
            };
            self.figures.compare(difference);
        }
    }

    /// Waits until the gateway has answered for an order that it answers at once.
    async fn await_gateway(&mut self, order: &str) -> Result<()> {
        let Some(of) = self.books.orders.get(order) else { return Ok(()) };
        if !matches!(of.way, Way::Approved | Way::Declined) || of.state != OrderState::PendingPayment {
            return Ok(());
        }
        let declined = of.way == Way::Declined;
        let row = self.until_answered(order).await?;
        let shelves = &mut self.books.shelves;
        if let Some(of) = self.books.orders.get_mut(order) {
            if declined {
                of.cancel(shelves, true)
            } else {
                of.pay()
            }
            self.figures.compare(of.difference(&row));
        }
        Ok(())
    }

    /// The order's row once its payment is no longer asked for.
    async fn until_answered(&mut self, order: &str) -> Result<serde_json::Value> {
        let started = Instant::now();
        loop {
            let answer = self.read(format!("/api/v1/orders/{order}")).await?;
            let row = answer.json();
            if row["status"] != "pending_payment" {
                return Ok(row);
            }
            ensure!(started.elapsed() < GATEWAY_MAX, "the gateway does not answer for {order}");
            // Answered again when there is a newer epoch.
            self.epoch = self.epoch.max(answer.epoch) + 1;
        }
    }

    /// Looks at what it knows, and compares.
    async fn browse(&mut self) -> Result<()> {
        match self.planner.numbers.below(3) {
            0 => {
                let sku = self.planner.numbers.pick(&self.planner.own).cloned().unwrap_or_default();
                self.compare_stock(&sku).await
            }
            1 => {
                let order = self.planner.numbers.pick(&self.planner.in_hand).cloned();
                match order {
                    Some(order) => self.compare_order(&order).await,
                    None => Ok(()),
                }
            }
            _ => self.compare_product().await,
        }
    }

    async fn compare_stock(&mut self, sku: &str) -> Result<()> {
        let answer = self.read(format!("/api/v1/stock/{sku}")).await?;
        self.figures.compare(self.books.shelves.difference(sku, &answer.json()));
        Ok(())
    }

    async fn compare_order(&mut self, order: &str) -> Result<()> {
        let row = self.read(format!("/api/v1/orders/{order}")).await?.json();
        let of = self.books.orders.get_mut(order).context("the order is in the books")?;
        self.figures.compare(of.difference(&row));
        Ok(())
    }

    async fn compare_product(&mut self) -> Result<()> {
        let product = self.read(format!("/api/v1/products/{}", self.planner.name)).await?.json();
        let variants = product["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
        let price = |sku: &str| variants.iter().find(|row| row["sku"] == sku).and_then(|row| money(&row["price"]));
        let wrong = self.planner.own.iter().find(|sku| price(sku) != self.books.prices.get(*sku).copied());
        self.figures.compare(wrong.map(|sku| format!("the price of {sku}: {product}")));
        Ok(())
    }

    /// Reads, never from before what was seen.
    async fn read(&mut self, path: String) -> Result<HttpResponse> {
        let (answer, _) = self.decided(&Request::get(path).since(self.epoch)).await?;
        ensure!(answer.epoch >= self.epoch, "an answer of epoch {} came after {}", answer.epoch, self.epoch);
        self.epoch = answer.epoch;
        Ok(answer)
    }

    /// Waits for late answers of the gateway, then compares every order and all of its own stock.
    pub async fn compare_all(&mut self) -> Result<()> {
        let orders: Vec<(String, bool)> = self
            .books
            .orders
            .values()
            .map(|of| (of.id.clone(), of.way == Way::Slow && of.state == OrderState::PendingPayment))
            .collect();
        for (order, is_late) in orders {
            if is_late {
                self.until_answered(&order).await?;
            }
            self.compare_order(&order).await?;
        }
        let rejected: Vec<(String, String)> = self.books.rejected.clone().into_iter().collect();
        for (order, code) in rejected {
            let row = self.read(format!("/api/v1/orders/{order}")).await?.json();
            let same = row["status"] == "rejected" && row["code"] == code.as_str();
            self.figures.compare((!same).then(|| format!("order {order}: expected {code}, the shop has {row}")));
        }
        for sku in self.planner.own.clone() {
            self.compare_stock(&sku).await?;
        }
        Ok(())
    }

    /// The newest epoch that it has seen.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
}
