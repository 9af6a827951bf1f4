//! `tradewind config show`: every key with its value, its unit and where it came from.

use crate::arguments::ConfigFlags;
use crate::config::{KEYS, Key, KeyKind, Settings, Value};
use crate::output;
use anyhow::Result;
use serde_json::json;

/// The action.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Prints every key with its value, its unit and where it came from
    Show {
        #[command(flatten)]
        /// The flags that override the configuration.
        flags: ConfigFlags,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// Prints the configuration.
pub fn run(ConfigCommand::Show { flags, json: as_json }: ConfigCommand) -> Result<()> {
    let settings = &flags.settings()?;
    output::print(&if as_json { as_json_text(settings)? } else { for_people(settings) })
}

fn as_json_text(settings: &Settings) -> Result<String> {
    let shown = KEYS.iter().map(|key| {
        let (value, origin) = settings.get(key.name);
        let value = match value {
            Value::Number(number) => json!(number),
            Value::Text(text) => json!(shown(key, text)),
        };
        let (from, allowed) = (origin.to_string(), key.allowed.described());
        json!({"key": key.name, "value": value, "unit": key.unit, "from": from, "allowed": allowed, "doc": key.doc})
    });
    Ok(serde_json::to_string_pretty(&shown.collect::<Vec<_>>())? + "\n")
}

fn for_people(settings: &Settings) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            text.push_str(&format!("{}[{section}]\n", if text.is_empty() { "" } else { "\n" }));
        }
        let (value, origin) = settings.get(key.name);
        let value = match value {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => format!("{:?}", shown(key, text)),
        };
        let name = &key.name[section.len() + 1..];
        text.push_str(&format!("{name} = {value}  # {}\n", comment(key.unit, &origin.to_string(), key.doc)));
    }
    text
}

/// A text as it may be seen.
fn shown<'a>(key: &Key, text: &'a str) -> &'a str {
    if matches!(key.allowed, KeyKind::Secret) { "" } else { text }
}

/// The text after a value. All of it is a comment, so that the screen is a file that `--config` takes.
fn comment(unit: &str, origin: &str, doc: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!("{unit}: ") };
    format!("{unit}{doc} ({origin})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    #[test]
    fn the_screen_has_every_key_with_unit_and_origin_and_can_be_read_as_a_file() {
        let flags = Flags { workers: Some(3), ..Flags::default() };
        let text = for_people(&Settings::load(None, &[], flags).unwrap());
        assert!(text.contains("\nworkers = 3  # workers: threads that run the dataflow (--workers)\n"), "{text}");
        assert!(
            text.contains("partitions = 8  # partitions: of each topic; fixed when the data folder is made (default)")
        );
        let keys: usize = toml::de::DeTable::parse(&text)
            .unwrap()
            .get_ref()
            .values()
            .map(|section| section.get_ref().as_table().map_or(0, |keys| keys.len()))
            .sum();
        assert_eq!(keys, KEYS.len());
    }

    #[test]
    fn a_password_is_not_shown() {
        let environment = [("TRADEWIND_KAFKA_PASSWORD".to_owned(), "s3cret".to_owned())];
        let settings = Settings::load(None, &environment, Flags::default()).unwrap();
        assert_eq!(settings.config().kafka.security.password, "s3cret");
        for text in [for_people(&settings), as_json_text(&settings).unwrap()] {
            assert!(!text.contains("s3cret") && text.contains("TRADEWIND_KAFKA_PASSWORD"), "{text}");
        }
    }

    #[test]
    fn json_has_every_key() {
        let text = as_json_text(&Settings::load(None, &[], Flags::default()).unwrap()).unwrap();
        let shown: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(shown.len(), KEYS.len());
        assert_eq!((&shown[1]["key"], &shown[1]["value"]), (&json!("log.partitions"), &json!(8)));
    }
}
