//! Every key of the configuration: what it is for, its unit, its default and what is allowed. Not for where a value
//! comes from.

use serving::http::connection_slots::Network;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use warehouse_export::table_store::{Address, address};

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Section and name.
    pub name: &'static str,
    /// Its purpose.
    pub doc: &'static str,
    /// The unit of its value; empty if it has none.
    pub unit: &'static str,
    /// The allowed values and the default.
    pub allowed: KeyKind,
}

/// The allowed values of a key and its default.
#[derive(Clone, Copy, Debug)]
pub enum KeyKind {
    /// A whole number from the first to the second; the third by default.
    Number(u64, u64, u64),
    /// A whole number from 1 to this; one a core by default.
    OneACore(u64),
    /// A folder.
    Folder(&'static str),
    /// An address and a port.
    Address(&'static str),
    /// One of these words; the first by default.
    Word(&'static [&'static str]),
    /// Brokers; none by default.
    Brokers,
    /// A loopback address and a port, or `none`.
    Listener(&'static str),
    /// Letters, digits, `.`, `_` and `-`.
    Prefix(&'static str),
    /// A URL of a place for tables; nothing by default.
    Place,
    /// An address and a port; nothing by default.
    OtherAddress,
    /// Hosts, as they are in `Host`; none by default.
    Hosts,
    /// Origins of pages; none by default.
    Origins,
    /// Networks; none by default.
    Networks,
    /// Anything; nothing by default.
    Anything,
    /// Anything, and never shown; nothing by default.
    Secret,
}

/// A value that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Number(u64),
    /// A folder, an address or a word.
    Text(String),
}

/// The default address for Kafka clients.
pub const KAFKA_LISTEN: &str = "127.0.0.1:9092";
/// The value that means no listener.
pub const NOWHERE: &str = "none";

/// The most workers.
pub const WORKERS_MAX: u64 = 256;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY_MS: u64 = 86_400_000;
const YEAR_S: u64 = 366 * DAY_MS / 1_000;

const fn key(name: &'static str, unit: &'static str, allowed: KeyKind, doc: &'static str) -> Key {
    Key { name, doc, unit, allowed }
}

const fn number(name: &'static str, unit: &'static str, range: (u64, u64), default: u64, doc: &'static str) -> Key {
    key(name, unit, KeyKind::Number(range.0, range.1, default), doc)
}

/// All keys, a section after the other.
pub const KEYS: &[Key] = &[
    key("log.data_dir", "folder", KeyKind::Folder("./tradewind-data"), "where all state is kept"),
    number("log.partitions", "partitions", (1, 1_024), 8, "of each topic; fixed when the data folder is made"),
    number(
        "log.segment_bytes",
        "bytes",
        (MIB, 4 * GIB),
        256 * MIB,
        "a segment that has grown to this is followed by a new one",
    ),
    number(
        "log.commit_bytes_max",
        "bytes",
        (4 * KIB, GIB),
        4 * MIB,
        "written with one sync, unless one append is larger",
    ),
    number("log.append_bytes_max", "bytes", (MIB, GIB), 64 * MIB, "a larger append is refused"),
    number(
        "log.appends_waiting_max",
        "appends",
        (1, 1_000_000),
        20_000,
        "waiting for the disk; more are refused as overloaded",
    ),
    number(
        "log.bytes_waiting_max",
        "bytes",
        (MIB, 16 * GIB),
        64 * MIB,
        "waiting for the disk; more are refused as overloaded",
    ),
    number(
        "log.commands_waiting_max",
        "commands",
        (1, 10_000_000),
        50_000,
        "waiting to be durable; more are refused as overloaded",
    ),
    number("log.read_window_bytes", "bytes", (64 * KIB, GIB), MIB, "read at once by each reader"),
    key("kafka.bootstrap", "addresses", KeyKind::Brokers, "brokers of the log; the log is the embedded one if empty"),
    key("kafka.topic_prefix", "", KeyKind::Prefix("tradewind."), "that the names of all topics begin with"),
    key(
        "kafka.listen",
        "address",
        KeyKind::Listener(KAFKA_LISTEN),
        "where Kafka clients reach the embedded log; the default port taken: a free one; none: nowhere",
    ),
    number("kafka.listen_connections_max", "connections", (1, 100_000), 256, "of Kafka clients open at once"),
    number(
        "kafka.groups_max",
        "groups",
        (1, 100_000),
        1_000,
        "of consumers that there may be; a further one is refused",
    ),
    number(
        "kafka.fetch_bytes_max",
        "bytes",
        (4 * MIB, GIB),
        32 * MIB,
        "in an answer of the embedded log to a Kafka client",
    ),
    number("kafka.partitions", "partitions", (1, 1_024), 32, "of each topic; fixed when the topics are made"),
    number("kafka.replication", "replicas", (1, 16), 3, "of each partition, when topics are made"),
    key(
        "kafka.security",
        "",
        KeyKind::Word(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]),
        "how brokers are spoken to; all but plaintext and sasl_plaintext need a build with the feature kafka-tls",
    ),
    key("kafka.ca_file", "file", KeyKind::Anything, "certificates to trust; the system's if empty"),
    key(
        "kafka.sasl_mechanism",
        "",
        KeyKind::Word(&["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]),
        "how to prove who we are; SCRAM needs a build with the feature kafka-tls",
    ),
    key("kafka.username", "", KeyKind::Anything, "who we are"),
    key("kafka.password", "", KeyKind::Secret, "how we prove it; not shown"),
    number("kafka.answer_ms_max", "ms", (10, 600_000), 5_000, "that brokers may take for an answer"),
    number("kafka.append_ms_max", "ms", (10, 600_000), 10_000, "that an append may take before it has failed"),
    number("epochs.epoch_ms_min", "ms", (1, 60_000), 5, "between two epochs at least"),
    number("epochs.epoch_ms_max", "ms", (1, 60_000), 1_000, "between two epochs at most, so that time passes"),
    number("epochs.records_max", "records", (1, 10_000_000), 10_000, "in an epoch, about"),
    number(
        "epochs.bytes_max",
        "bytes",
        (KIB, GIB),
        4 * MIB,
        "of records in an epoch; one record may be larger than what is left",
    ),
    number(
        "epochs.acknowledge_ms_max",
        "ms",
        (10, DAY_MS),
        10_000,
        "an epoch record unacknowledged for longer is an error",
    ),
    number("epochs.retry_ms_min", "ms", (1, 60_000), 10, "the first pause after an error; each further one is doubled"),
    number("epochs.retry_ms_max", "ms", (1, 600_000), 1_000, "the longest pause after errors"),
    number("checkpoints.interval_s", "s", (1, 86_400), 60, "after which the state is kept, if anything was decided"),
    number(
        "checkpoints.log_bytes",
        "bytes",
        (MIB, 1_024 * GIB),
        GIB,
        "of growth of the log, after which it is kept too",
    ),
    number("checkpoints.kept", "checkpoints", (2, 1_000), 2, "that are there; older ones are removed"),
    key(
        "checkpoints.log_kept",
        "",
        KeyKind::Word(&["needed", "all"]),
        "needed: the log is deleted up to where the oldest checkpoint goes on; all: nothing is",
    ),
    number(
        "dead_letters.waiting_bytes_max",
        "bytes",
        (MIB, 16 * GIB),
        64 * MIB,
        "of records that could not be read, waiting for the disk; the core waits when there are more",
    ),
    key(
        "outputs.publish",
        "",
        KeyKind::Word(&["all", "none"]),
        "all: events, views and dead letters are published as topics; none: only answered over HTTP",
    ),
    number(
        "outputs.retention_s",
        "s",
        (1, 100 * YEAR_S),
        7 * DAY_MS / 1_000,
        "that the embedded log keeps outputs; of each row of a view the newest stays",
    ),
    number(
        "outputs.segment_bytes",
        "bytes",
        (64 * KIB, 4 * GIB),
        32 * MIB,
        "the embedded log deletes outputs by the file, and a file that has grown to this is followed by a new one",
    ),
    number(
        "outputs.bytes_waiting_max",
        "bytes",
        (MIB, 16 * GIB),
        64 * MIB,
        "of epochs waiting to be published; the core waits when there are more",
    ),
    number(
        "outputs.stalled_s",
        "s",
        (1, 86_400),
        300,
        "that outputs, dead letters or checkpoints, which hold the log, may stand still before the node is not ready",
    ),
    key(
        "search.publish_activity",
        "",
        KeyKind::Word(&["all", "none"]),
        "all: searches are published as observations, for analytics; none: only those that clients send are counted",
    ),
    number(
        "search.observe_anonymous",
        "searches",
        (0, 1_000_000),
        100,
        "of an address that are observed in an hour; more are only counted",
    ),
    number(
        "search.facet_bytes_max",
        "bytes",
        (MIB, 16 * GIB),
        128 * MIB,
        "of facets of all searches under way; beyond it they are refused as overloaded",
    ),
    number(
        "search.waiting_bytes_max",
        "bytes",
        (MIB, 16 * GIB),
        64 * MIB,
        "of changed products waiting for the index, beyond those that are newest",
    ),
    number(
        "search.older_bytes_max",
        "bytes",
        (MIB, 16 * GIB),
        64 * MIB,
        "of products as they were, that the index keeps for next pages",
    ),
    key(
        "export.tables",
        "",
        KeyKind::Word(&["all", "none"]),
        "all: what is published is also written as tables of Parquet; none: not",
    ),
    key(
        "export.url",
        "url",
        KeyKind::Place,
        "where the tables are: a folder, or an object store's in a build with the feature export-cloud; the folder \
         warehouse of the data if empty",
    ),
    number("export.request_ms_max", "ms", (100, 600_000), 60_000, "that a request to an object store may take"),
    number("export.commit_s", "s", (1, 86_400), 60, "a commit is where the epochs' time crosses a multiple of this"),
    number("export.commit_rows", "records", (1, 10_000_000), 100_000, "after which there is a commit too"),
    number("export.commit_bytes", "bytes", (MIB, GIB), 32 * MIB, "of records, after which there is a commit too"),
    number(
        "export.commit_partitions",
        "files",
        (1, 100_000),
        1_000,
        "of facts, after which there is a commit too: each partition of a table gets a file",
    ),
    number(
        "export.current_rows",
        "rows",
        (16, 65_536),
        256,
        "of a file of <view>_current, which is written anew when one of them changes; more when there are 1,024 files",
    ),
    number(
        "export.compact_files",
        "files",
        (0, 1_000_000),
        0,
        "by which a table of facts or changes can have fewer; when it is more its small files are merged, and from then \
         on only Delta readers are right; 0: never",
    ),
    number(
        "export.grace_current_s",
        "s",
        (60, 31_536_000),
        3_600,
        "of the epochs' time, after which a replaced file of <view>_current is deleted: the longest query of a reader",
    ),
    number(
        "export.grace_s",
        "s",
        (60, 31_536_000),
        604_800,
        "the same for files of facts and changes that were merged",
    ),
    number(
        "export.log_days",
        "days",
        (1, 3_650),
        30,
        "of the epochs' time that the log of a table goes back; what is before a checkpoint that old is deleted",
    ),
    number("export.retry_ms_max", "ms", (10, 600_000), 10_000, "the longest pause after errors"),
    key("engine.workers", "workers", KeyKind::OneACore(WORKERS_MAX), "threads that run the dataflow"),
    number("engine.epochs_in_flight", "epochs", (1, 1_000_000), 1_024, "on their way through the dataflow"),
    number(
        "engine.inputs_in_flight",
        "records",
        (1, 100_000_000),
        8_192,
        "of each worker on their way through the dataflow",
    ),
    number("engine.slow_epoch_ms", "ms", (1, DAY_MS), 1_000, "to decide an epoch, beyond which it is logged"),
    number("engine.stride_epochs_max", "epochs", (1, 1_000_000), 256, "that a worker feeds at once"),
    number("engine.stride_inputs_max", "records", (1, 100_000_000), 1_024, "that a worker feeds at once, about"),
    number("engine.bytes_in_flight", "bytes", (MIB, 16 * GIB), 32 * MIB, "of these records, in memory, about"),
    number("engine.stride_bytes_max", "bytes", (MIB, 16 * GIB), 8 * MIB, "that a worker feeds at once, about"),
    number(
        "engine.changes_bytes_in_flight",
        "bytes",
        (MIB, 16 * GIB),
        64 * MIB,
        "of changes that came of records, before more are fed",
    ),
    number("engine.held_bytes_max", "bytes", (MIB, 16 * GIB), 64 * MIB, "of records read ahead, in memory, about"),
    number("engine.shards_waiting_max", "shards", (1, 1_000_000), 4_096, "of changes waiting to be put together"),
    key(
        "serving.listen",
        "address",
        KeyKind::Address("127.0.0.1:8080"),
        "where HTTP is served; beyond loopback only with --insecure",
    ),
    key(
        "serving.hosts",
        "hosts",
        KeyKind::Hosts,
        "that requests may be for; if empty: the address listened at, localhost, 127.0.0.1 and [::1]",
    ),
    key(
        "serving.origins",
        "origins",
        KeyKind::Origins,
        "whose pages may send what changes something, beside the node's own",
    ),
    key("serving.cors_origins", "origins", KeyKind::Origins, "whose pages may do that and read the answers"),
    key("serving.cors_credentials", "", KeyKind::Word(&["false", "true"]), "whether those pages may send credentials"),
    key(
        "serving.behind_proxy",
        "networks",
        KeyKind::Networks,
        "of proxies in front; connections are not counted by address there",
    ),
    number("serving.history_epochs", "epochs", (1, 10_000_000), 200_000, "that stay readable with as_of"),
    number("serving.history_s", "s", (1, 86_400), 86_400, "that an epoch stays readable"),
    number("serving.history_bytes", "bytes", (MIB, 64 * GIB), 256 * MIB, "that the history may take"),
    number(
        "serving.pinned_bytes_max",
        "bytes",
        (MIB, 64 * GIB),
        512 * MIB,
        "of rows that checkpoints and requests under way may hold beyond the history",
    ),
    number("serving.body_bytes_max", "bytes", (KIB, 8 * MIB), MIB, "in the body of a request"),
    number("serving.commands_bytes_max", "bytes", (KIB, 64 * MIB), 8 * MIB, "in the body of POST /commands"),
    number("serving.commands_lines_max", "commands", (1, 10_000), 1_000, "in the body of POST /commands"),
    number("serving.connections_max", "connections", (1, 1_000_000), 10_000, "open at once"),
    number(
        "serving.bytes_in_flight_max",
        "bytes",
        (MIB, 64 * GIB),
        256 * MIB,
        "of bodies, answers and records of Kafka clients under way, an eighth for those of 64 KiB; more are refused as \
         overloaded, or wait",
    ),
    number("serving.head_s_max", "s", (1, 600), 10, "that the head of a request may take"),
    number("serving.idle_s_max", "s", (1, 3_600), 60, "that a connection may lie idle"),
    number(
        "serving.body_bytes_per_s_min",
        "bytes",
        (1, MIB),
        16 * KIB,
        "of a body a second, after the first 10 s; a slower client is cut off",
    ),
    number(
        "serving.unread_bytes_max",
        "bytes",
        (0, 64 * MIB),
        2 * MIB,
        "of a refused body that are read, so that the connection can be kept",
    ),
    number("serving.unread_ms_max", "ms", (0, 60_000), 2_000, "that a refusal waits for the rest of such a body"),
    number("serving.followers_max", "streams", (1, 1_000_000), 1_000, "of GET /changes at once"),
    number(
        "serving.follower_bytes_max",
        "bytes",
        (MIB, 16 * GIB),
        128 * MIB,
        "that the clients of all streams have not taken; then the one with most of them is cut off",
    ),
    number("serving.progress_ms", "ms", (1, 60_000), 1_000, "between marks in a stream of changes without any"),
    number("serving.write_s_max", "s", (1, 600), 30, "that a client may take nothing of what it is sent"),
    number("serving.wait_s", "s", (0, 30), 2, "that a request waits if it does not say"),
    number("serving.wait_s_max", "s", (1, 300), 30, "that a request may ask to wait"),
    number("serving.drain_s_max", "s", (0, 600), 10, "that open requests have when the process stops"),
    key("auth.secrets_dir", "folder", KeyKind::Anything, "where secrets are kept; beside the data folder if empty"),
    key(
        "admin.listen",
        "address",
        KeyKind::OtherAddress,
        "where operators' routes, health and metrics are served; at serving.listen, with all others, if empty",
    ),
    number("admin.connections_max", "connections", (1, 100_000), 64, "open at once at admin.listen"),
    number("limits.connections_per_ip", "connections", (1, 1_000_000), 100, "open at once from one address"),
    key(
        "telemetry.log_level",
        "",
        KeyKind::Word(&["info", "error", "warn", "debug", "trace"]),
        "the least that is logged",
    ),
    key(
        "telemetry.log_format",
        "",
        KeyKind::Word(&["auto", "human", "json"]),
        "auto: text for people on a terminal, else JSON",
    ),
];

impl Key {
    /// The key of that name.
    pub fn find(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its section.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("TRADEWIND_{}", self.name.replace('.', "_").to_uppercase())
    }
}

impl KeyKind {
    /// The allowed values, for people.
    pub fn described(&self) -> String {
        match self {
            KeyKind::Number(least, most, _) => format!("a whole number from {least} to {most}"),
            KeyKind::OneACore(most) => format!("a whole number from 1 to {most}"),
            KeyKind::Folder(_) => "a folder".to_owned(),
            KeyKind::Address(_) => {
                "an IP address or a name of this machine, and a port, like 127.0.0.1:8080".to_owned()
            }
            KeyKind::Listener(_) => "a loopback address and a port, like 127.0.0.1:9092, or none".to_owned(),
            KeyKind::Word(words) => format!("one of {}", words.join(", ")),
            KeyKind::Brokers => "HOST:PORT, more of them separated by commas, or nothing".to_owned(),
            KeyKind::Prefix(_) => "letters, digits, `.`, `_` and `-`, at most 200".to_owned(),
            KeyKind::Place => address::ALLOWED.to_owned(),
            KeyKind::OtherAddress => {
                "an IP address or a name of this machine, and a port, like 127.0.0.1:8081, or nothing".to_owned()
            }
            KeyKind::Hosts => "names or addresses without a port, separated by commas, or nothing".to_owned(),
            KeyKind::Origins => "origins like https://shop.example.com, separated by commas, or nothing".to_owned(),
            KeyKind::Networks => "networks like 10.0.0.0/8, separated by commas, or nothing".to_owned(),
            KeyKind::Anything | KeyKind::Secret => "a text".to_owned(),
        }
    }

    /// The default on a machine with that many cores.
    pub fn default(&self, cores: u64) -> Value {
        match self {
            KeyKind::Number(_, _, default) => Value::Number(*default),
            KeyKind::OneACore(most) => Value::Number(cores.clamp(1, *most)),
            KeyKind::Folder(default) | KeyKind::Address(default) | KeyKind::Listener(default) => {
                Value::Text((*default).to_owned())
            }
            KeyKind::Word(words) => Value::Text(words[0].to_owned()),
            KeyKind::Prefix(default) => Value::Text((*default).to_owned()),
            KeyKind::Brokers | KeyKind::Place | KeyKind::Anything | KeyKind::Secret => Value::Text(String::new()),
            KeyKind::OtherAddress | KeyKind::Hosts | KeyKind::Origins | KeyKind::Networks => Value::Text(String::new()),
        }
    }

    /// Returns true if its values are whole numbers.
    pub fn is_number(&self) -> bool {
        match self {
            KeyKind::Number(..) | KeyKind::OneACore(_) => true,
            KeyKind::Folder(_) | KeyKind::Address(_) | KeyKind::Listener(_) | KeyKind::Word(_) => false,
            KeyKind::Brokers | KeyKind::Prefix(_) | KeyKind::Place | KeyKind::Anything | KeyKind::Secret => false,
            KeyKind::OtherAddress | KeyKind::Hosts | KeyKind::Origins | KeyKind::Networks => false,
        }
    }

    /// Returns true if a file may give its values as a list.
    pub const fn is_list(&self) -> bool {
        matches!(self, KeyKind::Hosts | KeyKind::Origins | KeyKind::Networks)
    }

    /// Reads a value; `None` if it is not allowed.
    pub fn read(&self, text: &str) -> Option<Value> {
        let number = |least: u64, most: u64| {
            text.parse().ok().filter(|number| (least..=most).contains(number)).map(Value::Number)
        };
        // A name is looked up once: later it might be another address, or none.
        let resolved = |address: Option<SocketAddr>| address.map(|address| Value::Text(address.to_string()));
        let text_if = |good: bool| good.then(|| Value::Text(text.to_owned()));
        match self {
            KeyKind::Number(least, most, _) => number(*least, *most),
            KeyKind::OneACore(most) => number(1, *most),
            KeyKind::Folder(_) => text_if(!text.is_empty()),
            KeyKind::Address(_) => resolved(address(text)),
            KeyKind::Listener(_) if text == NOWHERE => text_if(true),
            KeyKind::Listener(_) => resolved(address(text).filter(|at| at.ip().to_canonical().is_loopback())),
            KeyKind::Word(words) => text_if(words.contains(&text)),
            KeyKind::Brokers => text_if(text.is_empty() || text.split(',').all(is_broker)),
            KeyKind::Prefix(_) => {
                let is_known = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
                text_if(text.len() <= 200 && text.chars().all(is_known))
            }
            KeyKind::OtherAddress if text.is_empty() => text_if(true),
            KeyKind::OtherAddress => resolved(address(text)),
            KeyKind::Hosts => text_if(listed(text).all(is_host)),
            KeyKind::Origins => text_if(listed(text).all(is_origin)),
            KeyKind::Networks => text_if(listed(text).all(|network| Network::read(network).is_some())),
            KeyKind::Place => text_if(text.is_empty() || Address::read(text).is_some()),
            KeyKind::Anything | KeyKind::Secret => text_if(true),
        }
    }
}

/// An address to listen at: an IP address or a name of this machine, with a port. Of several, that of IPv4.
fn address(text: &str) -> Option<SocketAddr> {
    let found: Vec<SocketAddr> = text.to_socket_addrs().ok()?.collect();
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
}

/// The parts of a list.
pub fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Returns true if it can be in `Host`, without a port.
fn is_host(text: &str) -> bool {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    text.chars().all(is_name) || inner.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Returns true if it is an origin as browsers write it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        !name.is_empty() && (is_port && is_host(name) || is_host(host))
    })
}

fn is_broker(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
