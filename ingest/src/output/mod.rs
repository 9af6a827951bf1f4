//! The core's outputs, as topics: published, read again as whole epochs, deleted when it is old.

pub mod publisher;
pub mod reader;
mod retention;

pub use retention::{Floor, Holder, Retention};
