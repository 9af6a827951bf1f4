//! Text for standard output. Not for logs.

use anyhow::Result;
use std::io::{ErrorKind, Write};

/// Prints it; a reader that has gone, such as `head`, is no failure.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
