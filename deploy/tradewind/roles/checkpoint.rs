//! `tradewind checkpoint`: takes, lists, checks and copies checkpoints. Of a running node over HTTP, or in the folder of
//! one; what is checked or copied is read from the folder, since what is complete there does not change.

use crate::cli::CheckpointCommand;
use crate::client::Client;
use crate::{log, output};
use anyhow::{Context, Result, bail, ensure};
use ingest::checkpoint::{self, Checkpoints, Manifest};
use serde_json::{Value, json};
use serving::{CheckpointJson, Keeper};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A node's checkpoints, for its HTTP side.
pub struct OperatorCheckpoints(pub Arc<Checkpoints>);

impl Keeper for OperatorCheckpoints {
    fn take(&self) -> Result<CheckpointJson, String> {
        self.0.take().map(|manifest| short(&manifest)).map_err(|error| error.to_string())
    }

    fn list(&self) -> Result<Vec<CheckpointJson>, String> {
        let manifests = self.0.list().map_err(|error| error.to_string())?;
        Ok(manifests.iter().map(short).collect())
    }
}

fn short(manifest: &Manifest) -> CheckpointJson {
    CheckpointJson {
        epoch: manifest.epoch.0,
        now: manifest.now.to_string(),
        rows: manifest.rows(),
        bytes: manifest.bytes(),
        digest: manifest.digest.clone(),
    }
}

/// Does what was asked.
pub fn run(command: CheckpointCommand, data: Option<&Path>, to: &str, as_json: bool) -> Result<()> {
    let folder = data.map(Path::to_owned);
    match (command, folder) {
        (CheckpointCommand::Now, None) => {
            let answer = Client::new(to)?.post("/api/v1/checkpoints")?;
            ensure!(answer.status == 200, "no checkpoint was taken: {}", answer.problem());
            show(&[answer.json()?], as_json)
        }
        (CheckpointCommand::Now, Some(_)) => bail!("only a running node takes a checkpoint: give --to, not --data"),
        (CheckpointCommand::List, None) => {
            let answer = Client::new(to)?.get("/api/v1/checkpoints")?;
            ensure!(answer.status == 200, "the node does not say: {}", answer.problem());
            show(answer.json()?["data"].as_array().map(Vec::as_slice).unwrap_or_default(), as_json)
        }
        (CheckpointCommand::List, Some(data)) => {
            let all = checkpoint::list(&data.join("checkpoints"))?;
            let all = all.into_iter().map(|(_, manifest)| Ok(serde_json::to_value(short(&manifest?))?));
            show(&all.collect::<Result<Vec<_>>>()?, as_json)
        }
        (CheckpointCommand::Verify, data) => verify(&data_or_default(data), as_json),
        (CheckpointCommand::Copy { to_dir }, data) => copy(&data_or_default(data), &to_dir, as_json),
    }
}

fn data_or_default(data: Option<PathBuf>) -> PathBuf {
    data.unwrap_or_else(|| PathBuf::from("./tradewind-data"))
}

/// Checks every checkpoint as a restart would; the first that is damaged is the error.
fn verify(data: &Path, as_json: bool) -> Result<()> {
    let folder = data.join("checkpoints");
    let all = checkpoint::list(&folder)?;
    ensure!(!all.is_empty(), "there is no checkpoint in {}", folder.display());
    let mut good = Vec::new();
    for (path, manifest) in all {
        let manifest = manifest?;
        checkpoint::verify(&path, &manifest)?;
        good.push(serde_json::to_value(short(&manifest))?);
    }
    show(&good, as_json)
}

/// Copies the newest checkpoint and the log: `up --data` on the copy goes on from there. The log is append-only, so that
/// what is copied while a node writes has at worst a torn end, which is cut off when it is opened.
fn copy(data: &Path, target: &Path, as_json: bool) -> Result<()> {
    let folder = data.join("checkpoints");
    let newest = checkpoint::list(&folder)?.into_iter().find_map(|(path, manifest)| Some((path, manifest.ok()?)));
    let (path, manifest) = newest.with_context(|| format!("there is no checkpoint in {}", folder.display()))?;
    checkpoint::verify(&path, &manifest)?;
    let is_empty = std::fs::read_dir(target).map_or(true, |mut entries| entries.next().is_none());
    ensure!(is_empty, "{} is not empty", target.display());
    let kept = target.join("checkpoints");
    std::fs::create_dir_all(&kept).with_context(|| format!("making {}", kept.display()))?;
    checkpoint::copy(&path, &manifest, &kept)?;
    let mark = log::mark(data);
    if mark.exists() {
        // The log is a cluster's, and the copy goes on from the same one.
        std::fs::copy(&mark, log::mark(target)).with_context(|| format!("copying {}", mark.display()))?;
    } else {
        copy_log(&data.join("log"), &target.join("log"))?;
    }
    show(&[serde_json::to_value(short(&manifest))?], as_json)
}

fn copy_log(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(from)
        .with_context(|| format!("reading {}", from.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    // In the order of their names, so that a later segment is never there without all of an earlier one.
    files.sort_unstable();
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name != "lock")) {
        let copied = to.join(file.file_name().unwrap_or_default());
        std::fs::copy(file, &copied).with_context(|| format!("copying {}", file.display()))?;
        std::fs::File::open(&copied)?.sync_all()?;
    }
    std::fs::File::open(to)?.sync_all()?;
    Ok(())
}

fn show(checkpoints: &[Value], as_json: bool) -> Result<()> {
    if as_json {
        return output::print(&(serde_json::to_string_pretty(&json!({"data": checkpoints}))? + "\n"));
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = format!("{:>12}  {:<27}  {:>12}  {:>14}  digest\n", "epoch", "now", "rows", "bytes");
    for of in checkpoints {
        let [epoch, now, rows, bytes, digest] = ["epoch", "now", "rows", "bytes", "digest"].map(|name| text(&of[name]));
        lines += &format!("{epoch:>12}  {now:<27}  {rows:>12}  {bytes:>14}  {digest}\n");
    }
    output::print(&lines)
}
