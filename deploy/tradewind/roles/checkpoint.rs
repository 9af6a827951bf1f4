//! `tradewind checkpoint`: takes, lists, checks and copies checkpoints. Of a running node over HTTP, or in the folder of
//! one; what is checked or copied is read from the folder, since what is complete there does not change.

use crate::cli::CheckpointCommand;
use crate::client::Client;
use crate::node::Late;
use crate::{log, output};
use anyhow::{Context, Result, bail, ensure};
use ingest::checkpoint::{self, Checkpoints, Manifest};
use ingest::storage::{Folder, Storage};
use serde_json::{Value, json};
use serving::{CheckpointJson, Keeper};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A node's checkpoints, for its HTTP side.
pub struct OperatorCheckpoints(pub Arc<Late>);

impl OperatorCheckpoints {
    fn checkpoints(&self) -> Result<Arc<Checkpoints>, String> {
        self.0.checkpoints().ok_or_else(|| "the node starts or stops".to_owned())
    }
}

impl Keeper for OperatorCheckpoints {
    fn take(&self) -> Result<CheckpointJson, String> {
        self.checkpoints()?.take().map(|manifest| short(&manifest)).map_err(|error| error.to_string())
    }

    fn list(&self) -> Result<Vec<CheckpointJson>, String> {
        let manifests = self.checkpoints()?.list().map_err(|error| error.to_string())?;
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
            let all = checkpoint::list(&Folder::new(data.join("checkpoints")))?;
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
    let folder = Folder::new(data.join("checkpoints"));
    let all = checkpoint::list(&folder)?;
    ensure!(!all.is_empty(), "there is no checkpoint in {}", folder.describe(""));
    let mut good = Vec::new();
    for (name, manifest) in all {
        let manifest = manifest?;
        checkpoint::verify(&*folder.folder(&name), &manifest)?;
        good.push(serde_json::to_value(short(&manifest))?);
    }
    show(&good, as_json)
}

/// Copies the newest checkpoint and the log: `up --data` on the copy goes on from there. The log is append-only, so that
/// what is copied while a node writes has at worst a torn end, which is cut off when it is opened.
fn copy(data: &Path, target: &Path, as_json: bool) -> Result<()> {
    let folder = Folder::new(data.join("checkpoints"));
    let newest = checkpoint::list(&folder)?.into_iter().find_map(|(name, manifest)| Some((name, manifest.ok()?)));
    let (name, manifest) = newest.with_context(|| format!("there is no checkpoint in {}", folder.describe("")))?;
    let chosen = &*folder.folder(&name);
    checkpoint::verify(chosen, &manifest)?;
    let is_empty = std::fs::read_dir(target).map_or(true, |mut entries| entries.next().is_none());
    ensure!(is_empty, "{} is not empty", target.display());
    let kept = target.join("checkpoints");
    checkpoint::copy(chosen, &manifest, &Folder::at(&kept).with_context(|| format!("making {}", kept.display()))?)?;
    let mark = log::mark(data);
    if mark.exists() {
        // The log is a cluster's, and the copy goes on from the same one.
        std::fs::copy(&mark, log::mark(target)).with_context(|| format!("copying {}", mark.display()))?;
    } else {
        copy_files(&data.join("log"), &target.join("log"))?;
    }
    copy_files(&data.join("dead-letters"), &target.join("dead-letters"))?;
    // As long as a checkpoint is kept, the log is not deleted behind where it goes on.
    let is_kept = checkpoint::list(&folder)?.iter().any(|(kept, _)| *kept == name);
    ensure!(
        is_kept,
        "the node removed checkpoint {name} while it was copied: empty {} and try again",
        target.display()
    );
    show(&[serde_json::to_value(short(&manifest))?], as_json)
}

/// Both folders hold append-only files, and small ones that are replaced as a whole.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    if !from.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(from)
        .with_context(|| format!("reading {}", from.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    // In the order of their names, so that a later segment is never there without all of an earlier one.
    files.sort_unstable();
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name != "lock")) {
        let copied = to.join(file.file_name().unwrap_or_default());
        match std::fs::copy(file, &copied) {
            // Deleted since it was listed, behind a checkpoint: what says that it is gone is copied after it.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            result => result.with_context(|| format!("copying {}", file.display()))?,
        };
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
