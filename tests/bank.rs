//! The bank test, against the real process over HTTP: while goods move between ten locations and multi-line orders take,
//! ship, cancel and return one and the same number of ten SKUs, readers add up totals over several routes at one epoch,
//! and one that follows the changes, breaks off and comes back adds up at each epoch that is complete. Nothing moves in or out,
//! so there is one right total at every epoch, and any other is counted as wrong.
//!
//! `TRADEWIND_TEST_TRANSFERS=1000000 cargo test --release --test tradewind-tests bank -- --nocapture` runs as many
//! transfers and orders as it says; without it, as many as take a few seconds.

use crate::support::Node;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tools::split_mix::SplitMix64;

/// The number of transfers and orders there are, unless the environment says.
const COMMANDS: u64 = 12_000;
/// The number of commands a request has.
const BATCH: u64 = 40;
const WRITERS: u64 = 3;
const READERS: u64 = 3;
const LOCATIONS: u64 = 10;
/// What lies at each location of the one SKU.
const EACH: i64 = 1_000;
/// The number of SKUs an order has a line of each.
const COINS: usize = 10;
/// What lies of each of them, at each of two locations; the last has less, so that orders fail at their last line.
const COIN_STOCK: i64 = 40;
const LAST_COIN_STOCK: i64 = 30;
/// The number of epochs that readers look back.
const BACK_MAX: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// A kept connection.
struct Wire(BufReader<TcpStream>);

/// An answer: its status, its epoch, its body.
type Answer = (u16, u64, Vec<u8>);

impl Wire {
    fn to(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Wire(BufReader::new(stream))
    }

    fn ask(&mut self, head: &str, body: &str) -> Answer {
        let request = format!("{head}\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.0.get_mut().write_all(request.as_bytes()).expect("the node reads");
        let (mut status, mut epoch, mut length) = (0, 0, 0);
        for line in self.0.by_ref().lines().map(|line| line.expect("the node answers")) {
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or(("", ""));
            match name {
                "tradewind-epoch" => epoch = value.parse().expect("a number"),
                "content-length" => length = value.parse().expect("a number"),
                _ if status == 0 => status = line[9..12].parse().expect("a status"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the node answers");
        (status, epoch, body)
    }

    /// Reads at an epoch; `None` if it is forgotten by now.
    fn at(&mut self, path: &str, epoch: u64) -> Option<Value> {
        let join = if path.contains('?') { '&' } else { '?' };
        let (status, at, body) = self.ask(&format!("GET /api/v1/{path}{join}as_of={epoch} HTTP/1.1"), "");
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        match status {
            410 => None,
            _ => {
                assert_eq!((status, at), (200, epoch), "{path}: {json}");
                Some(json)
            }
        }
    }

    /// Posts commands, and says of each whether it was taken.
    fn post(&mut self, commands: &[Value]) -> Vec<bool> {
        let body: String = commands.iter().map(|command| format!("{command}\n")).collect();
        let head = "POST /api/v1/commands HTTP/1.1\r\ncontent-type: application/x-ndjson\r\nprefer: wait=30";
        let (status, _, body) = self.ask(head, &body);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let taken = lines.map(|line| {
            let line: Value = serde_json::from_slice(line).expect("JSON");
            assert_ne!(line["status"], "pending", "{line}");
            line["status"] == "succeeded"
        });
        taken.collect()
    }
}

fn command(id: &str, type_name: &str, data: Value) -> Value {
    json!({"id": id, "type": type_name, "data": data})
}

fn coins() -> impl Iterator<Item = String> {
    (0..COINS).map(|n| format!("coin-{n}"))
}

fn coin_stock(sku: &str) -> i64 {
    2 * if sku == format!("coin-{}", COINS - 1) { LAST_COIN_STOCK } else { COIN_STOCK }
}

/// Puts products and stock in, and gives back the epoch that has them all.
fn open(wire: &mut Wire) -> u64 {
    let price = json!({"amount": "1.00", "currency": "EUR"});
    let variants: Vec<Value> =
        coins().chain(["cash".to_owned()]).map(|sku| json!({"sku": sku, "price": price})).collect();
    let mut commands = vec![command("p", "PutProduct", json!({"product_id": "p", "title": "P", "variants": variants}))];
    let mut receive = |sku: &str, location: String, quantity: i64| {
        let data = json!({"sku": sku, "location": location, "quantity": quantity, "reason": "received"});
        commands.push(command(&format!("open-{sku}-{location}"), "MoveStock", data));
    };
    (0..LOCATIONS).for_each(|n| receive("cash", format!("l{n}"), EACH));
    coins().for_each(|sku| (0..2).for_each(|n| receive(&sku, format!("l{n}"), coin_stock(&sku) / 2)));
    assert!(wire.post(&commands).iter().all(|taken| *taken));
    wire.ask("GET /api/v1/epochs/latest HTTP/1.1", "").1
}

/// The work of one writer: transfers and orders by the seed, until all have done enough.
struct Writer {
    n: u64,
    numbers: SplitMix64,
    sent: u64,
    orders: Vec<String>,
}

impl Writer {
    fn next(&mut self) -> Value {
        self.sent += 1;
        let id = format!("w{}-{}", self.n, self.sent);
        let quantity = 1 + self.numbers.below(3);
        match self.numbers.below(10) {
            0..5 => {
                let from = self.numbers.below(LOCATIONS);
                let to = (from + 1 + self.numbers.below(LOCATIONS - 1)) % LOCATIONS;
                let data = json!({"sku": "cash", "from": format!("l{from}"), "to": format!("l{to}"),
                    "quantity": 1 + self.numbers.below(400)});
                command(&id, "TransferStock", data)
            }
            5..8 => {
                self.orders.push(id.clone());
                let lines: Vec<Value> = coins().map(|sku| json!({"sku": sku, "quantity": quantity})).collect();
                let data = json!({"order_id": id, "currency": "EUR", "country": "DE", "lines": lines,
                    "payment": {"method": "settled"}});
                command(&id, "PlaceOrder", data)
            }
            choice => {
                let at = self.numbers.below(self.orders.len().max(1) as u64) as usize;
                let Some(order_id) = self.orders.get(at).cloned() else {
                    return command(&id, "CancelOrder", json!({"order_id": "nobody"}));
                };
                match (choice, self.numbers.below(3)) {
                    (8, _) => command(&id, "ShipOrder", json!({"order_id": order_id})),
                    (_, 0) => {
                        // More than there can be of some orders: those are refused as a whole.
                        let lines: Vec<Value> =
                            (1..=COINS).map(|line| json!({"line": line, "quantity": quantity})).collect();
                        command(&id, "ReturnItems", json!({"order_id": order_id, "return_id": id, "lines": lines}))
                    }
                    _ => {
                        self.orders.swap_remove(at);
                        command(&id, "CancelOrder", json!({"order_id": order_id}))
                    }
                }
            }
        }
    }

    fn run(mut self, address: SocketAddr, left: &AtomicU64) -> (u64, u64) {
        let (mut wire, mut taken) = (Wire::to(address), 0);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(BATCH)).is_ok() {
            let commands: Vec<Value> = (0..BATCH).map(|_| self.next()).collect();
            taken += wire.post(&commands).iter().filter(|taken| **taken).count() as u64;
        }
        (self.sent, taken)
    }
}

/// The counts of the readers.
#[derive(Default)]
struct ReaderCounts {
    totals: u64,
    wrong: Vec<String>,
    epochs: BTreeSet<u64>,
}

impl ReaderCounts {
    fn total(&mut self, seen: i64, right: i64, what: &str) {
        self.totals += 1;
        if seen != right {
            self.wrong.push(format!("{what}: {seen}, and {right} is right"));
        }
    }

    /// Adds up rows of stock that belong to one epoch; gives back how many of each coin are promised or gone.
    fn stock(&mut self, rows: &BTreeMap<String, Value>, what: &str) -> i64 {
        let number = |value: &Value| value.as_i64().unwrap_or(i64::MIN);
        for (sku, row) in rows {
            let sum = |name: &str| -> i64 {
                row["locations"].as_array().expect("a list").iter().map(|at| number(&at[name])).sum()
            };
            for name in ["on_hand", "reserved", "available"] {
                self.total(number(&row[name]), sum(name), &format!("{what}, {name} of {sku} over its locations"));
            }
        }
        let cash = rows.get("cash").map(|row| number(&row["on_hand"]));
        self.total(cash.unwrap_or_default(), LOCATIONS as i64 * EACH, &format!("{what}, all locations"));
        let held = |sku: &String, row: &Value| (number(&row["reserved"]), coin_stock(sku) - number(&row["on_hand"]));
        let coins: Vec<(i64, i64)> =
            rows.iter().filter(|(sku, _)| *sku != "cash").map(|(sku, row)| held(sku, row)).collect();
        self.total(coins.len() as i64, COINS as i64, &format!("{what}, the coins"));
        let (reserved, gone) = coins.first().copied().unwrap_or_default();
        for other in &coins {
            // An order takes as many of each, and ships, cancels and returns as many of each.
            self.total(other.0, reserved, &format!("{what}, promised of each coin"));
            self.total(other.1, gone, &format!("{what}, gone of each coin"));
        }
        reserved + gone
    }

    /// Adds up at one epoch, by several routes.
    fn epoch(&mut self, wire: &mut Wire, epoch: u64) -> Option<()> {
        let by_sku = |page: Value, row: fn(&Value) -> Value| -> BTreeMap<String, Value> {
            let rows = page["data"].as_array().expect("a list").iter().map(row);
            rows.map(|row| (row["sku"].as_str().expect("a SKU").to_owned(), row)).collect()
        };
        let listed = by_sku(wire.at("stock?limit=200", epoch)?, Value::clone);
        let published = by_sku(wire.at("views/stock?limit=1000", epoch)?, |row| row["value"].clone());
        let mut each = BTreeMap::new();
        for sku in ["cash", "coin-0", "coin-9"] {
            each.insert(sku.to_owned(), wire.at(&format!("stock/{sku}"), epoch)?);
        }
        let held = self.stock(&listed, &format!("epoch {epoch}, /stock"));
        self.total(i64::from(published == listed), 1, &format!("epoch {epoch}, /views/stock and /stock"));
        let same = each.iter().all(|(sku, row)| listed.get(sku) == Some(row));
        self.total(i64::from(same), 1, &format!("epoch {epoch}, /stock/{{sku}} and /stock"));

        let revenue = wire.at("analytics/revenue?by=month&limit=1000", epoch)?;
        let sum = |name: &str| -> i64 {
            let value = |row: &Value| {
                let cents = row[name]["amount"].as_str().map(|text| text.replace('.', "").parse().expect("cents"));
                cents.or_else(|| row[name].as_i64()).expect("a number")
            };
            revenue["data"].as_array().expect("a list").iter().map(value).sum()
        };
        // What was sold and did not come back is what is promised or gone, and each unit of it cost 1.
        let sold = sum("units") - sum("units_returned");
        self.total(sold, held * COINS as i64, &format!("epoch {epoch}, units of revenue and stock"));
        self.total(sum("net"), sold * 100, &format!("epoch {epoch}, net revenue"));

        let checks = wire.at("invariants", epoch)?;
        let violations = checks["data"].as_array().expect("a list").iter().map(|row| row["violations"].as_i64());
        self.total(violations.map(|count| count.unwrap_or(1)).sum(), 0, &format!("epoch {epoch}, /invariants"));
        self.epochs.insert(epoch);
        Some(())
    }

    /// Adds up in one answer that may not be from before an epoch.
    fn since(&mut self, wire: &mut Wire, epoch: u64) {
        let head = format!("GET /api/v1/stock?limit=200 HTTP/1.1\r\ntradewind-min-epoch: {epoch}");
        let (status, at, body) = wire.ask(&head, "");
        let page: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(status, 200, "{page}");
        self.total(i64::from(at >= epoch), 1, &format!("an answer of epoch {at}, asked for {epoch}"));
        let rows = page["data"].as_array().expect("a list").iter();
        let rows = rows.map(|row| (row["sku"].as_str().expect("a SKU").to_owned(), row.clone())).collect();
        self.stock(&rows, &format!("epoch {at}, /stock since {epoch}"));
    }

    fn read(mut self, n: u64, address: SocketAddr, first: u64, done: &AtomicBool) -> ReaderCounts {
        let (mut wire, mut numbers) = (Wire::to(address), SplitMix64::new(n));
        // Once more when the writers are done, so that the last state is read too.
        loop {
            let was_done = done.load(Ordering::Acquire);
            let (_, latest, _) = wire.ask("GET /api/v1/epochs/latest HTTP/1.1", "");
            let from = latest.saturating_sub(BACK_MAX).max(first);
            self.epoch(&mut wire, latest);
            self.epoch(&mut wire, from + numbers.below(latest - from + 1));
            // The next epoch is not there yet: this one is waited for.
            self.since(&mut wire, latest + 1);
            if was_done {
                return self;
            }
        }
    }
}

/// Reads a stream of events as they come, in chunks.
struct Events {
    wire: Wire,
    text: String,
}

impl Events {
    fn open(address: SocketAddr, last: Option<u64>) -> Events {
        let mut wire = Wire::to(address);
        let last = last.map_or_else(String::new, |epoch| format!("last-event-id: {epoch}\r\n"));
        let request = format!("GET /api/v1/changes?view=stock HTTP/1.1\r\nhost: localhost\r\n{last}\r\n");
        wire.0.get_mut().write_all(request.as_bytes()).expect("the node reads");
        let head: Vec<String> =
            wire.0.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains(" 200 "), "{head:?}");
        Events { wire, text: String::new() }
    }

    /// The name of the next event, and its data.
    fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let of = |name| event.lines().find_map(|line| line.strip_prefix(name)).expect("an event has it");
                let event = (of("event: ").to_owned(), serde_json::from_str(of("data: ")).expect("JSON"));
                self.text = rest.to_owned();
                return event;
            }
            let mut size = String::new();
            self.wire.0.read_line(&mut size).expect("the node sends");
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).expect("a size") + 2];
            self.wire.0.read_exact(&mut chunk).expect("the node sends");
            self.text.push_str(std::str::from_utf8(&chunk[..chunk.len() - 2]).expect("UTF-8"));
        }
    }
}

/// Follows the stock, and adds up at each epoch that is complete.
fn follow(address: SocketAddr, done: &AtomicBool) -> ReaderCounts {
    let (mut seen, mut numbers, mut wire) = (ReaderCounts::default(), SplitMix64::new(7), Wire::to(address));
    let (mut rows, mut open, mut last) = (BTreeMap::new(), Vec::new(), None);
    let mut events = Events::open(address, last);
    loop {
        let was_done = done.load(Ordering::Acquire);
        let (_, latest, _) = wire.ask("GET /api/v1/epochs/latest HTTP/1.1", "");
        loop {
            let (name, data) = events.next();
            match name.as_str() {
                "snapshot" => open.extend(data["rows"].as_array().expect("a list").iter().cloned()),
                "change" => {
                    assert!(data["epoch"].as_u64() > last, "{data} after {last:?}");
                    open.push(data);
                }
                "progress" => {
                    for row in open.drain(..) {
                        rows.insert(row["key"].as_str().expect("a key").to_owned(), row["value"].clone());
                    }
                    last = data["epoch"].as_u64();
                    seen.stock(&rows, &format!("{data}, /changes"));
                    seen.epochs.extend(last);
                }
                other => panic!("{other}: {data}"),
            }
            if numbers.below(400) == 0 {
                // What is not complete comes again.
                open.clear();
                events = Events::open(address, last);
            }
            if last >= Some(latest) {
                break;
            }
        }
        if was_done {
            return seen;
        }
    }
}

#[test]
fn bank() {
    let commands = std::env::var("TRADEWIND_TEST_TRANSFERS")
        .map_or(COMMANDS, |count| count.parse().expect("TRADEWIND_TEST_TRANSFERS is a whole number"));
    let node = Node::start();
    let first = open(&mut Wire::to(node.address));
    let (left, done) = (AtomicU64::new(commands), AtomicBool::new(false));
    let started = Instant::now();
    let address = node.address;
    let (mut seen, mut sent, mut taken) = (ReaderCounts::default(), 0, 0);
    std::thread::scope(|scope| {
        let done_now = &done;
        let read = |n| scope.spawn(move || ReaderCounts::default().read(n, address, first, done_now));
        let mut readers: Vec<_> = (0..READERS).map(read).collect();
        readers.push(scope.spawn(move || follow(address, done_now)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                let (left, numbers) = (&left, SplitMix64::new(100 + n));
                scope.spawn(move || Writer { n, numbers, sent: 0, orders: Vec::new() }.run(address, left))
            })
            .collect();
        for writer in writers {
            let (did, took) = writer.join().expect("a panic ends the test");
            (sent, taken) = (sent + did, taken + took);
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            let ReaderCounts { totals, wrong, epochs } = reader.join().expect("a panic ends the test");
            seen.totals += totals;
            seen.wrong.extend(wrong);
            seen.epochs.extend(epochs);
        }
    });
    println!(
        "bank: {sent} transfers and orders in {:.1} s, {taken} taken; {} totals read at {} epochs, {} wrong",
        started.elapsed().as_secs_f64(),
        seen.totals,
        seen.epochs.len(),
        seen.wrong.len()
    );
    assert!(taken > 0 && !seen.epochs.is_empty());
    assert!(seen.wrong.is_empty(), "{:#?}", &seen.wrong[..seen.wrong.len().min(20)]);
}
