//! The consumers of the core's changes.

use crate::contract::changes::Changes;
use std::sync::Arc;

/// A consumer of the core's changes: store, index, publisher. Applies whole epochs, in order.
pub trait Sink: Send {
    /// Takes an epoch. A sink that holds it already ignores it.
    fn apply(&mut self, changes: &Arc<Changes>);
}
