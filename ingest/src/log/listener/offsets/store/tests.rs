//! Places that are committed, forgotten, and read back; a disk that fails, and a machine that stops at every step.

use super::*;
use crate::testing::{Disk, DiskFaults, Stop};

fn open(disk: &Disk, config: &ListenerConfig) -> Offsets {
    Offsets::open(Arc::new(disk.clone()), config).unwrap()
}

fn place(partition: u32, offset: i64, metadata: &str) -> (String, u32, CommittedOffset) {
    ("orders.events".to_owned(), partition, CommittedOffset { offset, metadata: metadata.to_owned() })
}

/// Commits an offset of a group for partition 1, and waits.
fn commit(offsets: &Offsets, group: &str, offset: i64) -> Result<i16, Error> {
    let (codes, change) = offsets.put(group, vec![place(1, offset, "m")], &mut std::iter::empty());
    run(offsets.written(change)).map(|()| codes[0])
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn committed(offsets: &Offsets, group: &str) -> Option<i64> {
    offsets.get(group, "orders.events", 1).map(|committed| committed.offset)
}

fn after_power_loss(disk: &Disk) -> Disk {
    disk.after_power_loss(|synced, _| synced.to_vec())
}

#[test]
fn places_are_there_after_a_restart() {
    let (disk, config) = (Disk::default(), ListenerConfig::default());
    let offsets = open(&disk, &config);
    for (group, offset) in [("a", 5), ("b", 6), ("a", -7), ("c", i64::MAX)] {
        assert_eq!(commit(&offsets, group, offset).unwrap(), error_code::NONE);
    }
    run(offsets.written(offsets.forget("b").unwrap())).unwrap();
    assert!(offsets.forget("b").is_none());
    let again = open(&after_power_loss(&disk), &config);
    assert_eq!(again.groups(), ["a", "c"]);
    assert_eq!(
        [committed(&again, "a"), committed(&again, "b"), committed(&again, "c")],
        [Some(-7), None, Some(i64::MAX)]
    );
    // A group that is forgotten and commits again before it is written is there.
    again.forget("a").unwrap();
    commit(&again, "a", 8).unwrap();
    run(again.written(again.remove("c", vec![("orders.events".to_owned(), 1)]))).unwrap();
    assert_eq!(open(&disk.copy(), &config).groups(), ["a", "c"], "the other disk is another one");
}

#[test]
fn a_group_whose_last_place_is_forgotten_is_forgotten() {
    let (disk, config) = (Disk::default(), ListenerConfig::default());
    let offsets = open(&disk, &config);
    commit(&offsets, "a", 1).unwrap();
    commit(&offsets, "b", 1).unwrap();
    run(offsets.written(offsets.remove("a", vec![("orders.events".to_owned(), 1), ("other".to_owned(), 3)]))).unwrap();
    assert_eq!(offsets.groups(), ["b"]);
    assert_eq!(open(&after_power_loss(&disk), &config).groups(), ["b"]);
}

#[test]
fn no_group_leaves_for_another() {
    let (disk, config) = (Disk::default(), ListenerConfig { groups_max: 3, ..ListenerConfig::default() });
    let offsets = open(&disk, &config);
    commit(&offsets, "a", 1).unwrap();
    commit(&offsets, "b", 1).unwrap();
    let live = ["a".to_owned(), "live".to_owned()];
    let (codes, change) = offsets.put("c", vec![place(1, 1, ""), place(2, 1, "")], &mut live.iter());
    assert_eq!((codes, change), (vec![error_code::GROUP_MAX_SIZE_REACHED; 2], 0));
    assert_eq!(offsets.put("live", vec![place(1, 1, "")], &mut live.iter()).0, [error_code::NONE], "it is one of them");
    assert_eq!(commit(&offsets, "c", 1).unwrap(), error_code::GROUP_MAX_SIZE_REACHED);
    assert_eq!(commit(&offsets, "a", 2).unwrap(), error_code::NONE);
    assert_eq!(offsets.groups(), ["a", "b", "live"]);
    offsets.forget("b").unwrap();
    assert_eq!(commit(&offsets, "c", 1).unwrap(), error_code::NONE);
}

#[test]
fn what_a_group_keeps_beside_its_places_is_bounded() {
    let config =
        ListenerConfig { offset_metadata_bytes_max: 10, group_metadata_bytes_max: 25, ..ListenerConfig::default() };
    let offsets = open(&Disk::default(), &config);
    let put = |partition, bytes: usize| {
        offsets.put("a", vec![place(partition, 1, &"m".repeat(bytes))], &mut std::iter::empty()).0[0]
    };
    let too_large = error_code::OFFSET_METADATA_TOO_LARGE;
    assert_eq!([put(1, 10), put(2, 11), put(2, 10), put(3, 6), put(3, 5)], [0, too_large, 0, too_large, 0]);
    assert_eq!([put(3, 6), put(1, 10), put(1, 9), put(3, 6), put(4, 0)], [too_large, 0, 0, 0, 0]);
}

#[test]
fn the_file_does_not_grow_beyond_what_counts() {
    let (disk, config) =
        (Disk::default(), ListenerConfig { offsets_rewrite_bytes_min: 1_000, ..ListenerConfig::default() });
    let offsets = open(&disk, &config);
    for offset in 0..500 {
        commit(&offsets, "a", offset).unwrap();
    }
    let bytes = disk.bytes("group-offsets.2").len();
    assert!(bytes < 1_200, "{bytes} bytes");
    assert_eq!(committed(&open(&after_power_loss(&disk), &config), "a"), Some(499));
}

#[test]
fn a_line_is_what_it_was() {
    let (disk, config) = (Disk::default(), ListenerConfig::default());
    let offsets = open(&disk, &config);
    commit(&offsets, "g", 5).unwrap();
    run(offsets.written(offsets.forget("g").unwrap())).unwrap();
    let text = String::from_utf8(disk.bytes("group-offsets.2")).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| &line[9..]).collect();
    let first = r#"[{"group":"g","places":[["orders.events",1,{"offset":5,"metadata":"m"}]]}]"#;
    assert_eq!(lines, [first, r#"[{"group":"g","places":null}]"#]);
}

#[test]
fn a_file_that_is_cut_anywhere_holds_what_was_whole() {
    let (disk, config) = (Disk::default(), ListenerConfig::default());
    let offsets = open(&disk, &config);
    let mut ends = vec![0];
    for offset in 0..3 {
        commit(&offsets, "a", offset).unwrap();
        ends.push(disk.bytes("group-offsets.2").len());
    }
    let bytes = disk.bytes("group-offsets.2");
    for cut in 0..=bytes.len() {
        let torn = Disk::default();
        torn.put("group-offsets.2", bytes[..cut].to_vec());
        let offsets = open(&torn, &config);
        let whole = i64::try_from(ends.iter().filter(|end| **end <= cut).count()).unwrap() - 2;
        assert_eq!(committed(&offsets, "a"), (whole >= 0).then_some(whole), "cut at {cut}");
        commit(&offsets, "a", 9).unwrap();
        assert_eq!(committed(&open(&after_power_loss(&torn), &config), "a"), Some(9), "cut at {cut}");
    }
    let mut damaged = bytes.clone();
    damaged[12] ^= 1;
    let torn = Disk::default();
    torn.put("group-offsets.2", damaged);
    assert!(matches!(Offsets::open(Arc::new(torn), &config).map(drop), Err(Error::Damaged { offset: 0, .. })));
}

/// Commits until one is not acknowledged: the last that was, and the one that was not.
fn commit_until_it_fails(offsets: &Offsets) -> (i64, Option<i64>) {
    for offset in 1..30 {
        if commit(offsets, "a", offset).is_err() {
            return (offset - 1, Some(offset));
        }
    }
    (29, None)
}

#[test]
fn what_was_acknowledged_is_there_wherever_the_machine_stops() {
    let config = ListenerConfig { offsets_rewrite_bytes_min: 300, ..ListenerConfig::default() };
    let tried = Disk::default();
    assert_eq!(commit_until_it_fails(&open(&tried, &config)), (29, None));
    let points = tried.points();
    assert!(points.keys().any(|point| point.contains("replace")), "it is written again as a whole: {points:?}");
    for (point, count) in points {
        for hit in [1, count.div_ceil(2), count] {
            let disk = Disk::default();
            disk.fail(DiskFaults { stop: Some(Stop { point: point.clone(), hit }), ..DiskFaults::default() });
            let (acknowledged, attempted) = match Offsets::open(Arc::new(disk.clone()), &config) {
                Ok(offsets) => commit_until_it_fails(&offsets),
                Err(_) => (0, None),
            };
            assert!(disk.is_stopped(), "{point} {hit}");
            for other in [after_power_loss(&disk), disk.copy()] {
                let found = committed(&open(&other, &config), "a").unwrap_or(0);
                assert!(found == acknowledged || Some(found) == attempted, "{point} {hit}: {found}, {acknowledged}");
            }
        }
    }
}

#[test]
fn a_disk_that_fails_for_a_while_loses_nothing() {
    let (disk, config) = (Disk::default(), ListenerConfig::default());
    let offsets = open(&disk, &config);
    commit(&offsets, "a", 5).unwrap();
    commit(&offsets, "b", 5).unwrap();
    disk.fail(DiskFaults { steps_left: Some(0), ..DiskFaults::default() });
    assert!(commit(&offsets, "a", 6).is_err() && commit(&offsets, "a", 7).is_err());
    assert_eq!(committed(&open(&after_power_loss(&disk), &config), "a"), Some(5));
    disk.fail(DiskFaults::default());
    commit(&offsets, "c", 8).unwrap();
    let again = open(&after_power_loss(&disk), &config);
    assert_eq!(["a", "b", "c"].map(|group| committed(&again, group)), [Some(7), Some(5), Some(8)]);
}
