//! kafkajs, a client for Node.js, publishes, reads in a group and administers, over a restart of the node. Only with
//! `TRADEWIND_TEST_CLIENTS=all`. Not for other clients.

use super::restart::over_a_restart;
use super::{are_all_wanted, built, file, run, skipped};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The folder of the modules that the program needs, fetched as they are locked.
fn modules() -> Result<PathBuf, String> {
    let folder = built("kafkajs")?;
    let from = file("tests/process/listener/kafkajs");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(from.join(name), folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder))?;
    Ok(folder.join("node_modules"))
}

#[test]
fn kafkajs_publishes_and_reads_in_a_group() {
    if !are_all_wanted() {
        return;
    }
    let modules = match modules() {
        Ok(modules) => modules,
        Err(why) => return skipped(&format!("there is no kafkajs: {why}")),
    };
    let mut node = Command::new("node");
    // Where it looks for what is not beside the program.
    node.env("NODE_PATH", modules).arg(file("tests/process/listener/kafkajs/main.js"));
    over_a_restart("kafkajs", node, &["kafkajs"]);
}
