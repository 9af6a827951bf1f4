//! `tradewind import catalog`: a file of products as commands, a product a row.
//!
//! ```text
//! file ──▶ rows ──▶ PutProduct ──▶ sender ──▶ POST /api/v1/commands
//! ```
//!
//! The columns are those of the Icecat electronics catalogue. A row's id is the product's id and its only SKU.

use crate::importers::parquet_file::{ParquetFile, TextId, Texts};
use crate::importers::report::{progress, report};
use crate::importers::sender::{HttpNode, Sender};
use anyhow::{Context, Result, ensure};
use dataflows::contract::money::{Amount, MoneyInput};
use dataflows::shop::bounds;
use dataflows::shop::catalogue::{InventoryPolicy, PutProduct, PutVariant};
use dataflows::shop::command::Command;
use node::client::Client;
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

/// The currency of all prices of the file.
const CURRENCY: &str = "EUR";
/// Ten-thousandths in a cent.
const CENT: i64 = 100;

/// Imports the file, and fails if a command was refused.
pub fn run(file: &Path, to: &str) -> Result<()> {
    let client = Client::new(to)?;
    // Both are seen before the file is read, which takes a while.
    File::open(file).with_context(|| file.display().to_string())?;
    client.ensure_reachable()?;
    let products = read(file)?;
    let progress = progress(products.len() as u64)?;
    let started = Instant::now();
    let tell = |why: &str| progress.set_message(why.to_owned());
    let mut sender = Sender::new(HttpNode { client: &client, tell: &tell });
    for product in &products {
        let command = Command::PutProduct(product.clone());
        sender.add(&command_id(&command), &command)?;
        progress.inc(1);
        progress.set_message("");
    }
    let tally = sender.finish()?;
    progress.finish_and_clear();
    report(&tally, products.len() as u64, started.elapsed().as_secs_f64())
}

/// The command's id: the same for the same row, so that a second import repeats the first.
fn command_id(command: &Command) -> String {
    format!("catalog-{:032x}", xxh3_128(&command.data()))
}

/// Reads the whole file.
pub fn read(path: &Path) -> Result<Vec<PutProduct>> {
    let file = ParquetFile::open(path)?;
    let (mut products, mut texts) = (Vec::new(), Texts::default());
    for group in 0..file.groups() {
        read_group(&file, group, &mut texts, &mut products)?;
    }
    Ok(products)
}

fn read_group(file: &ParquetFile, group: usize, texts: &mut Texts, products: &mut Vec<PutProduct>) -> Result<()> {
    let mut column = |name: &str| -> Result<Vec<Option<TextId>>> { file.texts(group, name, texts) };
    let id = file.all_there("id", column("id")?)?;
    let name = column("name")?;
    let title = file.all_there("title", column("title")?)?;
    let description = column("short_description")?;
    let released = column("date_released")?;
    let supplier = column("supplier")?;
    let attributes = column("attributes_json")?;
    let codes = file.text_lists(group, "ean")?;
    let price_cents = file.all_there("price_cents", file.integers(group, "price_cents")?)?;
    ensure!(codes.len() == id.len(), "the column ean has {} lists for {} rows", codes.len(), id.len());
    let text = |id: TextId| SmolStr::new(texts.text(id));
    let some = |id: Option<TextId>| id.map(text).filter(|text| !text.is_empty());
    for n in 0..id.len() {
        let id = text(id[n]);
        let mut named = named(some(attributes[n]).as_deref()).with_context(|| format!("the attributes of {id}"))?;
        let title = text(title[n]);
        let more = [
            ("name", some(name[n]).filter(|name| !title.contains(name.as_str()))),
            ("date_released", some(released[n])),
            ("ean", Some(SmolStr::new(codes[n].join(" "))).filter(|codes| !codes.is_empty())),
        ];
        named.extend(more.into_iter().filter_map(|(name, value)| Some((SmolStr::new(name), value?))));
        let price = price_cents[n].checked_mul(CENT).with_context(|| format!("the price of {id} is too large"))?;
        products.push(PutProduct {
            product_id: id.clone(),
            title: line(&title, bounds::TEXT_CHARS_MAX),
            description: some(description[n]).map(|text| note(&text)),
            brand: some(supplier[n]).map(|text| line(&text, bounds::TEXT_CHARS_MAX)),
            category: Vec::new(),
            attributes: within_bounds(named),
            variants: vec![PutVariant {
                sku: id,
                title: None,
                price: MoneyInput { amount: Amount(price), currency: SmolStr::new(CURRENCY) },
                inventory_policy: InventoryPolicy::default(),
                low_stock_at: None,
            }],
            occurred_at: None,
        });
    }
    Ok(())
}

/// A text without control characters, cut to so many characters.
fn line(text: &str, chars_max: usize) -> SmolStr {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}

/// The same of a text that may have several lines.
fn note(text: &str) -> SmolStr {
    let is_allowed = |c: &char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().filter(is_allowed).take(bounds::NOTE_CHARS_MAX).collect()
}

/// The first attributes that a product may have, each cut to what it may be.
fn within_bounds(named: BTreeMap<SmolStr, SmolStr>) -> BTreeMap<SmolStr, SmolStr> {
    let named = named.into_iter().take(bounds::ATTRIBUTES_MAX);
    let cut = |(name, value): (SmolStr, SmolStr)| {
        (line(&name, bounds::ATTRIBUTE_NAME_CHARS_MAX), line(&value, bounds::ATTRIBUTE_CHARS_MAX))
    };
    named.map(cut).collect()
}

/// Attributes under the names that they have in the file, each as a text.
fn named(json: Option<&str>) -> Result<BTreeMap<SmolStr, SmolStr>> {
    let values: BTreeMap<String, Value> = serde_json::from_str(json.unwrap_or("{}"))?;
    Ok(values.into_iter().filter_map(|(name, value)| Some((SmolStr::new(name), value_text(&value)?))).collect())
}

fn value_text(value: &Value) -> Option<SmolStr> {
    match value {
        Value::Null => None,
        Value::Bool(is_so) => Some(SmolStr::new(if *is_so { "true" } else { "false" })),
        // `2.0` is a number of the file's making: people and facets write `2`.
        Value::Number(number) => {
            let text = number.to_string();
            Some(SmolStr::new(text.strip_suffix(".0").unwrap_or(&text)))
        }
        Value::String(text) => Some(SmolStr::new(text)),
        Value::Array(_) | Value::Object(_) => Some(SmolStr::new(value.to_string())),
    }
}

#[cfg(test)]
mod tests;
