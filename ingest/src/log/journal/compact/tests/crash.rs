//! A crash at every step of a move of the front, of the next attempt, and of the start after it; a base that is not what
//! was written. Not for moves that succeed.

use super::{ORDERS, TestEnv, history, open, record};
use crate::Error;
use crate::log::Log;
use crate::log::journal::compacted_prefix::CompactedPrefix;
use crate::testing::{Disk, DiskFaults};

/// The states that a crash may leave, whole: before or after the move. The same move again leads to the one after.
struct Outcomes {
    before: TestEnv,
    after: TestEnv,
    seen: [usize; 2],
}

impl Outcomes {
    fn check(&mut self, disk: &Disk, floor: &dataflows::contract::epoch::Cut, what: &str) {
        println!("{what}");
        let position = |env: &TestEnv| env.front().1;
        let mut env = self.before.on(disk);
        let is_after = position(&env) == position(&self.after);
        if is_after {
            env.left.clone_from(&self.after.left);
        } else {
            assert_eq!(position(&env), position(&self.before));
        }
        self.seen[usize::from(is_after)] += 1;
        env.check();
        env.journal.delete_before(floor).unwrap();
        assert_eq!(position(&env), position(&self.after));
        env.left.clone_from(&self.after.left);
        env.append(vec![(ORDERS, record(0, Some("goes on".to_owned()), 1))]);
        env.check();
    }
}

#[test]
fn a_crash_at_any_step_leaves_the_journal_before_or_after_the_move() {
    let (env, floor) = history();
    let mut after = env.on(&env.disk.copy());
    assert!(after.compact(&floor, i64::MAX));
    let base = env.disk.copy();
    let mut outcomes = Outcomes { before: env, after, seen: [0, 0] };
    let attempt = |env: &TestEnv, steps: usize| {
        env.disk.fail(DiskFaults { steps_left: Some(steps), ..DiskFaults::default() });
        let result = env.journal.delete_before(&floor);
        env.disk.fail(DiskFaults::default());
        result.is_ok()
    };
    let left_by = |env: &TestEnv| [env.disk.copy(), env.disk.after_power_loss(|synced, _| synced.to_vec())];
    let mut steps = 0;
    loop {
        let env = outcomes.before.on(&base.copy());
        let is_done = attempt(&env, steps);
        for disk in left_by(&env) {
            outcomes.check(&disk.copy(), &floor, &format!("step {steps}"));
            for further in [0, 1, 3] {
                // The start that cleans up may end early too, or be refused by the disk.
                let disk = disk.copy();
                disk.fail(DiskFaults { steps_left: Some(further), ..DiskFaults::default() });
                drop(open(&disk));
                outcomes.check(&disk.copy(), &floor, &format!("step {steps}, then {further} of the start"));
            }
        }
        if is_done {
            break;
        }
        // Nor does it harm the process if it lives on and tries again, wherever that ends.
        for further in (0..24).step_by(2).chain([usize::MAX]) {
            let env = outcomes.before.on(&base.copy());
            attempt(&env, steps);
            attempt(&env, further);
            for disk in left_by(&env) {
                outcomes.check(&disk, &floor, &format!("step {steps}, then {further} of the next attempt"));
            }
        }
        steps += 1;
    }
    assert!(steps > 20 && outcomes.seen.iter().all(|seen| *seen > steps), "{steps} {:?}", outcomes.seen);
}

#[test]
fn a_base_that_is_not_what_was_written_is_refused_by_name() {
    let (mut env, floor) = history();
    env.compact(&floor, i64::MAX);
    let name = CompactedPrefix::name(env.front().1);
    let bytes = env.disk.bytes(&name);
    let refused = |disk: &Disk, named: &str| {
        let names = disk.names();
        match open(disk) {
            Err(Error::Damaged { file, .. }) => assert_eq!(file, format!("disk/{named}")),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{named} is opened"),
        }
        assert_eq!(disk.names(), names, "what is refused is left as it is");
    };
    let with = |bytes: &[u8]| {
        let disk = env.disk.copy();
        disk.put(&name, bytes.to_vec());
        disk
    };
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        refused(&with(&flipped), &name);
        refused(&with(&bytes[..at]), &name);
    }
    refused(&with(&[&bytes[..], &[0]].concat()), &name);
    let missing = env.disk.copy();
    missing.remove(&name);
    refused(&missing, &name);
}
