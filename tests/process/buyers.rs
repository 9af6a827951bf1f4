//! Sixty-four buyers at once want the last one: exactly one gets it, every time.
//!
//! A thousand rounds: `TRADEWIND_TEST_ROUNDS=1000 cargo test --release --test tradewind-tests process::buyers`

use super::{Api, TestEnv, at_once, shop};
use serde_json::json;
use std::collections::BTreeMap;

const BUYERS: usize = 64;
const ROUNDS: usize = 50;

#[test]
fn one_of_sixty_four_buyers_gets_the_last_one() {
    let rounds = match std::env::var("TRADEWIND_TEST_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("TRADEWIND_TEST_ROUNDS is a whole number"),
        Err(_) => ROUNDS,
    };
    let env = TestEnv::start();
    let buyers: Vec<Api> = (0..BUYERS).map(|_| env.client()).collect();
    let expected = BTreeMap::from([("201 paid".to_owned(), 1), ("409 out_of_stock".to_owned(), BUYERS - 1)]);
    for round in 0..rounds {
        shop::stock(&env, &format!("LAST-{round}"), "reserve", 1);
        let answers = at_once(&buyers, |buyer, api| buy(api, round, buyer));
        let mut told = BTreeMap::<String, usize>::new();
        answers.into_iter().for_each(|answer| *told.entry(answer).or_default() += 1);
        assert_eq!(told, expected, "round {round}");
    }
    for round in 0..rounds {
        let sku = format!("LAST-{round}");
        let stock = env.get(&format!("/api/v1/stock/{sku}")).ok().json();
        let main = json!({"location": "main", "on_hand": 1, "reserved": 1, "available": 0});
        assert_eq!(stock, json!({"sku": sku, "on_hand": 1, "reserved": 1, "available": 0, "locations": [main]}));
    }
    env.assert_sound();
}

/// Buys, and says what became of it.
fn buy(api: &Api, round: usize, buyer: usize) -> String {
    let order = shop::order(&format!("LAST-{round}"), 1);
    let answer = api.post("/api/v1/orders", &format!("buy-{round}-{buyer}"), &order);
    if answer.status == 201 {
        return format!("201 {}", answer.json()["status"].as_str().unwrap_or_default());
    }
    let (status, code) = answer.problem();
    let errors = answer.json()["errors"].take();
    assert_eq!((&errors[0]["pointer"], &errors[0]["code"]), (&json!("/lines/0"), &json!("out_of_stock")), "{errors}");
    format!("{status} {code}")
}
