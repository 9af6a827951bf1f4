//! The shape of the project, held by a test: which room may depend on what, where a technology may be named, what a
//! file must begin with. Each failure says what to do instead. Not for what clippy checks: see the workspace's lints.

mod circles;
mod names;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};

/// Each room with the rooms that it may depend on; the root, which is under `.`, is the binary and all tests of the whole.
const ROOMS: [(&str, &str, &[&str]); 9] = [
    (".", "tradewind", &["dataflows", "ingest", "serving", "search", "node", "tools"]),
    ("deploy/node", "node", &["dataflows", "access", "ingest", "serving", "search", "warehouse-export"]),
    ("deploy/tools", "tools", &["dataflows", "access", "ingest", "serving", "search", "node"]),
    ("dataflows", "dataflows", &[]),
    ("dataflows/access", "access", &[]),
    ("ingest", "ingest", &["dataflows"]),
    ("serving", "serving", &["dataflows", "access"]),
    ("search", "search", &["dataflows"]),
    ("warehouse-export", "warehouse-export", &["dataflows"]),
];

/// Each technology with the only rooms that may name it. A name stands for its family too: `arrow` for `arrow-array`.
const TECHNOLOGIES: [(&str, &[&str]); 12] = [
    ("timely", &["dataflows"]),
    ("differential-dataflow", &["dataflows"]),
    ("rdkafka", &["ingest"]),
    ("axum", &["serving"]),
    ("tantivy", &["search"]),
    ("arrow", &["warehouse-export"]),
    // Importers read Parquet where they stand, and so do tests.
    ("parquet", &["warehouse-export", "tools", "tradewind"]),
    // The clouds' stores, and the one in memory for tests. What drives its requests is handed in by the node.
    ("object_store", &["warehouse-export"]),
    ("anyhow", &["node", "tools", "tradewind"]),
    ("clap", &["node", "tools", "tradewind"]),
    ("tokio", &["ingest", "serving", "node", "tools", "tradewind"]),
    ("ring", &["access"]),
];

/// The place where the core may name the engine that it runs on.
const ENGINE_NAMED_IN: [&str; 2] = ["engine/", "views/"];

/// The one file that reads the environment.
const ENVIRONMENT_READ_IN: &str = "deploy/node/src/config/mod.rs";

const LINES_AIM: usize = 400;
const LINES_MAX: usize = 800;

/// Folders that hold no source: what is built, and what a node left behind.
const NO_SOURCE: [&str; 3] = ["target", "tradewind-data", ".git"];

/// A text file of the project.
struct File {
    /// Its path from the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines of code with their numbers: without those that are only a comment.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(n, line)| (n + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// From which line on it is test code.
    fn tests_from(&self) -> usize {
        let is_test_file =
            ["tests/", "/tests.rs", "_tests.rs", "/testing.rs", "/testing/", "/in_memory_shop.rs", "/fake_disk.rs"];
        if self.path.starts_with("tests/") || is_test_file.iter().any(|part| format!("/{}", self.path).contains(part)) {
            return 1;
        }
        let mut lines = self.text.lines().zip(self.text.lines().skip(1));
        let begin =
            lines.position(|(one, next)| one == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{'));
        begin.map_or(usize::MAX, |at| at + 1)
    }

    /// The lines of code, from a line on, that hold one of these texts.
    fn hits(&self, from: usize, texts: &[&str]) -> Vec<String> {
        let code = self.code().filter(|(n, line)| *n >= from && texts.iter().any(|text| line.contains(text)));
        code.map(|(n, line)| format!("{}:{n}: {}", self.path, line.trim())).collect()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project.
fn files() -> Vec<File> {
    let root = root();
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder of the project can be read").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if NO_SOURCE.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(&root).expect("it was found there").to_string_lossy().replace('\\', "/");
                files.push(File { path, text });
            }
        }
    }
    assert!(files.iter().any(|file| file.path == "tests/architecture/mod.rs"), "the project's files are found");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn assert_none(found: &[String], instead: &str) {
    assert!(found.is_empty(), "{instead}\n  {}", found.join("\n  "));
}

/// A TOML file of the project. It lives as long as the tests do, so that its parts can be handed on.
fn toml(path: &str) -> DeTable<'static> {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    DeTable::parse(text.leak()).unwrap_or_else(|error| panic!("{path}: {error}")).into_inner()
}

fn get<'t>(table: &'t DeTable<'static>, name: &str) -> Option<&'t DeValue<'static>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value.get_ref())
}

fn texts(list: &DeValue<'_>) -> BTreeSet<String> {
    let list = list.as_array().expect("a list");
    list.iter().filter_map(|item| item.get_ref().as_str()).map(str::to_owned).collect()
}

/// The packages that a manifest names, for any use and any target.
fn dependencies(manifest: &DeTable<'static>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in manifest {
        let Some(table) = value.get_ref().as_table() else { continue };
        match name.get_ref().as_ref() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(table.iter().map(|(name, of)| {
                    let renamed = of.get_ref().as_table().and_then(|of| get(of, "package")?.as_str());
                    renamed.unwrap_or(name.get_ref()).to_owned()
                }));
            }
            "target" => {
                let targets = table.values().filter_map(|of| of.get_ref().as_table());
                found.extend(targets.flat_map(dependencies));
            }
            _ => {}
        }
    }
    found
}

fn rooms() -> BTreeMap<&'static str, BTreeSet<String>> {
    ROOMS.into_iter().map(|(folder, name, _)| (name, dependencies(&toml(&format!("{folder}/Cargo.toml"))))).collect()
}

#[test]
fn every_room_is_known_here() {
    let manifest = toml("Cargo.toml");
    let workspace = get(&manifest, "workspace").and_then(DeValue::as_table).expect("the root is a workspace");
    let listed = |key: &str| texts(get(workspace, key).expect("a list of folders"));
    let known: BTreeSet<String> = ROOMS.iter().map(|(folder, _, _)| (*folder).to_owned()).collect();
    let mut members = listed("members");
    members.insert(".".to_owned());
    assert_eq!(
        members, known,
        "a new room: say in `ROOMS` what it may depend on, and in ARCHITECTURE.md what it is for"
    );
    assert_eq!(
        listed("default-members"),
        known,
        "name every room in `default-members`, or plain `cargo test` misses it"
    );
}

#[test]
fn rooms_depend_on_the_core_alone() {
    let names: BTreeSet<&str> = ROOMS.iter().map(|(_, name, _)| *name).collect();
    let rooms = rooms();
    let mut found = Vec::new();
    for (folder, name, allowed) in ROOMS {
        let others =
            rooms[name].iter().filter(|other| names.contains(other.as_str()) && !allowed.contains(&other.as_str()));
        found.extend(others.map(|other| format!("{folder}/Cargo.toml: {other}")));
    }
    assert_none(
        &found,
        "a room depends on another: let them meet as a trait in dataflows/src/ports, and wire both in deploy/node",
    );
}

#[test]
fn a_technology_is_named_in_its_room_only() {
    let mut found = Vec::new();
    for (room, dependencies) in rooms() {
        for dependency in dependencies {
            let family = |name: &str| dependency == name || dependency.starts_with(&format!("{name}-"));
            let owner = TECHNOLOGIES.iter().find(|(name, _)| family(name));
            if let Some((name, allowed)) = owner.filter(|(_, allowed)| !allowed.contains(&room)) {
                found.push(format!("{room}: {dependency} ({name} belongs to {})", allowed.join(", ")));
            }
        }
    }
    assert_none(
        &found,
        "a technology is named outside its room: convert at that room's edge, and pass plain values on",
    );
}

#[test]
fn the_core_names_its_engine_in_few_places() {
    let is_elsewhere = |file: &&File| {
        let inside = file.path.strip_prefix("dataflows/");
        inside.is_some_and(|path| !ENGINE_NAMED_IN.iter().any(|place| path.starts_with(&format!("src/{place}"))))
    };
    let engine = ["timely::", "use timely", "differential_dataflow::", "use differential_dataflow"];
    let found: Vec<_> = files()
        .iter()
        .filter(|file| file.is_rust())
        .filter(is_elsewhere)
        .flat_map(|file| file.hits(1, &engine))
        .collect();
    assert_none(
        &found,
        "timely and differential_dataflow stand in engine/ and views/ of the core: make it a plain function elsewhere, and \
         call it from an operator",
    );
}

#[test]
fn the_environment_is_read_in_one_place() {
    let reads = ["env::var", "env::set_var", "env::remove_var"];
    let mut found = Vec::new();
    for file in files().iter().filter(|file| file.is_rust() && file.path != ENVIRONMENT_READ_IN) {
        let (tests_from, all) = (file.tests_from(), file.hits(1, &reads));
        let in_tests = file.hits(tests_from, &reads);
        let is_for_tests = |hit: &String| {
            in_tests.contains(hit) && (hit.contains("TRADEWIND_TEST_") || file.path == "tests/architecture/mod.rs")
        };
        found.extend(all.into_iter().filter(|hit| !is_for_tests(hit)));
    }
    assert_none(
        &found,
        "the environment is read in deploy/node/src/config/mod.rs only: make it a key in config/keys.rs and pass the value \
         in. Tests may read TRADEWIND_TEST_*",
    );
}

#[test]
fn files_are_short() {
    let files = files();
    let length = |file: &File| (file.text.lines().count(), file.path.clone());
    let mut long: Vec<_> =
        files.iter().filter(|file| file.is_rust()).map(length).filter(|(n, _)| *n > LINES_AIM).collect();
    long.sort_unstable_by(|a, b| b.cmp(a));
    let list: Vec<_> = long.iter().map(|(n, path)| format!("{n} {path}")).collect();
    assert!(
        long.iter().all(|(n, _)| *n <= LINES_MAX),
        "a file has over {LINES_MAX} lines: split it by what its parts are for. All over {LINES_AIM}, which is the aim:\n  {}",
        list.join("\n  ")
    );
}

#[test]
fn a_file_says_first_what_it_is_for() {
    let files = files();
    let silent: Vec<_> = files
        .iter()
        .filter(|file| {
            file.is_rust() && !file.text.lines().next().is_some_and(|line| line.len() > 20 && line.starts_with("//! "))
        })
        .map(|file| file.path.clone())
        .collect();
    assert_none(&silent, "a file opens with a `//!` sentence: what it is for, and what it is not");
}

#[test]
fn files_that_pages_name_are_there() {
    let files = files();
    let mut found = Vec::new();
    for page in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (n, line) in page.text.lines().enumerate() {
            // Every second piece is code.
            let named = line.split('`').skip(1).step_by(2).filter(|code| code.ends_with(".rs") && !code.contains(' '));
            let is_there =
                |name: &str| files.iter().any(|file| format!("/{}", file.path).ends_with(&format!("/{name}")));
            found.extend(named.filter(|name| !is_there(name)).map(|name| format!("{}:{}: {name}", page.path, n + 1)));
        }
    }
    assert_none(&found, "a page names a file that is not there: say where it is now");
}

#[test]
fn no_test_is_switched_off_sleeps_or_expects_a_panic() {
    // In two parts, or this file would find itself.
    let switched_off = [concat!("#[", "ignore"), concat!("should_", "panic"), concat!("cfg_attr(", "ignore")];
    let sleeps = [concat!("thread::", "sleep"), concat!("time::", "sleep"), concat!("sleep_", "until")];
    let mut found = Vec::new();
    for file in files().iter().filter(|file| file.is_rust()) {
        found.extend(file.hits(1, &switched_off));
        found.extend(file.hits(file.tests_from(), &sleeps));
    }
    assert_none(
        &found,
        "a test is ignored, sleeps or expects a panic: mend or delete it; wait for what it waits for (a channel, an \
         epoch, a paused clock); return an error and compare it",
    );
}

#[test]
fn nothing_names_a_machine() {
    let folders = ["home", "root", "Users", "work", "mnt", "opt", "srv"].map(|folder| format!("/{folder}/"));
    let mut found = Vec::new();
    for file in &files() {
        for (n, line) in file.text.lines().enumerate() {
            // A path of a machine begins a word; `sources/work/…` or a URL's path is none.
            let is_path = |folder: &String| {
                line.match_indices(folder.as_str())
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-*}>".contains(c)))
            };
            if folders.iter().any(is_path) || hosts(line).iter().any(|host| !is_public(host)) {
                found.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
            }
        }
    }
    assert_none(
        &found,
        "a path or a host of some machine: take it from the configuration or an argument, or use a relative path. A \
         public site that documents cite is added to `is_public`",
    );
}

/// The hosts of the URLs in a line.
fn hosts(line: &str) -> Vec<&str> {
    let rest = line.match_indices("://").map(|(at, mark)| &line[at + mark.len()..]);
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-');
    rest.map(|rest| rest.split(end).next().unwrap_or_default()).filter(|host| !host.is_empty()).collect()
}

fn is_public(host: &str) -> bool {
    let sites = ["github.com", "www.apache.org", "archive.ics.uci.edu", "doi.org", "creativecommons.org"];
    let own = ["127.0.0.1", "localhost", "0.0.0.0", "x", "shop"];
    sites.contains(&host)
        || own.contains(&host)
        || host.ends_with("example.org")
        || host.ends_with("example.com")
        || host.starts_with("192.0.2.")
}

#[test]
fn packages_come_from_the_public_registry() {
    let lock = toml("Cargo.lock");
    let packages = get(&lock, "package").and_then(DeValue::as_array).expect("cargo wrote it");
    let source = |package: &DeValue<'static>| get(package.as_table()?, "source")?.as_str().map(str::to_owned);
    let mut sources = packages.iter().filter_map(|package| source(package.get_ref())).collect::<BTreeSet<_>>();
    sources.remove("registry+https://github.com/rust-lang/crates.io-index");
    let others: Vec<_> = sources.into_iter().collect();
    assert_none(&others, "a package comes from elsewhere than crates.io: publish it there, or do without it");
}
