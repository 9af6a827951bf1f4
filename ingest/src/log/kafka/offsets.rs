//! The starts and ends of partitions, from the brokers, and the order of the questions. Not for cutting: see `cut`.
//!
//! **Why the ends are a consistent snapshot.** Kafka answers for one partition at a time, and no number of questions makes
//! the answers those of one moment while records keep coming. The port asks for less: if a record is before the snapshot,
//! so is every record of an earlier topic that was acknowledged before it was appended. So the topics are asked one after
//! the other, in the reverse of their order, each only when all answers for the one before are there: `epochs`, orders,
//! stock, catalog, policy.
//!
//! Let *r* be a record of a topic R before the snapshot, and *s* one of an earlier topic S that was acknowledged before *r*
//! was appended. *r* is before R's answer, so it was appended before that answer was given. *s* was acknowledged before
//! that, and S was asked after it. An acknowledged record (`acks=all`) is below the high watermark, so S's answer is beyond
//! *s*. For `epochs` this means that no cut in an epoch record before the snapshot is beyond the snapshot.
//!
//! This is all that an order of decisions can show: within an epoch, earlier topics are decided first whenever their
//! records came, and a record that a sealed epoch holds is decided before all that is appended after.
//!
//! The ends are last stable offsets. A record after another's open transaction is acknowledged to its producer and not
//! yet in the log for us: this holds for it from the moment when the transaction ends.

use super::client::{self, Context, Names};
use super::config::KafkaConfig;
use super::error;
use crate::Error;
use crate::log::Partitions;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;
use std::time::{Duration, Instant};

/// The pause before a question that came to the wrong broker is asked again.
const PAUSE: Duration = Duration::from_millis(20);
/// The number of a client's events that are looked through for the reason of a failure.
const SAYINGS_MAX: usize = 64;

/// Asks the brokers for places.
pub struct OffsetClient {
    consumer: BaseConsumer<Context>,
    names: Names,
    longest: Duration,
}

impl OffsetClient {
    /// Creates the client that asks these brokers.
    pub fn open(config: &KafkaConfig, names: Names) -> Result<OffsetClient, Error> {
        let consumer = client::create(&client::metadata_consumer(config)?)?;
        Ok(OffsetClient { consumer, names, longest: Duration::from_millis(config.answer_ms_max) })
    }

    /// The first offset of each partition that can still be read.
    pub fn starts(&self, partitions: impl Iterator<Item = TopicPartition>) -> Result<Cut, Error> {
        let mut starts = Cut::default();
        self.list_offsets(partitions, Offset::Beginning, &mut starts)?;
        Ok(starts)
    }

    /// The last stable offset of every partition, as a consistent snapshot.
    pub fn ends(&self, partitions: &Partitions) -> Result<Cut, Error> {
        let mut ends = Cut::default();
        for topic in downstream_first(partitions) {
            let of_topic = (0..partitions.count(topic)).map(|partition| TopicPartition::new(topic, partition));
            self.list_offsets(of_topic, Offset::End, &mut ends)?;
        }
        Ok(ends)
    }

    /// One question to each broker, whose answers go into `places`.
    fn list_offsets(
        &self,
        partitions: impl Iterator<Item = TopicPartition>,
        which: Offset,
        places: &mut Cut,
    ) -> Result<(), Error> {
        const DOING: &str = "asking for offsets";
        let list = self.names.list(partitions.map(|at| (at, which)))?;
        if list.count() == 0 {
            return Ok(());
        }
        let deadline = Instant::now() + self.longest;
        let answer = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Kafka's question for the offset at a time has these two as special times.
            let answer = self.consumer.offsets_for_times(list.clone(), left.max(PAUSE));
            let answer = answer.and_then(|answer| {
                answer.elements().iter().try_for_each(|part| part.error())?;
                Ok(answer)
            });
            match answer {
                Ok(answer) => break answer,
                Err(error) if error::is_moving(&error) && Instant::now() < deadline => {
                    std::thread::park_timeout(PAUSE);
                }
                Err(error) => return Err(self.away(DOING, &error)),
            }
        };
        for part in answer.elements() {
            let at = self.names.topic(part.topic()).zip(u32::try_from(part.partition()).ok());
            let (Some((topic, partition)), Offset::Offset(offset)) = (at, part.offset()) else {
                return Err(Error::Unavailable(format!("{DOING}: {} has none", part.topic())));
            };
            places.set(TopicPartition::new(topic, partition), u64::try_from(offset).unwrap_or(0));
        }
        Ok(())
    }

    /// The brokers' metadata of a topic.
    pub fn metadata(&self, topic: &str) -> Result<Metadata, Error> {
        let metadata = self.consumer.fetch_metadata(Some(topic), self.longest);
        metadata.map_err(|error| self.away("asking for topics", &error))
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> Result<String, Error> {
        let id = self.consumer.client().fetch_cluster_id(self.longest);
        id.ok_or_else(|| Error::Unavailable("the brokers do not say which cluster they are".to_owned()))
    }

    fn away(&self, doing: &str, error: &rdkafka::error::KafkaError) -> Error {
        // The client reports why on a queue of its own, among other things.
        for _ in 0..SAYINGS_MAX {
            drop(self.consumer.poll(Duration::ZERO));
        }
        error::unavailable(doing, error, self.consumer.context().last_error())
    }
}

/// Every topic, the last of an epoch first: the order in which the ends are asked for.
fn downstream_first(partitions: &Partitions) -> impl Iterator<Item = Topic> {
    partitions.topics().collect::<Vec<_>>().into_iter().rev()
}
