//! What can go wrong with the room itself. Not for requests: those get problems.

/// The room could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener no longer gives connections.
    #[error("connections cannot be taken")]
    Accept(#[source] std::io::Error),
}
