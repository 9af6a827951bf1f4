//! Whose files a node makes: nobody else reads them. Not for what is in them.

use super::Program;
use super::http::Api;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn start(data: &Path) -> Program {
    let data = data.display().to_string();
    Program::start(&["up", "--data", &data, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0"], &[])
}

/// Everything in a folder, with its mode.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in folder.read_dir().expect("the folder is ours").flatten() {
        // Files come and go while the node runs.
        let Ok(about) = entry.path().symlink_metadata() else { continue };
        found.push((entry.path(), about.mode() & 0o7777));
        if about.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[test]
fn whatever_a_node_makes_is_its_users_alone() {
    let folder = TempDir::new().expect("there is room for a folder");
    let (data, other) = (folder.path().join("data"), folder.path().join("other"));
    std::fs::create_dir(&data).expect("the folder is ours");
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).expect("the folder is ours");
    std::fs::write(&other, "theirs").expect("the folder is ours");
    let mut node = start(&data);
    let api = Api::new(&node.said("ready at ").expect("the node starts"));
    api.command("PUT", "/api/v1/policy", "k1", &serde_json::json!({})).ok();
    assert!(api.call("POST", "/api/v1/checkpoints", &[], "").status < 300);
    let mut found = vec![(data.clone(), data.metadata().expect("it is there").mode() & 0o7777)];
    modes(folder.path(), &mut found);
    let is_open = |(path, mode): &&(PathBuf, u32)| *path != other && *mode & 0o077 != 0;
    let open: Vec<_> =
        found.iter().filter(is_open).map(|(path, mode)| format!("{mode:o} {}", path.display())).collect();
    assert!(open.is_empty(), "{open:#?}");
    let key = folder.path().join("data-secrets/root-1.key");
    assert_eq!(key.metadata().expect("the first start makes it").len(), 32);
    node.signal("TERM");
    assert_eq!(node.end().code, Some(0));

    // A secret that others can read is refused by name, and so is one that is a link.
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("the file is ours");
    let ended = start(&data).end();
    assert!(ended.code != Some(0) && ended.stderr.contains("root-1.key"), "{}", ended.stderr);
    std::fs::remove_file(&key).expect("the file is ours");
    symlink(&other, &key).expect("the folder is ours");
    let ended = start(&data).end();
    assert!(ended.code != Some(0) && ended.stderr.contains("root-1.key"), "{}", ended.stderr);
}
