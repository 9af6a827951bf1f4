//! The whole log, also where the node deletes it at its front: every segment by a second name, taken before it can be
//! deleted. Replayed from there in this process, by the engine alone, without anything that was kept of the state.

use dataflows::contract::changes::{Changes, digest_text};
use dataflows::engine::{Engine, EngineConfig};
use dataflows::ports::{NoStopwatch, Sink, Source};
use ingest::input::sealed_epochs::{LogPosition, SealedEpochs};
use ingest::input::source::{LogSource, Worker};
use ingest::log::journal::Journal;
use ingest::log::{Log, Partitions, journal};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// As many as the node has by default.
const PARTITIONS: u32 = 8;

pub struct Archive {
    log: PathBuf,
    folder: TempDir,
}

impl Archive {
    /// An archive of the log in that data folder, on the same disk.
    pub fn beside(data: &Path) -> Archive {
        let parent = data.parent().expect("the folder lies in another");
        let folder = TempDir::with_prefix_in("tradewind-archive-", parent).expect("there is room for a folder");
        Archive { log: data.join("log"), folder }
    }

    /// Takes in what is new. To be called before anything can be deleted.
    pub fn follow(&self) {
        for segment in segments(&self.log) {
            let (from, to) = (self.log.join(&segment), self.folder.path().join(&segment));
            // The node may have deleted it by now; then it is here already.
            let Ok(found) = std::fs::metadata(&from) else { continue };
            match std::fs::metadata(&to) {
                Ok(held) if held.ino() == found.ino() => {}
                Ok(_) => panic!("{segment} was made again"),
                Err(_) => std::fs::hard_link(&from, &to).expect("both are on one disk"),
            }
        }
    }

    /// The digests of those epochs, replayed from the beginning of the log.
    pub fn replay(&self, wanted: &BTreeMap<u64, String>, workers: usize) -> BTreeMap<u64, String> {
        let scratch = TempDir::with_prefix("tradewind-replay-").expect("there is room for a folder");
        let names = segments(self.folder.path());
        let (last, whole) = names.split_last().expect("a log has a segment");
        for name in whole {
            std::fs::hard_link(self.folder.path().join(name), scratch.path().join(name)).expect("both are on one disk");
        }
        // The end may be torn, and is cut off where it is opened.
        std::fs::copy(self.folder.path().join(last), scratch.path().join(last)).expect("there is room");
        std::fs::copy(self.log.join("meta"), scratch.path().join("meta")).expect("there is room");
        let journal =
            Journal::open(scratch.path(), &Partitions::uniform(PARTITIONS), journal::JournalConfig::default());
        let log: Arc<dyn Log> = Arc::new(journal.expect("the log is whole"));
        let sealed = SealedEpochs::read(&*log, LogPosition::default()).expect("the log goes back to its beginning");
        let end = sealed.end().epochs.last;
        let sources = (0..workers).map(|index| -> Box<dyn Source> {
            let worker = Worker { index, peers: workers };
            let fatal: ingest::Fatal = Arc::new(|error| panic!("the log cannot be read: {error}"));
            let source = LogSource::open(
                Arc::clone(&log),
                &sealed,
                worker,
                fatal,
                ingest::input::source::SourceConfig::default(),
            );
            Box::new(source.expect("the log reaches back to its beginning").until(end))
        });
        let digests = Arc::new(Mutex::new(BTreeMap::new()));
        let keep = Digests { of: wanted.keys().copied().collect(), digests: Arc::clone(&digests) };
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(keep)];
        let engine = Engine::start(EngineConfig::default(), None, sources.collect(), sinks, Arc::new(NoStopwatch));
        drop(engine.expect("there are sources").join());
        let mut digests = digests.lock().expect("the engine has ended");
        std::mem::take(&mut *digests)
    }
}

/// The names of the segments in a folder, in order.
fn segments(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".journal")).collect();
    names.sort_unstable();
    names
}

/// Keeps the digests of some epochs.
struct Digests {
    of: std::collections::BTreeSet<u64>,
    digests: Arc<Mutex<BTreeMap<u64, String>>>,
}

impl Sink for Digests {
    fn apply(&mut self, changes: &Arc<Changes>) {
        let epoch = changes.epoch().0;
        if self.of.contains(&epoch) {
            let mut digests = self.digests.lock().expect("nobody panics while holding this");
            digests.insert(epoch, digest_text(changes.standings.digest()));
        }
    }
}
