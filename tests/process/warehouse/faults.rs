//! A disk that is full, and a folder that takes no writes: the export stands still and says why, the node continues, and
//! the export catches up by itself. Both need rights that not every machine gives.

use super::{compare, exported, often, python, until, verified};
use crate::process::faults::{Disk, Frozen};
use crate::process::{Api, TestEnv, Way, shop};
use crate::support::skipped;
use ingest::testing::Random;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The node takes another movement, and a product whose text does not get smaller when it is packed, whatever the export
/// does.
fn receive(api: &Api, n: u64, random: &mut Random) -> u64 {
    let text: String = random.bytes(9_000).iter().map(|byte| char::from(b'0' + byte % 75)).collect();
    let variant = json!({"sku": "P", "price": {"amount": "1", "currency": "GBP"}});
    let product = json!({"title": "Kettle", "description": text, "variants": [variant]});
    let answer = api.call("PUT", "/api/v1/products/P", &[], product.to_string());
    assert!([200, 201].contains(&answer.status), "{}", answer.text());
    let movement = json!({"quantity": 1, "reason": "received"});
    api.post("/api/v1/stock/A/movements", &format!("k{n}"), &movement).expect(201).epoch()
}

fn why(status: &Value) -> Option<&str> {
    status["stalled"]["export"].as_str()
}

/// What must hold once writing is possible again.
fn catches_up(env: &TestEnv, last: u64) {
    exported(env, last);
    let status = until(env, "it still says that it stands still", |status| why(status).is_none());
    assert_eq!(status["gauges"]["export_stalled"], 0.0);
    verified(env);
    if let Some(python) = python() {
        compare(&python, env.data());
    }
}

#[test]
fn a_full_disk_stops_the_export_and_nothing_else() {
    let folder = TempDir::with_prefix("tradewind-export-").expect("there is room for a folder");
    let tables = folder.path().join("warehouse");
    std::fs::create_dir_all(&tables).expect("there is room for a folder");
    let Some(disk) = Disk::at(&tables) else {
        return skipped("a full disk needs one of its own, and none can be mounted here");
    };
    let way = Way { shell: Some(disk.enter()), ..often() };
    let env = TestEnv::start_in(folder, &way);
    shop::stock(&env, "A", "reserve", 1);
    let (mut random, mut n, mut last) = (Random::new(71), 0, 0);
    let mut status = env.get("/api/v1/status").ok().json();
    while why(&status).is_none() {
        for _ in 0..20 {
            last = receive(&env, n, &mut random);
            n += 1;
        }
        assert!(n < 20_000, "the disk does not fill: {status}");
        status = env.get("/api/v1/status").ok().json();
    }
    assert!(why(&status).is_some_and(|why| why.contains("No space left")), "{status}");
    assert_eq!(status["gauges"]["export_stalled"], 1.0);
    // What is not the export's continues.
    env.until_ready(true);
    last = last.max(receive(&env, n, &mut random));
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], n + 2);
    disk.clear(&tables);
    // The disk is seen by those alone who enter it, so that the readers outside are not asked.
    exported(&env, last);
    let status = until(&env, "it still says that it stands still", |status| why(status).is_none());
    assert_eq!(status["gauges"]["export_stalled"], 0.0);
    verified(&env);
}

#[test]
fn a_folder_that_takes_no_writes_is_named_and_waited_for() {
    let env = TestEnv::start_as(&often());
    shop::stock(&env, "A", "reserve", 1);
    let mut random = Random::new(72);
    let last = receive(&env, 0, &mut random);
    exported(&env, last);
    let folder = env.data().join("warehouse");
    let Some(frozen) = Frozen::of(&folder) else {
        return skipped("files that nobody may change need chattr +i, which is not allowed here");
    };
    let last = receive(&env, 1, &mut random);
    let status = until(&env, "it does not say that it stands still", |status| why(status).is_some());
    assert!(why(&status).is_some_and(|why| why.contains(&folder.display().to_string())), "{status}");
    env.until_ready(true);
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 3);
    assert!(env.get("/metrics").text().contains("tradewind_export_stalled 1"), "the probe of operators says so");
    drop(frozen);
    catches_up(&env, last);
}
