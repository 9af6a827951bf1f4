//! The configuration of the process as the configurations of its rooms.

use crate::config::{self, Config, KafkaConfig};
use search::Synonyms;
use serving::store::HistoryLimits;

/// The number of searches that run at once: each keeps a core busy.
const SEARCHES_A_CORE: usize = 8;

impl Config {
    /// The limits of the log room.
    pub fn ingest(&self) -> ingest::IngestConfig {
        let mut room = ingest::IngestConfig::default();
        let (log, epochs) = (&self.log, &self.epochs);
        room.journal.segment_bytes = log.segment_bytes;
        room.journal.commit_bytes_max = log.commit_bytes_max;
        room.journal.append_bytes_max = log.append_bytes_max;
        room.journal.waiting_appends_max = log.appends_waiting_max;
        room.journal.waiting_bytes_max = log.bytes_waiting_max;
        room.journal.read_window_bytes = log.read_window_bytes;
        room.listener.connections_max = self.kafka.listen_connections_max;
        room.listener.connections_per_ip_max = self.serving.connections_per_ip;
        room.listener.groups_max = self.kafka.groups_max;
        room.listener.fetch_bytes_max = self.kafka.fetch_bytes_max;
        room.listener.outputs_kept_ms = self.outputs.retention_ms();
        room.source.held_bytes_max = self.engine.held_bytes_max;
        room.publisher.bytes_waiting_max = self.outputs.bytes_waiting_max;
        room.checkpoint.clone_from(&self.checkpoints);
        room.dead_letters.clone_from(&self.dead_letters);
        room.command_log.commands_in_flight_max = log.commands_waiting_max;
        room.sequencer.epoch_ms_min = epochs.epoch_ms_min;
        room.sequencer.epoch_ms_max = epochs.epoch_ms_max;
        room.sequencer.epoch_records_max = epochs.records_max;
        room.sequencer.epoch_bytes_max = epochs.bytes_max;
        room.sequencer.acknowledge_ms_max = epochs.acknowledge_ms_max;
        room.sequencer.retry_ms_min = epochs.retry_ms_min;
        room.sequencer.retry_ms_max = epochs.retry_ms_max;
        room
    }

    /// The log of a cluster, if that is the log.
    pub fn kafka(&self) -> Option<ingest::log::kafka::KafkaConfig> {
        let KafkaConfig { bootstrap, topic_prefix, security, answer_ms_max, append_ms_max, .. } = &self.kafka;
        (!bootstrap.is_empty()).then(|| ingest::log::kafka::KafkaConfig {
            bootstrap: bootstrap.clone(),
            topic_prefix: topic_prefix.clone(),
            security: security.clone(),
            answer_ms_max: *answer_ms_max,
            append_ms_max: *append_ms_max,
            append_bytes_max: self.log.append_bytes_max,
            waiting_bytes_max: self.log.bytes_waiting_max,
            ..ingest::log::kafka::KafkaConfig::default()
        })
    }

    /// The wanted topics. All but one replica, and two of more, must have a record before it is acknowledged.
    pub fn topics(&self) -> ingest::log::kafka::topics::TopicLayout {
        let KafkaConfig { partitions, replication, .. } = self.kafka;
        let min_insync_replicas = replication.saturating_sub(1).clamp(1, 2);
        ingest::log::kafka::topics::TopicLayout { partitions, replication, min_insync_replicas }
    }

    /// The limits of the search room, and the synonyms of `<data>/synonyms.txt`, if that is there.
    pub fn search(&self) -> Result<search::Config, search::Error> {
        let file = self.log.data_dir.join("synonyms.txt");
        let synonyms = if file.exists() { Synonyms::read(&file)? } else { Synonyms::default() };
        let config::SearchConfig {
            publish_activity: _,
            observe_anonymous: _,
            facet_bytes_max,
            waiting_bytes_max,
            older_bytes_max,
        } = self.search;
        let limits =
            search::Config { facet_bytes_max, waiting_bytes_max, older_bytes_max, ..search::Config::default() };
        Ok(search::Config { synonyms, ..limits })
    }

    /// The limits of the serving room.
    pub fn serving_limits(&self) -> serving::Config {
        let serving = &self.serving;
        serving::Config {
            history: HistoryLimits {
                epochs_max: usize::try_from(serving.history_epochs).unwrap_or(usize::MAX),
                age_ms_max: serving.history_s * 1_000,
                undo_bytes_max: usize::try_from(serving.history_bytes).unwrap_or(usize::MAX),
                pinned_bytes_max: serving.pinned_bytes_max,
                ..HistoryLimits::default()
            },
            publishes_searches: self.search.publish_activity,
            observed_searches_an_hour: self.search.observe_anonymous,
            searches_max: SEARCHES_A_CORE * std::thread::available_parallelism().map_or(1, usize::from),
            body_bytes_max: serving.body_bytes_max,
            batch_bytes_max: serving.commands_bytes_max,
            batch_lines_max: serving.commands_lines_max,
            hosts: serving.hosts.clone(),
            origins: serving.origins.clone(),
            cors_origins: serving.cors_origins.clone(),
            cors_credentials: serving.cors_credentials,
            behind_proxy: serving.behind_proxy.clone(),
            connections_max: serving.connections_max,
            connections_per_ip: serving.connections_per_ip,
            operators_connections_max: serving.operators_connections_max,
            bytes_in_flight_max: serving.bytes_in_flight_max,
            head_ms_max: serving.head_s_max * 1_000,
            idle_ms_max: serving.idle_s_max * 1_000,
            body_bytes_per_s_min: serving.body_bytes_per_s_min,
            unread_bytes_max: serving.unread_bytes_max,
            unread_ms_max: serving.unread_ms_max,
            followers_max: serving.followers_max,
            follower_bytes_max: serving.follower_bytes_max,
            follow_progress_ms: serving.progress_ms,
            write_ms_max: serving.write_s_max * 1_000,
            wait_ms_default: serving.wait_s * 1_000,
            wait_ms_max: serving.wait_s_max * 1_000,
            drain_ms_max: serving.drain_s_max * 1_000,
            stalled_ms_max: self.outputs.stalled_s * 1_000,
            ..serving::Config::default()
        }
    }
}
