//! A node killed at random moments while it exports: nobody who lists the folder ever sees half a file, and in the end
//! every row is there once. 25 kills, or as many as `TRADEWIND_TEST_EXPORT_KILLS` says.

use super::{assert_written_again, compare, exported, files, python, verified};
use crate::process::{TestEnv, Way, shop};
use crate::support::seeds;
use ingest::testing::Random;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::json;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Commits and checkpoints of tables come often, and so do epochs.
fn way() -> Way {
    let variables = [
        ("TRADEWIND_EXPORT_COMMIT_S", "1"),
        ("TRADEWIND_EXPORT_COMMIT_ROWS", "60"),
        ("TRADEWIND_EPOCHS_EPOCH_MS_MAX", "20"),
    ];
    let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
    Way { variables, ..Way::workers(1) }
}

/// Lets that much time pass: what is tested is a moment that nothing announces.
fn pass(time: Duration) {
    let (_silent, nothing) = mpsc::channel::<()>();
    assert!(nothing.recv_timeout(time).is_err());
}

/// Every file that somebody who lists the folder sees is a whole one. Gives how many there are.
fn assert_whole(root: &Path) -> usize {
    let parquet =
        files(root).into_iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "parquet"));
    let whole = parquet.map(|(path, bytes)| {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes));
        let reader = reader.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(reader.metadata().file_metadata().num_rows() > 0 || path.to_string_lossy().contains("_current"));
    });
    whole.count()
}

#[test]
fn kills_while_exporting_leave_every_row_once() {
    let kills = std::env::var("TRADEWIND_TEST_EXPORT_KILLS").map_or(25, |kills| kills.parse().expect("a number"));
    let seed = seeds(4_100, 1)[0];
    println!("export kills: seed {seed}");
    let mut random = Random::new(seed);
    let mut env = TestEnv::start_as(&way());
    shop::stock(&env, "A", "reserve", 1_000_000);
    let (mut sent, mut while_starting, mut torn) = (0, 0, 0);
    for kill in 0..kills {
        if random.below(5) == 0 {
            // In the midst of a start, where the exporter tidies what the last one left.
            env.kill();
            env.begin(&way());
            pass(Duration::from_micros(random.below(150_000) as u64));
            while_starting += 1;
        } else {
            for _ in 0..1 + random.below(6) {
                let lines: Vec<String> = (0..10)
                    .map(|_| {
                        sent += 1;
                        let mut data = if sent % 7 == 0 { shop::unpaid_order("A", 1) } else { shop::order("A", 1) };
                        data["order_id"] = json!(format!("o{sent}"));
                        json!({"id": format!("c{sent}"), "type": "PlaceOrder", "data": data}).to_string()
                    })
                    .collect();
                env.batch(lines.join("\n"));
            }
            pass(Duration::from_micros(random.below(60_000) as u64));
        }
        env.kill();
        let root = env.data().join("warehouse");
        torn += root.join("_staging").read_dir().map_or(0, Iterator::count).min(1);
        assert_whole(&root);
        env.begin(&way());
        env.wait_ready();
        if kill % 100 == 99 {
            println!("export kills: {} of {kills}, {sent} orders", kill + 1);
        }
    }
    let last = env.get("/api/v1/epochs/latest").ok().epoch();
    exported(&env, last);
    // That took its time after so many kills, and the node keeps epochs for a while only.
    exported(&env, env.get("/api/v1/epochs/latest").ok().epoch());
    verified(&env);
    env.stop();
    let root = env.data().join("warehouse");
    let count = assert_whole(&root);
    if let Some(python) = python() {
        // What the log names, and what a plain listing shows, are the same rows.
        compare(&python, env.data());
    }

    // Written again from the beginning, without a kill, every file has the same bytes.
    let before = files(&root);
    std::fs::remove_dir_all(&root).expect("the folder is ours");
    env.restart(&way());
    exported(&env, last);
    assert_written_again(&env, &before);
    // The node keeps epochs from its start on.
    exported(&env, env.get("/api/v1/epochs/latest").ok().epoch());
    verified(&env);
    println!(
        "export kills: {kills} ({while_starting} while starting, {torn} left something staged), {sent} orders, {count} \
         files, {} compared byte by byte, seed {seed}",
        before.len()
    );
}
