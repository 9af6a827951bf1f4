//! The shop at each of the last epochs: every view in memory, filled by the core, read by requests.
//! Not for HTTP, and not for deciding: rows come in finished.

mod counters;
mod epoch_info;
mod held;
mod rows;
mod snapshot;
mod subscription;
mod subscriptions;
mod unsent;
mod views;
mod waiters;

pub use counters::Rates;
pub use epoch_info::EpochInfo;
pub use rows::{CustomerOrder, RevenueSlot};
pub use snapshot::{StockOf, StoreSnapshot};
pub use subscription::Subscription;
pub use subscriptions::Next;
pub use unsent::{HangUp, Share, Unsent};
use views::InternalState;
pub use views::{Views, schema};

use crate::config::Config;
use crate::store::{EpochWindow, NotReadable, Pin, PublishedEpoch};
use arc_swap::ArcSwap;
use counters::Counters;
use dataflows::contract::changes::{Changes, ViewChanges};
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::topic::Origin;
use dataflows::ports::Sink;
use dataflows::shop::row::View;
use epoch_info::epoch_bytes;
use parking_lot::Mutex;
use smol_str::SmolStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use subscriptions::Subscriptions;
use waiters::{WaitResult, Waiters};

/// The node's readiness to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// True if it may be asked.
    pub ready: bool,
    /// The reason if not: a word of the contract and a sentence.
    pub why: Option<String>,
}

/// Milliseconds that never go back; the zero is free.
pub type NowMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The store of all views, and the sink that fills it. Clones are handles to the same shop.
#[derive(Clone)]
pub struct ViewStore(Arc<Inner>);

struct Inner {
    clock: EpochWindow<EpochInfo>,
    views: Views,
    writer: Mutex<Writer>,
    waiters: Waiters,
    feed: Subscriptions,
    unsent: Arc<Unsent>,
    figures: Counters,
    readiness: ArcSwap<Readiness>,
    /// The next offset of every partition that the views hold. Apart from the writer, so that reading it never waits.
    cut: Mutex<Cut>,
    /// The last epoch that the views hold.
    applied: AtomicU64,
    is_live: AtomicBool,
    /// The changes of every epoch that has none.
    no_rows: Arc<ViewChanges>,
    now_ms: NowMs,
}

/// The state that only the applying thread needs.
struct Writer {
    mode: Mode,
    /// The last epoch that the views hold; published unless the node replays.
    applied: Option<EpochInfo>,
}

#[derive(Clone, Copy)]
enum Mode {
    /// Rows are taken in without history, and cannot be read; until that epoch, if it is known.
    Replaying(Option<Epoch>),
    Live,
}

impl ViewStore {
    /// An empty shop that replays until [`ViewStore::live_from`] or [`ViewStore::caught_up`] ends that.
    pub fn new(config: &Config, now_ms: NowMs) -> ViewStore {
        ViewStore(Arc::new(Inner {
            clock: EpochWindow::new(config.history.clone()),
            views: Views::new(),
            writer: Mutex::new(Writer { mode: Mode::Replaying(None), applied: None }),
            waiters: Waiters::new(config.waiters_max),
            feed: Subscriptions::new(config.followers_max),
            unsent: Unsent::new(config.follower_bytes_own_max, config.follower_bytes_max),
            figures: Counters::default(),
            readiness: ArcSwap::from_pointee(Readiness {
                ready: false,
                why: Some("starting: the log is opened".to_owned()),
            }),
            cut: Mutex::default(),
            applied: AtomicU64::new(0),
            is_live: AtomicBool::new(false),
            no_rows: Arc::default(),
            now_ms,
        }))
    }

    /// Says that the log ended at this epoch when the node started: from it on, epochs can be read.
    pub fn live_from(&self, epoch: Epoch) {
        let mut writer = self.0.writer.lock();
        if let Mode::Replaying(_) = writer.mode {
            writer.mode = Mode::Replaying(Some(epoch));
            let held = writer.applied.as_ref().map_or(Epoch(0), |info| info.record.epoch);
            if held >= epoch {
                self.0.go_live(&mut writer);
            }
        }
    }

    /// Ends the replay at the epoch that the shop holds now.
    pub fn caught_up(&self) {
        self.0.go_live(&mut self.0.writer.lock());
    }

    /// Returns true while the shop still replays.
    pub fn is_replaying(&self) -> bool {
        !self.0.is_live.load(Ordering::Acquire)
    }

    /// The last epoch that the shop holds, readable or not.
    pub fn applied(&self) -> Epoch {
        Epoch(self.0.applied.load(Ordering::Acquire))
    }

    /// The next offset of every partition that the shop holds.
    pub fn cut(&self) -> Cut {
        self.0.cut.lock().clone()
    }

    /// Sets the probe's readiness of the node, and why not: a word of the contract and a sentence.
    pub fn set_ready(&self, ready: bool, why: impl Into<String>) {
        let why = (!ready).then(|| why.into());
        self.0.readiness.store(Arc::new(Readiness { ready, why }));
    }

    /// The node's readiness: it was set so, and there is an epoch to read.
    pub fn readiness(&self) -> Readiness {
        let told = Readiness::clone(&self.0.readiness.load());
        match (told.ready, self.latest()) {
            (true, None) => Readiness { ready: false, why: Some("starting: no epoch can be read yet".to_owned()) },
            (true, Some(_)) | (false, _) => told,
        }
    }

    /// The newest epoch that can be read.
    pub fn latest(&self) -> Option<Epoch> {
        self.0.clock.latest().map(Epoch)
    }

    /// The oldest epoch that can be read.
    pub fn floor(&self) -> Option<Epoch> {
        self.0.clock.oldest_readable().map(Epoch)
    }

    /// Reads at the newest epoch; none before there is one.
    pub fn read_latest(&self) -> Option<StoreSnapshot<'_>> {
        self.0.clock.pin_latest((self.0.now_ms)()).map(|pin| self.reading(pin))
    }

    /// Reads at an epoch that is still kept.
    pub fn read_at(&self, epoch: Epoch) -> Result<StoreSnapshot<'_>, NotReadable> {
        self.0.clock.pin(epoch.0, (self.0.now_ms)()).map(|pin| self.reading(pin))
    }

    /// Reads at an epoch that is held already.
    pub fn reading(&self, pin: Pin<EpochInfo>) -> StoreSnapshot<'_> {
        StoreSnapshot::new(&self.0.views, pin)
    }

    /// Waits until an epoch can be read, and returns whether that came in time; `None` if too many wait.
    pub async fn wait_for_epoch(&self, epoch: Epoch, wait: Duration) -> Option<bool> {
        if self.latest() >= Some(epoch) {
            return Some(true);
        }
        match self.0.waiters.for_epoch(epoch) {
            WaitResult::Over => Some(true),
            WaitResult::TooMany => None,
            WaitResult::For(waiter) => Some(tokio::time::timeout(wait, waiter.done()).await.is_ok()),
        }
    }

    /// Waits until the record at that place is in an epoch, and holds the first such epoch. Never ends if that place
    /// is beyond what the log will ever have.
    pub async fn wait_for_origin(&self, origin: Origin) -> Option<Pin<EpochInfo>> {
        match self.0.waiters.for_origin(origin) {
            Some(waiter) => waiter.done().await,
            None => self.pin_covering(origin),
        }
    }

    /// The oldest epoch that can be read and covers that place, given that the newest does.
    fn pin_covering(&self, origin: Origin) -> Option<Pin<EpochInfo>> {
        let now_ms = (self.0.now_ms)();
        let mut found = self.0.clock.pin_latest(now_ms)?;
        let mut epoch = found.epoch();
        // An epoch names the partitions that moved: the last one to name this one from beyond the place is the first
        // that covers it, and none before it can.
        while let Ok(pin) = self.0.clock.pin(epoch, now_ms) {
            match pin.info().record.cut.get(origin.topic_partition()) {
                Some(next) if next > origin.offset => found = pin,
                Some(_) => break,
                None => {}
            }
            epoch = epoch.saturating_sub(1);
        }
        Some(found)
    }

    /// Returns true if an epoch that can be read covers that place.
    pub fn covers(&self, origin: Origin) -> bool {
        self.0.waiters.covers(origin)
    }

    /// Follows a view, or one key of it, from the epoch after that one; `None` if too many do.
    pub fn follow(&self, view: View, key: Option<SmolStr>, after: Epoch) -> Option<Subscription> {
        Subscription::new(self.clone(), view, key, after)
    }

    /// Ends all following: the node stops.
    pub fn end_following(&self) {
        self.0.feed.end();
    }

    /// The bytes that followers have not taken yet.
    pub fn unsent(&self) -> &Arc<Unsent> {
        &self.0.unsent
    }

    /// The number of followers.
    pub fn followers(&self) -> usize {
        self.0.feed.followers()
    }

    /// The views, for figures about them.
    pub fn views(&self) -> &Views {
        &self.0.views
    }

    /// The rates of the shop over the last seconds.
    pub fn rates(&self) -> Rates {
        self.0.figures.rates((self.0.now_ms)())
    }

    /// The number of requests that wait.
    pub fn waiting(&self) -> usize {
        self.0.waiters.len()
    }

    /// The totals of outcomes and dead letters, by code.
    pub(crate) fn figures(&self) -> &Counters {
        &self.0.figures
    }
}

impl Inner {
    fn go_live(&self, writer: &mut Writer) {
        if let Mode::Replaying(_) = writer.mode {
            writer.mode = Mode::Live;
            self.is_live.store(true, Ordering::Release);
            if let Some(info) = writer.applied.clone() {
                self.publish(info, 0, Arc::default());
            }
        }
    }

    fn publish(&self, info: EpochInfo, undo_bytes: usize, rows: Arc<ViewChanges>) {
        let now_ms = (self.now_ms)();
        let epoch = info.record.epoch;
        // The lists of an epoch without changes need not be kept.
        let rows = if rows.is_empty() { Arc::clone(&self.no_rows) } else { rows };
        self.clock.publish(PublishedEpoch { epoch: epoch.0, info, undo_bytes, now_ms });
        self.feed.publish(epoch, rows, Epoch(self.clock.oldest_readable().unwrap_or_default()));
        if let Some(pin) = self.clock.pin_latest(now_ms) {
            self.waiters.published(&pin, &self.cut.lock());
        }
    }
}

impl Sink for ViewStore {
    fn apply(&mut self, changes: &Arc<Changes>) {
        let Changes { record, rows, events: _, dead_letters, quota, imbalances, search_memory, standings } =
            changes.as_ref();
        let inner = &self.0;
        let mut writer = inner.writer.lock();
        let (last, dead_letters_before) =
            writer.applied.as_ref().map_or((Epoch(0), 0), |info| (info.record.epoch, info.dead_letters));
        if record.epoch <= last {
            return;
        }
        let step = inner.clock.step(record.epoch.0);
        let undo_bytes =
            inner.views.apply(step, rows, &InternalState { imbalances, letter_counts: &quota.counts, search_memory });
        inner.cut.lock().advance(&record.cut);
        inner.applied.store(record.epoch.0, Ordering::Release);
        let before = writer.applied.take();
        let standings = match &before {
            Some(before) if *before.standings == *standings => Arc::clone(&before.standings),
            Some(_) | None => Arc::new(standings.clone()),
        };
        let unread_count = dead_letters.len() + quota.dropped.len();
        let dead_letters_so_far = dead_letters_before + unread_count as u64;
        let info = EpochInfo { record: Arc::clone(record), standings, dead_letters: dead_letters_so_far };
        let undo_bytes = undo_bytes + epoch_bytes(&info, before.as_ref(), rows);
        writer.applied = Some(info.clone());
        let unread = dead_letters.iter().map(|letter| letter.code).chain(quota.dropped.iter().copied());
        inner.figures.count(record, rows, unread, (inner.now_ms)());
        match writer.mode {
            Mode::Live => inner.publish(info, undo_bytes, Arc::clone(rows)),
            Mode::Replaying(Some(until)) if until <= record.epoch => inner.go_live(&mut writer),
            Mode::Replaying(_) => {}
        }
    }
}
