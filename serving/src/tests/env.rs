//! The parts that the tests share: a service over a log that decides on demand.

use crate::shop::ViewStore;
use crate::{Config, NoExports, NoFinder, NoKeeper, NoLetters, NodeStatus, Parts, service};
use access::root::{Purpose, Roots};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use dataflows::contract::changes::{Change, Changes, ViewChange, ViewChanges, ViewDigests, row_hash};
use dataflows::contract::epoch::{Cut, Epoch, Epochs};
use dataflows::contract::input::CommandEnvelope;
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic, TopicPartition};
use dataflows::engine::budget::Budget;
use dataflows::for_each_row;
use dataflows::ports::product_search::ProductSearch;
use dataflows::ports::{AppendCallback, AppendError, CommandLog, Publication, RecordType, Sink};
use dataflows::shop::command::Command;
use dataflows::shop::dead_letters::LetterQuota;
use dataflows::shop::decider::Decider;
use dataflows::shop::row::Row;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;

/// The behaviour of the log.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Every append is an epoch of its own.
    Decide,
    /// Appends are acknowledged; epochs come when the test closes them.
    Hold,
    /// Appends are never acknowledged.
    Silent,
    /// Appends fail.
    Fail(AppendError),
}

/// A log of one partition a topic, with its decider.
pub struct FakeLog {
    pub mode: Mutex<Mode>,
    state: Mutex<State>,
}

struct State {
    shop: ViewStore,
    decider: Decider,
    epochs: Epochs,
    ends: Cut,
    waiting: Vec<CommandEnvelope>,
    standings: ViewDigests,
    appends: usize,
    observed: Vec<Publication>,
    passed_s: i64,
    /// Callbacks that were never called, kept so that they are not dropped either.
    silent: Vec<AppendCallback>,
}

impl CommandLog for FakeLog {
    fn append(&self, commands: Vec<Publication>, done: AppendCallback) {
        let mode = self.mode.lock().clone();
        self.state.lock().appends += commands.len();
        match mode {
            Mode::Fail(error) => done(Err(error)),
            Mode::Silent => self.state.lock().silent.push(done),
            Mode::Hold => done(Ok(self.take(commands))),
            Mode::Decide => {
                done(Ok(self.take(commands)));
                self.cut();
            }
        }
    }
}

impl FakeLog {
    fn take(&self, commands: Vec<Publication>) -> Vec<Origin> {
        let mut state = self.state.lock();
        commands.into_iter().map(|publication| state.take(publication)).collect()
    }

    /// Closes an epoch over everything appended.
    pub fn cut(&self) {
        self.state.lock().cut();
    }

    /// Closes an epoch with rows that no decider made.
    pub fn publish_rows(&self, rows: ViewChanges) {
        self.state.lock().close(rows);
    }

    /// The observations that were appended.
    pub fn observed(&self) -> Vec<Publication> {
        self.state.lock().observed.clone()
    }

    pub fn appends(&self) -> usize {
        self.state.lock().appends
    }

    /// Lets that much time pass.
    pub fn pass_s(&self, seconds: i64) {
        self.state.lock().passed_s += seconds;
    }

    /// Decides a command at once that did not come over HTTP.
    pub fn publish(&self, id: &str, type_name: &str, data: &str) {
        self.hold(id, type_name, data);
        self.cut();
    }

    /// Takes a command in that did not come over HTTP.
    pub fn hold(&self, id: &str, type_name: &str, data: &str) {
        let command_type = dataflows::shop::command::CommandType::from_name(type_name).unwrap();
        let command = Command::read(command_type, id, data.as_bytes()).unwrap();
        self.take(vec![Publication::of(id, &command)]);
    }
}

impl State {
    fn take(&mut self, publication: Publication) -> Origin {
        let at = TopicPartition::new(publication.topic, 0);
        let offset = self.ends.get(at).unwrap_or(0);
        self.ends.set(at, offset + 1);
        let origin = Origin { topic: at.topic, partition: 0, offset };
        let command_type = match publication.record_type {
            RecordType::Command(command_type) => command_type,
            RecordType::Observation(_) => {
                self.observed.push(publication);
                return origin;
            }
        };
        let command = Command::read(command_type, &publication.command_id, &publication.data).unwrap();
        assert_eq!(command.key(), publication.key);
        let fingerprint = command.fingerprint(publication.key.as_bytes());
        self.waiting.push(CommandEnvelope { origin, command_id: publication.command_id, fingerprint, command });
        origin
    }

    fn cut(&mut self) {
        self.close(ViewChanges::default());
    }

    fn close(&mut self, mut rows: ViewChanges) {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap().plus_s(self.passed_s + self.epochs.last.0 as i64);
        let record = self.epochs.next_record(&self.ends, now);
        self.epochs.accept(&record).unwrap();
        let decided = self.decider.run(&record, std::mem::take(&mut self.waiting));
        for change in decided.changes {
            self.push(&mut rows, change);
        }
        rows.sort();
        let changes = Changes {
            record: Arc::new(record),
            rows: Arc::new(rows),
            events: decided.events.into_iter().map(Arc::new).collect(),
            dead_letters: Vec::new(),
            imbalances: Vec::new(),
            quota: LetterQuota::default(),
            search_memory: Vec::new(),
            standings: self.standings.clone(),
        };
        self.shop.apply(&Arc::new(changes));
    }

    fn push(&mut self, rows: &mut ViewChanges, change: ViewChange) {
        macro_rules! views {
            ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
                match change {
                    $(ViewChange::$variant(change) => {
                        count(&mut self.standings, &change);
                        rows.$field.push(change);
                    })*
                }
            };
        }
        for_each_row!(views views);
    }
}

fn count<R: Row>(standings: &mut ViewDigests, change: &Change<R>) {
    let standing = standings.0.entry(R::VIEW).or_default();
    let hash = |row: &Arc<R>| row_hash(R::VIEW, &row.key(), &row.value());
    if let Some(before) = &change.before {
        standing.rows -= 1;
        standing.digest = standing.digest.wrapping_sub(hash(before));
    }
    if let Some(after) = &change.after {
        standing.rows += 1;
        standing.digest = standing.digest.wrapping_add(hash(after));
    }
}

/// A service, its log, and its time.
pub struct TestEnv {
    pub shop: ViewStore,
    pub log: Arc<FakeLog>,
    pub now_ms: Arc<AtomicU64>,
    router: Router,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The status and the code of a problem.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let json = self.json();
        for field in ["type", "title", "status", "detail", "code", "errors"] {
            assert!(!json[field].is_null(), "{field} is missing in {json}");
        }
        assert_eq!(json["status"], self.status.as_u16());
        (self.status.as_u16(), json["code"].as_str().unwrap().to_owned())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn epoch(&self) -> u64 {
        self.header("tradewind-epoch").parse().unwrap()
    }
}

impl TestEnv {
    /// An empty shop after one empty epoch.
    pub fn new() -> TestEnv {
        TestEnv::with(Config::default())
    }

    pub fn with(config: Config) -> TestEnv {
        let env = TestEnv::replaying(config);
        env.shop.caught_up();
        env.shop.set_ready(true, "");
        env.log.cut();
        env
    }

    /// A shop that takes in what the log held.
    pub fn replaying(config: Config) -> TestEnv {
        let (parts, log, now_ms) = TestEnv::build(config);
        TestEnv { shop: parts.shop.clone(), log, now_ms, router: service(parts) }
    }

    /// The same, of a log that held epochs up to `last` and policies up to offset `end`.
    pub fn replaying_to(last: Epoch, end: u64) -> TestEnv {
        let (mut parts, log, now_ms) = TestEnv::build(Config::default());
        let mut ends = Cut::default();
        ends.set(TopicPartition::new(Topic::Policy, 0), end);
        parts.vitals =
            Arc::new(move || NodeStatus { replay_to: Some(last), ends: ends.clone(), ..NodeStatus::default() });
        parts.shop.live_from(last);
        TestEnv { shop: parts.shop.clone(), log, now_ms, router: service(parts) }
    }

    /// A service of a node with this status.
    pub fn with_vitals(vitals: NodeStatus) -> TestEnv {
        let (mut parts, log, now_ms) = TestEnv::build(Config::default());
        parts.vitals = Arc::new(move || vitals.clone());
        parts.shop.caught_up();
        parts.shop.set_ready(true, "");
        TestEnv { shop: parts.shop.clone(), log, now_ms, router: service(parts) }
    }

    /// A service on a machine that has no randomness.
    pub fn without_randomness() -> TestEnv {
        let (mut parts, log, now_ms) = TestEnv::build(Config::default());
        parts.entropy = Arc::new(|| Err("there is no randomness".to_owned()));
        let env = TestEnv { shop: parts.shop.clone(), log, now_ms, router: service(parts) };
        env.shop.caught_up();
        env.log.cut();
        env
    }

    /// A shop as [`TestEnv::stocked`], with a product index.
    pub async fn finding(finder: Arc<dyn ProductSearch>) -> TestEnv {
        let (mut parts, log, now_ms) = TestEnv::build(Config { searches_max: 1, ..Config::default() });
        parts.finder = finder;
        let env = TestEnv { shop: parts.shop.clone(), log, now_ms, router: service(parts) };
        env.shop.caught_up();
        env.log.cut();
        env.stock().await;
        env
    }

    /// The parts of a service of an empty shop after one empty epoch.
    pub fn parts(config: Config) -> Parts {
        let (parts, log, _) = TestEnv::build(config);
        parts.shop.caught_up();
        parts.shop.set_ready(true, "");
        log.cut();
        parts
    }

    fn build(config: Config) -> (Parts, Arc<FakeLog>, Arc<AtomicU64>) {
        let now_ms = Arc::new(AtomicU64::new(1_000));
        let clock = Arc::clone(&now_ms);
        let shop = ViewStore::new(&config, Arc::new(move || clock.load(Ordering::Relaxed)));
        let state = State {
            shop: shop.clone(),
            decider: Decider::default(),
            epochs: Epochs::default(),
            ends: Cut::default(),
            waiting: Vec::new(),
            standings: ViewDigests::default(),
            appends: 0,
            observed: Vec::new(),
            passed_s: 0,
            silent: Vec::new(),
        };
        let log = Arc::new(FakeLog { mode: Mutex::new(Mode::Decide), state: Mutex::new(state) });
        let made = AtomicU64::new(1);
        let parts = Parts {
            bytes: Budget::new(config.bytes_in_flight_max),
            config,
            shop,
            log: Arc::clone(&log) as Arc<dyn CommandLog>,
            vitals: Arc::new(|| NodeStatus { kafka: Some("127.0.0.1:9092".to_owned()), ..NodeStatus::default() }),
            keeper: Arc::new(NoKeeper),
            letters: Arc::new(NoLetters),
            exports: Arc::new(NoExports),
            finder: Arc::new(NoFinder),
            cursors: Roots::new([7; 32], None).signer(Purpose::Cursor),
            entropy: Arc::new(move || Ok(u128::from(made.fetch_add(1, Ordering::Relaxed)).to_be_bytes())),
        };
        (parts, log, now_ms)
    }

    /// A shop with the product `p1`: SKU `A` at 12.50 GBP with 10 in stock, and `B`, digital, at 3 GBP.
    pub async fn stocked() -> TestEnv {
        let env = TestEnv::new();
        env.stock().await;
        env
    }

    async fn stock(&self) {
        let put = self.call("PUT", "/api/v1/products/p1", &[], PRODUCT).await;
        assert_eq!(put.status, 201, "{put:?}");
        let movement = r#"{"quantity":10,"reason":"received"}"#;
        assert_eq!(self.call("POST", "/api/v1/stock/A/movements", &[], movement).await.status, 201);
    }

    pub fn set_mode(&self, mode: Mode) {
        *self.log.mode.lock() = mode;
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], "").await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.call("GET", path, headers, "").await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.into();
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        self.send_request(request.body(Body::from(body)).unwrap()).await
    }

    pub async fn send_request(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
        let (parts, body) = self.send(method, path, headers, body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Places an order of SKU `A` under a command id.
    pub async fn order(&self, key: &str, quantity: u32) -> Reply {
        let key = [("idempotency-key", key)];
        self.call("POST", "/api/v1/orders", &key, order(quantity)).await
    }
}

pub const PRODUCT: &str = r#"{"title":"Lamp","brand":"Acme","category":["Home","Light"],"variants":[
    {"sku":"A","title":"White","price":{"amount":"12.5","currency":"GBP"}},
    {"sku":"B","price":{"amount":"3","currency":"GBP"},"inventory_policy":"none"}]}"#;

/// The data of an order of SKU `A`.
pub fn order(quantity: u32) -> String {
    format!(
        r#"{{"customer_id":"c1","currency":"GBP","country":"EIRE","payment":{{"method":"settled"}},
            "lines":[{{"sku":"A","quantity":{quantity}}}]}}"#
    )
}
