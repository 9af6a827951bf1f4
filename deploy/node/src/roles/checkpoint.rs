//! `tradewind checkpoint`: takes, lists, checks and copies checkpoints, of a running node over HTTP or in the folder of
//! one; checks and copies read the folder that the node names, since complete checkpoints do not change.

use crate::arguments::PlaceFlags;
use crate::client::{Answer, Client};
use crate::operator::checkpoints::{CHECKPOINTS, short};
use crate::place::Place;
use crate::{log, output};
use anyhow::{Context, Result, bail, ensure};
use ingest::checkpoint::{self, Manifest};
use ingest::log::storage::{Folder, Storage};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

fn json_of(data: &Path, manifest: &Manifest) -> Result<Value> {
    Ok(serde_json::to_value(short(data, manifest))?)
}

/// The request and its place.
#[derive(Debug, clap::Args)]
pub struct CheckpointArgs {
    #[command(subcommand)]
    command: CheckpointCommand,
    #[command(flatten)]
    at: PlaceFlags,
}

/// The actions on checkpoints.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum CheckpointCommand {
    /// Takes one now
    Now,
    /// Lists them, the newest first
    List,
    /// Reads each as a restart would; exits with 1 and names the file that is damaged
    Verify,
    /// Copies the newest one and the log after it into an empty folder, from which `up --data` continues
    Copy {
        /// The folder
        #[arg(value_name = "DIR")]
        to_dir: PathBuf,
    },
}

/// Does what was asked.
pub fn run(CheckpointArgs { command, at }: CheckpointArgs) -> Result<()> {
    let (place, as_json) = at.place()?;
    let place = &place;
    let (shown, did) = match command {
        CheckpointCommand::Now => {
            let Place::Node(client) = place else {
                bail!("only a running node takes a checkpoint, and {}: give --to", place.line().trim_end());
            };
            (vec![known(client.post("/api/v1/checkpoints")?)?], String::new())
        }
        CheckpointCommand::List => (list(place)?, String::new()),
        CheckpointCommand::Verify => {
            let data = data_of(place)?;
            (verify(&data)?, format!("verified in {}\n", data.display()))
        }
        CheckpointCommand::Copy { to_dir } => {
            let data = data_of(place)?;
            let copied = copy(&data, &to_dir)?;
            (vec![copied], format!("copied from {} to {}\n", data.display(), to_dir.display()))
        }
    };
    let shown = if as_json { place.json(json!({"data": shown}))? } else { place.line() + &did + &table(&shown) };
    output::print(&shown)
}

fn known(answer: Answer) -> Result<Value> {
    ensure!(matches!(answer.status, 200 | 201), "the node does not do that: {}", answer.problem());
    answer.json()
}

fn list(place: &Place) -> Result<Vec<Value>> {
    match place {
        Place::Node(client) => listed(client),
        Place::Folder(config, _) => {
            let data = &config.log.data_dir;
            let all = checkpoint::list(&Folder::new(data.join(CHECKPOINTS)))?;
            all.into_iter().map(|(_, manifest)| json_of(data, &manifest?)).collect()
        }
    }
}

fn listed(client: &Client) -> Result<Vec<Value>> {
    Ok(serde_json::from_value(known(client.get("/api/v1/checkpoints")?)?["data"].take())?)
}

/// The folder of all state. A node is asked for it: the command runs on the same machine.
fn data_of(place: &Place) -> Result<PathBuf> {
    let client = match place {
        Place::Folder(config, _) => return Ok(config.log.data_dir.clone()),
        Place::Node(client) => client,
    };
    let all = listed(client)?;
    let newest = all.first().context("the node has no checkpoint yet: `tradewind checkpoint now` takes one")?;
    let told = newest["place"].as_str().context("the node does not say where its checkpoints are")?;
    let Some(data) = Path::new(told).parent().and_then(Path::parent) else {
        bail!("the node says that its checkpoints are in {told}, which is no folder of a node");
    };
    let here = checkpoint::list(&Folder::new(data.join(CHECKPOINTS)))?;
    // Another machine may have a folder of the same name.
    let digest = newest["digest"].as_str();
    let is_here = here.iter().any(|(_, found)| found.as_ref().is_ok_and(|found| Some(found.digest.as_str()) == digest));
    ensure!(
        is_here,
        "the node keeps its checkpoints in {told}, and this machine does not have them: run this where it runs"
    );
    Ok(data.to_owned())
}

/// Checks every checkpoint as a restart would; the first that is damaged is the error.
fn verify(data: &Path) -> Result<Vec<Value>> {
    let folder = Folder::new(data.join(CHECKPOINTS));
    let all = checkpoint::list(&folder)?;
    ensure!(!all.is_empty(), "there is no checkpoint in {}", folder.describe(""));
    let mut good = Vec::new();
    for (name, manifest) in all {
        let manifest = manifest?;
        match checkpoint::verify(&*folder.folder(&name), &manifest) {
            Ok(()) => good.push(json_of(data, &manifest)?),
            // The node has removed it meanwhile.
            Err(_) if !checkpoint::list(&folder)?.iter().any(|(kept, _)| *kept == name) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(good)
}

/// Copies the newest checkpoint and the log: `up --data` on the copy resumes there. The log is append-only, so that
/// what is copied while a node writes has at worst a torn end, which is cut off when it is opened.
fn copy(data: &Path, target: &Path) -> Result<Value> {
    let folder = Folder::new(data.join(CHECKPOINTS));
    let newest = checkpoint::list(&folder)?.into_iter().find_map(|(name, manifest)| Some((name, manifest.ok()?)));
    let (name, manifest) = newest.with_context(|| format!("there is no checkpoint in {}", folder.describe("")))?;
    let chosen = &*folder.folder(&name);
    checkpoint::verify(chosen, &manifest)?;
    refuse_unless_empty(target)?;
    let kept = target.join(CHECKPOINTS);
    checkpoint::copy(chosen, &manifest, &Folder::at(&kept).with_context(|| format!("making {}", kept.display()))?)?;
    let mark = log::mark(data);
    if mark.exists() {
        // The log is a cluster's, and the copy resumes from the same one.
        std::fs::copy(&mark, log::mark(target)).with_context(|| format!("copying {}", mark.display()))?;
    } else {
        copy_files(&data.join("log"), &target.join("log"))?;
    }
    copy_files(&data.join("dead-letters"), &target.join("dead-letters"))?;
    // As long as a checkpoint is kept, the log is not deleted after the place where it resumes.
    let is_kept = checkpoint::list(&folder)?.iter().any(|(kept, _)| *kept == name);
    ensure!(
        is_kept,
        "the node removed checkpoint {name} while it was copied: empty {} and try again",
        target.display()
    );
    json_of(data, &manifest)
}

/// A copy goes into a folder of its own, which may be made already.
fn refuse_unless_empty(target: &Path) -> Result<()> {
    let shown = target.display();
    let is_empty = match std::fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be copied into")),
    };
    let is_a_nodes = log::mark(target).exists() || ["log", CHECKPOINTS].iter().any(|part| target.join(part).exists());
    ensure!(!is_a_nodes, "{shown} is not empty: it is the folder of another node, or of an earlier copy");
    ensure!(is_empty, "{shown} is not empty: a copy needs an empty folder, or the name of a new one");
    Ok(())
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
            // Deleted since it was listed, before a checkpoint: the file that records the deletion is copied after it.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            result => result.with_context(|| format!("copying {}", file.display()))?,
        };
        std::fs::File::open(&copied)?.sync_all()?;
    }
    std::fs::File::open(to)?.sync_all()?;
    Ok(())
}

fn table(checkpoints: &[Value]) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = format!("{:>12}  {:<27}  {:>12}  {:>14}  digest\n", "epoch", "now", "rows", "bytes");
    for of in checkpoints {
        let [epoch, now, rows, bytes, digest] = ["epoch", "now", "rows", "bytes", "digest"].map(|name| text(&of[name]));
        lines += &format!("{epoch:>12}  {now:<27}  {rows:>12}  {bytes:>14}  {digest}\n");
    }
    lines
}
