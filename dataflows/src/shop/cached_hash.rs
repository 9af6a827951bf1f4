//! The hash of a row, kept beside it once it was computed: a row that changes again is taken out of the digest by it.
//! Not a part of the row's content: rows that differ only here are equal.

use crate::engine::encoding::{DecodeError, Encoding, Reader};
use std::sync::atomic::{AtomicU64, Ordering};

/// A hash of 128 bits that is computed at most once.
#[derive(Default)]
pub struct CachedHash {
    high: AtomicU64,
    low: AtomicU64,
}

impl CachedHash {
    /// The hash, computed if it was not. Threads that race compute the same.
    pub fn get_or(&self, compute: impl FnOnce() -> u128) -> u128 {
        // A high half of 0 means none; the one hash in 2^64 that has it is computed each time.
        let high = self.high.load(Ordering::Acquire);
        if high != 0 {
            return u128::from(high) << 64 | u128::from(self.low.load(Ordering::Relaxed));
        }
        let hash = compute();
        self.low.store(hash as u64, Ordering::Relaxed);
        self.high.store((hash >> 64) as u64, Ordering::Release);
        hash
    }
}

/// A copy is about to become another row.
impl Clone for CachedHash {
    fn clone(&self) -> Self {
        CachedHash::default()
    }
}

impl PartialEq for CachedHash {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for CachedHash {}

impl std::fmt::Debug for CachedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashMemo")
    }
}

/// It is not kept: what is read back is hashed again, and so checked.
impl Encoding for CachedHash {
    fn store(&self, _: &mut Vec<u8>) {}

    fn load(_: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(CachedHash::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_computed_once_and_not_copied() {
        let memo = CachedHash::default();
        assert_eq!(memo.get_or(|| 7 << 64 | 5), 7 << 64 | 5);
        assert_eq!(memo.get_or(|| 0), 7 << 64 | 5);
        assert_eq!(memo.clone().get_or(|| 3), 3);
    }
}
