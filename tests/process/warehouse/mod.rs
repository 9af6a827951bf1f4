//! The tables for analysts, written by a real node and read by real readers: delta-rs, polars and DuckDB, while it writes
//! and afterwards; with `TRADEWIND_TEST_READERS=all` Spark and Delta Standalone too. Not for single rows of every kind: the
//! room tests those.
//!
//! The readers are installed into the folder of all that is built. Without them a test is told as skipped, and fails if
//! `TRADEWIND_TEST_NO_SKIP=1`; those of `all` must be there.

mod faults;
mod filters;
mod gaps;
mod jvm;
mod kills;
mod year;

use super::program::PATIENCE;
use super::{Api, Program, TestEnv, Way, shop};
use crate::support::skipped;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

/// `pytz` is DuckDB's, for times.
const PACKAGES: [&str; 5] = ["deltalake==1.6.6", "duckdb==1.5.5", "polars==2.1.0", "pyarrow==26.0.1", "pytz"];
/// What is asked too with `TRADEWIND_TEST_READERS=all`.
const MORE_PACKAGES: [&str; 2] = ["duckdb-extension-delta==1.5.5", "pyspark==4.0.1"];
/// Another DuckDB for the ready SQL, in a folder of its own.
const DUCKDB_2: &str = "duckdb==2.0.1";

/// True if readers are asked too that take long.
fn all_readers() -> bool {
    std::env::var_os("TRADEWIND_TEST_READERS").is_some_and(|which| which == "all")
}

/// The output of a program, if it ended well.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(format!("{name}: {}", text(&output.stderr))) }
}

/// A Python with the readers, made once; none if it cannot be had, which is then told.
pub fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        // A test is `target/debug/deps/NAME`.
        let target = program.ancestors().nth(3).ok_or("there is no folder of all that is built")?;
        let folder = target.join("warehouse-venv");
        let python = folder.join("bin/python");
        if !python.exists() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        }
        let pip = || {
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check"]);
            pip
        };
        let more: &[&str] = if all_readers() { &MORE_PACKAGES } else { &[] };
        run(pip().args(PACKAGES).args(more))?;
        if !folder.join("duckdb-2").exists() {
            run(pip().args(["--no-deps", "--target"]).arg(folder.join("duckdb-2")).arg(DUCKDB_2))?;
        }
        Ok(python)
    });
    let why = |why: &String| {
        assert!(std::env::var_os("TRADEWIND_TEST_NO_SKIP").is_none_or(|value| value != "1"), "{why}");
        skipped(&format!("there are no readers of Delta tables in Python: {why}"));
    };
    made.as_ref().map_err(why).ok().cloned()
}

fn script_of(name: &str, python: &Path, arguments: &[&str]) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/warehouse").join(name);
    // No compiled modules beside the sources.
    let said = run(Command::new(python).arg("-B").arg(file).args(arguments)).unwrap_or_else(|why| panic!("{why}"));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn script(python: &Path, arguments: &[&str]) -> Value {
    script_of("readers.py", python, arguments)
}

/// All readers agree on every table at the epoch that all tables hold.
pub fn compare(python: &Path, data: &Path) -> Value {
    script(python, &["compare", &data.join("warehouse").display().to_string()])
}

/// The number of rows of facts there are, which are the same in both but for the epochs and places in them.
pub fn same(python: &Path, data: &Path, other: &Path) -> u64 {
    let folders = [data, other].map(|data| data.join("warehouse").display().to_string());
    script(python, &["same", &folders[0], &folders[1]])["rows"].as_u64().expect("a number")
}

/// The rows of every ready query, over the views that `export sql` prints: the same by DuckDB 1.5, DuckDB 2 and polars.
fn queries(python: &Path, api: &Api, epoch: u64) -> Value {
    let scripts = tempfile::tempdir().expect("there is room for a folder");
    for (dialect, file) in [("duckdb", "views.sql"), ("polars", "views.py")] {
        let ended = Program::run(&["export", "sql", dialect, "--to", api.base()]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        std::fs::write(scripts.path().join(file), ended.stdout).expect("there is room for a file");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/warehouse/duckdb").display().to_string();
    let (scripts, epoch) = (scripts.path().display().to_string(), epoch.to_string());
    let duckdb_2 = python.ancestors().nth(2).expect("a virtual environment").join("duckdb-2").display().to_string();
    let [one, two] = ["", &duckdb_2].map(|path| script(python, &["sql", &scripts, &folder, &epoch, path]));
    assert!(one["version"].as_str().is_some_and(|version| version.starts_with("v1.5")), "{}", one["version"]);
    assert!(two["version"].as_str().is_some_and(|version| version.starts_with("v2.")), "{}", two["version"]);
    assert_eq!(one["answers"], two["answers"]);
    one["answers"].clone()
}

/// Commits often.
fn often() -> Way {
    Way { variables: vec![("TRADEWIND_EXPORT_COMMIT_S", "1".to_owned())], ..Way::workers(2) }
}

/// Waits, from epoch to epoch, until the node's figures are so.
fn until(api: &Api, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = api.get("/api/v1/status").ok();
        let status = answer.json();
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what}: {status}");
        let next = (status["epoch"].as_u64().unwrap_or(0) + 1).to_string();
        api.get_with("/api/v1/epochs/latest", &[("tradewind-min-epoch", &next), ("prefer", "wait=1")]);
    }
}

/// Waits until the tables hold that epoch.
pub fn exported(api: &Api, epoch: u64) -> u64 {
    let gauge = |status: &Value| status["gauges"]["export_epoch"].as_f64().map_or(0, |epoch| epoch as u64);
    let status = until(api, "the tables do not get there", |status| gauge(status) >= epoch);
    gauge(&status)
}

/// Runs `export verify`; it must find nothing wrong, and hold the tables against the views too.
pub fn verified(api: &Api) {
    let ended = Program::run(&["export", "verify", "--to", api.base()]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    // Events, five tables of facts, and the changes and rows of every view.
    let tables = 6 + 2 * dataflows::shop::row::View::ALL.len();
    assert!(ended.stdout.contains(&format!("{tables} tables agree at epoch ")), "{}", ended.stdout);
    assert!(ended.stdout.contains("and equal to the node's views"), "{}", ended.stdout);
}

/// Waits until every file is written again, which must have the same bytes.
pub fn assert_written_again(env: &TestEnv, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let root = env.data().join("warehouse");
    let deadline = Instant::now() + PATIENCE;
    let mut again = files(&root);
    while let Some(missing) = before.keys().find(|path| !again.contains_key(*path)) {
        assert!(Instant::now() < deadline, "{} is not written again", missing.display());
        let next = (env.get("/api/v1/epochs/latest").ok().epoch() + 50).to_string();
        env.get_with("/api/v1/epochs/latest", &[("tradewind-min-epoch", &next), ("prefer", "wait=1")]);
        again = files(&root);
    }
    for (path, bytes) in before {
        assert!(again[path] == *bytes, "{} has other bytes", path.display());
    }
}

/// Every file below a folder, with its bytes, but for what says how far an export is.
pub fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder of tables") {
            let path = entry.expect("nobody removes it now").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "_staging" {
                folders.push(path);
            } else if path.is_file() && !["lock", "_progress.json", "_last_checkpoint"].contains(&name.as_str()) {
                let bytes = std::fs::read(&path).expect("nobody removes it now");
                files.insert(path.strip_prefix(root).expect("it is below").to_owned(), bytes);
            }
        }
    }
    files
}

#[test]
fn tables_are_written_and_tidied_where_a_url_says() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let tables = folder.path().join("tables");
    let url = format!("file://{}", tables.display());
    let mut way = often();
    way.variables.push(("TRADEWIND_EXPORT_URL", url.clone()));
    let mut env = TestEnv::start_as(&way);
    shop::stock(&env, "A", "reserve", 50);
    let last = env.post("/api/v1/orders", "o1", &shop::order("A", 2)).expect(201).epoch();
    exported(&env, last);
    verified(&env);
    env.stop();
    assert!(files(&tables).keys().any(|path| path.starts_with("order_lines/_delta_log")));
    assert!(!env.data().join("warehouse").exists());
    // Those of a stopped node are where its configuration says, and nowhere else.
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, format!("[export]\nurl = \"{url}\"\n")).expect("there is room for a file");
    let (data, file) = (env.data().display().to_string(), file.display().to_string());
    let ended = Program::run(&["export", "verify", "--data", &data, "--config", &file]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let ended = Program::run(&["export", "verify", "--data", &data]);
    assert!(ended.code == Some(1) && ended.stderr.contains("there are no tables in"), "{}", ended.stderr);
}

/// A lost file is named with its table.
fn names_a_lost_file(data: &Path) {
    let lost = files(&data.join("warehouse"))
        .into_keys()
        .find(|path| path.starts_with("payments") && path.extension().is_some_and(|ending| ending == "parquet"));
    std::fs::remove_file(data.join("warehouse").join(lost.expect("there were payments"))).expect("it is there");
    let ended = Program::run(&["export", "verify", "--data", &data.display().to_string()]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("payments: "), "{}", ended.stdout);
}

#[test]
fn ready_queries_run_on_the_demo_shop_and_operators_tidy_its_tables() {
    let Some(python) = python() else { return };
    let mut env = TestEnv::start_as(&often());
    shop::stock(&env, "A", "reserve", 50);
    let orders = [("o1", shop::order("A", 2)), ("o2", shop::order("A", 3))];
    let mut last = 0;
    for (id, mut order) in orders {
        (order["order_id"], order["customer_id"]) = (id.into(), "ann".into());
        last = env.post("/api/v1/orders", id, &order).expect(201).epoch();
        // Apart, so that there is more than one file to merge.
        exported(&env, last);
    }
    // Also before the first credit and the first adjustment.
    assert_eq!(queries(&python, &env, last)["monthly_revenue"].as_array().map(Vec::len), Some(1));
    env.post("/api/v1/orders/o1/shipments", "s1", &serde_json::json!({})).expect(201);
    let back = serde_json::json!({"return_id": "r1", "lines": [{"line": 1, "quantity": 1}]});
    env.post("/api/v1/orders/o1/returns", "r1", &back).expect(201);
    env.post("/api/v1/credits", "c1", &shop::credit("c1", "A", 1)).expect(201);
    let adjustment = serde_json::json!({"adjustment_id": "a1", "currency": "GBP", "country": "GB",
        "amount": shop::gbp("-1.25")});
    last = last.max(env.post("/api/v1/adjustments", "a1", &adjustment).expect(201).epoch());
    let epoch = exported(&env, last);
    verified(&env);
    let answers = queries(&python, &env, epoch);
    let found = &answers["monthly_revenue"][0];
    let (rows, _) = env.rows(&format!("/api/v1/analytics/revenue?by=month&group=country&as_of={epoch}"));
    for (at, name) in [(3, "gross"), (4, "returned"), (5, "adjusted"), (6, "net")] {
        let decimal =
            |text: &Value| text.as_str().map(|text| text.trim_end_matches('0').trim_end_matches('.').to_owned());
        assert_eq!(decimal(&found[at]), decimal(&rows[0][name]["amount"]), "{name}: {found} {rows:?}");
    }
    // Those of the month in all, and split by category, as the view has them.
    let revenue = answers["revenue"].as_array().expect("rows");
    let (whole, split): (Vec<&Value>, _) = revenue.iter().partition(|row| row[3].is_null());
    assert!(whole.len() == 1 && split.iter().any(|row: &&Value| row[4] == whole[0][4]), "{revenue:?}");
    assert_eq!(answers["returns"], serde_json::json!([["A", 2, 2, 1.0]]));
    assert_eq!(answers["as_of_epoch"][0][1], env.get("/api/v1/stock/A").ok().json()["on_hand"]);
    assert_eq!(answers["running_balance"].as_array().map(Vec::len), Some(1));
    assert_eq!(answers["cohorts"][0][3], 2);
    assert_eq!(answers["current"].as_array().map(Vec::len), Some(2));

    // What a caller does not confirm by the number of tables is not done.
    let tables = env.get("/api/v1/export").ok().json()["tables"].as_array().map_or(0, Vec::len);
    let unconfirmed =
        ["compactions", "compactions?confirm=1", "vacuums?older_than_hours=0", "vacuums?older_than_hours=23"];
    for path in unconfirmed {
        let answer = env.post(&format!("/api/v1/export/{path}"), "any", &serde_json::json!({})).expect(422);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/confirm", "{path}");
    }
    for path in ["vacuums?older_than_hours=24".to_owned(), format!("vacuums?older_than_hours=0&confirm={tables}")] {
        env.post(&format!("/api/v1/export/{path}"), "any", &serde_json::json!({})).ok();
    }

    // Small files are merged and what is left over is deleted; the tables stay right, the node's and a stopped one's.
    let to = env.base().to_owned();
    let did = |arguments: &[&str]| {
        let ended = Program::run(&[&["export"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).expect("JSON")
    };
    assert!(did(&["compact", "--json", "--to", &to])["files_fewer"].as_u64() > Some(0));
    verified(&env);
    // The ready SQL gives the same, over the files that are there now.
    let again = queries(&python, &env, epoch);
    if all_readers() {
        assert_eq!(jvm::revenue(&python, &env)["revenue"], again["revenue"]);
    }
    assert_eq!((&again["monthly_revenue"], &again["returns"]), (&answers["monthly_revenue"], &answers["returns"]));
    assert_eq!(again["revenue"], answers["revenue"]);
    assert_eq!(did(&["vacuum", "--json", "--to", &to])["files_deleted"], 0, "somebody may still read them");
    env.stop();
    let data = env.data().display().to_string();
    assert_eq!(did(&["verify", "--json", "--data", &data])["problems"], serde_json::json!([]));
    assert!(did(&["vacuum", "--json", "--older-than-hours", "0", "--data", &data])["files_deleted"].as_u64() > Some(0));
    compare(&python, env.data());
    names_a_lost_file(env.data());
}

#[test]
fn tables_of_another_shop_are_refused_by_name_and_the_node_stays_ready() {
    let tables = tempfile::tempdir().expect("there is room for a folder");
    let mut way = often();
    way.variables.push(("TRADEWIND_EXPORT_URL", format!("file://{}", tables.path().display())));
    let mut one = TestEnv::start_as(&way);
    shop::stock(&one, "A", "reserve", 50);
    let last = one.get("/api/v1/epochs/latest").ok().epoch();
    exported(&one, last);
    one.stop();
    let before = files(tables.path());
    // When another shop is to write there, then it says why it does not, and nothing else is the matter.
    let other = TestEnv::start_as(&way);
    shop::stock(&other, "A", "reserve", 7);
    let why = |status: &Value| status["stalled"]["export"].as_str().map(str::to_owned);
    let status = until(&other, "it writes to tables of another shop", |status| why(status).is_some());
    assert!(why(&status).is_some_and(|why| why.contains("are made of the log")), "{status}");
    other.until_ready(true);
    let export = other.get("/api/v1/export").ok().json();
    assert!(export["stalled"].as_str().is_some_and(|why| why.contains("are made of the log")), "{export}");
    assert!(files(tables.path()) == before);
}

#[test]
fn tables_and_outputs_are_made_again_from_the_log_and_are_the_same() {
    let mut env = TestEnv::start_as(&often());
    shop::stock(&env, "A", "reserve", 50);
    env.post("/api/v1/orders", "o1", &shop::order("A", 2)).expect(201);
    let last = env.get("/api/v1/epochs/latest").ok().epoch();
    exported(&env, last);
    let refused = Program::run(&["export", "rebuild", "--to", env.base()]);
    assert!(refused.code == Some(1) && refused.stderr.contains("stop the node first"), "{}", refused.stderr);
    env.stop();
    let (data, tables) = (env.data().display().to_string(), env.data().join("warehouse"));
    let before = files(&tables);
    let ended = Program::run(&["export", "rebuild", "--data", &data]);
    assert!(ended.code == Some(0) && ended.stdout.contains("tables and their outputs are removed"), "{}", ended.stderr);
    assert!(!env.data().join("outputs").exists() && files(&tables).is_empty());
    env.restart(&often());
    exported(&env, last);
    assert_written_again(&env, &before);
}
