//! What `/metrics` of a real node prints, by the rules of `promtool check metrics` and of the text format itself.

use super::{TestEnv, shop};
use std::collections::{BTreeMap, BTreeSet};

/// Units that a metric may be in, and others that stand for one of them.
const UNITS: [(&str, &[&str]); 4] = [
    ("seconds", &["second", "minutes", "hours", "days", "weeks"]),
    ("bytes", &["byte", "bits", "bit"]),
    ("meters", &["metres", "inches", "yards", "miles"]),
    ("grams", &["pounds", "ounces"]),
];
const PREFIXES: [&str; 10] = ["pico", "nano", "micro", "milli", "centi", "kilo", "kibi", "mega", "mibi", "giga"];
const ABBREVIATIONS: [&str; 14] = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];
const KINDS: [&str; 4] = ["counter", "gauge", "histogram", "summary"];

/// A metric with its samples: name, labels, value.
#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads the text; every sample must belong to the family that was begun last.
fn families(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let (mut families, mut current) = (BTreeMap::<String, Family>::new(), String::new());
    assert!(text.ends_with('\n'), "the last line has an end");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or(format!("{line}: no help"))?;
            let family = Family { help: help.to_owned(), ..Family::default() };
            if families.insert(name.to_owned(), family).is_some() {
                return Err(format!("{name} is begun twice"));
            }
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or(format!("{line}: no type"))?;
            let family = families.get_mut(name).filter(|family| family.kind.is_empty() && name == current);
            family.ok_or(format!("{line}: not once behind its help"))?.kind = kind.to_owned();
        } else {
            let (name, labels, value) = sample(line).ok_or(format!("{line}: no sample"))?;
            let family = families.get_mut(&current).ok_or(format!("{line}: of no family"))?;
            let rest = name.strip_prefix(&current).ok_or(format!("{line}: not of {current}"))?;
            let parts = if family.kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""][..] };
            if !parts.contains(&rest) {
                return Err(format!("{line}: no part of a {}", family.kind));
            }
            family.samples.push((rest.to_owned(), labels, value));
        }
    }
    Ok(families)
}

fn sample(line: &str) -> Option<(&str, BTreeMap<String, String>, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some((series, BTreeMap::new(), value.parse().ok()?));
    };
    let mut read = BTreeMap::new();
    for label in labels.strip_suffix("\"}")?.split("\",") {
        let (name, value) = label.split_once("=\"")?;
        if read.insert(name.to_owned(), value.to_owned()).is_some() {
            return None;
        }
    }
    Some((name, read, value.parse().ok()?))
}

/// What is wrong with a name, a type or a text.
fn lint(name: &str, family: &Family) -> Vec<String> {
    let Family { help, kind, samples } = family;
    let mut found = Vec::new();
    let mut check = |is_good: bool, why: &str| {
        if !is_good {
            found.push(format!("{name}: {why}"));
        }
    };
    let is_snake = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let parts: Vec<&str> = name.split('_').collect();
    check(!help.trim().is_empty(), "no help text");
    check(KINDS.contains(&kind.as_str()), "no type that there is");
    check(!samples.is_empty() || kind == "counter" || kind == "histogram", "no samples");
    check(is_snake(name) && !name.starts_with(|c: char| c.is_ascii_digit()), "not in snake_case");
    check(kind != "counter" || name.ends_with("_total"), "counter metrics should have \"_total\" suffix");
    check(kind == "counter" || !name.ends_with("_total"), "non-counter metrics should not have \"_total\" suffix");
    for suffix in ["_bucket", "_count", "_sum", "_created"] {
        check(!name.ends_with(suffix), "a suffix that is kept for parts of histograms and summaries");
    }
    check(!parts.iter().any(|part| KINDS.contains(part)), "the name should not include the type");
    check(!parts.iter().any(|part| ABBREVIATIONS.contains(part)), "the name should not have abbreviated units");
    let is_scaled = |part: &&str| {
        let of = |unit: &str| PREFIXES.iter().any(|prefix| **part == format!("{prefix}{unit}"));
        UNITS.iter().any(|(base, others)| others.contains(part) || of(base) || others.iter().any(|other| of(other)))
    };
    check(!parts.iter().any(is_scaled), "not in a base unit");
    let mut series = BTreeSet::new();
    for (part, labels, _) in samples {
        check(series.insert((part, labels)), "a series comes twice");
        check(labels.keys().all(|label| is_snake(label)), "labels should be in snake_case");
        check(labels.contains_key("le") == (part == "_bucket"), "\"le\" belongs to buckets of histograms, and to all");
        check(!labels.contains_key("quantile"), "\"quantile\" belongs to summaries");
        let are_plain = labels.values().all(|value| !value.contains(['"', '\\', '\n']));
        check(are_plain, "a label has a character that must be escaped");
    }
    found
}

/// The buckets of each series only grow, and the last one is the count.
fn assert_histogram(name: &str, family: &Family) {
    let without_le = |labels: &BTreeMap<String, String>| {
        let mut labels = labels.clone();
        labels.remove("le");
        labels
    };
    let of = |wanted: &'static str| family.samples.iter().filter(move |(part, _, _)| part == wanted);
    for (_, labels, count) in of("_count") {
        let buckets = of("_bucket").filter(|(_, bucket, _)| without_le(bucket) == *labels);
        let ends: Vec<(f64, f64)> =
            buckets.map(|(_, bucket, below)| (bucket["le"].parse().expect("a bound"), *below)).collect();
        assert!(ends.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name} {labels:?}: {ends:?}");
        assert_eq!(ends.last(), Some(&(f64::INFINITY, *count)), "{name} {labels:?}");
        assert_eq!(of("_sum").filter(|(_, sum, _)| sum == labels).count(), 1, "{name} {labels:?}");
    }
}

#[test]
fn metrics_are_as_promtool_wants_them() {
    let env = TestEnv::start();
    shop::stock(&env, "A", "reserve", 5);
    env.post("/api/v1/orders", "o1", &shop::order("A", 1)).expect(201);
    env.post("/api/v1/orders", "o2", &shop::order("A", 9)).expect(409);
    env.call("POST", "/api/v1/checkpoints", &[], "");
    env.get("/api/v1/search?q=anything").ok();
    let answer = env.get("/metrics").ok();
    let text = answer.text();
    let families = families(text).unwrap_or_else(|why| panic!("{why} in\n{text}"));
    let found: Vec<String> = families.iter().flat_map(|(name, family)| lint(name, family)).collect();
    assert!(found.is_empty(), "{found:#?}");
    for (name, family) in families.iter().filter(|(_, family)| family.kind == "histogram") {
        assert_histogram(name, family);
    }
    let kind = |name: &str| families.get(name).map(|family| family.kind.as_str());
    for (name, expected) in [
        ("tradewind_build_info", "gauge"),
        ("tradewind_uptime_seconds", "gauge"),
        ("tradewind_commands_total", "counter"),
        ("tradewind_http_requests_total", "counter"),
        ("tradewind_http_request_seconds", "histogram"),
        ("tradewind_checkpoint_age_seconds", "gauge"),
        ("process_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_start_time_seconds", "gauge"),
    ] {
        assert_eq!(kind(name), Some(expected), "{name}");
    }
}

#[test]
fn the_rules_find_what_is_wrong() {
    let found = |text: &str| -> Vec<String> {
        let families = families(text).unwrap_or_else(|why| panic!("{why}"));
        families.iter().flat_map(|(name, family)| lint(name, family)).collect()
    };
    let one = |name: &str, kind: &str| format!("# HELP {name} words\n# TYPE {name} {kind}\n{name} 1\n");
    assert_eq!(found(&one("tradewind_open_connections", "gauge")), Vec::<String>::new());
    for (name, kind) in [
        ("tradewind_uptime_seconds", "counter"),
        ("tradewind_rows_total", "gauge"),
        ("tradewind_wait_ms", "gauge"),
        ("tradewind_wait_milliseconds", "gauge"),
        ("tradewind_rows_gauge", "gauge"),
        ("tradewind_rows_count", "gauge"),
        ("tradewind_openRows", "gauge"),
    ] {
        assert_eq!(found(&one(name, kind)).len(), 1, "{name}: {:?}", found(&one(name, kind)));
    }
    assert!(families("# HELP a b\n# TYPE a gauge\na 1\nb 2\n").is_err(), "b was not begun");
    assert!(families(&one("a", "gauge").repeat(2)).is_err(), "a is begun twice");
}
