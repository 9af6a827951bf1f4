//! `tradewind status`: one screen about a running node, or about the folder of one.

mod folder;
mod screen;

use crate::arguments::PlaceFlags;
use crate::client::{Answer, Client};
use crate::config::Config;
use crate::output;
use crate::place::Place;
use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

/// The width of names.
const NAME_WIDTH: usize = 26;

/// Asks the node or looks into the folder, and prints what is there.
pub fn run(at: PlaceFlags) -> Result<()> {
    let (place, as_json) = at.place()?;
    show(&place, as_json)
}

fn show(place: &Place, as_json: bool) -> Result<()> {
    match place {
        Place::Node(client) => of_node(client, as_json),
        Place::Folder(config, _) => of_folder(config, as_json),
    }
}

fn of_node(client: &Client, as_json: bool) -> Result<()> {
    let ready = client.get("/health/ready")?;
    ensure!(matches!(ready.status, 200 | 503), "{} is no node of tradewind: {}", client.base(), ready.problem());
    let ready = ready.json()?;
    let status = known(&client.get("/api/v1/status")?);
    let latest = known(&client.get("/api/v1/epochs/latest")?);
    if as_json {
        let all = json!({"node": client.base(), "ready": ready, "status": status, "latest": latest});
        return output::print(&(serde_json::to_string_pretty(&all)? + "\n"));
    }
    output::print(&screen::screen(client.base(), &ready, &status, &latest))
}

/// The body of an answer; nothing if the node does not have it, or not yet.
fn known(answer: &Answer) -> Value {
    if answer.status == 200 { answer.json().unwrap_or_default() } else { Value::Null }
}

fn of_folder(config: &Config, as_json: bool) -> Result<()> {
    let (folder, status) = (config.log.data_dir.display().to_string(), serde_json::to_value(folder::look(config)?)?);
    if as_json {
        let all = json!({"folder": folder, "status": status});
        return output::print(&(serde_json::to_string_pretty(&all)? + "\n"));
    }
    let mut lines = vec![("folder".to_owned(), folder)];
    fields(&status).for_each(|(name, value)| flatten(name, value, &mut lines));
    output::print(&text(&lines))
}

fn text(lines: &[(String, String)]) -> String {
    lines.iter().map(|(name, value)| format!("{name:<NAME_WIDTH$} {value}\n")).collect()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// A line for each value; a deeper one has a longer name.
fn flatten(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => lines.push((name.to_owned(), if *value { "yes" } else { "no" }.to_owned())),
        Value::Number(number) => lines.push((name.to_owned(), measured(name, number))),
        Value::String(text) => lines.push((name.to_owned(), text.clone())),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                flatten(&format!("{name} {n}"), item, lines);
            }
        }
        Value::Object(_) => {
            for (inner, value) in fields(value) {
                flatten(format!("{name} {inner}").trim_start(), value, lines);
            }
        }
    }
}

/// A number for people: bytes as MiB and the like, others with commas.
fn measured(name: &str, number: &serde_json::Number) -> String {
    let float = number.as_f64().unwrap_or_default();
    let whole = number.as_u64().or_else(|| (float.fract() == 0.0 && float >= 0.0).then_some(float as u64));
    let Some(count) = whole else { return format!("{float:.1}") };
    if !name.ends_with("bytes") {
        return with_commas(count);
    }
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.iter().find(|(_, shift)| count >> shift > 0);
    unit.map_or(format!("{count} B"), |(unit, shift)| format!("{:.1} {unit}", count as f64 / f64::from(1 << shift)))
}

fn with_commas(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_node_it_says_where_it_looked() {
        // Nothing can listen on port 0.
        let place = Place::Node(Client::new("http://127.0.0.1:0").unwrap());
        let error = show(&place, false).expect_err("nobody answers");
        assert!(error.to_string().starts_with("no node answers at http://127.0.0.1:0: "), "{error}");
    }
}
