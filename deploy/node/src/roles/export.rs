//! `tradewind export`: shows, checks and tidies the tables for analysts, of a running node over HTTP, or at the place
//! of a stopped one's. Their SQL is made here, of the tables themselves, whether a node runs or not.

use crate::arguments::PlaceFlags;
use crate::client::{Answer, Client};
use crate::config::{self, Config, ExportConfig, Flags, Settings};
use crate::export::{self, ExportReply, ExportRequest, Rebuilt, Tables};
use crate::output;
use crate::place::Place;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use warehouse_export::Gap;
use warehouse_export::sql;
use warehouse_export::table_store::{Address, address};

/// The request and its place.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    #[command(subcommand)]
    command: ExportCommand,
    #[command(flatten)]
    at: PlaceFlags,
}

/// The actions on the tables for analysts.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum ExportCommand {
    /// Reads every table, and compares it with the node's views at the same epoch; exits with 1 and names what differs
    Verify,
    /// Merges small files; a reader of a folder without its Delta log sees rows twice from then on, until vacuum
    Compact,
    /// Deletes files that no longer belong to a table
    Vacuum {
        /// For how long, by the epochs' time: they may still be read
        #[arg(long, value_name = "N", default_value_t = 168, value_parser = clap::value_parser!(u64).range(0..=168))]
        older_than_hours: u64,
    },
    /// Removes the tables of a stopped node and the outputs that they are made of; the next start writes both again,
    /// the same, from the log. If that no longer reaches back to its beginning, tables resume after the lost epochs,
    /// and each notes what it lacks
    Rebuild,
    /// Prints a view of each table under its name over the files that it has now, and `revenue`
    Sql {
        /// The reader; polars is Python
        dialect: Dialect,
    },
}

/// The reader that the tables are printed for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Dialect {
    /// DuckDB 1.5 or 2, which needs no extension
    Duckdb,
    /// Spark with Delta Lake
    Spark,
    /// Synapse serverless
    Synapse,
    /// Polars
    Polars,
}

/// Does what was asked: of a node, or of the tables that are configured.
pub fn run(ExportArgs { command, at }: ExportArgs) -> Result<()> {
    let (place, as_json) = at.place()?;
    let place = &place;
    if let ExportCommand::Sql { dialect } = command {
        return print_sql(dialect, place, as_json);
    }
    let said = match place {
        Place::Folder(config, _) => in_place(command, config)?,
        Place::Node(client) => of_node(command, client)?,
    };
    let shown = if as_json { place.json(said.clone())? } else { place.line() + &text(command, &said) };
    output::print(&shown)?;
    let problems = said["problems"].as_array().map_or(0, Vec::len);
    ensure!(problems == 0, "the tables are not right: {problems} differences");
    Ok(())
}

/// Prints what an engine runs, and nothing beside it: its first line names the tables.
fn print_sql(dialect: Dialect, place: &Place, as_json: bool) -> Result<()> {
    let tables = match place {
        Place::Folder(config, _) => tables_of(config)?,
        Place::Node(client) => tables_of_node(client)?,
    };
    let dialect = match dialect {
        Dialect::Duckdb => sql::Dialect::Duckdb,
        Dialect::Spark => sql::Dialect::Spark,
        Dialect::Synapse => sql::Dialect::Synapse,
        Dialect::Polars => sql::Dialect::Polars,
    };
    let url = tables.url();
    let text = sql::views(dialect, &tables.place, &url)?;
    output::print(&if as_json { place.json(json!({"tables": url, "sql": text}))? } else { text })
}

/// The state of the node's tables.
fn standing(client: &Client) -> Result<Value> {
    let answer: Answer = client.get("/api/v1/export")?;
    ensure!(answer.status == 200, "the node does not tell of its tables: {}", answer.problem());
    answer.json()
}

fn of_node(command: ExportCommand, client: &Client) -> Result<Value> {
    // The number of tables confirms what is done to them.
    let confirm = || standing(client).map(|said| said["tables"].as_array().map_or(0, Vec::len));
    let path = match command {
        ExportCommand::Verify => "verifications".to_owned(),
        ExportCommand::Compact => format!("compactions?confirm={}", confirm()?),
        ExportCommand::Vacuum { older_than_hours } => {
            format!("vacuums?older_than_hours={older_than_hours}&confirm={}", confirm()?)
        }
        ExportCommand::Rebuild => bail!("stop the node first, then give its folder: export rebuild --data DIR"),
        ExportCommand::Sql { .. } => bail!("no node is asked for that"),
    };
    let answer: Answer = client.post(&format!("/api/v1/export/{path}"))?;
    ensure!(answer.status == 200, "the node does not do it: {}", answer.problem());
    answer.json()
}

fn tables_of(config: &Config) -> Result<Tables> {
    let tables = Tables::at(&config.log.data_dir, &config.export, || false)?;
    ensure!(tables.are_there()?, "there are no tables in {}", tables.place.describe(""));
    Ok(tables)
}

/// The tables of a running node, if this machine reaches their place.
fn tables_of_node(client: &Client) -> Result<Tables> {
    let said = standing(client)?;
    let place = said["place"].as_str().context("the node does not say where its tables are")?;
    let folder = place.strip_prefix("file://").map(|folder| Address::Folder(folder.into()));
    let address = folder.or_else(|| Address::read(place));
    let address = address.with_context(|| format!("{place} is not {}", address::ALLOWED))?;
    let settings = Settings::load(None, &config::environment(), Flags::default())?.config();
    let tables =
        Tables::at(&settings.log.data_dir, &ExportConfig { address: Some(address), ..settings.export }, || false)?;
    ensure!(tables.are_there()?, "there are no tables in {place} of this machine; run it where the node runs");
    Ok(tables)
}

fn in_place(command: ExportCommand, config: &Config) -> Result<Value> {
    if matches!(command, ExportCommand::Rebuild) {
        return Ok(match export::rebuild(config)? {
            Rebuilt::Removed { tables } => json!({"tables_removed": tables}),
            Rebuilt::Resumed { facts, views } => {
                let gap = |Gap { from, to }: Gap| json!({"from": from, "to": to});
                json!({"gaps": {"facts": gap(facts), "views": gap(views)}})
            }
        });
    }
    let tables = tables_of(config)?;
    let shown = tables.place.describe("");
    let mut held = export::open(&tables, config.export.limits).with_context(|| format!("opening {shown}"))?;
    let ask = match command {
        ExportCommand::Verify => ExportRequest::Verify,
        ExportCommand::Compact => ExportRequest::Compact,
        ExportCommand::Vacuum { older_than_hours } => ExportRequest::Vacuum { hours: older_than_hours },
        ExportCommand::Rebuild | ExportCommand::Sql { .. } => bail!("nobody asked for that"),
    };
    Ok(match export::answer(&mut held.exporter, ask, &tables.url(), None, None)? {
        ExportReply::Verified(said) => serde_json::to_value(said)?,
        ExportReply::Compacted(said) => serde_json::to_value(said)?,
        ExportReply::Vacuumed(said) => serde_json::to_value(said)?,
        ExportReply::Standing(_) => bail!("nobody asked for that"),
    })
}

fn text(command: ExportCommand, said: &Value) -> String {
    match command {
        ExportCommand::Compact => format!("{} files fewer\n", said["files_fewer"]),
        ExportCommand::Vacuum { .. } => format!("{} files deleted\n", said["files_deleted"]),
        ExportCommand::Rebuild if said["gaps"].is_object() => {
            let part = |which: &str| format!("{} to {}", said["gaps"][which]["from"], said["gaps"][which]["to"]);
            format!(
                "the log does not reach back: facts lack the epochs {}, and views {}, as each table says; the next start \
                 writes what follows\n",
                part("facts"),
                part("views")
            )
        }
        ExportCommand::Rebuild => {
            format!(
                "{} tables and their outputs are removed; the next start writes them again\n",
                said["tables_removed"]
            )
        }
        ExportCommand::Sql { .. } => String::new(),
        ExportCommand::Verify => {
            let mut lines = String::new();
            for problem in said["problems"].as_array().into_iter().flatten() {
                let part = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
                lines += &format!("{}: {}\n", part("table"), part("why"));
            }
            if said["problems"] == json!([]) {
                let against = match said["without_views"].as_str() {
                    Some(why) => format!("not held against the node's views: {why}"),
                    None => "and equal to the node's views".to_owned(),
                };
                lines += &format!("{} tables agree at epoch {}, {against}\n", said["tables"], said["epoch"]);
            }
            lines
        }
    }
}
