//! The joint result of all customers, checked against the shop: shared stock, money, the number of orders, the shop's
//! own checks. Not for what one customer can see alone.

use super::actions::Books;
use super::figures::SimulationCounts;
use super::http::{Connection, Request};
use super::order::{Order, money};
use crate::split_mix::SplitMix64;
use anyhow::{Result, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// The pause between two looks at the shop's own checks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The epochs that such a look may be back, at most.
const LOOK_BACK_MAX: u64 = 500;
/// The rows of a page.
const PAGE_ROWS: usize = 1_000;

/// The comparison of all books with the shop.
pub struct Auditor {
    connection: Connection,
    figures: SimulationCounts,
}

impl Auditor {
    /// One with a connection of its own.
    pub fn new(address: SocketAddr) -> Auditor {
        Auditor { connection: Connection::new(address), figures: SimulationCounts::default() }
    }

    async fn read(&mut self, request: Request) -> Result<(u64, Value)> {
        let answer = self.connection.ask(&request).await?;
        ensure!(answer.status == 200, "{} was answered {} {}", request.path, answer.status, answer.json());
        Ok((answer.epoch, answer.json()))
    }

    /// Reads the shop's own checks at epochs of the numbers' choice, until stopped.
    pub async fn look(mut self, mut numbers: SplitMix64, mut stop: watch::Receiver<bool>) -> SimulationCounts {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let mut first = None;
        while !*stop.borrow() {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.changed() => break,
            }
            // A node that does not answer now is asked again; what it answers must be sound.
            if let Ok((latest, _)) = self.read(Request::get("/api/v1/epochs/latest".to_owned())).await {
                let from = latest.saturating_sub(LOOK_BACK_MAX).max(*first.get_or_insert(latest));
                let epoch = from + numbers.below(latest - from + 1);
                self.checks(epoch).await;
            }
        }
        self.figures
    }

    async fn checks(&mut self, epoch: u64) {
        let request = Request::get(format!("/api/v1/invariants?as_of={epoch}"));
        let Ok((at, checks)) = self.read(request).await else { return };
        self.figures.invariants += 1;
        let rows = checks["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sound = at == epoch && !rows.is_empty() && rows.iter().all(|row| row["violations"] == 0);
        if !sound {
            self.figures.differ(format!("the shop's own checks at epoch {epoch}, answered at {at}: {checks}"));
        }
    }

    /// Compares what only all books together know.
    pub async fn compare(mut self, books: &[Books], prefix: &str, epoch: u64) -> Result<SimulationCounts> {
        self.shared_stock(books, epoch).await?;
        self.revenue(books, prefix, epoch).await?;
        let rows = self.rows(&format!("orders?prefix={prefix}-"), epoch).await?.len();
        let known: usize = books.iter().map(|books| books.orders.len() + books.rejected.len()).sum();
        self.figures.compare((rows != known).then(|| format!("{known} orders are known, the shop has {rows}")));
        let latest = self.read(Request::get("/api/v1/epochs/latest".to_owned()).since(epoch)).await?.0;
        self.checks(latest).await;
        Ok(self.figures)
    }

    /// Every row of a view from a page's path on.
    async fn rows(&mut self, path: &str, epoch: u64) -> Result<Vec<Value>> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let request = Request::get(format!("/api/v1/views/{path}&limit={PAGE_ROWS}{cursor}"));
            // A cursor holds its own epoch.
            let request = if cursor.is_empty() { request.since(epoch) } else { request };
            let (_, mut page) = self.read(request).await?;
            match page["data"].take() {
                Value::Array(data) => rows.extend(data),
                _ => return Ok(rows),
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={}", node::client::percent_encoded(next)),
                None => return Ok(rows),
            }
        }
    }

    /// Checks that the stock that came in is there or left, and that the promised stock is that of open orders.
    async fn shared_stock(&mut self, books: &[Books], epoch: u64) -> Result<()> {
        let Some(first) = books.first() else { return Ok(()) };
        for sku in first.received.keys() {
            let received: i64 = books.iter().filter_map(|books| books.received.get(sku)).sum();
            let orders = books.iter().flat_map(|books| books.orders.values());
            let lines = orders.flat_map(|order| order.lines.iter().map(move |line| (order, line)));
            let (mut away, mut reserved) = (0, 0);
            for (order, line) in lines.filter(|(_, line)| line.sku == *sku) {
                away += line.away;
                reserved += if order.is_open() { line.quantity } else { 0 };
            }
            let (_, row) = self.read(Request::get(format!("/api/v1/stock/{sku}")).since(epoch)).await?;
            let same = row["on_hand"] == received - away && row["reserved"] == reserved;
            let what = || format!("stock of {sku}: received {received}, away {away}, reserved {reserved}; {row}");
            self.figures.compare((!same).then(what));
        }
        Ok(())
    }

    /// All money of the run: it has a country of its own.
    async fn revenue(&mut self, books: &[Books], prefix: &str, epoch: u64) -> Result<()> {
        let path = "/api/v1/analytics/revenue?by=month&group=country&limit=1000".to_owned();
        let (_, page) = self.read(Request::get(path).since(epoch)).await?;
        let rows = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ours: Vec<&Value> = rows.iter().filter(|row| row["country"] == prefix).collect();
        let sum = |name: &str| ours.iter().filter_map(|row| money(&row[name])).sum::<i64>();
        let count = |name: &str| ours.iter().filter_map(|row| row[name].as_i64()).sum::<i64>();
        let seen = [
            sum("gross"),
            sum("returned"),
            sum("adjusted"),
            sum("net"),
            count("orders"),
            count("units"),
            count("units_returned"),
        ];
        let sold: Vec<&Order> =
            books.iter().flat_map(|books| books.orders.values()).filter(|order| order.is_sold).collect();
        let total = |of: fn(&Order) -> i64| sold.iter().map(|order| of(order)).sum::<i64>();
        let expected = [
            total(Order::total),
            total(|order| order.returned),
            total(|order| order.returned - order.refunded),
            total(Order::left),
            total(|_| 1),
            total(|order| order.lines.iter().map(|line| line.quantity).sum()),
            total(|order| order.units_returned),
        ];
        let what = || {
            format!("revenue (gross, returned, adjusted, net, orders, units, units returned): {expected:?}, {seen:?}")
        };
        self.figures.compare((seen != expected).then(what));
        Ok(())
    }
}
