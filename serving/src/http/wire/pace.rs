//! The bytes a second that all connections together may read of something. Not for a connection's own limits.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// The window of a rate. Unused bytes are not carried on: a pause is no reason for a burst.
const WINDOW: Duration = Duration::from_millis(10);

/// A rate that connections share.
#[derive(Debug)]
pub struct Pace {
    /// The bytes that a window allows; a piece that has begun may pass it.
    window_bytes_max: usize,
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    end: Instant,
    bytes: usize,
}

impl Pace {
    /// So many bytes a second.
    pub fn new(bytes_per_s: usize) -> Pace {
        let windows_per_s = (Duration::from_secs(1).as_millis() / WINDOW.as_millis()) as usize;
        Pace { window_bytes_max: (bytes_per_s / windows_per_s).max(1), window: Mutex::new(None) }
    }

    /// The time at which more may be read; none if at once.
    pub fn pause(&self) -> Option<Instant> {
        let mut window = self.window.lock();
        window.take_if(|window| window.end <= Instant::now());
        window.as_ref().filter(|window| window.bytes >= self.window_bytes_max).map(|window| window.end)
    }

    /// Counts what was read.
    pub fn count(&self, bytes: usize) {
        let mut window = self.window.lock();
        window.get_or_insert_with(|| Window { end: Instant::now() + WINDOW, bytes: 0 }).bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_window_that_is_full_is_waited_out() {
        let pace = Pace::new(1_000);
        pace.count(9);
        assert_eq!(pace.pause(), None);
        pace.count(9);
        let end = pace.pause().expect("10 bytes are a window's");
        assert_eq!(end, Instant::now() + WINDOW);
        tokio::time::advance(WINDOW).await;
        assert_eq!(pace.pause(), None);
        // A pause does not save up.
        tokio::time::advance(Duration::from_secs(9)).await;
        pace.count(10);
        assert!(pace.pause().is_some());
    }
}
