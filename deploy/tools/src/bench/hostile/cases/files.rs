//! Cases of files that another user puts into the folder of a stopped node.

use crate::bench::hostile::attack::{Attack, PATIENCE};
use crate::bench::hostile::kafka::{Body, Client, OFFSET_COMMIT, ORDERS};
use anyhow::{Context, Result, ensure};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The content of the file beside the folder, which no node may touch.
const VICTIM: &str = "not the node's";

fn victim(data: &Path) -> PathBuf {
    data.with_extension("victim")
}

fn commit_once(attack: &mut Attack, group: &str) -> Result<()> {
    let body = Body::default().text(group).i32(-1).text("").i64(-1);
    let body = body.i32(1).text(ORDERS).i32(1).i32(0).i64(7).text("");
    let mut answer = Client::new(attack.kafka, PATIENCE)?.ask(OFFSET_COMMIT, body)?;
    ensure!(answer.len() > 8 && answer.i32()? == 1, "one topic was committed");
    Ok(())
}

/// L2: there is a file of offsets.
pub fn commit(attack: &mut Attack) -> Result<()> {
    commit_once(attack, "linked")
}

/// L2: in place of the node's next file there is a link to another user's.
pub fn links(data: &Path) -> Result<()> {
    let victim = victim(data);
    std::fs::write(&victim, VICTIM)?;
    let folder = data.join("kafka-listener");
    let mut names = vec!["group-offsets.1.new".to_owned()];
    for file in std::fs::read_dir(&folder).context("the folder of offsets is there")? {
        let name = file?.file_name().to_string_lossy().into_owned();
        names.push(format!("{name}.new"));
    }
    for name in names {
        let path = folder.join(name);
        if path.symlink_metadata().is_err() {
            symlink(&victim, path)?;
        }
    }
    Ok(())
}

/// L2: the file of the other user is as it was, and no other user can read the node's.
pub fn linked(attack: &mut Attack) -> Result<()> {
    commit_once(attack, "linked again")?;
    let victim = victim(&attack.data);
    let found = std::fs::read_to_string(&victim)?;
    attack.expect(found == VICTIM, || format!("a link was followed; the file behind it begins with {found}"));
    std::fs::remove_file(victim)?;
    let mut open = Vec::new();
    modes(&attack.data.clone(), &mut open)?;
    attack.note(format!("{} files or folders that others may read", open.len()));
    attack.expect(open.is_empty(), || format!("others may read {}", open.join(", ")));
    Ok(())
}

/// Names the files that are not for the owner alone.
fn modes(path: &Path, open: &mut Vec<String>) -> Result<()> {
    let about = path.symlink_metadata()?;
    if about.is_symlink() {
        return Ok(());
    }
    if about.permissions().mode() & 0o077 != 0 {
        open.push(format!("{} {:o}", path.display(), about.permissions().mode() & 0o777));
    }
    if about.is_dir() {
        for entry in path.read_dir()? {
            modes(&entry?.path(), open)?;
        }
    }
    Ok(())
}

/// L3: as many checkpoints as are kept.
pub fn two_checkpoints(attack: &mut Attack) -> Result<()> {
    for _ in 0..2 {
        let taken = attack.client.post("/api/v1/checkpoints")?;
        attack.expect(taken.status == 201, || format!("no checkpoint: {}", taken.problem()));
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }
    Ok(())
}

/// L3: a copy of the newest one under a high number, whose files end too early.
pub fn damaged(data: &Path) -> Result<()> {
    let folder = data.join("checkpoints");
    let names = || -> Result<Vec<String>> {
        let entries = std::fs::read_dir(&folder).context("there are checkpoints")?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    let number = |name: &String| name.split('-').next().and_then(|number| number.parse::<u64>().ok());
    let newest = names()?.into_iter().filter(|name| number(name).is_some()).max_by_key(number);
    let newest = newest.context("there is a checkpoint")?;
    let forged = folder.join(newest.replacen(&newest[..newest.find('-').unwrap_or(newest.len())], "999999999", 1));
    std::fs::create_dir(&forged)?;
    for file in std::fs::read_dir(folder.join(&newest))? {
        let file = file?;
        let bytes = std::fs::read(file.path())?;
        std::fs::write(forged.join(file.file_name()), &bytes[..bytes.len() / 2])?;
    }
    Ok(())
}

/// L3: the next checkpoints are kept, and the damaged one is not one of them.
pub fn kept(attack: &mut Attack) -> Result<()> {
    two_checkpoints(attack)?;
    let list = attack.json("/api/v1/checkpoints")?;
    let epochs: Vec<u64> =
        list["data"].as_array().into_iter().flatten().filter_map(|one| one["epoch"].as_u64()).collect();
    attack.note(format!("checkpoints of the epochs {epochs:?}"));
    let whole = epochs.iter().filter(|epoch| **epoch < 999_999_999).count();
    attack.expect(whole >= 2, || format!("{whole} whole checkpoints are kept: {list}"));
    Ok(())
}
