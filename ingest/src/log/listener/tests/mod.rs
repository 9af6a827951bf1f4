//! The listener seen over sockets: the contract of every log with librdkafka as the client, requests that are right byte
//! for byte, and bytes that are no requests. Not for real clients in other languages: see tests/process/listener.rs.

mod bounds;
mod groups;
mod kept;
mod producers;
mod protocol;
mod shapes;
mod statics;
mod versions;
mod waiting;

use super::*;
use crate::log::journal::Journal;
use crate::log::kafka::KafkaLog;
use crate::log::{Partitions, journal};
use crate::testing::contract_tests::PARTITIONS;
use crate::testing::{Disk, contract_tests};
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::sync::oneshot;

const PREFIX: &str = "test.";

/// A listener before journals of its own, with a thread of its own. Offsets are on a disk in memory.
struct TestListener {
    address: SocketAddr,
    inputs: Arc<dyn Log>,
    outputs: Arc<dyn Log>,
    /// The budget that all doors of a node share.
    bytes: Arc<InFlight>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    folder: Arc<TempDir>,
}

impl TestListener {
    fn start(access: Access, config: ListenerConfig) -> TestListener {
        TestListener::start_on(&Disk::default(), access, config)
    }

    fn start_on(disk: &Disk, access: Access, config: ListenerConfig) -> TestListener {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, partitions: &Partitions| -> Arc<dyn Log> {
            // Segments so small that deleting has something to delete.
            let config = journal::JournalConfig { segment_bytes: 20_000, ..journal::JournalConfig::default() };
            Arc::new(Journal::open(&folder.path().join(name), partitions, config).unwrap())
        };
        let inputs = open("inputs", &Partitions::uniform(PARTITIONS));
        let outputs = open("outputs", &Partitions::outputs(PARTITIONS));
        TestListener::before(inputs, outputs, Arc::new(folder), disk, access, config)
    }

    /// Another listener before the same logs, as after a restart: it knows nothing but what is durable.
    fn again(&self) -> TestListener {
        let (inputs, outputs) = (Arc::clone(&self.inputs), Arc::clone(&self.outputs));
        TestListener::before(
            inputs,
            outputs,
            Arc::clone(&self.folder),
            &Disk::default(),
            Access::Client,
            ListenerConfig::default(),
        )
    }

    fn before(
        inputs: Arc<dyn Log>,
        outputs: Arc<dyn Log>,
        folder: Arc<TempDir>,
        disk: &Disk,
        access: Access,
        config: ListenerConfig,
    ) -> TestListener {
        // Large ones have a share of it as large as all records of a request may have, so that one that most likely has
        // less can be seen to ask for them.
        let bytes = InFlight::new(config.records_bytes_max.div_ceil(7) * 8);
        let parts = ListenerParts {
            inputs: Arc::clone(&inputs),
            outputs: Some(Arc::clone(&outputs)),
            topic_prefix: PREFIX.to_owned(),
            access,
            storage: Arc::new(disk.clone()),
            bytes: Arc::clone(&bytes),
        };
        let listener = Listener::open(parts, config).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(listener.serve(socket, async {
                let _ = stopped.await;
            }));
        });
        TestListener { address, inputs, outputs, bytes, stop: Some(stop), thread: Some(thread), folder }
    }

    /// The log that it serves, as a client sees it.
    fn client(&self) -> KafkaLog {
        self.client_of(&Partitions::uniform(PARTITIONS))
    }

    /// The log of these topics.
    fn client_of(&self, partitions: &Partitions) -> KafkaLog {
        let config = crate::log::kafka::KafkaConfig {
            bootstrap: self.address.to_string(),
            topic_prefix: PREFIX.to_owned(),
            ..crate::log::kafka::KafkaConfig::default()
        };
        KafkaLog::open(config, partitions).unwrap()
    }
}

impl Drop for TestListener {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

#[test]
fn it_keeps_the_contract_of_every_log() {
    let mut served = Vec::new();
    contract_tests::run_all(|| {
        served.push(TestListener::start(Access::Owner, ListenerConfig::default()));
        Arc::new(served.last().unwrap().client())
    });
}
