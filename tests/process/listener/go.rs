//! Clients in Go that publish, read in a group and administer, over a restart of the node: sarama, which sends the versions of
//! requests of the broker that it is told to expect, whatever the listener announces; and franz-go. Only with
//! `TRADEWIND_TEST_CLIENTS=all`, since they are compiled. Not for other clients.

use super::restart::over_a_restart;
use super::{are_all_wanted, file, run, skipped};
use std::process::Command;
use tempfile::TempDir;

/// The program of that name, compiled with the modules that this file says; none if there is no Go, which is then told.
fn compiled(name: &str, modules: &str) -> Option<TempDir> {
    if let Err(why) = run(Command::new("go").arg("version")) {
        skipped(&format!("there is no Go to compile {name} with: {why}"));
        return None;
    }
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mut build = Command::new("go");
    build.current_dir(file("tests/process/listener").join(name)).arg("build").arg("-modfile").arg(modules);
    run(build.arg("-o").arg(folder.path().join(name)).arg("."))
        .unwrap_or_else(|why| panic!("{name}, {modules}: {why}"));
    Some(folder)
}

/// Runs sarama once for each version of a broker that it is told to expect.
fn sarama(modules: &str, versions: &[&str]) {
    if !are_all_wanted() {
        return;
    }
    let Some(folder) = compiled("sarama", modules) else { return };
    for version in versions {
        let name = format!("sarama of {modules} as for {version}");
        over_a_restart(&name, Command::new(folder.path().join("sarama")), &[version, "sarama"]);
    }
}

#[test]
fn sarama_publishes_and_reads_in_a_group_in_the_versions_of_any_broker() {
    sarama("go.mod", &["1.0.0", "2.1.0", "2.8.0", "3.6.0"]);
}

#[test]
fn a_newer_sarama_publishes_and_reads_in_a_group() {
    sarama("ibm-1.45.2.mod", &["2.8.0", "3.6.0"]);
}

#[test]
fn an_older_sarama_publishes_and_reads_in_a_group() {
    sarama("shopify-1.38.1.mod", &["1.0.0", "2.8.0", "3.3.1"]);
}

#[test]
fn franz_go_publishes_and_reads_in_a_group() {
    if are_all_wanted()
        && let Some(folder) = compiled("franz", "go.mod")
    {
        over_a_restart("franz-go", Command::new(folder.path().join("franz")), &["franz"]);
    }
}
