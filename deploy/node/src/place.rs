//! The target of a command: a node that runs, or the folder of one that does not; found by the flags that such commands
//! have. Not for what is asked there.

use crate::client::{self, Client};
use crate::config::{self, Config, Flags, Settings};
use crate::folder_lock::FolderLock;
use anyhow::{Result, ensure};
use serde_json::Value;
use std::path::PathBuf;

/// The flags.
#[derive(Clone, Debug, Default)]
pub struct PlaceNames {
    /// A node.
    pub to: Option<String>,
    /// A folder.
    pub data: Option<PathBuf>,
    /// A file of configuration for the folder.
    pub config: Option<PathBuf>,
}

/// The target.
pub enum Place {
    /// A node that runs.
    Node(Client),
    /// The folder of one that does not, and cannot begin while it is looked at.
    Folder(Box<Config>, FolderLock),
}

impl Place {
    /// The one that is named; if none is, the node at the default address, or if none answers there, the folder that is
    /// configured.
    pub fn find(named: PlaceNames) -> Result<Place> {
        let PlaceNames { to, data, config } = named;
        if let Some(to) = to {
            return Ok(Place::Node(Client::new(&to)?));
        }
        let is_named = data.is_some();
        let flags = Flags { data, ..Flags::default() };
        let config = Settings::load(config.as_deref(), &config::environment(), flags)?.config();
        if !is_named {
            let client = Client::new(client::NODE)?;
            let Err(unanswered) = client.get("/health/live") else { return Ok(Place::Node(client)) };
            let data = &config.log.data_dir;
            ensure!(data.is_dir(), "{unanswered}; and there is no folder {}: give --to or --data", data.display());
        }
        Place::folder(config)
    }

    /// The folder of that configuration.
    fn folder(config: Config) -> Result<Place> {
        let held = FolderLock::by_command(&config.log.data_dir)?;
        Ok(Place::Folder(Box::new(config), held))
    }

    /// Its kind and its name.
    fn name(&self) -> (&'static str, String) {
        match self {
            Place::Node(client) => ("node", client.base().to_owned()),
            Place::Folder(config, _) => ("folder", config.log.data_dir.display().to_string()),
        }
    }

    /// A line for people that names it.
    pub fn line(&self) -> String {
        let (kind, name) = self.name();
        format!("{kind} {name}\n")
    }

    /// The result as JSON for programs, which names the place too.
    pub fn json(&self, mut found: Value) -> Result<String> {
        let (kind, name) = self.name();
        if let Some(fields) = found.as_object_mut() {
            fields.insert(kind.to_owned(), Value::String(name));
        }
        Ok(serde_json::to_string_pretty(&found)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(to: Option<&str>, data: Option<PathBuf>) -> Result<Place> {
        Place::find(PlaceNames { to: to.map(str::to_owned), data, config: None })
    }

    #[test]
    fn what_is_named_is_looked_at_and_told() {
        let node = found(Some("http://127.0.0.1:1/"), None).unwrap();
        assert_eq!(node.line(), "node http://127.0.0.1:1\n");
        let shown: Value = serde_json::from_str(&node.json(json!({"data": []})).unwrap()).unwrap();
        assert_eq!(shown, json!({"data": [], "node": "http://127.0.0.1:1"}));
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_owned();
        let place = found(None, Some(data.clone())).unwrap();
        assert_eq!(place.line(), format!("folder {}\n", data.display()));
        assert!(found(Some("127.0.0.1:1"), None).is_err(), "no URL");
    }

    #[test]
    fn the_folder_of_a_node_that_runs_is_not_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::by_node(folder.path(), "http://127.0.0.1:7").unwrap();
        let refused = found(None, Some(folder.path().to_owned())).err().unwrap().to_string();
        assert!(refused.contains("the node at http://127.0.0.1:7"), "{refused}");
        drop(held);
        assert!(found(None, Some(folder.path().to_owned())).is_ok());
    }
}
