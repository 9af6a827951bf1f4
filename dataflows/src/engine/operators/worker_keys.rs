//! The keys of a worker.

/// The keys of a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerKeys {
    index: usize,
    peers: usize,
}

impl WorkerKeys {
    /// Those of the worker of that index, of so many.
    pub const fn new(index: usize, peers: usize) -> WorkerKeys {
        WorkerKeys { index, peers }
    }

    /// The worker's index.
    pub const fn index(self) -> usize {
        self.index
    }

    /// Returns true if a key of that hash is this worker's.
    pub const fn has(self, key_hash: u64) -> bool {
        key_hash % self.peers as u64 == self.index as u64
    }
}
