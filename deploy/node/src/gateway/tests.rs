//! Given orders as the decider makes them, when their payments appear, change and go, then this is what the gateway
//! publishes: by hand, with a log that fails, and in a whole node.

use super::*;
use crate::Node;
use crate::config::{Flags, Settings};
use crate::in_memory_shop::InMemoryShop;
use dataflows::contract::changes::{Change, ViewChanges, ViewDigests};
use dataflows::contract::epoch::{Cut, EpochRecord, RULES};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic};
use dataflows::ports::AppendCallback;
use dataflows::shop::catalogue::{InventoryPolicy, PutProduct, PutVariant};
use dataflows::shop::dead_letters::LetterQuota;
use dataflows::shop::orders::{CancelOrder, Order, OrderStatus, PlaceLine, PlaceOrder, PlacePayment};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

/// The time that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn product() -> Command {
    let price = MoneyInput { amount: Amount(125_000), currency: "EUR".into() };
    let variant = PutVariant {
        sku: "song".into(),
        title: None,
        price,
        inventory_policy: InventoryPolicy::None,
        low_stock_at: None,
    };
    Command::PutProduct(PutProduct {
        product_id: "songs".into(),
        title: "Songs".into(),
        description: None,
        brand: None,
        category: Vec::new(),
        attributes: BTreeMap::new(),
        variants: vec![variant],
        occurred_at: None,
    })
}

fn place(order_id: &str, sku: &str, method: PaymentMethod, token: Option<&str>) -> Command {
    Command::PlaceOrder(PlaceOrder {
        order_id: Some(order_id.into()),
        customer_id: None,
        currency: "EUR".into(),
        country: "DE".into(),
        lines: vec![PlaceLine { sku: sku.into(), quantity: 2, unit_price: None }],
        payment: PlacePayment { method, token: token.map(Into::into) },
        occurred_at: None,
    })
}

fn sandbox(order_id: &str, token: Option<&str>) -> Command {
    place(order_id, "song", PaymentMethod::Sandbox, token)
}

/// A shop whose epochs are handed on as changes of payments.
#[derive(Default)]
struct Shop {
    twin: InMemoryShop,
    epoch: u64,
    commands: u64,
    orders: BTreeMap<SmolStr, Option<Arc<Order>>>,
}

impl Shop {
    fn with_product() -> Shop {
        let mut shop = Shop::default();
        shop.epoch(&[product()]);
        shop
    }

    /// Decides commands in an epoch; returns what a sink sees of it.
    fn epoch(&mut self, commands: &[Command]) -> Arc<Changes> {
        let named = commands.iter().map(|command| {
            self.commands += 1;
            (format!("c-{}", self.commands), command.clone())
        });
        let named: Vec<_> = named.collect();
        self.twin.decide(&named);
        self.epoch += 1;
        let mut rows = ViewChanges::default();
        for (_, command) in &named {
            let id = SmolStr::new(command.key());
            let after = self.twin.tables().orders.get(&id).cloned();
            let before = self.orders.insert(id, after.clone()).flatten();
            let row = |order: Option<Arc<Order>>| order.as_deref().and_then(PaymentRow::of).map(Arc::new);
            rows.payments.extend(Change::of(row(before), row(after)));
        }
        let now = Timestamp::from_micros(self.epoch as i64);
        let record = EpochRecord { v: 1, epoch: Epoch(self.epoch), now, rules: RULES, cut: Cut::default() };
        let (record, standings) = (Arc::new(record), ViewDigests::default());
        Arc::new(Changes {
            record,
            rows: Arc::new(rows),
            events: Vec::new(),
            dead_letters: Vec::new(),
            imbalances: Vec::new(),
            quota: LetterQuota::default(),
            search_memory: Vec::new(),
            standings,
        })
    }
}

/// The orders that a desk would answer at that time.
fn due(desk: &PendingPayments, now_ms: u64) -> Vec<String> {
    desk.due(now_ms, 100).into_iter().map(|answer| answer.key.to_string()).collect()
}

#[test]
fn tokens_say_how_a_payment_is_answered() {
    let mut shop = Shop::with_product();
    let mut desk = PendingPayments::new(Epoch(0), 5_000);
    let tokens =
        [("a", None), ("b", Some("decline")), ("c", Some("slow")), ("d", Some("error")), ("e", Some("Decline"))];
    let mut commands: Vec<Command> = tokens.iter().map(|(id, token)| sandbox(id, *token)).collect();
    commands.push(place("f", "song", PaymentMethod::External, None));
    commands.push(place("g", "song", PaymentMethod::Settled, None));
    assert!(desk.apply(&shop.epoch(&commands), 1_000));
    assert_eq!(due(&desk, 1_000), ["a", "b", "e"]);
    assert_eq!(due(&desk, 5_999), ["a", "b", "e"]);
    assert_eq!(due(&desk, 6_000), ["a", "b", "e", "c"]);
    let say = |answer: &Publication| String::from_utf8(answer.data.clone()).unwrap();
    let answers = desk.due(1_000, 2);
    assert_eq!(answers.len(), 2, "no more at once than allowed");
    let amount = r#""amount":{"amount":"25.00","currency":"EUR"}"#;
    assert_eq!(
        say(&answers[0]),
        format!(
            r#"{{"order_id":"a","payment_id":"a","status":"processed",{amount},"reason":null,"occurred_at":null}}"#
        )
    );
    assert_eq!(
        say(&answers[1]),
        format!(
            r#"{{"order_id":"b","payment_id":"b","status":"failed",{amount},"reason":"declined","occurred_at":null}}"#
        )
    );
    // XXH3-128 of "a", as any implementation of it gives.
    assert_eq!(answers[0].command_id, "gw-a96faf705af16834e6c632b61e964e1f");
    assert_eq!((answers[0].topic, answers[0].key.as_str()), (Topic::Orders, "a"));
}

#[test]
fn what_is_answered_or_no_longer_asked_for_is_forgotten() {
    let mut shop = Shop::with_product();
    let mut desk = PendingPayments::new(Epoch(0), 5_000);
    let asked = shop.epoch(&[sandbox("a", None), sandbox("b", None), sandbox("c", Some("slow"))]);
    desk.apply(&asked, 0);
    desk.settled(&["a".into()]);
    let cancel = CancelOrder { order_id: "c".into(), reason: None, occurred_at: None };
    assert!(!desk.apply(&shop.epoch(&[Command::CancelOrder(cancel)]), 1));
    assert_eq!(due(&desk, u64::MAX), ["b"]);
    assert!(!desk.apply(&asked, 2), "an epoch that is held is ignored");
    assert_eq!(due(&desk, u64::MAX), ["b"]);
    assert_eq!((desk.requested.len(), desk.queue.len()), (1, 1));
}

#[test]
fn during_the_replay_payments_are_only_remembered() {
    let mut shop = Shop::with_product();
    let mut desk = PendingPayments::new(Epoch(5), 5_000);
    assert!(!desk.apply(&shop.epoch(&[sandbox("a", None), sandbox("b", Some("slow"))]), 10));
    let answered = RecordPaymentResult {
        order_id: "a".into(),
        payment_id: "a".into(),
        status: PaymentResult::Processed,
        amount: MoneyInput { amount: Amount(250_000), currency: "EUR".into() },
        reason: None,
        occurred_at: None,
    };
    assert!(!desk.apply(&shop.epoch(&[Command::RecordPaymentResult(answered), sandbox("c", None)]), 20));
    assert!(!desk.apply(&shop.epoch(&[]), 25));
    assert_eq!(due(&desk, u64::MAX), [""; 0]);
    assert!(desk.apply(&shop.epoch(&[]), 30), "the log's end as it was at the start");
    assert_eq!((due(&desk, 30), due(&desk, 5_030)), (vec!["c".to_owned()], vec!["c".to_owned(), "b".to_owned()]));
}

#[test]
fn a_rejected_order_asks_for_nothing_until_it_is_placed_again() {
    let mut shop = Shop::with_product();
    let mut desk = PendingPayments::new(Epoch(0), 5_000);
    desk.apply(&shop.epoch(&[place("a", "no such song", PaymentMethod::Sandbox, None)]), 0);
    assert_eq!(due(&desk, 0), [""; 0]);
    desk.apply(&shop.epoch(&[sandbox("a", None)]), 1);
    let first = desk.due(1, 1);
    desk.apply(&shop.epoch(&[sandbox("a", None)]), 2);
    assert_eq!(desk.due(2, 2), first, "a second order under the id is refused: one request, one answer");
}

/// A log that fails so often, then takes everything.
struct FlakyLog {
    fails: AtomicU32,
    taken: SyncSender<Vec<Publication>>,
}

impl CommandLog for FlakyLog {
    fn append(&self, commands: Vec<Publication>, done: AppendCallback) {
        if self.fails.load(Ordering::Relaxed) > 0 {
            return match self.fails.fetch_sub(1, Ordering::Relaxed) {
                // Taken, but never acknowledged.
                3 => drop(done),
                2 => done(Err(AppendError::Overloaded)),
                _ => done(Err(AppendError::Full("of water".to_owned()))),
            };
        }
        let origin = |offset| Origin { topic: Topic::Orders, partition: 0, offset };
        let origins = (0..commands.len() as u64).map(origin).collect();
        self.taken.send(commands).unwrap();
        done(Ok(origins));
    }
}

fn gateway(fails: u32, config: GatewayConfig) -> (Gateway, Receiver<Vec<Publication>>) {
    let (taken, published) = sync_channel(100);
    let log = Arc::new(FlakyLog { fails: fails.into(), taken });
    (Gateway::start(log, Epoch(0), Arc::new(|| 7), config).unwrap(), published)
}

#[test]
fn a_log_that_fails_is_tried_again_until_it_takes_each_answer_once() {
    let config = GatewayConfig { retry_ms_min: 1, retry_ms_max: 2, answers_at_once_max: 2, ..GatewayConfig::default() };
    let (mut gateway, published) = gateway(3, config);
    let mut shop = Shop::with_product();
    gateway.apply(&shop.epoch(&[
        sandbox("a", None),
        sandbox("b", Some("error")),
        sandbox("c", None),
        sandbox("d", None),
    ]));
    let keys = |answers: Vec<Publication>| answers.into_iter().map(|answer| answer.key).collect::<Vec<_>>();
    assert_eq!(keys(published.recv_timeout(PATIENCE).unwrap()), ["a", "c"]);
    assert_eq!(keys(published.recv_timeout(PATIENCE).unwrap()), ["d"]);
    gateway.apply(&shop.epoch(&[sandbox("e", None)]));
    assert_eq!(keys(published.recv_timeout(PATIENCE).unwrap()), ["e"]);
    drop(gateway);
    assert!(published.try_recv().is_err(), "nothing was answered twice");
}

#[test]
fn a_gateway_stops_while_it_waits() {
    let (mut slow, _published) = gateway(0, GatewayConfig::default());
    slow.apply(&Shop::with_product().epoch(&[sandbox("a", Some("slow"))]));
    drop(slow);
    let patient = GatewayConfig { retry_ms_min: u64::MAX, ..GatewayConfig::default() };
    let (mut failing, _published) = gateway(1, patient);
    failing.apply(&Shop::with_product().epoch(&[sandbox("a", None)]));
    drop(failing);
}

/// Appends commands to a node, and waits until it has decided them.
async fn decided(node: &Node, commands: &[(&str, Command)]) {
    let (done, landed) = tokio::sync::oneshot::channel();
    let publications = commands.iter().map(|(id, command)| Publication::of(*id, command)).collect();
    node.commands.append(publications, Box::new(move |appended| drop(done.send(appended))));
    for origin in landed.await.unwrap().unwrap() {
        node.shop.wait_for_origin(origin).await.unwrap();
    }
}

/// Waits until an order is in that state.
async fn becomes(node: &Node, order_id: &str, status: OrderStatus) {
    let started = std::time::Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "{order_id} becomes {status:?}");
        let next = {
            let reading = node.shop.read_latest().unwrap();
            let order = reading.views().orders.get(order_id, reading.at());
            if order.is_some_and(|order| order.status == status) {
                return;
            }
            reading.epoch().next()
        };
        assert_eq!(node.shop.wait_for_epoch(next, PATIENCE).await, Some(true));
    }
}

#[tokio::test]
async fn a_node_answers_its_sandbox_payments_also_those_of_its_last_life() {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data: Some(folder.path().to_owned()), workers: Some(2), ..Flags::default() };
    let config = Settings::load(None, &[], flags).unwrap().config();
    let fatal: ingest::Fatal = Arc::new(|error| panic!("{error}"));
    let node = Node::start(&config, &fatal).unwrap();
    assert_eq!(node.shop.wait_for_epoch(Epoch(1), PATIENCE).await, Some(true));
    decided(&node, &[("p", product())]).await;
    decided(
        &node,
        &[("a", sandbox("a", None)), ("b", sandbox("b", Some("decline"))), ("c", sandbox("c", Some("slow")))],
    )
    .await;
    becomes(&node, "a", OrderStatus::Paid).await;
    becomes(&node, "b", OrderStatus::Cancelled).await;
    // The last one is most likely still to be answered now.
    node.stop();

    let node = Node::start(&config, &fatal).unwrap();
    assert_eq!(node.shop.wait_for_epoch(node.replay_to.next(), PATIENCE).await, Some(true));
    becomes(&node, "c", OrderStatus::Paid).await;
    let answers = {
        let reading = node.shop.read_latest().unwrap();
        reading.views().operations.range(.., reading.at()).filter(|(id, _)| id.starts_with("gw-")).count()
    };
    assert_eq!(answers, 3, "each payment was answered once, over both lives");
    node.stop();
}
