//! Readers of tables that need Java: Spark with Delta Lake, and Delta Standalone, which Flink, Hive and others read logs with.
//! With `TRADEWIND_TEST_READERS=all` only. Not for Java's Kafka clients.

use super::{all_readers, exported, often, python, run, script, verified};
use crate::process::{Program, TestEnv, shop};
use ingest::testing::broker;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package that Maven fetches: the name of its folder, which has its version, and the pom.
pub type Jars = (&'static str, &'static str);
pub const SPARK: Jars = ("delta-spark-4.0.1", include_str!("jvm/spark.xml"));
const STANDALONE: Jars = ("delta-standalone-3.3.2", include_str!("jvm/standalone.xml"));

/// The folder of such jars.
pub fn jars((name, pom): Jars) -> PathBuf {
    broker::fetched(name, pom).unwrap_or_else(|why| panic!("{name} cannot be had: {why}"))
}

/// The revenue that Spark has by what `export sql spark` prints.
pub fn revenue(python: &Path, env: &TestEnv) -> Value {
    let sql = tempfile::NamedTempFile::new().expect("there is room for a file");
    let ended = Program::run(&["export", "sql", "spark", "--to", env.base()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    std::fs::write(sql.path(), ended.stdout).expect("there is room for a file");
    let (root, sql) = (env.data().join("warehouse").display().to_string(), sql.path().display().to_string());
    let said = script(python, &["spark", &root, &sql, &jars(SPARK).display().to_string()]);
    println!("Spark's SQL: {said}");
    said
}

#[test]
fn delta_standalone_reads_every_table_from_its_checkpoint() {
    let Some(python) = python().filter(|_| all_readers()) else { return };
    // Given tables with a commit for almost every epoch, and logs without the entries before their checkpoints.
    let mut way = often();
    way.variables.push(("TRADEWIND_EXPORT_COMMIT_ROWS", "1".to_owned()));
    let mut env = TestEnv::start_as(&way);
    shop::stock(&env, "A", "reserve", 500);
    let mut last = 0;
    for n in 0..60 {
        let mut order = shop::order("A", 1 + n % 3);
        order["order_id"] = json!(format!("o-{n}"));
        last = env.post("/api/v1/orders", &format!("o-{n}"), &order).expect(201).epoch();
    }
    exported(&env, last);
    verified(&env);
    env.stop();
    let root = env.data().join("warehouse");
    let tables = root.read_dir().expect("a folder of tables").map(|entry| entry.expect("nobody removes it now").path());
    let tables: Vec<PathBuf> = tables.filter(|table| table.join("_delta_log").is_dir()).collect();
    for log in tables.iter().map(|table| table.join("_delta_log")) {
        let Ok(newest) = std::fs::read(log.join("_last_checkpoint")) else { continue };
        let newest: Value = serde_json::from_slice(&newest).expect("JSON");
        for version in 0..newest["version"].as_u64().expect("a number") {
            std::fs::remove_file(log.join(format!("{version:020}.json"))).expect("it is not old enough to be deleted");
        }
    }
    // When Delta Standalone reads them, then it finds the same files and rows.
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/warehouse/jvm/Standalone.java");
    let mut java = Command::new("java");
    java.args(["-Dfile.encoding=UTF-8", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    java.arg(jars(STANDALONE).join("*")).arg(program).args(&tables);
    let said = tempfile::NamedTempFile::new().expect("there is room for a file");
    std::fs::write(said.path(), run(&mut java).unwrap_or_else(|why| panic!("{why}")))
        .expect("there is room for a file");
    let said = script(&python, &["standalone", &root.display().to_string(), &said.path().display().to_string()]);
    println!("Delta Standalone: {said}");
    let at_least = |name: &str, least: u64| said[name].as_u64() >= Some(least);
    assert!(at_least("tables", 28) && at_least("rows", 200) && at_least("without_first", 3), "{said}");
}
