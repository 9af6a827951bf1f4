//! What a table does with a log that others have touched, and with one of its own that is damaged.

use super::{About, CHECKPOINT_COMMITS, Retention, Table};
use crate::Error;
use crate::schema::{Cell, Column, Date, Kind, Schema};
use crate::table_store::Folder;
use crate::testing::home::{Home, Where};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::path::Path;
use std::sync::Arc;

fn schema(columns: &[Column]) -> Schema {
    Schema::new("facts", columns.to_vec(), true, &["id"])
}

const COLUMNS: [Column; 2] = [Column::id("id"), Column::new("quantity", Kind::Long)];

const KEPT: Retention = Retention { replaced_ms: 3_600_000, log_ms: 30 * 86_400_000 };

fn open(home: &Path, columns: &[Column]) -> Result<Table, Error> {
    Table::open(Arc::new(Folder::new(home)), schema(columns), KEPT)
}

fn commit(table: &mut Table, epoch: u64) -> Result<(), Error> {
    commit_at(table, epoch, 7)
}

fn commit_at(table: &mut Table, epoch: u64, now_ms: i64) -> Result<(), Error> {
    let date = Date::of(Timestamp::parse("2026-01-02T03:04:05Z").unwrap());
    let mut rows = vec![vec![Cell::text(format!("f-{epoch}")), Cell::Number(epoch as i64)]];
    let add = table.write_rows(&format!("facts-{epoch}"), Some(date), &mut rows, now_ms, true)?;
    table.commit(About { operation: "WRITE", epoch: Epoch(epoch), now_ms }, vec![add.into()])
}

fn write_commit(home: &Path, version: u64, text: &str) {
    std::fs::write(home.join(format!("facts/_delta_log/{version:020}.json")), text).unwrap();
}

#[test]
fn a_protocol_that_somebody_raised_stops_the_writer_by_name() {
    let home = tempfile::tempdir().unwrap();
    commit(&mut open(home.path(), &COLUMNS).unwrap(), 1).unwrap();
    let raised = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"]}}"#;
    write_commit(home.path(), 2, raised);
    let error = open(home.path(), &COLUMNS).err().unwrap();
    assert!(matches!(error, Error::Protocol { reader: 3, writer: 7, .. }), "{error}");
    assert!(error.to_string().starts_with("the table facts asks for reader version 3 and writer version 7"), "{error}");
}

#[test]
fn another_writers_commit_is_noticed_and_then_kept_to() {
    // Given a table that is open, when somebody else commits, then the next commit is refused, and nothing replaced.
    let home = tempfile::tempdir().unwrap();
    let mut table = open(home.path(), &COLUMNS).unwrap();
    commit(&mut table, 1).unwrap();
    let path = table.state().adds.keys().next().unwrap().clone();
    write_commit(home.path(), 2, &format!(r#"{{"remove":{{"path":"{path}","dataChange":false}}}}"#));
    assert!(matches!(commit(&mut table, 2), Err(Error::Raced { version: 2, .. })));
    // When it is opened again, then it continues after that commit.
    let mut table = open(home.path(), &COLUMNS).unwrap();
    assert_eq!((table.epoch(), table.state().adds.len()), (Epoch(1), 0));
    commit(&mut table, 2).unwrap();
    assert_eq!((table.version(), table.state().adds.len()), (3, 1));
}

#[test]
fn a_table_gets_columns_and_loses_none() {
    let home = tempfile::tempdir().unwrap();
    commit(&mut open(home.path(), &COLUMNS).unwrap(), 1).unwrap();
    let more = [COLUMNS[0], COLUMNS[1], Column::new("reason", Kind::Text)];
    let table = open(home.path(), &more).unwrap();
    let path = table.state().adds.keys().next().unwrap();
    assert_eq!(table.read_rows(path).unwrap(), [[Cell::text("f-1"), Cell::Number(1), Cell::Null]]);
    assert_eq!((table.version(), table.epoch()), (2, Epoch(1)), "the new columns are in the log");
    let error = open(home.path(), &COLUMNS).err().unwrap();
    assert!(error.to_string().contains(r#"column 3 there is "reason" of type "string""#), "{error}");
    let other = [COLUMNS[0], Column::new("quantity", Kind::Text), more[2]];
    assert!(matches!(open(home.path(), &other), Err(Error::Schema { .. })));
}

#[test]
fn a_checkpoint_is_the_state_and_a_damaged_one_is_not_needed_while_the_commits_are_there() {
    let home = tempfile::tempdir().unwrap();
    let mut table = open(home.path(), &COLUMNS).unwrap();
    for epoch in 1..=CHECKPOINT_COMMITS + 3 {
        commit(&mut table, epoch).unwrap();
    }
    let (state, version) = (table.state().clone(), table.version());
    let of_disk = || open(home.path(), &COLUMNS).map(|table| (table.state().clone(), table.version()));
    assert_eq!(of_disk().unwrap(), (state.clone(), version));
    let checkpoint = home.path().join(format!("facts/_delta_log/{CHECKPOINT_COMMITS:020}.checkpoint.parquet"));
    std::fs::write(&checkpoint, b"PAR1").unwrap();
    assert_eq!(of_disk().unwrap(), (state, version));
    // When a commit is gone as well, then the table is not read wrongly, and the file is named.
    std::fs::remove_file(home.path().join(format!("facts/_delta_log/{:020}.json", 1))).unwrap();
    let error = of_disk().err().unwrap().to_string();
    assert!(error.contains("00050.checkpoint.parquet cannot be read"), "{error}");
}

#[test]
fn a_checkpoint_that_a_death_left_out_is_made_up_for() {
    let home = tempfile::tempdir().unwrap();
    let mut table = open(home.path(), &COLUMNS).unwrap();
    for epoch in 1..=CHECKPOINT_COMMITS {
        commit(&mut table, epoch).unwrap();
    }
    let path = home.path().join(format!("facts/_delta_log/{CHECKPOINT_COMMITS:020}.checkpoint.parquet"));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    drop(open(home.path(), &COLUMNS).unwrap());
    assert!(std::fs::read(&path).unwrap() == bytes);
}

#[test]
fn a_name_that_is_taken_is_not_taken_again() {
    for at in [Where::Folder, Where::Objects] {
        let home = Home::new(at);
        let place = home.place();
        assert!(place.put_new("log/1", b"one").unwrap());
        assert!(!place.put_new("log/1", b"two").unwrap());
        assert_eq!(place.read("log/1").unwrap(), b"one");
        assert_eq!(place.list("log").unwrap(), ["1"]);
        assert_eq!(place.list("_staging").unwrap(), [""; 0]);
    }
}

#[test]
fn what_another_writer_has_committed_is_not_replaced() {
    // Given two writers of a table that know no better, when both write other rows under one name, then one can commit,
    // and its rows are what it wrote.
    let home = Home::new(Where::Objects);
    let date = Date::of(Timestamp::parse("2026-01-02T03:04:05Z").unwrap());
    let row = |id: &str| vec![Cell::text(id), Cell::Number(7)];
    let writers = ["one", "two"].map(|id| (id, Table::open(home.place(), schema(&COLUMNS), KEPT).unwrap()));
    let adds = writers.each_ref().map(|(id, table)| table.write_rows("facts-1", Some(date), &mut [row(id)], 7, true));
    let about = About { operation: "WRITE", epoch: Epoch(1), now_ms: 7 };
    let commits = writers.into_iter().zip(adds);
    let commits = commits.map(|((_, mut table), add)| table.commit(about, vec![add.unwrap().into()]));
    assert!(matches!(commits.collect::<Vec<_>>()[..], [Ok(()), Err(Error::Raced { version: 1, .. })]));
    let table = Table::open(home.place(), schema(&COLUMNS), KEPT).unwrap();
    let path = table.state().adds.keys().next().unwrap();
    assert_eq!(table.read_rows(path).unwrap(), [row("one")]);
}

#[test]
fn of_many_writers_at_once_one_takes_the_name() {
    let home = Home::new(Where::Objects);
    for name in ["log/1", "log/2", "log/3"] {
        let taken: Vec<u8> = std::thread::scope(|scope| {
            let write = |n: u8| {
                let place = home.place();
                scope.spawn(move || place.put_new(name, &[n]).unwrap().then_some(n))
            };
            let writers: Vec<_> = (0..8).map(write).collect();
            writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
        });
        // What stands there is the winner's.
        assert_eq!(home.place().read(name).unwrap(), taken);
    }
}

#[test]
fn the_log_goes_back_as_far_as_it_is_kept_whenever_it_was_opened() {
    // Given a commit a day, and a log that is kept for 30 days.
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut table = open(homes[0].path(), &COLUMNS).unwrap();
    for epoch in 1..=3 * CHECKPOINT_COMMITS + 7 {
        commit_at(&mut table, epoch, epoch as i64 * 86_400_000).unwrap();
        commit_at(&mut open(homes[1].path(), &COLUMNS).unwrap(), epoch, epoch as i64 * 86_400_000).unwrap();
    }
    // Then what is before the checkpoint of day 100 is gone, the table is whole, and its files are the same.
    let names = homes.each_ref().map(|home| {
        let mut names: Vec<String> = std::fs::read_dir(home.path().join("facts/_delta_log"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    });
    assert_eq!(names[0].first().unwrap(), &format!("{:020}.checkpoint.parquet", 2 * CHECKPOINT_COMMITS));
    assert_eq!(names[0].len(), 2 + CHECKPOINT_COMMITS as usize + 7 + 1 + 1, "{:?}", names[0]);
    assert_eq!(names[0], names[1]);
    let again = open(homes[0].path(), &COLUMNS).unwrap();
    assert_eq!((again.state(), again.version()), (table.state(), table.version()));
}

#[test]
fn a_replaced_file_is_deleted_when_nobody_reads_it_any_more() {
    // Given files that are replaced one by the next, a minute apart, and kept for an hour.
    let home = Home::new(Where::Objects);
    let schema = Schema::new("now", COLUMNS.to_vec(), false, &["id"]);
    let mut table = Table::open(home.place(), schema.clone(), KEPT).unwrap();
    for minute in 1..=200_i64 {
        let now_ms = minute * 60_000;
        let mut actions: Vec<_> = table.state().adds.values().map(|add| add.removed(now_ms, true).into()).collect();
        let row = vec![Cell::text("a"), Cell::Number(minute)];
        actions.push(table.write_rows(&format!("now-{minute}"), None, &mut [row], now_ms, true).unwrap().into());
        let epoch = Epoch(minute as u64);
        table.commit(About { operation: "WRITE", epoch, now_ms }, actions).unwrap();
        table.delete_replaced(now_ms).unwrap();
        // Then those of the last hour are there, and the log does not remember others for ever.
        assert!(table.data_files().unwrap().len() <= 61, "minute {minute}");
        assert!(table.state().removes.len() <= 62 + CHECKPOINT_COMMITS as usize, "minute {minute}");
        if minute % 30 == 0 {
            // A writer that died before it deleted deletes when it is opened again.
            table = Table::open(home.place(), schema.clone(), KEPT).unwrap();
        }
    }
    assert_eq!(table.data_files().unwrap().len(), 61, "one is live");
}

#[test]
fn a_checkpoint_names_the_element_of_its_lists() {
    // Delta Standalone and parquet-mr find it by that name.
    let home = tempfile::tempdir().unwrap();
    let mut table = open(home.path(), &COLUMNS).unwrap();
    for epoch in 1..=CHECKPOINT_COMMITS {
        commit(&mut table, epoch).unwrap();
    }
    let path = home.path().join(format!("facts/_delta_log/{CHECKPOINT_COMMITS:020}.checkpoint.parquet"));
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let paths: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    assert!(paths.contains(&"metaData.partitionColumns.list.element".to_owned()), "{paths:?}");
    assert!(paths.contains(&"add.partitionValues.key_value.value".to_owned()), "{paths:?}");
}
