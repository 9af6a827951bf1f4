//! `tradewind export`: shows, checks and tidies the tables for analysts. Of a running node over HTTP, or where the tables
//! of a stopped one are.

use crate::cli::ExportCommand;
use crate::client::{Answer, Client};
use crate::config::Config;
use crate::export::{self, Ask, Said, Tables};
use crate::output;
use crate::place::Place;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Does what was asked: of a node, or of the tables that are configured.
pub fn run(command: ExportCommand, place: &Place, as_json: bool) -> Result<()> {
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

fn of_node(command: ExportCommand, client: &Client) -> Result<Value> {
    let path = match command {
        ExportCommand::Verify => "verifications".to_owned(),
        ExportCommand::Compact => "compactions".to_owned(),
        ExportCommand::Vacuum { older_than_hours } => format!("vacuums?older_than_hours={older_than_hours}"),
    };
    let answer: Answer = client.post(&format!("/api/v1/export/{path}"))?;
    ensure!(answer.status == 200, "the node does not do it: {}", answer.problem());
    answer.json()
}

fn in_place(command: ExportCommand, config: &Config) -> Result<Value> {
    let tables = Tables::at(&config.log.data_dir, &config.export, || false)?;
    let shown = tables.place.describe("");
    ensure!(tables.are_there()?, "there are no tables in {shown}");
    let mut held = export::open(&tables, config.export.limits).with_context(|| format!("opening {shown}"))?;
    let ask = match command {
        ExportCommand::Verify => Ask::Verify,
        ExportCommand::Compact => Ask::Compact,
        ExportCommand::Vacuum { older_than_hours } => Ask::Vacuum { hours: older_than_hours },
    };
    Ok(match export::answer(&mut held.exporter, ask, None, None)? {
        Said::Verified(said) => serde_json::to_value(said)?,
        Said::Compacted(said) => serde_json::to_value(said)?,
        Said::Vacuumed(said) => serde_json::to_value(said)?,
        Said::Standing(_) => bail!("nobody asked for that"),
    })
}

fn text(command: ExportCommand, said: &Value) -> String {
    match command {
        ExportCommand::Compact => format!("{} files fewer\n", said["files_fewer"]),
        ExportCommand::Vacuum { .. } => format!("{} files deleted\n", said["files_deleted"]),
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
