//! What the node must still know after every kill. It holds no command: the digest of the view `operations` is a sum
//! over its rows, so that with every row that was ever seen counted in once, an equal digest says that all of them are
//! there as they were, and nothing else is.

use super::super::env::assert_sound;
use super::super::{Api, shop};
use super::archive::Archive;
use super::publisher::{Acknowledgement, Kind, Publisher, SCARCE, SentCommand};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

#[derive(Default)]
pub struct Oracle {
    /// Acknowledged commands that were not there.
    pub lost: u64,
    /// Commands that were decided again, or otherwise.
    pub twice: u64,
    /// The number of rows the operations have, and their digest.
    rows: u64,
    digest: u128,
    /// Rows of commands that are in the log, and were not acknowledged so far.
    found: BTreeMap<String, Vec<u8>>,
    /// Commands that were acknowledged otherwise than by a publisher.
    expected: Vec<String>,
    /// The number of each kind succeeded, and how many were refused.
    succeeded: BTreeMap<Kind, i64>,
    refused: BTreeMap<Kind, i64>,
    /// Digests that were seen, and are not replayed yet.
    seen: BTreeMap<u64, String>,
    held: usize,
}

impl Oracle {
    /// Stocks an empty shop for publishers.
    pub fn opening(api: &Api) -> Oracle {
        shop::stock(api, "SCARCE", "reserve", SCARCE);
        shop::stock(api, "PLENTY", "track_only", 0);
        let expected = ["put-SCARCE", "receive-SCARCE", "put-PLENTY"].map(str::to_owned).to_vec();
        Oracle { expected, ..Oracle::default() }
    }

    /// Digests at epochs, as anyone saw them: an epoch has one for ever.
    pub fn saw(&mut self, seen: BTreeMap<u64, String>) {
        for (epoch, digest) in seen {
            let known = self.seen.entry(epoch).or_insert_with(|| digest.clone());
            assert_eq!(*known, digest, "epoch {epoch} has two digests");
        }
    }

    /// The number of digests were equal to those of a replay.
    pub fn digests_held(&self) -> usize {
        self.held
    }

    /// Asserts that all that was acknowledged is there, and each thing once. Nobody publishes now.
    pub fn check(&mut self, env: &Api, publishers: &mut [Publisher]) {
        let epoch = settled(env);
        for id in std::mem::take(&mut self.expected) {
            let row = operation(env, &id, epoch).unwrap_or_else(|| panic!("{id} is lost"));
            assert_eq!(read(&row)["status"], "succeeded");
            self.count(&id, Kind::Opening, &row);
        }
        for publisher in publishers {
            for told in publisher.told.drain(..) {
                self.take(env, &told, epoch);
            }
            let SentCommand { id, kind, .. } = publisher.in_flight();
            if !self.found.contains_key(&id)
                && let Some(row) = operation(env, &id, epoch)
            {
                self.count(&id, kind, &row);
                self.found.insert(id, row);
            }
        }
        self.check_sums(env, epoch);
    }

    /// Holds an acknowledgement against the row.
    fn take(&mut self, env: &Api, told: &Acknowledgement, epoch: u64) {
        let Acknowledgement { command: SentCommand { id, kind, .. }, status, code, epoch: answered, is_replayed } =
            told;
        let Some(row) = operation(env, id, epoch) else {
            self.lost += 1;
            panic!("{id} was acknowledged with {status}, and is lost at epoch {epoch}; lost {}", self.lost);
        };
        let before = self.found.remove(id);
        if before.as_ref().is_some_and(|before| *before != row) {
            self.twice += 1;
            panic!("{id} was decided twice: {:?}, then {}", before.as_deref().map(read), read(&row));
        }
        let operation = read(&row);
        if *status != 202 {
            let expected = if code.is_none() { "succeeded" } else { "rejected" };
            assert_eq!((&operation["status"], &operation["code"]), (&json!(expected), &json!(code)), "{operation}");
            // What was in the log already is answered with what it was decided as.
            assert_eq!(*is_replayed, before.is_some(), "{operation}");
            let decided = operation["epoch"].as_u64();
            assert!(
                if *is_replayed { decided <= *answered } else { decided == *answered },
                "{answered:?}: {operation}"
            );
        }
        if before.is_none() {
            self.count(id, *kind, &row);
        }
    }

    fn count(&mut self, id: &str, kind: Kind, row: &[u8]) {
        let succeeded = read(row)["status"] == "succeeded";
        assert!(succeeded || kind == Kind::Scarce, "{}", read(row));
        *if succeeded { &mut self.succeeded } else { &mut self.refused }.entry(kind).or_default() += 1;
        self.rows += 1;
        let content = [b"operations".as_slice(), b"\0", id.as_bytes(), b"\0", row].concat();
        self.digest = self.digest.wrapping_add(xxh3_128(&content));
    }

    /// What all commands did together: no more, no less.
    fn check_sums(&mut self, env: &Api, epoch: u64) {
        let at = env.get(&format!("/api/v1/epochs/{epoch}")).ok().json();
        let (rows, digest) = (self.rows, format!("{:032x}", self.digest));
        assert_eq!(at["views"]["operations"], json!({"rows": rows, "digest": digest}), "at epoch {epoch}");
        self.saw(BTreeMap::from([(epoch, at["digest"].as_str().expect("a digest").to_owned())]));
        let count = |counts: &BTreeMap<Kind, i64>, kind| counts.get(&kind).copied().unwrap_or_default();
        let done = |kind| count(&self.succeeded, kind);
        let stock = |sku: &str| {
            let stock = env.get(&format!("/api/v1/stock/{sku}?as_of={epoch}")).ok().json();
            (stock["on_hand"].as_i64().expect("a number"), stock["reserved"].as_i64().expect("a number"))
        };
        let scarce = SCARCE.min(done(Kind::Scarce) + count(&self.refused, Kind::Scarce));
        assert_eq!(done(Kind::Scarce), scarce, "neither more nor fewer were sold");
        assert_eq!(stock("SCARCE"), (SCARCE, scarce));
        let on_hand = 3 * done(Kind::Receive) + 5 * done(Kind::Credit);
        let reserved = 2 * (done(Kind::Plenty) - done(Kind::Cancel)) + done(Kind::Unpaid);
        assert_eq!(stock("PLENTY"), (on_hand, reserved));
        let (revenue, _) = env.rows(&format!("/api/v1/analytics/revenue?by=month&as_of={epoch}"));
        let orders: i64 = revenue.iter().map(|row| row["orders"].as_i64().expect("a number")).sum();
        assert_eq!(orders, done(Kind::Scarce) + done(Kind::Plenty) + done(Kind::Pay));
        assert_sound(&env.get(&format!("/api/v1/invariants?as_of={epoch}")).ok().json(), epoch);
    }

    /// Holds the digests that were seen against a replay of the whole log, which knows of no checkpoint.
    pub fn replay(&mut self, archive: &Archive, workers: usize) {
        let digests = archive.replay(&self.seen, workers);
        for (epoch, digest) in &self.seen {
            let replayed =
                digests.get(epoch).unwrap_or_else(|| panic!("epoch {epoch} was seen, and is not in the log"));
            assert_eq!(digest, replayed, "epoch {epoch} replayed with {workers} workers");
        }
        self.held += self.seen.len();
        // The last one stays, so that there is something to compare at the very end as well.
        self.seen = self.seen.split_off(&self.seen.keys().next_back().copied().unwrap_or_default());
    }
}

/// Waits until everything in the log is decided, and names the epoch.
fn settled(api: &Api) -> u64 {
    let mut latest = api.get("/api/v1/epochs/latest").ok();
    for _ in 0..100 {
        // What the log held when the node started is cut at once.
        let next = (latest.epoch() + 1).to_string();
        let headers = [("tradewind-min-epoch", next.as_str()), ("prefer", "wait=30")];
        latest = api.get_with("/api/v1/epochs/latest", &headers).ok();
        if api.get("/api/v1/status").ok().json()["lag_records"] == 0 {
            return api.get("/api/v1/epochs/latest").ok().epoch();
        }
    }
    panic!("there are always records that no epoch holds: {latest:?}");
}

/// The row of a command, as the view's bytes.
fn operation(api: &Api, id: &str, epoch: u64) -> Option<Vec<u8>> {
    let answer = api.get(&format!("/api/v1/operations/{id}?as_of={epoch}"));
    match answer.status {
        404 => None,
        _ => Some(answer.ok().body),
    }
}

fn read(row: &[u8]) -> Value {
    serde_json::from_slice(row).expect("a row is JSON")
}
