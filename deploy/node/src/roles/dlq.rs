//! `tradewind dlq`: the actions on records that could not be read. Of a running node over HTTP, or in the
//! folder of one.

use crate::arguments::PlaceFlags;
use crate::client::{Answer, Client};
use crate::config::Config;
use crate::operator::dead_letters::{OperatorLetters, bytes_of, text_of};
use crate::place::Place;
use crate::{log, output};
use anyhow::{Context, Result, anyhow, ensure};
use dataflows::contract::topic::Origin;
use ingest::dead_letters::DeadLetters;
use ingest::log::storage::Folder;
use serde_json::{Value, json};
use serving::{BytesJson, DeadLetterAdmin, EditJson, LetterError, LetterJson, LetterQuery};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The request and its place.
#[derive(Debug, clap::Args)]
pub struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
    #[command(flatten)]
    at: PlaceFlags,
}

/// The actions on dead letters. A letter is named by its place in the log, like `orders.commands/3/17`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DlqCommand {
    /// Lists those that are still open
    List {
        /// Also those that were redriven or discarded
        #[arg(long)]
        all: bool,
    },
    /// Shows one with its record
    Show {
        /// Its place
        #[arg(value_name = "PLACE")]
        origin: String,
        /// Writes the record's value as it is, and nothing else
        #[arg(long, conflicts_with = "json")]
        value: bool,
    },
    /// Publishes letters again to their topic, as they were or mended; one still unreadable becomes a new letter
    Redrive {
        /// Their places
        #[command(flatten)]
        which: Which,
        /// Another key
        #[arg(long)]
        key: Option<String>,
        /// A file with another value
        #[arg(long, value_name = "FILE")]
        value: Option<PathBuf>,
        /// A header that replaces those of its name, or is added
        #[arg(long, value_name = "NAME=VALUE")]
        header: Vec<String>,
    },
    /// Throws letters away
    Discard {
        /// Their places
        #[command(flatten)]
        which: Which,
    },
}

/// Some letters, or all that are open.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Their places
    #[arg(value_name = "PLACE")]
    pub origins: Vec<String>,
    /// All that are still open
    #[arg(long)]
    pub all: bool,
}

/// The number of letters in a request.
const PAGE: usize = 1_000;

/// The place of the letters: with a node, or in the folder that one left.
enum Letterbox<'p> {
    Node(&'p Client),
    Folder(OperatorLetters),
}

/// Does what was asked.
pub fn run(DlqArgs { command, at }: DlqArgs) -> Result<()> {
    let (place, as_json) = at.place()?;
    let place = &place;
    let letters = match place {
        Place::Folder(config, _) => Letterbox::Folder(in_folder(config)?),
        Place::Node(client) => Letterbox::Node(client),
    };
    match command {
        DlqCommand::List { all } => show(place, &letters.list(!all)?, as_json),
        DlqCommand::Show { origin, value } => {
            let letter = letters.show(&origin)?;
            if value {
                return output::print_bytes(&value_of(&letter)?);
            }
            output::print(&place.json(letter)?)
        }
        DlqCommand::Redrive { which, key, value, header } => {
            let edit = edit(key, value.as_deref(), &header)?;
            show(place, &each(&letters, which, |origin| letters.redrive(origin, &edit))?, as_json)
        }
        DlqCommand::Discard { which } => {
            show(place, &each(&letters, which, |origin| letters.discard(origin))?, as_json)
        }
    }
}

fn in_folder(config: &Config) -> Result<OperatorLetters> {
    let data = &config.log.data_dir;
    let folder = data.join("dead-letters");
    ensure!(folder.is_dir(), "{} is no folder of a node: it has no dead-letters", data.display());
    let letters = DeadLetters::open(Arc::new(Folder::new(folder)), config.ingest().dead_letters)?;
    Ok(OperatorLetters { letters, log: log::open(config)?.log })
}

impl Letterbox<'_> {
    fn list(&self, is_open: bool) -> Result<Vec<Value>> {
        let mut all: Vec<Value> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page: Vec<Value> = match self {
                Letterbox::Node(client) => {
                    let state = if is_open { "open" } else { "all" };
                    let after = after.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
                    let path = format!("/api/v1/dead-letters?limit={PAGE}&state={state}{after}");
                    let mut answer = known(client.get(&path)?)?;
                    serde_json::from_value(answer["data"].take())?
                }
                Letterbox::Folder(letters) => {
                    let after = after.as_deref().and_then(Origin::from_text);
                    let page = letters.list(LetterQuery { is_open, after, count_max: PAGE });
                    let page = page.map_err(|error| match error {
                        LetterError::NotThere => anyhow!("there are none"),
                        LetterError::Invalid(why) | LetterError::Unavailable(why) => anyhow!(why),
                    })?;
                    page.into_iter().map(serde_json::to_value).collect::<Result<_, _>>()?
                }
            };
            let count = page.len();
            all.extend(page);
            after = all.last().map(origin_of);
            if count < PAGE {
                return Ok(all);
            }
        }
    }

    fn show(&self, origin: &str) -> Result<Value> {
        match self {
            Letterbox::Node(client) => of_letter(client.get(&path(origin)?)?, origin),
            Letterbox::Folder(letters) => done(letters.show(place_of(origin)?), origin),
        }
    }

    fn redrive(&self, origin: &str, edit: &EditJson) -> Result<Value> {
        match self {
            Letterbox::Node(client) => {
                let answer = client.post_json(&format!("{}/redrives", path(origin)?), &serde_json::to_value(edit)?)?;
                of_letter(answer, origin)
            }
            Letterbox::Folder(letters) => done(letters.redrive(place_of(origin)?, edit.clone()), origin),
        }
    }

    fn discard(&self, origin: &str) -> Result<Value> {
        match self {
            Letterbox::Node(client) => of_letter(client.delete(&path(origin)?)?, origin),
            Letterbox::Folder(letters) => done(letters.discard(place_of(origin)?), origin),
        }
    }
}

fn place_of(origin: &str) -> Result<Origin> {
    Origin::from_text(origin).with_context(|| format!("{origin} is no place; one looks like orders.commands/3/17"))
}

fn path(origin: &str) -> Result<String> {
    Ok(format!("/api/v1/dead-letters/{}", place_of(origin)?))
}

fn known(answer: Answer) -> Result<Value> {
    ensure!(answer.status == 200, "the node does not do that: {}", answer.problem());
    answer.json()
}

fn of_letter(answer: Answer, origin: &str) -> Result<Value> {
    if answer.status == 404 { Err(no_letter(origin)) } else { known(answer) }
}

fn no_letter(origin: &str) -> anyhow::Error {
    anyhow!("there is no dead letter {origin}; `tradewind dlq list --all` shows those that there are")
}

fn done(result: Result<LetterJson, LetterError>, origin: &str) -> Result<Value> {
    let letter = result.map_err(|error| match error {
        LetterError::NotThere => no_letter(origin),
        LetterError::Invalid(why) | LetterError::Unavailable(why) => anyhow!(why),
    })?;
    Ok(serde_json::to_value(letter)?)
}

fn each(letters: &Letterbox<'_>, which: Which, act: impl Fn(&str) -> Result<Value>) -> Result<Vec<Value>> {
    let Which { origins, all } = which;
    let origins = if all { letters.list(true)?.iter().map(origin_of).collect() } else { origins };
    origins.iter().map(|origin| act(origin)).collect()
}

fn edit(key: Option<String>, value: Option<&Path>, headers: &[String]) -> Result<EditJson> {
    let read = |file: &Path| std::fs::read(file).with_context(|| format!("reading {}", file.display()));
    let value = value.map(read).transpose()?;
    let header = |text: &String| {
        let (name, value) = text.split_once('=').with_context(|| format!("{text} is no header; one is NAME=VALUE"))?;
        Ok((name.to_owned(), BytesJson::Text(value.to_owned())))
    };
    Ok(EditJson {
        key: key.map(BytesJson::Text),
        value: value.as_deref().map(text_of),
        headers: headers.iter().map(header).collect::<Result<_>>()?,
    })
}

fn value_of(letter: &Value) -> Result<Vec<u8>> {
    let value: Option<BytesJson> = serde_json::from_value(letter["record"]["value"].clone())?;
    Ok(bytes_of(value.context("the record has no value")?)?)
}

fn origin_of(letter: &Value) -> String {
    let part = |name: &str| match &letter["origin"][name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("{}/{}/{}", part("topic"), part("partition"), part("offset"))
}

fn show(place: &Place, letters: &[Value], as_json: bool) -> Result<()> {
    if as_json {
        let placed = letters.iter().cloned().map(|mut letter| {
            letter["place"] = origin_of(&letter).into();
            letter
        });
        return output::print(&place.json(json!({"data": placed.collect::<Vec<_>>()}))?);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = place.line()
        + &format!("{:<28}  {:>10}  {:<27}  {:<14}  {:<9}  detail\n", "place", "epoch", "at", "code", "state");
    for letter in letters {
        let [epoch, at, code, state, detail] =
            ["epoch", "at", "code", "state", "detail"].map(|name| text(&letter[name]));
        lines += &format!("{:<28}  {epoch:>10}  {at:<27}  {code:<14}  {state:<9}  {detail}\n", origin_of(letter));
    }
    output::print(&lines)
}
