//! `tradewind export`: shows, checks and tidies the tables for analysts. Of a running node over HTTP, or in the folder of
//! one.

use crate::cli::ExportCommand;
use crate::client::{Answer, Client};
use crate::export::{self, Ask, Said};
use crate::output;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::path::Path;
use warehouse_export::Config;

/// Does what was asked.
pub fn run(command: ExportCommand, data: Option<&Path>, to: &str, as_json: bool) -> Result<()> {
    let said = match data {
        Some(data) => in_folder(command, data)?,
        None => of_node(command, to)?,
    };
    output::print(&if as_json { serde_json::to_string_pretty(&said)? + "\n" } else { text(command, &said) })?;
    let problems = said["problems"].as_array().map_or(0, Vec::len);
    ensure!(problems == 0, "the tables are not right: {problems} differences");
    Ok(())
}

fn of_node(command: ExportCommand, to: &str) -> Result<Value> {
    let path = match command {
        ExportCommand::Verify => "verifications".to_owned(),
        ExportCommand::Compact => "compactions".to_owned(),
        ExportCommand::Vacuum { older_than_hours } => format!("vacuums?older_than_hours={older_than_hours}"),
    };
    let answer: Answer = Client::new(to)?.post(&format!("/api/v1/export/{path}"))?;
    ensure!(answer.status == 200, "the node does not do it: {}", answer.problem());
    answer.json()
}

fn in_folder(command: ExportCommand, data: &Path) -> Result<Value> {
    let folder = export::folder(data);
    ensure!(folder.is_dir(), "there are no tables in {}", folder.display());
    let mut held = export::open(data, Config::default()).with_context(|| format!("opening {}", folder.display()))?;
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
