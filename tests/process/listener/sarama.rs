//! Sarama, a client in Go that sends the versions of requests of the broker that it is told to expect, whatever the listener
//! announces. Only with `TRADEWIND_TEST_CLIENTS=all`, since it is compiled. Not for other clients.

use super::{are_all_wanted, file, kafka, run, skipped};
use crate::process::TestEnv;
use std::process::Command;

#[test]
fn sarama_publishes_and_reads_in_a_group_in_the_versions_of_any_broker() {
    if !are_all_wanted() {
        return;
    }
    if let Err(why) = run(Command::new("go").arg("version")) {
        return skipped(&format!("there is no Go to compile sarama with: {why}"));
    }
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let program = folder.path().join("sarama");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".").current_dir(file("tests/process/listener/sarama"));
    run(&mut build).expect("sarama is compiled");
    let env = TestEnv::start();
    for version in ["1.0.0", "2.1.0", "2.8.0", "3.6.0"] {
        let output = run(Command::new(&program).args([&kafka(&env), version, &format!("sarama-{version}")]));
        let output = output.unwrap_or_else(|why| panic!("{version}: {why}"));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "all well\n", "{version}");
    }
}
