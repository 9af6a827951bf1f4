//! A crash at every step of a deletion and of the start after it, and segments that are missing without having been
//! deleted. Not for deletions that succeed.

use super::{ORDERS, TestEnv, history, on, open};
use crate::Error;
use crate::log::Log;
use crate::testing::contract_tests::text;
use crate::testing::{Disk, DiskFaults, Random};

#[test]
fn a_crash_at_any_step_leaves_the_journal_before_or_after_the_deletion() {
    let (env, floor) = history();
    let (before, base) = (env.names(), env.disk.copy());
    let whole = on(&base.copy(), &env.model);
    whole.journal.delete_before(&floor).unwrap();
    let (after, starts) = (whole.names(), whole.starts());
    assert!(before.len() > after.len() + 8 && after.len() > 3, "{before:?} {after:?}");
    // The state after a crash is one or the other, and takes the same deletion.
    let check = |env: TestEnv, what: &str| {
        println!("{what}");
        env.check();
        let is_after = env.starts() == starts;
        assert_eq!(env.names(), if is_after { &after } else { &before }[..], "the start deletes what was left over");
        env.journal.delete_before(&floor).unwrap();
        assert_eq!((env.names(), env.starts()), (after.clone(), starts.clone()));
        let disk = env.disk.clone();
        let mut env = env.reopen_on(disk);
        env.append(vec![(ORDERS, text("goes on"))]);
        env.check();
        is_after
    };
    let mut steps = 0;
    let mut outcomes = [0, 0];
    loop {
        let env = on(&base.copy(), &env.model);
        env.disk.fail(DiskFaults { steps_left: Some(steps), ..DiskFaults::default() });
        let result = env.journal.delete_before(&floor);
        let lost = env.disk.after_power_loss(|synced, _| synced.to_vec());
        for (disk, what) in [(env.disk.copy(), "killed"), (lost, "power lost")] {
            let is_after = check(on(&disk.copy(), &env.model), &format!("{what} at step {steps}"));
            outcomes[usize::from(is_after)] += 1;
            for further in 0..6 {
                // The start that cleans up may end early too, or be refused by the disk.
                let disk = disk.copy();
                disk.fail(DiskFaults { steps_left: Some(further), ..DiskFaults::default() });
                drop(open(&disk));
                check(on(&disk.copy(), &env.model), &format!("{what} at step {steps}, then at {further}"));
            }
        }
        // Nor does it harm the process if it lives on: it reads, and the next deletion does the rest.
        env.check();
        env.disk.fail(DiskFaults::default());
        env.journal.delete_before(&floor).unwrap();
        env.check();
        assert_eq!((env.names(), env.starts()), (after.clone(), starts.clone()));
        if result.is_ok() {
            break;
        }
        steps += 1;
    }
    assert_eq!(steps, 2 + 2 * (before.len() - after.len()), "the file `front`, then each segment");
    assert!(outcomes[0] > 0 && outcomes[1] > steps, "{outcomes:?}");
}

#[test]
fn segments_before_the_front_do_not_count_whichever_a_crash_left() {
    let (env, floor) = history();
    let (before, whole) = (env.names(), env.disk.copy());
    env.journal.delete_before(&floor).unwrap();
    let (after, starts) = (env.names(), env.starts());
    for seed in 0..100 {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let disk = env.disk.copy();
        for name in before.iter().filter(|name| !after.contains(name)) {
            let bytes = whole.bytes(name);
            match random.below(3) {
                0 => {}
                1 => disk.put(name, bytes),
                _ => disk.put(name, bytes[..random.below(bytes.len())].to_vec()),
            }
        }
        let env = on(&disk, &env.model);
        assert_eq!((env.names(), env.starts()), (after.clone(), starts.clone()));
        env.check();
    }
}

#[test]
fn what_is_missing_without_having_been_deleted_is_refused_by_name() {
    let (env, floor) = history();
    let whole = env.disk.copy();
    env.journal.delete_before(&floor).unwrap();
    let refused = |disk: &Disk, named: &str| {
        let names = disk.names();
        match open(disk) {
            Err(Error::Damaged { file, .. }) => assert_eq!(file, format!("disk/{named}")),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{named} is opened"),
        }
        assert_eq!(disk.names(), names, "what is refused is left as it is");
    };
    for disk in [whole, env.disk.copy()] {
        let names: Vec<String> = disk.names().into_iter().filter(|name| name.ends_with(".journal")).collect();
        for pair in names.windows(2) {
            let missing = disk.copy();
            missing.remove(&pair[0]);
            refused(&missing, &pair[1]);
        }
    }
    let no_front = env.disk.copy();
    no_front.remove("front");
    refused(&no_front, &env.names()[0]);
    let nothing_else = env.disk.copy();
    env.names().iter().for_each(|name| nothing_else.remove(name));
    refused(&nothing_else, &env.names()[0]);
    nothing_else.remove("meta");
    refused(&nothing_else, "meta");
    let bytes = env.disk.bytes("front");
    for at in 0..bytes.len() {
        let flipped = env.disk.copy();
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        flipped.put("front", bytes);
        refused(&flipped, "front");
    }
}
