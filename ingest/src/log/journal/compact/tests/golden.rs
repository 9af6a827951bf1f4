//! A folder with a base, kept byte for byte: every later build opens it. Not for what happens to it afterwards.

use super::{EVENTS, ORDERS, STOCK, TestEnv, open, record};
use crate::log::Log;
use crate::testing::Disk;
use crate::testing::contract_tests::{by_partition, read_to};
use dataflows::contract::epoch::Cut;

const FOLDER: [(&str, &[u8]); 4] = [
    ("00000000000000005152.base", include_bytes!("../../golden/with_base/00000000000000005152.base")),
    ("00000000000000005152.journal", include_bytes!("../../golden/with_base/00000000000000005152.journal")),
    ("front", include_bytes!("../../golden/with_base/front")),
    ("meta", include_bytes!("../../golden/with_base/meta")),
];

/// The history that was appended, and what is left of it.
fn history() -> TestEnv {
    let mut env = TestEnv::new();
    // The numbers of topics in entries are their places in `meta`.
    env.disk.put("meta", FOLDER[3].1.to_vec());
    for numbers in [0..6, 6..15] {
        for number in numbers {
            let value = (number % 4 != 3).then(|| format!("value {number}"));
            env.now_ms = 1_700_000_000_000 + number as i64;
            let of = |key| record(key, value.clone(), env.now_ms);
            env.append(vec![(ORDERS, of(number % 12)), (EVENTS, of(7)), (STOCK, of(number % 2)), (ORDERS, of(20))]);
        }
        let floor = env.journal.ends().unwrap();
        assert!(env.compact(&floor, 9));
    }
    env
}

#[test]
fn the_same_bytes_are_written_now() {
    let env = history();
    assert_eq!(env.disk.names(), FOLDER.map(|(name, _)| name));
    for (name, golden) in &FOLDER[..3] {
        assert_eq!(env.disk.bytes(name), *golden, "{name}");
    }
}

#[test]
fn a_folder_with_a_base_opens_with_all_that_it_holds() {
    let disk = Disk::default();
    FOLDER.into_iter().for_each(|(name, bytes)| disk.put(name, bytes.to_vec()));
    let (expected, journal) = (history(), open(&disk).unwrap());
    let ends = journal.ends().unwrap();
    for (at, is_kept) in [(ORDERS, true), (STOCK, true), (EVENTS, false)] {
        let mut from = Cut::default();
        from.set(at, journal.starts().unwrap().get(at).unwrap());
        assert_eq!(from.get(at) == Some(0), is_kept);
        let found = by_partition(&read_to(&mut *journal.reader(&from).unwrap(), &ends)).remove(&at);
        assert_eq!(found.unwrap_or_default(), expected.expected(at, from.get(at).unwrap()), "{at}");
    }
}
