//! The built-in sandbox gateway: follows the `payments` view and answers each payment that is asked of it with one
//! `RecordPaymentResult`, as a gateway outside would. The payment's token decides the answer. Not for real money, and
//! not for deciding: the effect of an answer on the shop is the decider's.
//!
//! ```text
//! Changes ─▶ Gateway (a sink) ─▶ Desk: requested payments, by when they are due ─▶ its thread ─▶ CommandLog
//! ```
//!
//! What it remembers is an index of the view's rows (method sandbox, status requested) and goes with them, so it holds
//! no more than the shop does, and the sink never waits. While the node replays, it only remembers: what was answered
//! in the log is no longer requested at its end.
//!
//! The command id derives from the payment's id alone, so a restart, or an append whose fate is unknown, repeats
//! nothing. That is enough, because an id is asked for money at most once: only a *rejected* order's id may be placed
//! again, and a rejected order never had a payment. Should the shop have forgotten the command id by then, the result
//! itself is the repeat of one already taken, and changes nothing either.

use anyhow::{Context, Result};
use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::money::{Amount, MoneyInput};
use dataflows::ports::{AppendError, CommandLog, Publication, Sink};
use dataflows::shop::command::Command;
use dataflows::shop::orders::PaymentStatus;
use dataflows::shop::payments::{PaymentMethod, PaymentResult, PaymentRow, RecordPaymentResult};
use serving::shop::NowMs;
use smol_str::SmolStr;
use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// The time that a payment with the token `slow` takes.
    pub slow_ms: u64,
    /// The number of answers that are published at once.
    pub answers_at_once_max: usize,
    /// The time that the log may take to acknowledge them before that is an error.
    pub acknowledge_ms_max: u64,
    /// The first wait after an error.
    pub retry_ms_min: u64,
    /// The longest wait after errors; each is twice the one before.
    pub retry_ms_max: u64,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        GatewayConfig {
            slow_ms: 5_000,
            answers_at_once_max: 1_000,
            acknowledge_ms_max: 10_000,
            retry_ms_min: 10,
            retry_ms_max: 1_000,
        }
    }
}

/// The gateway, as a sink. Dropping it stops its thread; what is then unanswered is answered after the next start.
pub struct Gateway {
    shared: Arc<GatewayState>,
    thread: Option<JoinHandle<()>>,
}

/// The state that the sink and the thread share.
struct GatewayState {
    desk: Mutex<PendingPayments>,
    changed: Condvar,
    now_ms: NowMs,
    config: GatewayConfig,
}

impl Gateway {
    /// Starts a gateway that answers once it has seen the epoch `replay_to`.
    pub fn start(log: Arc<dyn CommandLog>, replay_to: Epoch, now_ms: NowMs, config: GatewayConfig) -> Result<Gateway> {
        let desk = Mutex::new(PendingPayments::new(replay_to, config.slow_ms));
        let shared = Arc::new(GatewayState { desk, changed: Condvar::new(), now_ms, config });
        let thread = {
            let shared = Arc::clone(&shared);
            let answering = std::thread::Builder::new().name("gateway".to_owned());
            answering.spawn(move || shared.answer(log.as_ref())).context("starting the gateway")?
        };
        Ok(Gateway { shared, thread: Some(thread) })
    }
}

impl Sink for Gateway {
    fn apply(&mut self, changes: &Arc<Changes>) {
        let now_ms = (self.shared.now_ms)();
        if self.shared.desk().apply(changes, now_ms) {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.desk().stopping = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It can only have ended; a panic ends the process.
            let _ = thread.join();
        }
    }
}

impl GatewayState {
    fn desk(&self) -> MutexGuard<'_, PendingPayments> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the due payments until it is stopped.
    fn answer(&self, log: &dyn CommandLog) {
        let mut retry_ms = self.config.retry_ms_min;
        while let Some(answers) = self.wait() {
            let ids: Vec<SmolStr> = answers.iter().map(|answer| answer.key.clone()).collect();
            match self.publish(log, answers) {
                Ok(()) => {
                    self.desk().settled(&ids);
                    retry_ms = self.config.retry_ms_min;
                }
                Err(error) => {
                    tracing::warn!(%error, retry_ms, "the sandbox gateway's answers wait");
                    self.pause(retry_ms);
                    retry_ms = (retry_ms * 2).min(self.config.retry_ms_max);
                }
            }
        }
    }

    /// Waits until answers are due; none when it is time to stop.
    fn wait(&self) -> Option<Vec<Publication>> {
        let mut desk = self.desk();
        loop {
            if desk.stopping {
                return None;
            }
            let now_ms = (self.now_ms)();
            let due = desk.due(now_ms, self.config.answers_at_once_max);
            if !due.is_empty() {
                return Some(due);
            }
            desk = match desk.next_due_ms() {
                Some(due_ms) => {
                    let wait = Duration::from_millis(due_ms.saturating_sub(now_ms));
                    self.changed.wait_timeout(desk, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Waits, unless it is stopped meanwhile.
    fn pause(&self, pause_ms: u64) {
        let pause = Duration::from_millis(pause_ms);
        drop(self.changed.wait_timeout_while(self.desk(), pause, |desk| !desk.stopping));
    }

    fn publish(&self, log: &dyn CommandLog, answers: Vec<Publication>) -> Result<(), AppendError> {
        let (done, landed) = sync_channel(1);
        // A caller that gave up waiting has no use for a late answer.
        log.append(answers, Box::new(move |appended| drop(done.try_send(appended))));
        let wait = Duration::from_millis(self.config.acknowledge_ms_max);
        match landed.recv_timeout(wait) {
            Ok(appended) => appended.map(|_| ()),
            Err(RecvTimeoutError::Timeout) => Err(AppendError::Unavailable("it does not answer".to_owned())),
            Err(RecvTimeoutError::Disconnected) => Err(AppendError::Unavailable("it is gone".to_owned())),
        }
    }
}

/// The payments that wait for an answer.
struct PendingPayments {
    /// The last epoch taken in.
    held: Epoch,
    /// From this epoch on, payments are answered.
    replay_to: Epoch,
    slow_ms: u64,
    /// By payment id: the payment, and when its answer is due.
    requested: HashMap<SmolStr, (Arc<PaymentRow>, u64)>,
    /// By when they are due; empty while the node replays.
    queue: BTreeSet<(u64, SmolStr)>,
    stopping: bool,
}

impl PendingPayments {
    fn new(replay_to: Epoch, slow_ms: u64) -> PendingPayments {
        let (requested, queue) = (HashMap::new(), BTreeSet::new());
        PendingPayments { held: Epoch(0), replay_to, slow_ms, requested, queue, stopping: false }
    }

    /// Takes an epoch in; returns true if more is to be answered now.
    fn apply(&mut self, changes: &Changes, now_ms: u64) -> bool {
        if changes.epoch() <= self.held {
            return false;
        }
        self.held = changes.epoch();
        let is_live = self.held >= self.replay_to;
        let queued_before = self.queue.len();
        for change in &changes.rows.payments {
            let asked = |row: &Option<Arc<PaymentRow>>| row.as_ref().is_some_and(|row| is_asked(row));
            match (asked(&change.before), &change.after) {
                (false, Some(row)) if is_asked(row) => self.ask(row, is_live.then_some(now_ms)),
                (true, after) if !asked(after) => self.forget(&row_id(change.before.as_ref())),
                (true | false, Some(_) | None) => {}
            }
        }
        if self.held == self.replay_to {
            self.go_live(now_ms);
        }
        self.queue.len() > queued_before
    }

    fn ask(&mut self, payment: &Arc<PaymentRow>, live_ms: Option<u64>) {
        let id = payment.order_id.clone();
        let due_ms = live_ms.map(|now_ms| self.due_ms(payment, now_ms));
        self.queue.extend(due_ms.map(|due_ms| (due_ms, id.clone())));
        self.requested.insert(id, (Arc::clone(payment), due_ms.unwrap_or_default()));
    }

    fn forget(&mut self, id: &SmolStr) {
        if let Some((_, due_ms)) = self.requested.remove(id) {
            self.queue.remove(&(due_ms, id.clone()));
        }
    }

    /// The replay is over: what is still requested is answered from now on.
    fn go_live(&mut self, now_ms: u64) {
        let waiting: Vec<Arc<PaymentRow>> = self.requested.values().map(|(payment, _)| Arc::clone(payment)).collect();
        for payment in waiting {
            self.forget(&payment.order_id);
            self.ask(&payment, Some(now_ms));
        }
    }

    fn due_ms(&self, payment: &PaymentRow, now_ms: u64) -> u64 {
        now_ms + if payment.token.as_deref() == Some("slow") { self.slow_ms } else { 0 }
    }

    /// The first answers that are due; they stay until they are [`Desk::answered`].
    fn due(&self, now_ms: u64, at_once_max: usize) -> Vec<Publication> {
        let due = self.queue.iter().take_while(|(due_ms, _)| *due_ms <= now_ms).take(at_once_max);
        due.filter_map(|(_, id)| self.requested.get(id)).map(|(payment, _)| answer(payment)).collect()
    }

    fn next_due_ms(&self) -> Option<u64> {
        self.queue.first().map(|(due_ms, _)| *due_ms)
    }

    fn settled(&mut self, ids: &[SmolStr]) {
        for id in ids {
            self.forget(id);
        }
    }
}

fn row_id(row: Option<&Arc<PaymentRow>>) -> SmolStr {
    row.map(|row| row.order_id.clone()).unwrap_or_default()
}

/// Returns true if the gateway is asked for money that it will answer for.
fn is_asked(payment: &PaymentRow) -> bool {
    let requested = payment.method == PaymentMethod::Sandbox && payment.status == PaymentStatus::Requested;
    requested && payment.token.as_deref() != Some("error")
}

/// The gateway's answer about a payment: always the same.
fn answer(payment: &PaymentRow) -> Publication {
    let declined = payment.token.as_deref() == Some("decline");
    let result = RecordPaymentResult {
        order_id: payment.order_id.clone(),
        payment_id: payment.order_id.clone(),
        status: if declined { PaymentResult::Failed } else { PaymentResult::Processed },
        amount: MoneyInput { amount: Amount(payment.amount), currency: payment.currency.as_str().into() },
        reason: declined.then(|| SmolStr::new_static("declined")),
        occurred_at: None,
    };
    Publication::of(command_id(&payment.order_id), &Command::RecordPaymentResult(result))
}

/// The id of the one command about a payment.
fn command_id(payment_id: &str) -> SmolStr {
    SmolStr::new(format!("gw-{:032x}", xxh3_128(payment_id.as_bytes())))
}

#[cfg(test)]
mod tests;
