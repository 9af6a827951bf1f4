//! `up --demo`: a small built-in shop with light traffic, over HTTP as any client would. A restart resumes where the
//! traffic was: all ids derive from the stories' numbers. Not for load: see `bench`.

mod shop;
mod story;

use anyhow::{Context, Result, ensure};
use dataflows::shop::command::Command;
use node::client::{Client, command_line};
use serde_json::Value;
use shop::Shop;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use story::{ENDS_AFTER, Story};

/// The seed of the stories.
const SEED: u64 = 20_260_401;
/// The time between two orders.
const EVERY: Duration = Duration::from_millis(350);
/// The time that a request waits for its commands to be decided.
const DECIDE_S_MAX: u64 = 5;

/// Sets the shop up at the node `to`, then lets orders come in until `stop` gets something or its other end is gone.
/// A node that does not answer for a while is asked again with the next order.
pub fn run(to: &str, stop: &Receiver<()>) -> Result<()> {
    let mut traffic = Traffic { client: Client::new(to)?, shop: Shop::built_in()?, next: None, taken: BTreeSet::new() };
    let mut failing = false;
    loop {
        match traffic.go_on() {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = format!("{error:#}"), "the demo's traffic waits");
            }
            Err(_) => {}
        }
        match stop.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// The text that names things to try with the shop, once it is there.
pub fn welcome(base: &str) -> String {
    format!(
        "The demo shop is at {base}/api/v1 (its documentation: {base}/docs). Worth trying:\n\
         \x20 curl '{base}/api/v1/products/tent-fjord'\n\
         \x20 curl '{base}/api/v1/analytics/revenue?by=hour&group=country'\n\
         \x20 curl -i '{base}/api/v1/orders' -H 'content-type: application/json' -H 'idempotency-key: my-first-order' \
         -d '{{\"currency\":\"EUR\",\"country\":\"DE\",\"lines\":[{{\"sku\":\"tent-fjord-2\",\"quantity\":1}}],\
         \"payment\":{{\"method\":\"settled\"}}}}'\n"
    )
}

struct Traffic {
    client: Client,
    shop: Shop,
    /// The next story; unknown before the shop is set up.
    next: Option<u64>,
    /// Stories whose order was taken and has not ended.
    taken: BTreeSet<u64>,
}

impl Traffic {
    /// Sets the shop up, or begins the next story and ends an earlier one.
    fn go_on(&mut self) -> Result<()> {
        let Some(n) = self.next else {
            self.set_up()?;
            // Stories that a stop cut short are played again from their beginning, which repeats and changes nothing.
            self.next = Some(self.first_untold()?.saturating_sub(ENDS_AFTER));
            return Ok(());
        };
        let mut commands = Story::new(&self.shop, SEED, n).beginning();
        let ending = n.checked_sub(ENDS_AFTER).filter(|earlier| self.taken.contains(earlier));
        if let Some(earlier) = ending {
            commands.extend(Story::new(&self.shop, SEED, earlier).end());
        }
        let succeeded = self.post(&commands)?;
        if succeeded[0] {
            self.taken.insert(n);
        }
        self.taken.retain(|told| Some(*told) != ending && told + ENDS_AFTER > n);
        self.next = Some(n + 1);
        Ok(())
    }

    /// Puts products and opening stock in, unless they are there.
    fn set_up(&self) -> Result<()> {
        let commands = self.shop.commands();
        let (_, last) = commands.last().context("the shop has stock")?;
        let answer = self.client.get(&format!("/api/v1/stock/{}", last.key()))?;
        // By then the memory of ids may be over, so the stock itself has to show that it came in.
        let has_stock = answer.status == 200
            && answer.json()?["locations"].as_array().is_some_and(|locations| !locations.is_empty());
        if !has_stock {
            let refused = self.post(&commands)?.iter().filter(|succeeded| !**succeeded).count();
            tracing::info!(products = self.shop.products.len(), refused, "the demo shop is set up");
        }
        Ok(())
    }

    /// The first story whose order is not there: doubling first, then halving.
    fn first_untold(&self) -> Result<u64> {
        let told = |n: u64| -> Result<bool> {
            let answer = self.client.get(&format!("/api/v1/orders/{}", Story::order_id(n)))?;
            ensure!(matches!(answer.status, 200 | 404), "{}", answer.problem());
            Ok(answer.status == 200)
        };
        first_without(told)
    }

    /// Posts commands and returns for each if it succeeded.
    fn post(&self, commands: &[(String, Command)]) -> Result<Vec<bool>> {
        let lines: Vec<u8> = commands.iter().flat_map(|(id, command)| command_line(id, command)).collect();
        let answer = self.client.post_commands(&lines, DECIDE_S_MAX)?;
        ensure!(answer.status == 200, "{}", answer.problem());
        let succeeded = |line: &str| Ok(serde_json::from_str::<Value>(line)?["status"] == "succeeded");
        let outcomes: Vec<bool> = answer.body.lines().map(succeeded).collect::<Result<_>>()?;
        ensure!(outcomes.len() == commands.len(), "not every command was answered");
        Ok(outcomes)
    }
}

/// The first number that `has` is false for, where it is true for all before and false from there on.
fn first_without(has: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    let (mut low, mut step) = (0, 1);
    while has(low + step - 1)? {
        low += step;
        step *= 2;
    }
    let mut high = low + step - 1;
    while low < high {
        let middle = low + (high - low) / 2;
        if has(middle)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

#[cfg(test)]
mod tests;
