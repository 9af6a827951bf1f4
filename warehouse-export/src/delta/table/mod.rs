//! A Delta table of ours: opened, written to, checkpointed. There is one writer, and it notices another.

mod retention;

use super::action::{Action, Add, CommitInfo, Format, MetaData, Protocol, Txn};
use super::{State, checkpoint};
use crate::Error;
use crate::schema::{DATE, Date, Row, Schema};
use crate::table_store::TableStore;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

pub use retention::Retention;

/// How many commits there are between checkpoints.
pub const CHECKPOINT_COMMITS: u64 = 50;
/// What we write and all that we keep to.
const PROTOCOL: Protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };

/// A table.
pub struct Table {
    place: Arc<dyn TableStore>,
    schema: Schema,
    kept: Retention,
    state: State,
    /// The version of the state.
    version: u64,
    /// The milliseconds of the newest epoch's `now` before the newest commit.
    before_ms: i64,
    /// The version of the newest checkpoint.
    checkpointed: Option<u64>,
    /// Files that were replaced until then are deleted.
    deleted_ms: Option<i64>,
}

/// What a commit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its kind, in Delta's words.
    pub operation: &'static str,
    /// The newest epoch that the table holds with it.
    pub epoch: Epoch,
    /// That epoch's `now`, in milliseconds.
    pub now_ms: i64,
}

fn io_error<'a>(place: &'a dyn TableStore, doing: &'static str, path: &'a str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io { doing, file: place.describe(path), source }
}

/// Writes a file, or replaces it.
pub(crate) fn put(place: &dyn TableStore, path: &str, bytes: &[u8]) -> Result<(), Error> {
    place.put(path, bytes).map_err(io_error(place, "writing", path))
}

/// What stands in the log's folder.
#[derive(Default)]
struct LogFiles {
    commits: Vec<u64>,
    checkpoints: Vec<u64>,
}

impl LogFiles {
    fn of(names: &[String]) -> LogFiles {
        let version = |name: &str, ending: &str| {
            let digits = name.strip_suffix(ending)?;
            (digits.len() == 20).then(|| digits.parse().ok()).flatten()
        };
        LogFiles {
            commits: names.iter().filter_map(|name| version(name, ".json")).collect(),
            checkpoints: names.iter().filter_map(|name| version(name, ".checkpoint.parquet")).collect(),
        }
    }
}

impl Table {
    /// Opens a table, or makes it.
    pub fn open(place: Arc<dyn TableStore>, schema: Schema, kept: Retention) -> Result<Table, Error> {
        let mut table = Table::at(place, schema, kept);
        if !table.load()? {
            table.write_commit(0, vec![PROTOCOL.into(), table.meta_data().into()], None)?;
            return Ok(table);
        }
        table.check()?;
        // The process that wrote the commit may have died before.
        table.checkpoint_if_due()?;
        table.delete_log()?;
        Ok(table)
    }

    fn at(place: Arc<dyn TableStore>, schema: Schema, kept: Retention) -> Table {
        let state = State::default();
        Table { place, schema, kept, state, version: 0, before_ms: 0, checkpointed: None, deleted_ms: None }
    }

    /// The paths of a table's files, as its log has them now; none if it is not there. Writes nothing.
    pub fn live_files(place: Arc<dyn TableStore>, schema: Schema) -> Result<Vec<String>, Error> {
        let kept = Retention { replaced_ms: i64::MAX, log_ms: i64::MAX };
        let mut table = Table::at(place, schema, kept);
        table.load()?;
        Ok(table.state.adds.into_keys().collect())
    }

    /// The name under which this writer notes how far it is.
    fn app_id(&self) -> String {
        format!("tradewind-{}", self.schema.table)
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.schema.table)
    }

    fn log(&self, name: &str) -> String {
        self.path(&format!("_delta_log/{name}"))
    }

    /// What the table looks like.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The table as it is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The version of its newest commit.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The last epoch that it holds; 0 while it holds nothing.
    pub fn epoch(&self) -> Epoch {
        let txn = self.state.txns.get(&self.app_id());
        Epoch(txn.and_then(|txn| u64::try_from(txn.version).ok()).unwrap_or(0))
    }

    /// The milliseconds of that epoch's `now`.
    pub fn now_ms(&self) -> i64 {
        self.state.txns.get(&self.app_id()).and_then(|txn| txn.last_updated).unwrap_or(0)
    }

    /// The paths of all Parquet files in its folder, whether they belong to it or not.
    pub fn data_files(&self) -> Result<Vec<String>, Error> {
        let list = |folder: &str| self.place.list(folder).map_err(io_error(&*self.place, "listing", folder));
        let mut files = Vec::new();
        for name in list(&self.schema.table)? {
            if name.starts_with("date=") {
                let names = list(&self.path(&name))?;
                files.extend(names.into_iter().map(|file| format!("{name}/{file}")));
            } else {
                files.push(name);
            }
        }
        files.retain(|file| file.ends_with(".parquet"));
        Ok(files)
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.place.read(path).map_err(io_error(&*self.place, "reading", path))
    }

    fn damaged(&self, path: &str, why: impl Into<String>) -> Error {
        Error::Damaged { file: self.place.describe(path), why: why.into() }
    }

    /// Reads the newest checkpoint that can be read and the commits after it; without one, every commit. False if there is
    /// no table.
    fn load(&mut self) -> Result<bool, Error> {
        let folder = self.log("");
        let names = self.place.list(folder.trim_end_matches('/'));
        let listed = LogFiles::of(&names.map_err(io_error(&*self.place, "listing", &folder))?);
        if listed.commits.is_empty() && listed.checkpoints.is_empty() {
            return Ok(false);
        }
        let mut from = 0;
        let mut why = None;
        for version in listed.checkpoints.iter().rev() {
            let path = self.log(&format!("{version:020}.checkpoint.parquet"));
            match self
                .read_file(&path)
                .and_then(|bytes| checkpoint::read(bytes).map_err(|why| self.damaged(&path, why)))
            {
                Ok(actions) => {
                    actions.into_iter().for_each(|action| self.state.apply(action));
                    (self.version, self.checkpointed, from) = (*version, Some(*version), version + 1);
                    break;
                }
                Err(error) => why = why.or(Some(error)),
            }
        }
        for (expected, version) in (from..).zip(listed.commits.iter().copied().filter(|version| *version >= from)) {
            let path = self.log(&format!("{version:020}.json"));
            if version != expected {
                return Err(
                    why.unwrap_or_else(|| self.damaged(&path, format!("version {expected} before it is not there")))
                );
            }
            let bytes = self.read_file(&path)?;
            self.before_ms = self.now_ms();
            let lines = serde_json::Deserializer::from_slice(&bytes).into_iter::<Action>();
            for action in lines {
                self.state.apply(action.map_err(|error| self.damaged(&path, error.to_string()))?);
            }
            self.version = version;
        }
        Ok(true)
    }

    /// The table's own description; the id is made of its name, so that a table that is written again is the same.
    fn meta_data(&self) -> MetaData {
        let id = format!("{:032x}", xxh3_128(self.app_id().as_bytes()));
        let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
        let configuration = [("delta.checkpointInterval", "50"), ("delta.enableDeletionVectors", "false")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        MetaData {
            id,
            name: Some(self.schema.table.clone()),
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: self.schema.delta().to_string(),
            partition_columns: if self.schema.is_dated { vec![DATE.to_owned()] } else { Vec::new() },
            configuration: configuration.into(),
            created_time: Some(0),
        }
    }

    /// Whether this writer may continue with the table that it found; a table that lacks new columns gets them.
    fn check(&mut self) -> Result<(), Error> {
        let table = || self.schema.table.clone();
        let folder = self.log("");
        let protocol = self.state.protocol.as_ref().ok_or_else(|| self.damaged(&folder, "it names no protocol"))?;
        if *protocol != PROTOCOL {
            let Protocol { min_reader_version: reader, min_writer_version: writer } = *protocol;
            return Err(Error::Protocol { table: table(), reader, writer });
        }
        let found =
            self.state.meta_data.as_ref().ok_or_else(|| self.damaged(&folder, "it says not what the table is"))?;
        let ours = self.meta_data();
        if found.partition_columns != ours.partition_columns {
            let why =
                format!("it is partitioned by {:?}, and not by {:?}", found.partition_columns, ours.partition_columns);
            return Err(Error::Schema { table: table(), why });
        }
        let fields = |schema: &Value| {
            let fields = schema["fields"].as_array().cloned().unwrap_or_default();
            let columns = fields.into_iter().filter(|field| field["name"] != DATE);
            columns.map(|field| (field["name"].clone(), field["type"].clone())).collect::<Vec<_>>()
        };
        let schema =
            serde_json::from_str(&found.schema_string).map_err(|error| self.damaged(&folder, error.to_string()))?;
        let (theirs, new) = (fields(&schema), fields(&self.schema.delta()));
        if !new.starts_with(&theirs) {
            let (at, field) =
                theirs.iter().enumerate().find(|(at, field)| new.get(*at) != Some(*field)).expect("one differs");
            let (name, kind) = field;
            return Err(Error::Schema {
                table: table(),
                why: format!("column {} there is {name} of type {kind}", at + 1),
            });
        }
        if new.len() > theirs.len() {
            let meta_data = MetaData { schema_string: ours.schema_string, ..found.clone() };
            self.write_commit(self.version + 1, vec![meta_data.into()], None)?;
        }
        Ok(())
    }

    /// A property of the table.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.state.meta_data.as_ref()?.configuration.get(name).map(String::as_str)
    }

    /// Gives the table a property.
    pub fn set_property(&mut self, name: &str, value: String) -> Result<(), Error> {
        let mut meta_data = self.state.meta_data.clone().unwrap_or_else(|| self.meta_data());
        meta_data.configuration.insert(name.to_owned(), value);
        self.write(vec![meta_data.into()], "SET TBLPROPERTIES", self.now_ms())
    }

    /// Whether others may write to the table at the same time.
    pub fn is_shared(&self) -> bool {
        self.place.is_shared()
    }

    /// Writes the rows of a day, or of a table without days, as a file that a commit can then add. They are put in order.
    /// The file's name ends with a hash of its bytes, so that no writer ever replaces what another one has committed.
    pub fn write_rows(
        &self,
        name: &str,
        date: Option<Date>,
        rows: &mut [Row],
        now_ms: i64,
        data_change: bool,
    ) -> Result<Add, Error> {
        self.schema.sort(rows);
        let written = crate::parquet_file::write(&self.schema, rows)?;
        let file = format!("{name}-{:016x}.parquet", xxh3_64(&written.bytes));
        let path = date.map_or_else(|| file.clone(), |date| format!("{DATE}={date}/{file}"));
        put(&*self.place, &self.path(&path), &written.bytes)?;
        Ok(Add {
            path,
            partition_values: date.map(|date| (DATE.to_owned(), Some(date.to_string()))).into_iter().collect(),
            size: i64::try_from(written.bytes.len()).unwrap_or(i64::MAX),
            modification_time: now_ms,
            data_change,
            stats: Some(written.stats.json()),
        })
    }

    /// The rows of one of its files.
    pub fn read_rows(&self, path: &str) -> Result<Vec<Row>, Error> {
        let path = self.path(path);
        crate::parquet_file::read(&self.schema, self.read_file(&path)?).map_err(|why| self.damaged(&path, why))
    }

    /// Deletes a file that no version needs any more.
    pub fn delete_file(&self, path: &str) -> Result<(), Error> {
        let path = self.path(path);
        self.place.delete(&path).map_err(io_error(&*self.place, "deleting", &path))
    }

    /// Makes these actions the next version, all or none. After an error the table is opened again.
    pub fn commit(&mut self, about: About, mut actions: Vec<Action>) -> Result<(), Error> {
        let About { operation, epoch, now_ms } = about;
        let version = i64::try_from(epoch.0).unwrap_or(i64::MAX);
        actions.insert(0, Txn { app_id: self.app_id(), version, last_updated: Some(now_ms) }.into());
        self.write(actions, operation, now_ms)
    }

    fn write(&mut self, actions: Vec<Action>, operation: &str, now_ms: i64) -> Result<(), Error> {
        let engine_info = concat!("tradewind/", env!("CARGO_PKG_VERSION")).to_owned();
        let info = CommitInfo { timestamp: now_ms, operation: operation.to_owned(), engine_info };
        self.write_commit(self.version + 1, actions, Some(info))?;
        if self.checkpoint_if_due()? { self.delete_log() } else { Ok(()) }
    }

    fn write_commit(&mut self, version: u64, actions: Vec<Action>, info: Option<CommitInfo>) -> Result<(), Error> {
        let mut lines = Vec::new();
        for action in info.into_iter().map(Action::from).chain(actions.iter().cloned()) {
            serde_json::to_writer(&mut lines, &action).expect("an action has only texts and numbers");
            lines.push(b'\n');
        }
        let path = self.log(&format!("{version:020}.json"));
        let written = self.place.put_new(&path, &lines);
        if !written.map_err(io_error(&*self.place, "writing", &path))? {
            return Err(Error::Raced { table: self.schema.table.clone(), version });
        }
        self.before_ms = self.now_ms();
        actions.into_iter().for_each(|action| self.state.apply(action));
        self.version = version;
        Ok(())
    }

    /// Writes the state as a file where a version is one of every so many, so that a table that is written again has the
    /// same ones; says whether it did.
    fn checkpoint_if_due(&mut self) -> Result<bool, Error> {
        if !self.version.is_multiple_of(CHECKPOINT_COMMITS) || self.checkpointed.unwrap_or(0) == self.version {
            return Ok(false);
        }
        self.forget_deleted();
        let actions = self.state.actions();
        let path = self.log(&format!("{:020}.checkpoint.parquet", self.version));
        put(&*self.place, &path, &checkpoint::write(&actions)?)?;
        let newest = json!({"version": self.version, "size": actions.len()}).to_string();
        put(&*self.place, &self.log("_last_checkpoint"), newest.as_bytes())?;
        self.checkpointed = Some(self.version);
        Ok(true)
    }
}

/// The milliseconds of a moment.
pub fn millis(at: Timestamp) -> i64 {
    at.micros().div_euclid(1000)
}
