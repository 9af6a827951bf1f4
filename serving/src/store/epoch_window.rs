//! The clock of a store: which epochs can be read, which are pinned, and when they are forgotten.
//! Not for rows: views hold those, and learn here only how far back they must remember.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::Epoch;

/// The history that a store keeps. The oldest epochs go as soon as one bound is passed.
#[derive(Clone, Debug)]
pub struct HistoryLimits {
    /// Epochs that can be read, the newest included.
    pub epochs_max: usize,
    /// Age after which an epoch can no longer be asked for.
    pub age_ms_max: u64,
    /// Bytes of rows before their changes, as [`View::apply`](super::View::apply) counts them.
    pub undo_bytes_max: usize,
    /// Age after which a pin no longer holds its epoch once the bounds above have passed it.
    pub pin_age_ms_max: u64,
    /// Bytes of rows that pins may hold beyond those bounds; then the oldest pins no longer do.
    pub pinned_bytes_max: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            epochs_max: 200_000,
            age_ms_max: 86_400_000,
            undo_bytes_max: 256 << 20,
            pin_age_ms_max: 10_000,
            pinned_bytes_max: 512 << 20,
        }
    }
}

/// The reason why an epoch cannot be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReadable {
    /// It was readable once, or came before all that is; `floor` is the oldest that is.
    Forgotten {
        /// The oldest readable epoch.
        floor: Epoch,
    },
    /// It was not published; `latest` is the newest that was, if any.
    Unknown {
        /// The newest readable epoch.
        latest: Option<Epoch>,
    },
}

impl fmt::Display for NotReadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forgotten { floor } => write!(f, "epoch forgotten, the oldest is {floor}"),
            Self::Unknown { latest: Some(latest) } => {
                write!(f, "epoch not published, the newest is {latest}")
            }
            Self::Unknown { latest: None } => write!(f, "no epoch published yet"),
        }
    }
}

impl std::error::Error for NotReadable {}

/// A finished epoch, handed to [`EpochWindow::publish`].
#[derive(Debug)]
pub struct PublishedEpoch<Info> {
    /// The epoch that every view has applied.
    pub epoch: Epoch,
    /// The data kept beside it: its `now`, cut, digests.
    pub info: Info,
    /// The sum of what [`View::apply`](super::View::apply) returned for this epoch.
    pub undo_bytes: usize,
    /// Monotonic time.
    pub now_ms: u64,
}

/// The context in which a view applies an epoch; made by [`EpochWindow::step`].
#[derive(Clone, Copy, Debug)]
pub struct ApplyContext {
    pub(super) epoch: Epoch,
    /// No reader is before this epoch, so undo entries at or before it are of no use.
    pub(super) floor: Option<Epoch>,
    pub(super) history: History,
}

/// The choice of whether an epoch's changes leave undo entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum History {
    /// An earlier epoch can be read, so its rows must be kept.
    Keep,
    /// No reader can ask for an earlier epoch.
    Skip,
}

/// Says which epochs of a store can be read. `Info` is kept beside each of them.
pub struct EpochWindow<Info> {
    limits: HistoryLimits,
    /// The newest token again, so that pinning it needs no lock.
    latest: ArcSwapOption<Token<Info>>,
    ring: Mutex<Ring<Info>>,
}

struct Ring<Info> {
    /// In epoch order. The first `held` are outside the bounds and kept by a pin of one of them.
    tokens: VecDeque<Arc<Token<Info>>>,
    held: usize,
    /// The cost of the tokens inside the bounds: the sum over all of them but the first.
    undo_bytes: usize,
    /// The cost of those kept for pins beyond that: the sum over the held tokens but the first, and the first not held.
    held_bytes: usize,
    /// The newest epoch before everything was forgotten on purpose.
    forgotten: Option<Epoch>,
}

struct Token<Info> {
    epoch: Epoch,
    info: Arc<Info>,
    undo_bytes: usize,
    published_ms: u64,
    /// The time at which the youngest pin was taken.
    pinned_ms: AtomicU64,
    /// Set before any view may drop what a reader of this epoch needs.
    gone: AtomicBool,
}

/// Holds an epoch readable until it is dropped, or until it is too old to be heeded.
///
/// A reader that finds its pin invalid *after* reading must throw away what it read.
pub struct Pin<Info>(Arc<Token<Info>>);

impl<Info> EpochWindow<Info> {
    /// A clock with nothing to read yet.
    pub fn new(limits: HistoryLimits) -> Self {
        let ring = Ring { tokens: VecDeque::new(), held: 0, undo_bytes: 0, held_bytes: 0, forgotten: None };
        Self { limits, latest: ArcSwapOption::empty(), ring: Mutex::new(ring) }
    }

    /// The context that the views need to apply `epoch`. History is kept if an earlier epoch can be read.
    pub fn step(&self, epoch: Epoch) -> ApplyContext {
        let ring = self.ring.lock();
        match ring.tokens.front() {
            Some(oldest) => ApplyContext { epoch, floor: Some(oldest.epoch), history: History::Keep },
            None => ApplyContext { epoch, floor: ring.forgotten, history: History::Skip },
        }
    }

    /// Makes an epoch visible in all views at once, then forgets what the limits no longer allow.
    ///
    /// Panics if the epoch does not come after the newest one.
    pub fn publish(&self, published: PublishedEpoch<Info>) {
        let PublishedEpoch { epoch, info, undo_bytes, now_ms } = published;
        let token = Arc::new(Token {
            epoch,
            info: Arc::new(info),
            undo_bytes,
            published_ms: now_ms,
            pinned_ms: AtomicU64::new(now_ms),
            gone: AtomicBool::new(false),
        });
        let mut ring = self.ring.lock();
        let newest = ring.tokens.back().map(|token| token.epoch).or(ring.forgotten);
        assert!(newest < Some(epoch), "epoch {epoch} published after {newest:?}");
        if !ring.tokens.is_empty() {
            ring.undo_bytes += undo_bytes;
        }
        ring.tokens.push_back(Arc::clone(&token));
        // Visible before anything is forgotten: from here on a reader that took the previous
        // epoch from `latest` is counted in that token's references.
        self.latest.store(Some(token));
        ring.leave_window(&self.limits, now_ms);
        ring.drop_unheld(&self.limits, now_ms);
    }

    /// Makes everything unreadable, pinned or not, so that the views may be filled again.
    pub fn expire_all(&self) {
        let mut ring = self.ring.lock();
        self.latest.store(None);
        ring.forgotten = ring.tokens.back().map(|token| token.epoch).or(ring.forgotten);
        while let Some(token) = ring.tokens.pop_front() {
            token.gone.store(true, Ordering::Release);
        }
        (ring.held, ring.undo_bytes, ring.held_bytes) = (0, 0, 0);
    }

    /// Pins the newest epoch; none before the first is published. Takes no lock.
    pub fn pin_latest(&self, now_ms: u64) -> Option<Pin<Info>> {
        self.latest.load_full().map(|token| Pin::new(token, now_ms))
    }

    /// Pins an epoch inside the limits.
    pub fn pin(&self, epoch: Epoch, now_ms: u64) -> Result<Pin<Info>, NotReadable> {
        let ring = self.ring.lock();
        ring.find(epoch).map(|token| Pin::new(Arc::clone(token), now_ms))
    }

    /// The data published with an epoch, while it can be pinned.
    pub fn info(&self, epoch: Epoch) -> Result<Arc<Info>, NotReadable> {
        let ring = self.ring.lock();
        ring.find(epoch).map(|token| Arc::clone(&token.info))
    }

    /// The newest readable epoch.
    pub fn latest(&self) -> Option<Epoch> {
        self.latest.load().as_ref().map(|token| token.epoch)
    }

    /// The oldest epoch that can be pinned. (Those pinned already may be older.)
    pub fn oldest_readable(&self) -> Option<Epoch> {
        let ring = self.ring.lock();
        ring.tokens.get(ring.held).map(|token| token.epoch)
    }
}

impl<Info> Ring<Info> {
    fn find(&self, epoch: Epoch) -> Result<&Arc<Token<Info>>, NotReadable> {
        let latest = self.tokens.back().map(|token| token.epoch);
        match self.tokens.get(self.held).map(|token| token.epoch) {
            Some(floor) if epoch < floor => Err(NotReadable::Forgotten { floor }),
            _ => match self.tokens.binary_search_by(|token| token.epoch.cmp(&epoch)) {
                Ok(at) => Ok(&self.tokens[at]),
                Err(_) => Err(NotReadable::Unknown { latest }),
            },
        }
    }

    /// Moves the oldest tokens out of the window until it is within its bounds. The newest stays.
    fn leave_window(&mut self, limits: &HistoryLimits, now_ms: u64) {
        while self.held + 1 < self.tokens.len() {
            let age_ms = now_ms.saturating_sub(self.tokens[self.held].published_ms);
            let within = self.tokens.len() - self.held <= limits.epochs_max
                && age_ms <= limits.age_ms_max
                && self.undo_bytes <= limits.undo_bytes_max;
            if within {
                return;
            }
            self.held += 1;
            // The new first epoch is read without undoing its own changes.
            let undo_bytes = self.tokens[self.held].undo_bytes;
            self.undo_bytes -= undo_bytes;
            self.held_bytes += undo_bytes;
        }
    }

    /// Forgets tokens outside the window up to the first that a pin still holds. New pins cannot
    /// be taken there, so a token goes at the latest when its youngest pin is too old.
    fn drop_unheld(&mut self, limits: &HistoryLimits, now_ms: u64) {
        while self.held > 0 {
            let oldest = &self.tokens[0];
            let pin_age_ms = now_ms.saturating_sub(oldest.pinned_ms.load(Ordering::Acquire));
            let is_heeded = pin_age_ms <= limits.pin_age_ms_max && self.held_bytes <= limits.pinned_bytes_max;
            if Arc::strong_count(oldest) > 1 && is_heeded {
                return;
            }
            // A pin may be here still. A reader that misses a row because a view dropped it has locked
            // a chunk after the view did, and so sees this store.
            oldest.gone.store(true, Ordering::Release);
            self.tokens.pop_front();
            self.held -= 1;
            self.held_bytes -= self.tokens[0].undo_bytes;
        }
    }
}

impl<Info> Pin<Info> {
    fn new(token: Arc<Token<Info>>, now_ms: u64) -> Self {
        token.pinned_ms.fetch_max(now_ms, Ordering::AcqRel);
        Self(token)
    }

    /// The pinned epoch.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// The data published with the epoch.
    pub fn info(&self) -> &Arc<Info> {
        &self.0.info
    }

    /// Holds on for another while, as if it was taken now.
    pub fn renew(&self, now_ms: u64) {
        self.0.pinned_ms.fetch_max(now_ms, Ordering::AcqRel);
    }

    /// Returns true if all that was read at this epoch up to now is right. False once the pin grew too
    /// old and the store went past it, or the store was emptied.
    pub fn is_valid(&self) -> bool {
        !self.0.gone.load(Ordering::Acquire)
    }
}

impl<Info> Clone for Pin<Info> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Info> fmt::Debug for Pin<Info> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pin").field(&self.0.epoch).finish()
    }
}
