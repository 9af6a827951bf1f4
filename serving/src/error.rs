//! The errors of the room itself. Not for requests: those get problems.

/// The room could not continue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener no longer gives connections.
    #[error("connections cannot be taken")]
    Accept(#[source] std::io::Error),
}
