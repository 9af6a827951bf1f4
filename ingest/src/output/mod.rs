//! What leaves the core, as topics: published, read again as whole epochs, deleted when it is old.

pub mod published;
pub mod publisher;
mod retention;

pub use retention::{Floor, Holder, Retention};
