//! Given a file, an environment and flags, when they are put together, then this is what holds, or why nothing does.

use super::*;
use std::collections::BTreeMap;
use warehouse_export::table_store::Address;

fn loaded(file: &str, environment: &[(&str, &str)], flags: Flags) -> Result<Settings, String> {
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut settings = Settings::load(None, &[], Flags::default()).unwrap();
    settings.take_file("shop.toml", file).map_err(|error| error.to_string())?;
    settings.take_environment(&environment).map_err(|error| error.to_string())?;
    settings.take_flags(flags).map_err(|error| error.to_string())?;
    settings.check_pairs().map_err(|error| error.to_string())?;
    Ok(settings)
}

fn refused(file: &str, environment: &[(&str, &str)]) -> String {
    loaded(file, environment, Flags::default()).expect_err("this is refused")
}

#[test]
fn flags_stand_over_the_environment_over_the_file_over_defaults() {
    let file = "[engine]\nworkers = 3\nepochs_in_flight = 1_000\n\n[log]\ndata_dir = \"a\"\n";
    let environment = [("TRADEWIND_ENGINE_WORKERS", "4"), ("TRADEWIND_LOG_DATA_DIR", "b"), ("PATH", "x")];
    let settings = loaded(file, &environment, Flags { data: Some("c".into()), ..Flags::default() }).unwrap();
    let place = |name: &str| settings.get(name).1.to_string();
    assert_eq!(place("engine.epochs_in_flight"), "shop.toml:3");
    assert_eq!(place("engine.workers"), "environment TRADEWIND_ENGINE_WORKERS");
    assert_eq!(place("log.data_dir"), "--data");
    assert_eq!(place("log.partitions"), "default");
    let config = settings.config();
    assert_eq!((config.engine.workers, config.engine.limits.epochs_in_flight), (4, 1_000));
    assert_eq!(config.log.data_dir, PathBuf::from("c"));
}

#[test]
fn an_unknown_key_names_its_place_and_what_there_is() {
    assert_eq!(
        refused("[epochs]\nepoch_ms = 5\n", &[]),
        "shop.toml:2: no key is called epochs.epoch_ms; there are in [epochs] epoch_ms_min, epoch_ms_max, records_max, \
         bytes_max, acknowledge_ms_max, retry_ms_min, retry_ms_max"
    );
    let sections = "there are the sections log, kafka, epochs, checkpoints, dead_letters, outputs, search, export, engine, serving, auth, admin, limits, telemetry";
    assert_eq!(refused("\n[epoch]\n", &[]), format!("shop.toml:2: no key is called epoch; {sections}"));
    assert_eq!(refused("workers = 2", &[]), format!("shop.toml:1: no key is called workers; {sections}"));
    assert_eq!(
        refused("", &[("TRADEWIND_EPOCH_MS", "5")]),
        format!("environment TRADEWIND_EPOCH_MS: no key is called epoch.ms; {sections}")
    );
}

#[test]
fn a_bad_value_names_its_place_and_what_is_allowed() {
    let allowed = "allowed is a whole number from 1 to 1024";
    for value in ["0", "1025", "-1", "\"8\"", "true"] {
        let told = refused(&format!("[log]\npartitions = {value}"), &[]);
        assert_eq!(told, format!("shop.toml:2: log.partitions cannot be {value}; {allowed}"));
    }
    let told = refused("[log]\npartitions = 8.0", &[]);
    assert_eq!(told, format!("shop.toml:2: log.partitions cannot be a value of the type float; {allowed}"));
    assert_eq!(
        refused("", &[("TRADEWIND_TELEMETRY_LOG_LEVEL", "loud")]),
        "environment TRADEWIND_TELEMETRY_LOG_LEVEL: telemetry.log_level cannot be loud; allowed is one of info, error, \
         warn, debug, trace"
    );
    assert!(refused("[log\n", &[]).starts_with("shop.toml:1: "));
    assert_eq!(
        refused("[epochs]\nepoch_ms_min = 2000", &[]),
        "shop.toml:2: epochs.epoch_ms_min cannot be 2000; allowed is epochs.epoch_ms_min (2000) at most \
         epochs.epoch_ms_max (1000)"
    );
}

#[test]
fn what_others_set_in_the_environment_is_left_alone() {
    let others = [
        ("TRADEWIND_PORT", "tcp://192.0.2.1:8080"),
        ("TRADEWIND_SERVICE_HOST", "192.0.2.1"),
        ("TRADEWIND_SERVICE_PORT", "8080"),
        ("TRADEWIND_SERVICE_PORT_HTTP", "8080"),
        ("TRADEWIND_PORT_8080_TCP", "tcp://192.0.2.1:8080"),
        ("TRADEWIND_PORT_8080_TCP_PROTO", "tcp"),
        ("TRADEWIND_PORT_8080_TCP_PORT", "8080"),
        ("TRADEWIND_PORT_8080_TCP_ADDR", "192.0.2.1"),
        ("TRADEWIND_PORT_53_UDP", "udp://192.0.2.1:53"),
        ("TRADEWIND_KAFKA_PORT", "tcp://192.0.2.2:9092"),
        ("TRADEWIND_KAFKA_SERVICE_HOST", "192.0.2.2"),
        ("TRADEWIND_KAFKA_SERVICE_PORT", "9092"),
        ("TRADEWIND_KAFKA_PORT_9092_TCP_ADDR", "192.0.2.2"),
        ("TRADEWIND_TEST_DATA", "somewhere"),
    ];
    let defaults = Settings::load(None, &[], Flags::default()).unwrap();
    assert_eq!(loaded("", &others, Flags::default()), Ok(defaults));
    // A name that only looks alike is a mistake, and reported as one.
    for mistake in
        ["TRADEWIND_KAFKA_PORTS", "TRADEWIND_KAFKA_PORT_TCP", "TRADEWIND_SERVING_PORT_X", "TRADEWIND_SERVICE"]
    {
        assert!(refused("", &[(mistake, "8080")]).starts_with(&format!("environment {mistake}: ")), "{mistake}");
    }
}

#[test]
fn tables_are_where_a_url_says_that_this_build_can_reach() {
    let address = |url: &str| {
        let set = loaded("", &[("TRADEWIND_EXPORT_URL", url), ("AWS_REGION", "x")], Flags::default());
        set.map(|set| set.config().export)
    };
    let export = address("file:///x/tables").unwrap();
    assert_eq!(export.address, Some(Address::Folder("/x/tables".into())));
    assert_eq!(export.clouds, [("AWS_REGION".to_owned(), "x".to_owned())]);
    assert_eq!(address("").unwrap().address, None);
    for url in ["ftp://x/y", "file://x/y", "/x/tables", "file:///a%20b", "file:///a b", "s3:///y", "az://"] {
        let told = refused("", &[("TRADEWIND_EXPORT_URL", url)]);
        let begin = format!("environment TRADEWIND_EXPORT_URL: export.url cannot be {url}; allowed is file:///FOLDER");
        assert!(told.starts_with(&begin), "{told}");
    }
    for url in ["s3://x", "s3://x/a/b", "az://x/a", "abfss://x@a.dfs.core.windows.net/a", "gs://x"] {
        let objects = address(url).map(|export| export.address);
        if cfg!(feature = "export-cloud") {
            assert_eq!(objects, Ok(Some(Address::Objects(url.to_owned()))));
        } else {
            let told = objects.unwrap_err();
            assert!(told.ends_with("s3:// and gs:// need a build with the feature export-cloud"), "{told}");
        }
    }
}

#[test]
fn an_address_beyond_loopback_needs_leave() {
    let config = |listen: &str| {
        let flags = Flags { listen: Some(listen.parse().unwrap()), ..Flags::default() };
        loaded("", &[], flags).unwrap().config()
    };
    for listen in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(config(listen).refuse_open_listen(false).is_ok(), "{listen}");
    }
    for listen in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
        let refused = config(listen).refuse_open_listen(false).expect_err("it is open");
        assert!(refused.to_string().contains("--insecure"), "{listen}");
        assert!(config(listen).refuse_open_listen(true).is_ok(), "{listen}");
    }
}

#[test]
fn every_key_is_whole_and_counts() {
    let defaults = Settings::load(None, &[], Flags::default()).unwrap();
    assert_eq!(defaults.config().engine.limits, dataflows::engine::EngineConfig::default());
    let names: BTreeMap<_, _> = KEYS.iter().map(|key| (key.name, key.variable())).collect();
    assert_eq!(names.len(), KEYS.len());
    for key in KEYS {
        assert!(!key.doc.is_empty() && !key.section().is_empty(), "{}", key.name);
        // Any other value that is allowed makes another configuration, so the key is read.
        let numbers = ["1", "2", "30", "1073741824", "1048576", "1024", "999"];
        let texts = ["127.0.0.1:1", "json", "trace", "ssl", "PLAIN", "all", "none", "file:///x"];
        let others = ["https://shop.example.com", "192.0.2.0/24", "true"];
        let mut candidates = numbers.iter().chain(&texts).chain(&others);
        let changed = candidates.any(|value| {
            let set = loaded("", &[(&key.variable(), value)], Flags::default());
            set.is_ok_and(|set| set.config() != defaults.config())
        });
        assert!(changed, "{}", key.name);
    }
}
