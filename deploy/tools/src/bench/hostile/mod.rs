//! `bench hostile`: the requests of attackers and accidents, each case against a fresh node of this binary with default
//! limits, beside an innocent client. Only over loopback; a case sends for less than a minute and stops by itself.
//!
//! `cases/` defines the requests, `run.rs` runs and judges a case, `innocent.rs` is the client beside it, `wire.rs` and
//! `kafka.rs` write requests as bytes.

mod attack;
mod cases;
mod innocent;
mod kafka;
mod run;
mod wire;

use anyhow::{Result, bail, ensure};
use cases::Case;
use node::output;
use run::Row;
use serde::Serialize;
use std::path::Path;

/// The results.
#[derive(Serialize)]
pub struct HostileResult {
    peak_bytes_max: u64,
    wait_ms_max: u64,
    cases: Vec<Row>,
}

impl HostileResult {
    /// The number of cases that do not hold.
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|row| !row.holds).count()
    }
}

/// The names of all cases with what each sends, for the help.
pub fn list() -> String {
    let lines = cases::all().into_iter().map(|case| format!("  {:<4} {}\n", case.name, case.sends));
    format!("Cases:\n{}", lines.collect::<String>())
}

/// Runs the cases of these names, or all; prints a line a case as it ends unless the figures are printed as JSON.
pub fn measure(folder: &Path, only: &[String], is_json: bool) -> Result<HostileResult> {
    let all = cases::all();
    if let Some(unknown) = only.iter().find(|name| !all.iter().any(|case| case.name == name.as_str())) {
        let names: Vec<&str> = all.iter().map(|case| case.name).collect();
        bail!("there is no case {unknown}; there are {}", names.join(", "));
    }
    ensure!(Path::new("/proc/self/status").exists(), "memory is told by /proc, which is not there");
    let chosen = all.iter().filter(|case| only.is_empty() || only.iter().any(|name| name == case.name));
    if !is_json {
        output::print(&heading())?;
    }
    let mut rows = Vec::new();
    for case in chosen {
        let row = one(case, folder)?;
        if !is_json {
            output::print(&text(&row))?;
        }
        rows.push(row);
    }
    Ok(HostileResult { peak_bytes_max: run::PEAK_BYTES_MAX, wait_ms_max: run::WAIT_MS_MAX, cases: rows })
}

/// One case in a folder of its own, which is removed again.
fn one(case: &Case, folder: &Path) -> Result<Row> {
    let folder = folder.join(case.name);
    std::fs::create_dir_all(&folder)?;
    let row = run::run(case, &folder.join("data"));
    std::fs::remove_dir_all(&folder)?;
    row
}

fn heading() -> String {
    format!(
        "{:<5}{:<7}{:>9}{:>10}{:>9}{:>9}{:>7}{:>6}{:>6}{:>7}\n",
        "case", "holds", "peak MiB", "state MiB", "wait ms", "probes", "lived", "same", "lost", "s"
    )
}

fn text(row: &Row) -> String {
    let yes = |is: bool| if is { "yes" } else { "NO" };
    let Row { case, holds, peak_bytes, state_bytes, wait_ms_max, acknowledged: _, probes, probes_well, .. } = row;
    let probes = format!("{probes_well}/{probes}");
    let (peak, state) = (peak_bytes >> 20, state_bytes >> 20);
    let (lived, same) = (yes(row.lived), yes(row.same_after_restart));
    let mut text = format!(
        "{case:<5}{:<7}{peak:>9}{state:>10}{wait_ms_max:>9}{probes:>9}{lived:>7}{same:>6}{:>6}{:>7.1}\n",
        yes(*holds),
        row.lost,
        row.seconds
    );
    row.why.iter().for_each(|why| text.push_str(&format!("     - {why}\n")));
    row.notes.iter().for_each(|note| text.push_str(&format!("       {note}\n")));
    text
}
