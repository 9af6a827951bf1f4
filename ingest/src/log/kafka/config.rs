//! The brokers' addresses, how to speak to them, and the limits.

/// The brokers' addresses, and the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Brokers to begin with: `HOST:PORT`, separated by commas.
    pub bootstrap: String,
    /// The prefix of all topics' names.
    pub topic_prefix: String,
    /// The way to speak to the brokers.
    pub security: Security,
    /// The time that the brokers may take to answer a question before that is an error.
    pub answer_ms_max: u64,
    /// The time that an append may take before it has failed.
    pub append_ms_max: u64,
    /// True if an append that took so long fails. Its records give up one by one, so that one may be in the log without
    /// another before it. Outputs wait instead: their readers skip what comes after a later place.
    pub gives_up: bool,
    /// The records that may wait for their acknowledgement; more are refused, unless nothing waits.
    pub waiting_records_max: usize,
    /// The bytes that may wait for their acknowledgement; more are refused, unless nothing waits.
    pub waiting_bytes_max: usize,
    /// A larger append is refused.
    pub append_bytes_max: usize,
    /// The records that a reader holds that were not asked for yet, at most.
    pub read_ahead_records_max: usize,
    /// The bytes that a reader holds that were not asked for yet, at most; its client holds as many again.
    pub read_ahead_bytes_max: usize,
    /// The time that a broker waits for more records before it gives a reader of several partitions what there is.
    pub fetch_wait_ms: u64,
    /// The time between looks at the ends when no reader reports that they moved.
    pub watch_ms: u64,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        KafkaConfig {
            bootstrap: "127.0.0.1:9092".to_owned(),
            topic_prefix: "tradewind.".to_owned(),
            security: Security::default(),
            answer_ms_max: 5_000,
            append_ms_max: 10_000,
            gives_up: true,
            waiting_records_max: 200_000,
            waiting_bytes_max: 64 << 20,
            append_bytes_max: 64 << 20,
            read_ahead_records_max: 20_000,
            read_ahead_bytes_max: 8 << 20,
            fetch_wait_ms: 5,
            watch_ms: 100,
        }
    }
}

/// The largest batch of records that goes to a broker at once; every input topic takes it.
pub const BATCH_BYTES_MAX: usize = 2 << 20;

/// The way to speak to the brokers. TLS and SCRAM are in builds with the feature `kafka-tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`; plaintext if empty.
    pub protocol: String,
    /// The file with the certificates to trust; the system's if empty.
    pub ca_file: String,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The name that we log in with.
    pub username: String,
    /// The password for that name.
    pub password: String,
}
