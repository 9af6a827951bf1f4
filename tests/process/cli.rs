//! The command line: what it prints, and the codes that it ends with.

use super::{Api, Program, TestEnv, Way, shop};
use ingest::testing::free_port;
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn a_usage_error_is_2_and_says_how_it_is_done() {
    for arguments in [
        &["fly"][..],
        &[],
        &["up", "--workers", "0"],
        &["up", "--workers", "many"],
        &["import"],
        &["up", "--listen", "here"],
    ] {
        let ended = Program::run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
        let helps = ["Usage: tradewind", "--help", "allowed is an IP address or a name"];
        assert!(helps.iter().any(|help| ended.stderr.contains(help)), "{}", ended.stderr);
    }
}

#[test]
fn version_and_help_say_what_there_is_and_nothing_that_is_not() {
    let ended = Program::run(&["version"]);
    assert_eq!((ended.code, ended.stdout), (Some(0), format!("tradewind {}\n", env!("CARGO_PKG_VERSION"))));
    let help = Program::run(&["--help"]);
    assert_eq!(help.code, Some(0));
    let commands: Vec<&str> = help
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .collect();
    let later = ["doctor", "dataflow", "serve"];
    for command in ["up", "import", "status", "config", "version", "bench"] {
        assert!(commands.contains(&command), "{command}: {}", help.stdout);
    }
    for command in commands {
        assert!(!later.contains(&command), "{command} does not work yet");
        let help = if command == "help" { Program::run(&["help"]) } else { Program::run(&[command, "--help"]) };
        assert_eq!(help.code, Some(0), "{command}");
    }
}

#[test]
fn config_show_has_every_key_with_where_it_comes_from() {
    let folder = TempDir::new().expect("there is room for a folder");
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, "[engine]\nworkers = 3\n").expect("the folder is ours");
    let file = file.display().to_string();
    let variables = [("TRADEWIND_EPOCHS_EPOCH_MS_MIN", "7".to_owned())];
    let arguments = ["config", "show", "--json", "--config", &file, "--data", "here"];
    let ended = Program::start(&arguments, &variables).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let keys: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
    let shown = |name: &str| {
        let key = keys.iter().find(|key| key["key"] == name).unwrap_or_else(|| panic!("{name} is a key"));
        (key["value"].to_string(), key["unit"].as_str().expect("text"), key["from"].as_str().expect("text"))
    };
    assert_eq!(shown("engine.workers"), ("3".to_owned(), "workers", format!("{file}:2").as_str()));
    assert_eq!(shown("log.data_dir"), ("\"here\"".to_owned(), "folder", "--data"));
    let from = "environment TRADEWIND_EPOCHS_EPOCH_MS_MIN";
    assert_eq!(shown("epochs.epoch_ms_min"), ("7".to_owned(), "ms", from));
    assert_eq!(shown("serving.listen"), ("\"127.0.0.1:8080\"".to_owned(), "address", "default"));
    // What is shown to people is a file that gives the same configuration.
    let ended = Program::run(&["config", "show"]);
    std::fs::write(folder.path().join("shown.toml"), &ended.stdout).expect("the folder is ours");
    let again = folder.path().join("shown.toml").display().to_string();
    assert_eq!(Program::run(&["config", "show", "--config", &again]).code, Some(0));
}

#[test]
fn a_bad_configuration_stops_the_start_and_names_the_place() {
    let folder = TempDir::new().expect("there is room for a folder");
    let data = folder.path().join("data").display().to_string();
    let file = folder.path().join("shop.toml");
    let cases = [
        ("\n[engine]\nworker = 2\n", ":3: ", "engine.worker", "workers"),
        ("[log]\npartitions = 0\n", ":2: ", "log.partitions", "a whole number from 1 to 1024"),
        ("[log]\n\npartitions = \"8\"\n", ":3: ", "log.partitions", "a whole number from 1 to 1024"),
        ("[shop]\n", ":1: ", "shop", "sections"),
    ];
    for (text, line, key, allowed) in cases {
        std::fs::write(&file, text).expect("the folder is ours");
        let file = file.display().to_string();
        let ended = Program::run(&["up", "--data", &data, "--listen", "127.0.0.1:0", "--config", &file]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{text}: {}", ended.stderr);
        for part in [&format!("{file}{line}"), key, allowed] {
            assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
        }
    }
    let variables = [("TRADEWIND_SERVING_WAIT_S", "soon".to_owned())];
    let ended = Program::start(&["config", "show"], &variables).end();
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("TRADEWIND_SERVING_WAIT_S") && ended.stderr.contains("from 0 to 30"), "{ended:?}");
    assert!(!folder.path().join("data").exists(), "nothing was made");
}

#[test]
fn an_address_beyond_loopback_is_refused_unless_asked_for() {
    let folder = TempDir::new().expect("there is room for a folder");
    let data = folder.path().join("data").display().to_string();
    let ended = Program::run(&["up", "--data", &data, "--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("--insecure") && ended.stderr.contains("0.0.0.0:0"), "{}", ended.stderr);
    let mut open = Program::start(&["up", "--data", &data, "--listen", "0.0.0.0:0", "--insecure"], &[]);
    assert!(open.said("ready at http://0.0.0.0:").is_some(), "{}", open.stderr());
    open.signal("INT");
    assert_eq!(open.end().code, Some(0));
}

#[test]
fn a_folder_belongs_to_one_process_and_an_address_too() {
    let env = TestEnv::start();
    let data = env.data().display().to_string();
    let ended = Program::run(&["up", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("in use by another process") && ended.stderr.contains(&data), "{}", ended.stderr);
    let folder = TempDir::new().expect("there is room for a folder");
    let other = folder.path().display().to_string();
    let listen = env.base().trim_start_matches("http://");
    let ended = Program::run(&["up", "--data", &other, "--listen", listen]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("{listen} is taken: a node answers there")), "{}", ended.stderr);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = silent.local_addr().expect("it listens").to_string();
    let ended = Program::run(&["up", "--data", &other, "--listen", &taken]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("{taken} is taken: another program has it")), "{}", ended.stderr);
    env.assert_sound();
}

#[test]
fn an_address_may_be_a_name() {
    let folder = TempDir::new().expect("there is room for a folder");
    let data = folder.path().join("data").display().to_string();
    let arguments = ["up", "--data", &data, "--listen", "localhost:0", "--kafka-listen", "localhost:0"];
    let mut node = Program::start(&arguments, &[]);
    assert!(node.said("ready at http://127.0.0.1:").is_some(), "{}", node.stderr());
    assert!(node.said("\"kafka\":\"127.0.0.1:").is_some(), "{}", node.stderr());
    node.signal("INT");
    assert_eq!(node.end().code, Some(0));
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let folder = TempDir::new().expect("there is room for a folder");
    let data = folder.path().join("data").display().to_string();
    let listen = format!("127.0.0.1:{}", free_port().expect("a port is free"));
    let line = "exec \"$0\" \"$@\" 2>/dev/full";
    let mut node = Program::start_from_shell(line, &["up", "--data", &data, "--listen", &listen], &[]);
    let api = Api::new(&format!("http://{listen}"));
    api.get_first("/health/live").ok();
    api.get_with("/api/v1/epochs/latest", &[("tradewind-min-epoch", "1"), ("prefer", "wait=30")]).ok();
    shop::stock(&api, "A", "reserve", 1);
    node.signal("TERM");
    assert_eq!(node.end().code, Some(0));
}

#[test]
fn partitions_are_fixed_when_the_folder_is_made() {
    let mut env = TestEnv::start();
    env.stop();
    let data = env.data().display().to_string();
    let variables = [("TRADEWIND_LOG_PARTITIONS", "3".to_owned())];
    let ended = Program::start(&["up", "--data", &data, "--listen", "127.0.0.1:0"], &variables).end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("fixed at creation"), "{}", ended.stderr);
    env.restart(&Way::default());
}

#[test]
fn status_shows_a_node_or_says_that_there_is_none() {
    let mut env = TestEnv::start();
    shop::stock(&env, "A", "reserve", 5);
    let to = env.base().to_owned();
    let shown = Program::run(&["status", "--to", &to]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.starts_with("READY") && shown.stdout.contains("epoch"), "{}", shown.stdout);
    assert!(shown.stdout.lines().count() <= 24, "it is one screen: {}", shown.stdout);
    let shown = Program::run(&["status", "--json", "--to", &to]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let _: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    // Without a node its folder says the same.
    let (epoch, data) = (env.get("/api/v1/epochs/latest").ok().epoch(), env.data().to_str().unwrap().to_owned());
    let busy = Program::run(&["status", "--data", &data]);
    assert!(busy.code == Some(1) && busy.stderr.contains("is in use by another process"), "{}", busy.stderr);
    env.stop();
    let shown = Program::run(&["status", "--json", "--data", &data]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let status = serde_json::from_str::<Value>(&shown.stdout).expect("JSON")["status"].take();
    assert!(status["epoch"].as_u64() >= Some(epoch), "{status}");
    assert_eq!((&status["lag_records"], &status["dead_letters_open"]), (&json!(0), &json!(0)), "{status}");
    assert_eq!(status["outputs_epoch"].as_u64().is_some(), status["export_epoch"].as_u64().is_some(), "{status}");
    let nowhere = Program::run(&["status", "--data", &format!("{data}/nowhere")]);
    assert!(nowhere.code == Some(1) && nowhere.stderr.contains("is no folder of a node"), "{}", nowhere.stderr);
    for arguments in [&["status", "--to", &to][..], &["status", "--json", "--to", &to]] {
        let ended = Program::run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("no node answers at {to}")), "{}", ended.stderr);
    }
}

#[test]
fn an_import_of_what_is_not_there_fails() {
    let ended = Program::run(&["import", "online-retail", "nowhere.parquet"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("nowhere.parquet"), "{}", ended.stderr);
    // Whether a node is there is seen before the file is read.
    let nobody = format!("http://127.0.0.1:{}", free_port().expect("a port is free"));
    for what in ["online-retail", "catalog"] {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let ended = Program::run(&["import", what, file, "--to", &nobody]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("no node answers at") && ended.stderr.contains("--to"), "{}", ended.stderr);
    }
}
