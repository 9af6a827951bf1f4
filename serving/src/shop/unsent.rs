//! The bytes that followers were given and have not taken yet: each has its share, and all of them together a bound.
//! Not for what is sent.

use axum::body::Bytes;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// Ends a connection.
pub type HangUp = Arc<Notify>;

/// The bytes that all followers have not taken.
#[derive(Debug)]
pub struct Unsent {
    state: Mutex<State>,
    /// Of one follower.
    own_max: usize,
    /// Of all of them.
    all_max: usize,
}

#[derive(Debug, Default)]
struct State {
    /// The bytes that followers which are not cut have not taken.
    all: usize,
    next_id: u64,
    of: BTreeMap<u64, Own>,
}

#[derive(Debug)]
struct Own {
    bytes: usize,
    is_cut: bool,
    cut: HangUp,
}

/// A follower's share. It lasts as long as bytes of it are under way.
#[derive(Debug)]
pub struct Share {
    unsent: Arc<Unsent>,
    id: u64,
}

/// Bytes under way.
struct Piece {
    bytes: Vec<u8>,
    share: Arc<Share>,
}

impl Unsent {
    /// Nothing is under way yet.
    pub fn new(own_max: usize, all_max: usize) -> Arc<Unsent> {
        Arc::new(Unsent { state: Mutex::default(), own_max, all_max })
    }

    /// The bytes that all followers have not taken.
    pub fn bytes(&self) -> usize {
        self.state.lock().all
    }

    /// The share of another follower, whose connection that cuts.
    pub fn share(self: &Arc<Self>, cut: HangUp) -> Arc<Share> {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.of.insert(id, Own { bytes: 0, is_cut: false, cut });
        Arc::new(Share { unsent: Arc::clone(self), id })
    }
}

impl State {
    /// Cuts a follower off. What it has not taken goes with its connection.
    fn cut(&mut self, id: u64) {
        if let Some(own) = self.of.get_mut(&id).filter(|own| !own.is_cut) {
            own.is_cut = true;
            self.all -= own.bytes;
            own.cut.notify_one();
        }
    }

    /// The follower with most bytes, of those not cut.
    fn fullest(&self) -> Option<u64> {
        let full = self.of.iter().filter(|(_, own)| !own.is_cut && own.bytes > 0);
        full.max_by_key(|(_, own)| own.bytes).map(|(id, _)| *id)
    }
}

impl Share {
    /// Bytes that count until they are dropped: until the connection has sent them. A follower with too many is cut
    /// off, and the fullest of all while all have too many.
    pub fn count(self: &Arc<Self>, bytes: Vec<u8>) -> Bytes {
        let Unsent { state, own_max, all_max } = &*self.unsent;
        let mut state = state.lock();
        if let Some(own) = state.of.get_mut(&self.id) {
            own.bytes += bytes.len();
            let (is_cut, is_full) = (own.is_cut, own.bytes > *own_max);
            if !is_cut {
                state.all += bytes.len();
            }
            if is_full {
                state.cut(self.id);
            }
        }
        while state.all > *all_max {
            let Some(fullest) = state.fullest() else { break };
            state.cut(fullest);
        }
        drop(state);
        Bytes::from_owner(Piece { bytes, share: Arc::clone(self) })
    }

    /// Returns true if it is cut off.
    pub fn is_cut(&self) -> bool {
        self.unsent.state.lock().of.get(&self.id).is_none_or(|own| own.is_cut)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.unsent.state.lock().of.remove(&self.id);
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut state = self.share.unsent.state.lock();
        if let Some(own) = state.of.get_mut(&self.share.id) {
            own.bytes -= self.bytes.len();
            if !own.is_cut {
                state.all -= self.bytes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_counts_no_longer() {
        let unsent = Unsent::new(100, 1_000);
        let share = unsent.share(HangUp::default());
        let (one, other) = (share.count(vec![0; 40]), share.count(vec![0; 50]));
        assert_eq!((unsent.bytes(), one.len(), share.is_cut()), (90, 40, false));
        drop(one);
        assert_eq!(unsent.bytes(), 50);
        drop((share, other));
        assert_eq!(unsent.bytes(), 0);
        assert!(unsent.state.lock().of.is_empty());
    }

    #[test]
    fn one_that_takes_nothing_is_cut_off_at_its_own_bound() {
        let unsent = Unsent::new(100, 1_000);
        let (slow, other) = (unsent.share(HangUp::default()), unsent.share(HangUp::default()));
        let held = [slow.count(vec![0; 60]), other.count(vec![0; 60]), slow.count(vec![0; 60])];
        assert_eq!((slow.is_cut(), other.is_cut(), unsent.bytes()), (true, false, 60));
        drop(held);
        assert_eq!(unsent.bytes(), 0);
    }

    #[test]
    fn the_fullest_is_cut_off_while_all_have_too_many() {
        let unsent = Unsent::new(100, 250);
        let shares: Vec<_> = (0..4).map(|_| unsent.share(HangUp::default())).collect();
        let sizes = [70, 90, 50, 60];
        let held: Vec<Bytes> = shares.iter().zip(sizes).map(|(share, size)| share.count(vec![0; size])).collect();
        let cut: Vec<bool> = shares.iter().map(|share| share.is_cut()).collect();
        assert_eq!((cut, unsent.bytes()), (vec![false, true, false, false], 180));
        drop(held);
        assert_eq!(unsent.bytes(), 0);
    }

    #[tokio::test]
    async fn who_is_cut_off_is_told() {
        let (unsent, cut) = (Unsent::new(10, 100), HangUp::default());
        let held = unsent.share(Arc::clone(&cut)).count(vec![0; 11]);
        cut.notified().await;
        drop(held);
    }
}
