//! Takes commands through the log to their outcomes: looks first whether they were decided before, appends the others,
//! waits until epochs hold them, and reads there what became of them.

use super::PendingCommand;
use crate::app::App;
use crate::http::problem::{ApiErrorKind, Problem};
use crate::shop::{EpochInfo, StoreSnapshot};
use crate::store::Pin;
use dataflows::contract::topic::Origin;
use dataflows::ports::{AppendError, Publication};
use dataflows::shop::operations::Operation;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// The progress of a command.
pub enum Decision {
    /// It was decided, or had been before; the epoch is the one to answer at.
    Decided {
        /// The epoch.
        pin: Pin<EpochInfo>,
        /// The outcome.
        operation: Arc<Operation>,
        /// True if it had been decided before this request.
        replayed: bool,
    },
    /// Its id belongs to another command.
    Reused(Pin<EpochInfo>),
    /// It is in the log, and no epoch that can be read holds it yet.
    Pending,
}

/// The outcome of each of the commands.
pub async fn of(app: &Arc<App>, mut asked: Vec<PendingCommand>, wait: Duration) -> Result<Vec<Decision>, Problem> {
    let deadline = Instant::now() + wait;
    let reading = app
        .shop
        .read_latest()
        .ok_or_else(|| Problem::new(ApiErrorKind::Starting, "the node takes in what the log holds"))?;
    let known: Vec<Option<Decision>> = asked.iter().map(|asked| look_up(&reading, asked, None)).collect();
    drop(reading);
    let unknown: Vec<&mut PendingCommand> =
        asked.iter_mut().zip(&known).filter(|(_, known)| known.is_none()).map(|(asked, _)| asked).collect();
    let mut origins = Vec::new().into_iter();
    if !unknown.is_empty() {
        origins = append(app, unknown, deadline).await?.into_iter();
    }
    let mut decisions = Vec::with_capacity(asked.len());
    for (asked, known) in asked.iter().zip(known) {
        decisions.push(match known {
            Some(decision) => decision,
            None => match origins.next() {
                // Without a wait the answer is the same however soon the decision is there.
                Some(_) if wait.is_zero() => Decision::Pending,
                Some(origin) => decided(app, asked, origin, deadline).await?,
                None => return Err(Problem::new(ApiErrorKind::Internal, "the log named too few places")),
            },
        });
    }
    Ok(decisions)
}

/// The decision of the command's id at an epoch. `origin` is the place of this request's own record, if it has one.
fn look_up(reading: &StoreSnapshot<'_>, asked: &PendingCommand, origin: Option<Origin>) -> Option<Decision> {
    let command_id = asked.publication.command_id.as_str();
    let operation = reading.views().operations.get(command_id, reading.at())?;
    // Before the command has a place in the log, an id that stayed free is as good as unused.
    if origin.is_none() && !operation.is_remembered() {
        return None;
    }
    let pin = reading.pin().clone();
    Some(if operation.fingerprint != asked.fingerprint {
        Decision::Reused(pin)
    } else {
        let replayed = operation.is_remembered() && Some(operation.origin) != origin;
        Decision::Decided { pin, operation, replayed }
    })
}

/// Appends commands, and returns their places once they are durable. Their records are handed on and not kept.
async fn append(app: &Arc<App>, asked: Vec<&mut PendingCommand>, deadline: Instant) -> Result<Vec<Origin>, Problem> {
    let commands = asked.iter().map(|asked| (&asked.publication.command_id, &asked.command));
    if !app.flights.start(commands, |origin| app.shop.covers(origin)) {
        return Err(Problem::new(ApiErrorKind::Overloaded, "too many commands are on their way to a decision"));
    }
    let ids: Vec<_> = asked.iter().map(|asked| asked.publication.command_id.clone()).collect();
    let flights = Arc::clone(&app.flights);
    let (send, receive) = oneshot::channel();
    let publications = asked.into_iter().map(|asked| {
        let data = std::mem::take(&mut asked.publication.data);
        Publication { data, ..asked.publication.clone() }
    });
    let publications = publications.collect();
    app.log.append(
        publications,
        Box::new(move |appended| {
            match &appended {
                Ok(origins) => {
                    for (id, origin) in ids.iter().zip(origins) {
                        flights.appended(id, *origin);
                    }
                }
                Err(_) => ids.iter().for_each(|id| flights.end(id)),
            }
            // A request that ended meanwhile needs no answer.
            let _ = send.send(appended);
        }),
    );
    // A caller that does not wait for the decision waits for the log all the same: 202 says that the command is safe.
    let patience = deadline.max(Instant::now() + Duration::from_millis(app.config.append_ms_max));
    match timeout_at(patience, receive).await {
        Ok(Ok(Ok(origins))) => Ok(origins),
        Ok(Ok(Err(error))) => Err(refusal_of(&error)),
        Ok(Err(_)) => Err(Problem::new(ApiErrorKind::LogUnavailable, "the log is gone")),
        Err(_) => Err(Problem::new(ApiErrorKind::LogUnavailable, "the log did not acknowledge in time")),
    }
}

/// The problem of a log that did not take what was appended.
pub fn refusal_of(error: &AppendError) -> Problem {
    let fault = match error {
        AppendError::Unavailable(_) => ApiErrorKind::LogUnavailable,
        AppendError::Full(_) => ApiErrorKind::StorageFull,
        AppendError::Overloaded => ApiErrorKind::Overloaded,
    };
    Problem::new(fault, format!("{error}; repeating the request with the same Idempotency-Key is safe"))
}

/// Waits for the epoch that holds the command's record, and reads the outcome there.
async fn decided(app: &App, asked: &PendingCommand, origin: Origin, deadline: Instant) -> Result<Decision, Problem> {
    let Ok(pin) = timeout_at(deadline, app.shop.wait_for_origin(origin)).await else {
        return Ok(Decision::Pending);
    };
    let pin = pin.ok_or_else(|| Problem::new(ApiErrorKind::Internal, "the shop is gone"))?;
    app.flights.end(&asked.publication.command_id);
    let decision = look_up(&app.shop.reading(pin), asked, Some(origin));
    decision.ok_or_else(|| Problem::new(ApiErrorKind::Internal, "the record has no outcome: see the dead letters"))
}
