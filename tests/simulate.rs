//! The simulator against the real process: its books agree with a sound shop, and do not with a shop that somebody else
//! has his hands in.

use crate::support::Node;
use node::client::Client;
use serde_json::{Value, json};
use std::process::{Child, Command, Output, Stdio};

fn simulate(node: &Node, seed: u64, seconds: u64) -> Child {
    let to = format!("http://{}", node.address);
    let (seed, seconds) = (seed.to_string(), seconds.to_string());
    Command::new(env!("CARGO_BIN_EXE_tradewind"))
        .args(["simulate", "--json", "--rate", "200", "--seconds", &seconds, "--seed", &seed, "--to", &to])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built")
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_books_of_simulated_customers_agree_with_the_shop_also_when_a_seed_runs_again() {
    let node = Node::start();
    for (lap, seconds) in [(1, 2), (2, 1)] {
        let output = simulate(&node, 41, seconds).wait_with_output().expect("it ends");
        let report = report(&output);
        assert_eq!(report["differences"], 0, "{report:#}");
        assert!(output.status.success());
        assert_eq!(report["prefix"], format!("sim-41-{lap}"));
        assert!(report["accepted"].as_u64() > Some(50), "{report:#}");
        assert!(report["invariants_read_at_epochs"].as_u64() > Some(0), "{report:#}");
    }
}

#[test]
fn what_somebody_else_moves_is_a_difference_and_the_seed_is_named() {
    let node = Node::start();
    let client = Client::new(&format!("http://{}", node.address)).expect("an address");
    let mut simulated = simulate(&node, 42, 2);
    let mut moved = 0_u64;
    while simulated.try_wait().expect("a child").is_none() {
        let data = json!({"sku": "sim-42-1-0-0", "quantity": 1, "reason": "adjusted"});
        let line = json!({"id": format!("thief-{moved}"), "type": "MoveStock", "data": data});
        client.post_commands(line.to_string().as_bytes(), 5).expect("the node answers");
        moved += 1;
    }
    let output = simulated.wait_with_output().expect("it ends");
    assert!(report(&output)["differences"].as_u64() > Some(0));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--seed 42"));
}
