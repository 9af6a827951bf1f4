//! Clients of a cluster: their settings, the names of the topics there, what they log. Not for what goes through them.

use super::config::{BATCH_BYTES_MAX, KafkaConfig, Security};
use super::error;
use crate::Error;
use crate::log::lock;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

impl Security {
    fn apply(&self, to: &mut ClientConfig) -> Result<(), Error> {
        let Security { protocol, ca_file, mechanism, username, password } = self;
        let (has_tls, has_sasl) = (protocol.ends_with("ssl"), protocol.starts_with("sasl"));
        let has_scram = has_sasl && mechanism.starts_with("SCRAM");
        if (has_tls || has_scram) && !cfg!(feature = "kafka-tls") {
            let why = "TLS and SCRAM need a build with the feature kafka-tls".to_owned();
            return Err(Error::Config { name: "kafka.security", why });
        }
        if has_tls && !ca_file.is_empty() {
            // librdkafka does not name the file that cannot be read.
            std::fs::File::open(ca_file).map_err(Error::io("reading", ca_file))?;
        }
        let settings = [
            ("security.protocol", protocol, true),
            ("ssl.ca.location", ca_file, has_tls),
            ("sasl.mechanism", mechanism, has_sasl),
            ("sasl.username", username, has_sasl),
            ("sasl.password", password, has_sasl),
        ];
        for (name, value, is_wanted) in settings {
            if is_wanted && !value.is_empty() {
                to.set(name, value);
            }
        }
        Ok(())
    }
}

/// The names of our topics in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
    names: BTreeMap<Topic, String>,
}

/// The longest name of a topic in Kafka.
const NAME_BYTES_MAX: usize = 249;
/// Longer than anything that we put after a prefix.
const OWN_BYTES_MAX: usize = 49;

impl Names {
    /// Names that begin so.
    pub fn new(prefix: &str) -> Result<Names, Error> {
        let is_known = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if !prefix.chars().all(is_known) || prefix.len() > NAME_BYTES_MAX - OWN_BYTES_MAX {
            let why = "letters, digits, `.`, `_` and `-`, at most 200 of them".to_owned();
            return Err(Error::Config { name: "kafka.topic_prefix", why });
        }
        let all = Topic::ALL.into_iter().chain(Topic::outputs());
        let names = all.map(|topic| (topic, format!("{prefix}{}", topic.name()))).collect();
        Ok(Names { prefix: prefix.to_owned(), names })
    }

    /// The name of a topic.
    pub fn of(&self, topic: Topic) -> &str {
        self.names.get(&topic).map_or("", String::as_str)
    }

    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<Topic> {
        Topic::from_name(name.strip_prefix(&self.prefix)?)
    }

    /// These places in librdkafka's form.
    pub fn list(&self, places: impl Iterator<Item = (TopicPartition, Offset)>) -> Result<TopicPartitionList, Error> {
        let mut list = TopicPartitionList::new();
        for (at, offset) in places {
            let added = list.add_partition_offset(self.of(at.topic), number(at.partition), offset);
            added.map_err(|error| error::unavailable("naming a partition", &error, None))?;
        }
        Ok(list)
    }
}

/// A partition's number in librdkafka's form. Kafka has fewer partitions than that.
pub fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// An offset in librdkafka's form. Kafka has no larger ones.
pub fn offset(next: u64) -> Offset {
    Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX))
}

/// The settings that clients have in common.
fn base(config: &KafkaConfig) -> Result<ClientConfig, Error> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.bootstrap);
    client.set("client.id", "tradewind");
    // A broker that is back is found soon.
    client.set("reconnect.backoff.ms", "50");
    client.set("reconnect.backoff.max.ms", "1000");
    client.set("socket.nagle.disable", "true");
    client.set("socket.keepalive.enable", "true");
    client.set("allow.auto.create.topics", "false");
    // At this level it logs why a broker has broken off; see `Context`.
    client.set_log_level(RDKafkaLogLevel::Info);
    config.security.apply(&mut client)?;
    Ok(client)
}

/// The settings of a producer: nothing doubled, nothing out of order, acknowledged by all replicas in sync.
pub fn producer(config: &KafkaConfig) -> Result<ClientConfig, Error> {
    let mut client = base(config)?;
    client.set("enable.idempotence", "true");
    client.set("acks", "all");
    // 0 is for ever.
    client.set("message.timeout.ms", if config.gives_up { config.append_ms_max } else { 0 }.to_string());
    client.set("compression.type", "lz4");
    // Records that come during a batch wait for it anyhow, so that there is no need to wait for more.
    client.set("linger.ms", "0");
    client.set("batch.size", "1000000");
    client.set("message.max.bytes", BATCH_BYTES_MAX.to_string());
    // We count what waits ourselves and refuse whole appends, so these are never reached.
    client.set("queue.buffering.max.messages", (2 * config.waiting_records_max).max(1_000_000).to_string());
    let kbytes = (config.waiting_bytes_max + config.append_bytes_max) / 1024 * 4;
    client.set("queue.buffering.max.kbytes", kbytes.clamp(1 << 20, 2_000_000_000).to_string());
    // Places are always given; were one not, it must not be another than Java's.
    client.set("partitioner", "murmur2_random");
    Ok(client)
}

/// The least and the most of a partition that a broker is asked for at once.
const FETCH_BYTES_MIN: usize = 64 << 10;
const FETCH_BYTES_MAX: usize = 1 << 20;

/// The settings of a consumer that reads from given places, in a thread of its own.
pub fn reader(config: &KafkaConfig, partitions: usize) -> Result<ClientConfig, Error> {
    let mut client = metadata_consumer(config)?;
    // Needed for an assignment; no group is ever joined, no offset committed.
    client.set("group.id", "tradewind");
    client.set("enable.auto.commit", "false");
    client.set("enable.auto.offset.store", "false");
    client.set("auto.offset.reset", "error");
    client.set("enable.partition.eof", "true");
    // By default a queue that was full is looked at again only after a second.
    client.set("fetch.queue.backoff.ms", "5");
    if partitions > 1 {
        // A question names every partition, and is not cheap for a broker: it waits a little for more than one record. It
        // does not wait long, since meanwhile no other question is under way, for partitions that were left out of it.
        client.set("fetch.min.bytes", FETCH_BYTES_MIN.to_string());
        client.set("fetch.wait.max.ms", config.fetch_wait_ms.to_string());
    }
    // These hold for each partition, or for each answer about one. A larger record comes all the same.
    let share = (config.read_ahead_bytes_max / partitions.max(1)).clamp(FETCH_BYTES_MIN, FETCH_BYTES_MAX);
    client.set("fetch.message.max.bytes", share.to_string());
    client.set("queued.max.messages.kbytes", (share / 1024).to_string());
    client.set("queued.min.messages", "2000");
    Ok(client)
}

/// The settings of a client that asks for places: its ends are last stable offsets.
pub fn metadata_consumer(config: &KafkaConfig) -> Result<ClientConfig, Error> {
    let mut client = base(config)?;
    client.set("isolation.level", "read_committed");
    Ok(client)
}

/// Makes a client.
pub fn create<T: FromClientConfigAndContext<Context>>(client: &ClientConfig) -> Result<T, Error> {
    client.create_with_context(Context::default()).map_err(|error| match &error {
        KafkaError::ClientConfig(_, why, name, _) => {
            Error::Config { name: "kafka", why: format!("librdkafka refuses {name}: {why}") }
        }
        // The rest is what only appears when a client runs.
        _ => error::unavailable("making a client", &error, None),
    })
}

/// A client that makes and describes topics, and deletes records.
pub type Admin = AdminClient<Context>;

/// A new one.
pub fn admin(config: &KafkaConfig) -> Result<Admin, Error> {
    create(&base(config)?)
}

/// The time that an administrative request may take.
pub fn patience(config: &KafkaConfig) -> AdminOptions {
    let longest = Some(Duration::from_millis(config.answer_ms_max));
    AdminOptions::new().request_timeout(longest).operation_timeout(longest)
}

/// Deletes every record before these places.
pub fn delete_records(admin: &Admin, names: &Names, config: &KafkaConfig, floor: &Cut) -> Result<(), Error> {
    const DOING: &str = "deleting records";
    let list = names.list(floor.iter().map(|(at, next)| (at, offset(next))))?;
    let deleted = block_on(admin.delete_records(&list, &patience(config)));
    let deleted = deleted.map_err(|error| error::unavailable(DOING, &error, admin.inner().context().last_error()))?;
    for part in deleted.elements() {
        part.error().map_err(|error| {
            error::unavailable(DOING, &error, Some(format!("{}/{}", part.topic(), part.partition())))
        })?;
    }
    Ok(())
}

/// The time in which a client reports a repeated failure only once.
const LATELY: Duration = Duration::from_secs(30);
/// The facility of a broker's failure in librdkafka's log.
const FAILURE: &str = "FAIL";

/// Receives what clients report beside their answers.
#[derive(Default)]
pub struct Context {
    last_error: Mutex<Option<(Instant, String)>>,
}

impl Context {
    /// The reason why the brokers could not be reached, if that was lately.
    pub fn last_error(&self) -> Option<String> {
        lock(&self.last_error).as_ref().filter(|(at, _)| at.elapsed() < LATELY).map(|(_, why)| why.clone())
    }

    fn note(&self, why: &str) {
        *lock(&self.last_error) = Some((Instant::now(), why.to_owned()));
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == FAILURE {
            // That a broker broke off is no error to it, although it may have been asked in the wrong way. First comes
            // the name of a thread.
            let thread_and_rest = message.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
            let why = thread_and_rest.map_or(message, |(_, rest)| rest);
            self.note(&if is_misunderstood(why) { format!("{why}: {MISUNDERSTOOD}") } else { why.to_owned() });
        }
        match level {
            // The caller that wanted something reports why it failed; a client repeats it at every attempt.
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice
            | RDKafkaLogLevel::Info => tracing::debug!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Debug => tracing::trace!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            // It is less than what was reported of the brokers one by one.
            Some(RDKafkaErrorCode::AllBrokersDown) if self.last_error().is_some() => {}
            _ => self.note(reason),
        }
    }
}

impl ConsumerContext for Context {}

/// The likely fault of a broker that breaks off as soon as it is spoken to.
const MISUNDERSTOOD: &str = "its listener may want another kafka.security";
/// The time that counts as soon.
const SOON_MS: u64 = 1_000;

/// Returns true if a broker broke off as soon as it was spoken to, by librdkafka's words.
fn is_misunderstood(why: &str) -> bool {
    let Some((ms, state)) = why.rsplit_once("(after ").and_then(|(_, rest)| rest.split_once("ms in state ")) else {
        return false;
    };
    let is_asked = ["APIVERSION_QUERY", "UP"].iter().any(|asked| state.starts_with(asked));
    why.contains("Disconnected") && is_asked && ms.parse::<u64>().is_ok_and(|ms| ms < SOON_MS)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an administrative request; each has a limit of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = TaskContext::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_the_matter_with_a_broker_that_breaks_off_is_told() {
        let told = |message: &str| {
            let context = Context::default();
            context.log(RDKafkaLogLevel::Info, FAILURE, message);
            context.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
            assert_eq!(context.last_error(), context.last_error(), "it is told again");
            context.last_error().unwrap()
        };
        let closed = "127.0.0.1:9093/bootstrap: Disconnected: connection closed by peer";
        let said = |state: &str| told(&format!("[thrd:127.0.0.1:9093/bootstrap]: {closed} (after {state})"));
        for state in ["1ms in state APIVERSION_QUERY, 1 identical error(s) suppressed", "0ms in state UP"] {
            assert_eq!(said(state), format!("{closed} (after {state}): {MISUNDERSTOOD}"));
        }
        for state in ["600000ms in state UP", "0ms in state CONNECT", "?"] {
            assert_eq!(said(state), format!("{closed} (after {state})"));
        }
        assert_eq!(told("refused (after 0ms in state UP)"), "refused (after 0ms in state UP)");
    }
}
