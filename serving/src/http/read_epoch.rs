//! The epoch that a request is answered at: the newest, one that it waits for, one that it names, or its cursor's.

use super::answer::ApiResponse;
use super::call::ApiRequest;
use super::cursor::Cursor;
use super::problem::{ApiErrorKind, Problem};
use crate::app::App;
use crate::shop::StoreSnapshot;
use crate::store::NotReadable;
use dataflows::contract::epoch::Epoch;
use std::time::Duration;

/// When a request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadEpoch {
    /// At that epoch.
    At(Epoch),
    /// At the newest, not before that one.
    Newest(Option<Epoch>),
}

/// When a request is to be answered; a cursor's epoch is that of all its pages.
pub fn when(call: &ApiRequest, cursor: Option<&Cursor>) -> Result<ReadEpoch, Problem> {
    let as_of = call.query.number("as_of")?.map(Epoch);
    let min_epoch = call.min_epoch()?;
    let Some(cursor) = cursor else {
        return match (as_of, min_epoch) {
            (Some(_), Some(_)) => {
                Err(Problem::new(ApiErrorKind::AsOfWithMinEpoch, "send either as_of or Tradewind-Min-Epoch"))
            }
            (Some(epoch), None) => Ok(ReadEpoch::At(epoch)),
            (None, least) => Ok(ReadEpoch::Newest(least)),
        };
    };
    match (as_of, min_epoch) {
        (Some(_), Some(_)) => {
            Err(Problem::new(ApiErrorKind::AsOfWithMinEpoch, "send either as_of or Tradewind-Min-Epoch"))
        }
        (Some(as_of), None) if as_of != cursor.epoch => {
            Err(Problem::new(ApiErrorKind::BadCursor, format!("the cursor is of epoch {}", cursor.epoch)))
        }
        (None, Some(least)) if least > cursor.epoch => {
            Err(Problem::new(ApiErrorKind::BadCursor, format!("the cursor is of epoch {}, before that", cursor.epoch)))
        }
        (Some(_), None) | (None, Some(_) | None) => Ok(ReadEpoch::At(cursor.epoch)),
    }
}

/// The epoch that a request is to be answered at, held readable.
pub async fn open_snapshot<'a>(app: &'a App, call: &ApiRequest) -> Result<StoreSnapshot<'a>, Problem> {
    page(app, call, None).await
}

/// The same for a page of a list.
pub async fn page<'a>(app: &'a App, call: &ApiRequest, cursor: Option<&Cursor>) -> Result<StoreSnapshot<'a>, Problem> {
    match when(call, cursor)? {
        ReadEpoch::At(epoch) => at(app, epoch),
        ReadEpoch::Newest(least) => newest(app, call, least).await,
    }
}

/// The newest epoch, not before `min_epoch`.
pub async fn newest<'a>(
    app: &'a App,
    call: &ApiRequest,
    min_epoch: Option<Epoch>,
) -> Result<StoreSnapshot<'a>, Problem> {
    if let Some(least) = min_epoch.filter(|least| app.shop.latest() < Some(*least)) {
        let wait = app.wait(call.prefer().wait_s);
        match app.shop.wait_for_epoch(least, wait).await {
            Some(true) => {}
            Some(false) => {
                let newest = app.shop.latest().unwrap_or_default();
                return Err(Problem::new(ApiErrorKind::NotYetFresh, format!("the newest epoch is {newest}")));
            }
            None => return Err(Problem::new(ApiErrorKind::Overloaded, "too many requests wait for an epoch")),
        }
    }
    app.shop.read_latest().ok_or_else(starting)
}

/// That epoch, if it is kept.
pub fn at(app: &App, epoch: Epoch) -> Result<StoreSnapshot<'_>, Problem> {
    app.shop.read_at(epoch).map_err(|why| match why {
        NotReadable::Forgotten { floor } => forgotten(Epoch(floor)),
        NotReadable::Unknown { latest: Some(latest) } => {
            Problem::new(ApiErrorKind::EpochUnknown, format!("the newest epoch is {latest}"))
        }
        NotReadable::Unknown { latest: None } => starting(),
    })
}

/// An answer that was read at an epoch, unless the epoch was forgotten meanwhile.
pub fn ensure_valid(reading: &StoreSnapshot<'_>, answer: ApiResponse) -> Result<ApiResponse, Problem> {
    if reading.is_valid() {
        Ok(answer.at(reading.epoch()))
    } else {
        Err(Problem::new(ApiErrorKind::EpochForgotten, "the epoch was forgotten while it was read"))
    }
}

fn forgotten(floor: Epoch) -> Problem {
    Problem::new(ApiErrorKind::EpochForgotten, format!("the oldest epoch that is kept is {floor}"))
}

fn starting() -> Problem {
    Problem::new(ApiErrorKind::Starting, "the node takes in what the log holds")
}

impl App {
    /// The time that a request waits: as long as it asks for, within the limit.
    pub fn wait(&self, wait_s: Option<u64>) -> Duration {
        let asked_ms = wait_s.map_or(self.config.wait_ms_default, |seconds| seconds.saturating_mul(1_000));
        Duration::from_millis(asked_ms.min(self.config.wait_ms_max))
    }
}
