//! Which epoch a request is answered at: the newest, one that it waits for, one that it names, or its cursor's.

use super::answer::Answer;
use super::call::Call;
use super::cursor::Cursor;
use super::problem::{Fault, Problem};
use crate::app::App;
use crate::shop::Reading;
use crate::store::NotReadable;
use dataflows::contract::epoch::Epoch;
use std::time::Duration;

/// When a request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At that epoch.
    At(Epoch),
    /// At the newest, not before that one.
    Newest(Option<Epoch>),
}

/// When a request is to be answered; a cursor's epoch is that of all its pages.
pub fn when(call: &Call, cursor: Option<&Cursor>) -> Result<When, Problem> {
    let as_of = call.query.number("as_of")?.map(Epoch);
    let min_epoch = call.min_epoch()?;
    let Some(cursor) = cursor else {
        return match (as_of, min_epoch) {
            (Some(_), Some(_)) => {
                Err(Problem::new(Fault::AsOfWithMinEpoch, "send either as_of or Tradewind-Min-Epoch"))
            }
            (Some(epoch), None) => Ok(When::At(epoch)),
            (None, least) => Ok(When::Newest(least)),
        };
    };
    match (as_of, min_epoch) {
        (Some(_), Some(_)) => Err(Problem::new(Fault::AsOfWithMinEpoch, "send either as_of or Tradewind-Min-Epoch")),
        (Some(as_of), None) if as_of != cursor.epoch => {
            Err(Problem::new(Fault::BadCursor, format!("the cursor is of epoch {}", cursor.epoch)))
        }
        (None, Some(least)) if least > cursor.epoch => {
            Err(Problem::new(Fault::BadCursor, format!("the cursor is of epoch {}, before that", cursor.epoch)))
        }
        (Some(_), None) | (None, Some(_) | None) => Ok(When::At(cursor.epoch)),
    }
}

/// The epoch that a request is to be answered at, held readable.
pub async fn reading<'a>(app: &'a App, call: &Call) -> Result<Reading<'a>, Problem> {
    page(app, call, None).await
}

/// The same for a page of a list.
pub async fn page<'a>(app: &'a App, call: &Call, cursor: Option<&Cursor>) -> Result<Reading<'a>, Problem> {
    match when(call, cursor)? {
        When::At(epoch) => at(app, epoch),
        When::Newest(least) => newest(app, call, least).await,
    }
}

/// The newest epoch, not before `min_epoch`.
pub async fn newest<'a>(app: &'a App, call: &Call, min_epoch: Option<Epoch>) -> Result<Reading<'a>, Problem> {
    if let Some(least) = min_epoch.filter(|least| app.shop.latest() < Some(*least)) {
        let wait = app.wait(call.prefer().wait_s);
        match app.shop.wait_for_epoch(least, wait).await {
            Some(true) => {}
            Some(false) => {
                let newest = app.shop.latest().unwrap_or_default();
                return Err(Problem::new(Fault::NotYetFresh, format!("the newest epoch is {newest}")));
            }
            None => return Err(Problem::new(Fault::Overloaded, "too many requests wait for an epoch")),
        }
    }
    app.shop.read_latest().ok_or_else(starting)
}

/// That epoch, if it is kept.
pub fn at(app: &App, epoch: Epoch) -> Result<Reading<'_>, Problem> {
    app.shop.read_at(epoch).map_err(|why| match why {
        NotReadable::Forgotten { floor } => forgotten(Epoch(floor)),
        NotReadable::Unknown { latest: Some(latest) } => {
            Problem::new(Fault::EpochUnknown, format!("the newest epoch is {latest}"))
        }
        NotReadable::Unknown { latest: None } => starting(),
    })
}

/// An answer that was read at an epoch, unless the epoch was forgotten meanwhile.
pub fn exact(reading: &Reading<'_>, answer: Answer) -> Result<Answer, Problem> {
    if reading.is_valid() {
        Ok(answer.at(reading.epoch()))
    } else {
        Err(Problem::new(Fault::EpochForgotten, "the epoch was forgotten while it was read"))
    }
}

fn forgotten(floor: Epoch) -> Problem {
    Problem::new(Fault::EpochForgotten, format!("the oldest epoch that is kept is {floor}"))
}

fn starting() -> Problem {
    Problem::new(Fault::Starting, "the node takes in what the log holds")
}

impl App {
    /// How long a request waits: as long as it asks for, within the limit.
    pub fn wait(&self, wait_s: Option<u64>) -> Duration {
        let asked_ms = wait_s.map_or(self.config.wait_ms_default, |seconds| seconds.saturating_mul(1_000));
        Duration::from_millis(asked_ms.min(self.config.wait_ms_max))
    }
}
