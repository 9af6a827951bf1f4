//! The epoch of an answer: named, waited for, asked for; and tags.

use crate::process::http::assert_fields;
use crate::process::shop::{order, received, stock};
use crate::process::{TestEnv, Way};
use serde_json::json;

#[test]
fn an_answer_is_as_fresh_as_asked_for_or_there_is_none() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    let epoch = env.get("/api/v1/stock/A").ok().epoch();
    for ahead in 1..=3 {
        let wanted = (epoch + ahead).to_string();
        let headers = [("tradewind-min-epoch", wanted.as_str()), ("prefer", "wait=30")];
        assert!(env.get_with("/api/v1/stock/A", &headers).ok().epoch() >= epoch + ahead);
    }
    let far = (epoch + 1_000_000).to_string();
    for path in ["/api/v1/stock/A", "/api/v1/views/stock", "/api/v1/epochs/latest", "/api/v1/analytics/revenue"] {
        let answer = env.get_with(path, &[("tradewind-min-epoch", &far), ("prefer", "wait=0")]);
        assert_eq!(answer.problem(), (503, "not_yet_fresh".to_owned()), "{path}");
    }
    for bad in ["", "x", "-1", "1.5", "99999999999999999999"] {
        let answer = env.get_with("/api/v1/stock/A", &[("tradewind-min-epoch", bad)]);
        assert_eq!(answer.problem(), (400, "malformed".to_owned()), "{bad:?}");
    }
}

#[test]
fn every_kept_epoch_can_be_asked_for() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    let placed = env.post("/api/v1/orders", "k1", &order("A", 2)).expect(201);
    let then = env.get(&format!("/api/v1/epochs/{}", placed.epoch())).ok();
    let cancelled = env.post("/api/v1/orders/k1/cancellations", "k2", &json!({})).ok();
    let at = |path: &str, epoch: u64| env.get(&format!("{path}?as_of={epoch}"));
    for (epoch, status, reserved) in [(placed.epoch(), "paid", 2), (cancelled.epoch(), "cancelled", 0)] {
        let order = at("/api/v1/orders/k1", epoch).ok();
        assert_eq!((order.json()["status"].as_str(), order.epoch()), (Some(status), epoch));
        assert_eq!(at("/api/v1/stock/A", epoch).ok().json()["reserved"], reserved);
    }
    let before = at("/api/v1/orders/k1", placed.epoch() - 1);
    assert_eq!((before.problem(), before.epoch()), ((404, "not_found".to_owned()), placed.epoch() - 1));
    assert_eq!(at("/api/v1/epochs/latest", placed.epoch()).ok().json(), then.json());
    let future = cancelled.epoch() + 1_000_000;
    assert_eq!(at("/api/v1/orders/k1", future).problem(), (404, "epoch_unknown".to_owned()));
    assert_eq!(env.get(&format!("/api/v1/epochs/{future}")).problem(), (404, "epoch_unknown".to_owned()));
    assert_eq!(at("/api/v1/views", future).problem(), (404, "epoch_unknown".to_owned()));
    assert_eq!(env.get("/api/v1/orders/k1?as_of=soon").problem(), (422, "invalid".to_owned()));
    let both = env.get_with(&format!("/api/v1/orders/k1?as_of={}", placed.epoch()), &[("tradewind-min-epoch", "1")]);
    assert_eq!(both.problem(), (400, "as_of_with_min_epoch".to_owned()));
}

#[test]
fn epochs_follow_each_other_and_name_what_moved() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    let moved = env.post("/api/v1/stock/A/movements", "k1", &received(1)).expect(201);
    let epoch = env.get(&format!("/api/v1/epochs/{}", moved.epoch())).ok().json();
    assert_fields(&epoch, &["epoch", "now", "rules", "cut", "digest", "views"]);
    assert_eq!(epoch["epoch"], moved.epoch());
    let origin = env.get("/api/v1/operations/k1").ok().json()["origin"].take();
    let partition = origin["partition"].to_string();
    assert_eq!(epoch["cut"]["stock.commands"][&partition], origin["offset"].as_u64().expect("a number") + 1);
    let mut nows = Vec::new();
    for n in 1..=moved.epoch() {
        nows.push(env.get(&format!("/api/v1/epochs/{n}")).ok().json()["now"].to_string());
    }
    assert!(
        nows.windows(2).all(|pair| pair[0].trim_end_matches(['Z', '"']) < pair[1].trim_end_matches(['Z', '"'])),
        "{nows:?}"
    );
}

#[test]
fn what_is_forgotten_is_gone() {
    let way = Way { variables: vec![("TRADEWIND_SERVING_HISTORY_EPOCHS", "2".to_owned())], ..Way::default() };
    let mut env = TestEnv::start_as(&way);
    stock(&env, "A", "reserve", 5);
    env.post("/api/v1/stock/A/movements", "k1", &received(1)).expect(201);
    for path in
        ["/api/v1/stock/A?as_of=1", "/api/v1/views/stock?as_of=1", "/api/v1/epochs/1", "/api/v1/invariants?as_of=1"]
    {
        assert_eq!(env.get(path).problem(), (410, "epoch_forgotten".to_owned()), "{path}");
    }
    let cursor = env.get("/api/v1/views/operations?limit=1").ok().next_page().expect("there are more");
    for n in 2..=4 {
        env.post("/api/v1/stock/A/movements", &format!("k{n}"), &received(1)).expect(201);
    }
    assert_eq!(env.get(&cursor).problem(), (410, "epoch_forgotten".to_owned()));
    // After a restart the history begins at the restored epoch.
    let last = env.get("/api/v1/epochs/latest").ok().epoch();
    env.kill();
    env.restart(&Way::default());
    assert_eq!(env.get(&format!("/api/v1/epochs/{}", last - 1)).problem(), (410, "epoch_forgotten".to_owned()));
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 9);
}

#[test]
fn a_tag_changes_when_the_body_does() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    env.post("/api/v1/orders", "k1", &order("A", 1)).expect(201);
    for path in ["/api/v1/stock/A", "/api/v1/products/A", "/api/v1/orders/k1", "/api/v1/operations/k1"] {
        let first = env.get(path).ok();
        let tag = first.header("etag").to_owned();
        assert!(tag.ends_with('"'), "{tag}");
        for known in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
            let unchanged = env.get_with(path, &[("if-none-match", &known)]).expect(304);
            assert_eq!((unchanged.body.len(), unchanged.header("etag")), (0, tag.as_str()));
            assert!(unchanged.epoch() >= first.epoch());
        }
        env.get_with(path, &[("if-none-match", "\"other\"")]).ok();
    }
    let before = env.get("/api/v1/stock/A").ok();
    env.post("/api/v1/orders", "k2", &order("A", 1)).expect(201);
    let after = env.get_with("/api/v1/stock/A", &[("if-none-match", before.header("etag"))]).ok();
    assert_ne!(after.header("etag"), before.header("etag"));
}
