//! The shop as a sink: what it waits for, what it keeps, what it forgets.

use super::env::{TestEnv, order};
use crate::Config;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::topic::{Origin, Topic};
use std::time::Duration;

const fn origin(offset: u64) -> Origin {
    Origin { topic: Topic::Orders, partition: 0, offset }
}

#[tokio::test]
async fn a_place_in_the_log_is_held_at_the_first_epoch_that_covers_it() {
    let env = TestEnv::stocked().await;
    let waiting = env.shop.wait_for_origin(origin(1));
    let (pin, ()) = tokio::join!(waiting, async {
        env.log.publish("k1", "PlaceOrder", &order(1));
        env.log.cut();
        env.log.publish("k2", "PlaceOrder", &order(1));
        env.log.publish("k3", "PlaceOrder", &order(1));
    });
    assert_eq!(pin.unwrap().epoch(), 6);
    // Found again after the fact, also where epochs between did not move the partition.
    for (offset, epoch) in [(0, 4), (1, 6), (2, 7)] {
        env.log.cut();
        assert_eq!(env.shop.wait_for_origin(origin(offset)).await.unwrap().epoch(), epoch);
    }
    assert_eq!(env.shop.waiting(), 0);
}

#[tokio::test]
async fn a_replay_ends_with_everything_covered() {
    let env = TestEnv::replaying(Config::default());
    env.log.publish("k1", "CancelOrder", r#"{"order_id":"o1"}"#);
    env.log.cut();
    let (pin, ()) = tokio::join!(env.shop.wait_for_origin(origin(0)), async { env.shop.caught_up() });
    assert_eq!(pin.unwrap().epoch(), 2);
    assert_eq!((env.shop.floor(), env.shop.latest()), (Some(Epoch(2)), Some(Epoch(2))));
    assert!(!env.shop.is_replaying());
    assert_eq!(env.shop.views().stats().iter().map(|(_, stats)| stats.undo_entries).sum::<usize>(), 0);
}

#[tokio::test(start_paused = true)]
async fn too_many_that_wait_are_turned_away() {
    let env = TestEnv::with(Config { waiters_max: 1, ..Config::default() });
    let wait = Duration::from_secs(1);
    let (first, second) =
        tokio::join!(env.shop.wait_for_epoch(Epoch(9), wait), env.shop.wait_for_epoch(Epoch(9), wait));
    assert_eq!((first, second), (Some(false), None));
}

#[tokio::test(start_paused = true)]
async fn commands_on_their_way_have_a_limit_and_are_forgotten_once_decided() {
    use super::env::Mode;
    let env = TestEnv::with(Config { commands_in_flight_max: 2, ..Config::default() });
    env.set_mode(Mode::Hold);
    let send = |id: &'static str| {
        let env = &env;
        async move {
            let headers = [("idempotency-key", id), ("prefer", "respond-async")];
            env.call("POST", "/api/v1/orders/o1/cancellations", &headers, "").await
        }
    };
    assert_eq!((send("k1").await.status.as_u16(), send("k2").await.status.as_u16()), (202, 202));
    assert_eq!(send("k3").await.problem(), (503, "overloaded".to_owned()));
    env.log.cut();
    assert_eq!(send("k3").await.status, 202);
}

#[tokio::test]
async fn an_epoch_that_is_held_already_is_ignored() {
    use dataflows::contract::changes::{Changes, ViewChanges, ViewDigests};
    use dataflows::contract::epoch::{Cut, EpochRecord};
    use dataflows::ports::Sink;
    use dataflows::shop::dead_letters::LetterQuota;
    let env = TestEnv::stocked().await;
    let now = dataflows::contract::time::Timestamp::from_micros(0);
    let record = EpochRecord { v: 1, epoch: Epoch(2), now, rules: 1, cut: Cut::default() };
    let (rows, standings) = (ViewChanges::default(), ViewDigests::default());
    let changes = Changes {
        record: record.into(),
        rows: rows.into(),
        events: Vec::new(),
        dead_letters: Vec::new(),
        imbalances: Vec::new(),
        quota: LetterQuota::default(),
        search_memory: Vec::new(),
        standings,
    };
    env.shop.clone().apply(&changes.into());
    assert_eq!((env.shop.applied(), env.shop.latest()), (Epoch(3), Some(Epoch(3))));
}
