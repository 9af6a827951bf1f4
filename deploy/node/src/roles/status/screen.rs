//! One screen about a node, at most 24 lines of 80 columns: a verdict, what needs a look and what to do about it, then
//! figures. What it leaves out is in `--json`.

use super::{measured, with_commas};
use serde_json::{Map, Value};

/// The lines and columns that a terminal has at least.
const LINES_MAX: usize = 24;
const COLUMNS_MAX: usize = 80;
/// The width of the names of figures.
const NAME_WIDTH: usize = 13;
/// The number of things that need a look and are shown.
const TOLD_MAX: usize = 7;
/// The lag that is shown as a thing that needs a look.
const LATE_RECORDS: f64 = 10_000.0;
const LATE_EPOCHS: f64 = 600.0;
const LATE_EXPORT_S: f64 = 3_600.0;
const LATE_CLOCK_S: f64 = 5.0;

/// The screen of the node at `base`, from what it answered; null for what it did not.
pub fn screen(base: &str, ready: &Value, status: &Value, latest: &Value) -> String {
    let is_ready = ready["ready"] == Value::Bool(true);
    let needs = if is_ready { needs(status) } else { Vec::new() };
    let verdict = match (is_ready, needs.len()) {
        (true, 0) => "READY: all is in order".to_owned(),
        (true, 1) => "READY, but something needs a look:".to_owned(),
        (true, count) => format!("READY, but {count} things need a look:"),
        (false, _) => format!("NOT READY: {}", ready["why"].as_str().unwrap_or("the node does not say why")),
    };
    let mut lines = vec![verdict];
    lines.extend(needs.iter().take(TOLD_MAX).map(|need| format!("! {need}")));
    if needs.len() > TOLD_MAX {
        lines.push(format!("! and {} more", needs.len() - TOLD_MAX));
    }
    if !is_ready {
        lines.push(format!("  {}", what_to_do(ready["why"].as_str().unwrap_or_default())));
    }
    let figures = figures(base, ready, status, latest);
    lines.extend(figures.into_iter().map(|(name, value)| format!("{name:<NAME_WIDTH$} {value}")));
    lines.truncate(LINES_MAX);
    lines.into_iter().map(|line| cut(&line) + "\n").collect()
}

/// The operator's remedy for a node that is not ready, by how its reason begins.
fn what_to_do(why: &str) -> &'static str {
    match why.split(':').next() {
        Some("starting") => "It takes in what the log holds and becomes ready by itself.",
        Some("log") => "See that the disk has room, or that the brokers answer; it tries by itself.",
        Some("stalled") => "See that the disk has room, or that the brokers answer; nothing is lost.",
        Some(_) | None => "Its log on standard error says more.",
    }
}

/// The things that need a look although the node is ready, each with what to do.
fn needs(status: &Value) -> Vec<String> {
    let gauge = |name: &str| status["gauges"][name].as_f64().unwrap_or_default();
    let count = |value: f64| with_commas(value as u64);
    let mut needs: Vec<String> = fields(&status["stalled"])
        .map(|(sink, why)| format!("{} stand still: {}", sink.replace('_', " "), why.as_str().unwrap_or_default()))
        .collect();
    let open = gauge("dead_letters_open");
    if open > 0.0 {
        needs.push(format!("{} records could not be read; `tradewind dlq list` shows them", count(open)));
    }
    let lag = status["lag_records"].as_f64().unwrap_or_default();
    if lag > LATE_RECORDS {
        needs.push(format!("{} records wait to be decided; publishers are faster than the node", count(lag)));
    }
    let outputs = gauge("outputs_lag_epochs");
    if outputs > LATE_EPOCHS {
        needs.push(format!("outputs are {} epochs late; see the disk or the brokers", count(outputs)));
    }
    let search = status["epoch"].as_f64().unwrap_or_default() - gauge("search_epoch");
    if status["gauges"]["search_epoch"].is_number() && search > LATE_EPOCHS {
        needs.push(format!("search is {} epochs late", count(search)));
    }
    let export = gauge("export_age_seconds");
    if export > LATE_EXPORT_S {
        needs.push(format!("the tables are {} late; the node's log says why", duration(export)));
    }
    let clock = gauge("clock_behind_seconds");
    if clock > LATE_CLOCK_S {
        needs.push(format!("the clock is {} behind the log; set it", duration(clock)));
    }
    needs
}

type Figures = Vec<(&'static str, String)>;

fn figures(base: &str, ready: &Value, status: &Value, latest: &Value) -> Figures {
    let gauge = |name: &str| status["gauges"][name].as_f64();
    let count = |value: &Value| with_commas(value.as_u64().unwrap_or_default());
    let bytes = |value: &Value| match value {
        Value::Number(number) => measured("bytes", number),
        _ => "0 B".to_owned(),
    };
    let mut figures: Figures = vec![("node", base.to_owned())];
    if status.is_null() {
        figures.push(("epoch", count(&ready["epoch"])));
        return figures;
    }
    let up = status["uptime_s"].as_f64().unwrap_or_default();
    figures.push(("up for", duration(up)));
    let now = status["now"].as_str().map(|now| format!(", of {now}")).unwrap_or_default();
    figures.push(("epoch", format!("{}{now}; kept from {}", count(&status["epoch"]), count(&status["epoch_floor"]))));
    if status["replay"]["replaying"] == Value::Bool(true) {
        let left = status["replay"]["seconds_left"].as_f64().map(|left| format!(", {} left", duration(left)));
        let to = count(&status["replay"]["to_epoch"]);
        figures.push(("replay", format!("{} of {to}{}", count(&status["replay"]["epoch"]), left.unwrap_or_default())));
    }
    let rates = &status["rates"];
    figures.push((
        "rates",
        format!("{} commands/s, {} epochs/s", count(&rates["commands_per_s"]), count(&rates["epochs_per_s"])),
    ));
    figures.push((
        "waiting",
        format!(
            "{} commands in flight, {} requests, {} records",
            count(&status["commands_in_flight"]),
            count(&status["waiting_requests"]),
            count(&status["lag_records"])
        ),
    ));
    let kafka = status["kafka"].as_str().map(|kafka| format!("; Kafka clients at {kafka}")).unwrap_or_default();
    figures.push(("log", bytes(&status["log_bytes"]) + &kafka));
    if let Some(epoch) = gauge("checkpoint_epoch") {
        let age = duration(gauge("checkpoint_age_seconds").unwrap_or_default());
        figures.push(("checkpoint", format!("epoch {}, {age} ago", with_commas(epoch as u64))));
    }
    if let Some(lag) = gauge("outputs_lag_epochs") {
        let held = status["outputs_floor"]["held_by"].as_str().map(|by| format!("; kept by {by}")).unwrap_or_default();
        let size = bytes(&status["gauges"]["outputs_bytes"]);
        figures.push(("outputs", format!("{size}, {} epochs late{held}", with_commas(lag as u64))));
    }
    if let Some(epoch) = gauge("export_epoch") {
        let [files, small] =
            ["export_files", "export_small_files"].map(|name| with_commas(gauge(name).unwrap_or_default() as u64));
        let [size, replaced] = ["export_bytes", "export_replaced_bytes"].map(|name| bytes(&status["gauges"][name]));
        let epoch = with_commas(epoch as u64);
        figures.push(("tables", format!("epoch {epoch}, {files} files ({small} small), {size}; {replaced} to delete")));
    }
    if let Some(epoch) = gauge("search_epoch") {
        let products = with_commas(gauge("search_products").unwrap_or_default() as u64);
        figures.push(("search", format!("epoch {}, {products} products", with_commas(epoch as u64))));
    }
    let rows = fields(&latest["views"]).map(|(view, of)| format!("{view} {}", count(&of["rows"])));
    for (n, line) in wrapped(rows, COLUMNS_MAX - NAME_WIDTH - 1).into_iter().enumerate() {
        figures.push((if n == 0 { "rows" } else { "" }, line));
    }
    if let Some(digest) = latest["digest"].as_str() {
        figures.push(("digest", digest.to_owned()));
    }
    figures
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// Words in lines that are no wider than that, with commas between them.
fn wrapped(words: impl Iterator<Item = String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() + 3 <= width => *line += &format!(", {word}"),
            Some(line) => {
                line.push(',');
                lines.push(word);
            }
            None => lines.push(word),
        }
    }
    lines
}

/// Seconds in the two largest units that fit.
fn duration(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A line that is no wider than a terminal.
fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS_MAX {
        return line.trim_end().to_owned();
    }
    line.chars().take(COLUMNS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status() -> Value {
        json!({"epoch": 1_234_567, "epoch_floor": 1_234_000, "now": "2026-11-22T10:00:00Z", "lag_records": 0,
            "replay": {"replaying": false}, "rates": {"commands_per_s": 1_200, "epochs_per_s": 3},
            "commands_in_flight": 2, "waiting_requests": 0, "log_bytes": 5_242_880, "kafka": "127.0.0.1:9092",
            "uptime_s": 90_061, "stalled": {}, "outputs_floor": {"epoch": 3, "held_by": "outputs.retention_s"},
            "gauges": {"checkpoint_epoch": 1_234_500.0, "checkpoint_age_seconds": 61.0, "outputs_bytes": 2048.0,
                "outputs_lag_epochs": 1.0, "export_epoch": 1_234_560.0, "export_files": 70.0, "export_small_files": 3.0, "export_bytes": 2048.0,
                "export_age_seconds": 4.0, "search_epoch": 1_234_567.0, "search_products": 12.0}})
    }

    #[test]
    fn a_node_in_order_is_one_verdict_and_its_figures() {
        let views = json!({"orders": {"rows": 20725, "digest": "00"}, "products": {"rows": 12}});
        let latest = json!({"epoch": 1_234_567, "digest": "00ff", "views": views});
        let expected = "READY: all is in order\n\
            node          http://127.0.0.1:8080\n\
            up for        1 d 1 h\n\
            epoch         1,234,567, of 2026-11-22T10:00:00Z; kept from 1,234,000\n\
            rates         1,200 commands/s, 3 epochs/s\n\
            waiting       2 commands in flight, 0 requests, 0 records\n\
            log           5.0 MiB; Kafka clients at 127.0.0.1:9092\n\
            checkpoint    epoch 1,234,500, 1 min 1 s ago\n\
            outputs       2.0 KiB, 1 epochs late; kept by outputs.retention_s\n\
            tables        epoch 1,234,560, 70 files (3 small), 2.0 KiB; 0 B to delete\n\
            search        epoch 1,234,567, 12 products\n\
            rows          orders 20,725, products 12\n\
            digest        00ff\n";
        assert_eq!(screen("http://127.0.0.1:8080", &json!({"ready": true}), &status(), &latest), expected);
    }

    #[test]
    fn what_needs_a_look_is_told_with_what_to_do_on_one_screen() {
        let mut status = status();
        status["stalled"] = json!({"search_index": "no space left on device".repeat(9), "tables": "no space"});
        status["lag_records"] = json!(1_000_000);
        for (name, value) in [("dead_letters_open", 3.0), ("outputs_lag_epochs", 9_999.0), ("search_epoch", 1.0)] {
            status["gauges"][name] = json!(value);
        }
        for (name, value) in [("export_age_seconds", 90_000.0), ("clock_behind_seconds", 600.0)] {
            status["gauges"][name] = json!(value);
        }
        let views: Map<String, Value> =
            (0..60).map(|n| (format!("view_number_{n}"), json!({"rows": 1_000_000_000_u64}))).collect();
        let shown = screen("http://127.0.0.1:8080", &json!({"ready": true}), &status, &json!({"views": views}));
        assert!(shown.starts_with("READY, but 8 things need a look:\n! search index stand still: no space"), "{shown}");
        assert!(shown.contains("! 3 records could not be read; `tradewind dlq list` shows them\n"), "{shown}");
        assert!(shown.contains("! and 1 more\n"), "{shown}");
        assert_eq!(shown.lines().count(), LINES_MAX, "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= COLUMNS_MAX), "{shown}");
    }

    #[test]
    fn a_node_that_is_not_ready_says_why() {
        let ready = json!({"ready": false, "epoch": 3, "why": "starting: epoch 3 of 9"});
        let expected = "NOT READY: starting: epoch 3 of 9\n\
            \x20 It takes in what the log holds and becomes ready by itself.\n\
            node          http://x\n\
            epoch         3\n";
        assert_eq!(screen("http://x", &ready, &Value::Null, &Value::Null), expected);
    }
}
