//! The topics in the cluster: which there should be and how they are kept; made where they are missing, and otherwise only
//! checked. Never changes a topic that is there, and never deletes one.

use super::client::{self, Admin, Names};
use super::config::{BATCH_BYTES_MAX, KafkaConfig};
use super::error;
use super::offsets::OffsetClient;
use crate::Error;
use crate::log::Partitions;
use dataflows::contract::topic::Topic;
use rdkafka::admin::{NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// The pause before a topic that was made is looked for again.
const PAUSE: Duration = Duration::from_millis(20);

/// The operator's choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicLayout {
    /// Partitions of each topic but those that have one.
    pub partitions: u32,
    /// Replicas of each partition.
    pub replication: u32,
    /// The number of replicas that must have a record before it is acknowledged.
    pub min_insync_replicas: u32,
}

/// A topic as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name in the cluster.
    pub name: String,
    /// The number of partitions.
    pub partitions: u32,
    /// The number of replicas of each.
    pub replication: u32,
    /// Its settings, by Kafka's names.
    pub settings: BTreeMap<&'static str, String>,
}

/// The time that outputs are kept.
const OUTPUT_MS: u64 = 7 * 86_400_000;
/// An output record may hold several inputs: a row holds a whole order.
const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// Kafka's word for no bound.
const UNBOUNDED: &str = "-1";

/// Every topic of the contract.
pub fn wanted(prefix: &str, layout: TopicLayout) -> Result<Vec<TopicSpec>, Error> {
    let TopicLayout { partitions, replication, min_insync_replicas } = layout;
    if min_insync_replicas > replication {
        let why = format!("at most kafka.replication, {replication}");
        return Err(Error::Config { name: "kafka.min_insync_replicas", why });
    }
    let names = Names::new(prefix)?;
    let topic = |name: String, partitions: u32, kept: Vec<(&'static str, String)>| {
        let common = [
            ("min.insync.replicas", min_insync_replicas.to_string()),
            // A replica that lacks acknowledged records must not become the leader.
            ("unclean.leader.election.enable", "false".to_owned()),
            ("message.timestamp.type", "CreateTime".to_owned()),
            // Timestamps decide nothing here, so a clock that is off must not keep a record out.
            ("message.timestamp.before.max.ms", i64::MAX.to_string()),
            ("message.timestamp.after.max.ms", i64::MAX.to_string()),
        ];
        TopicSpec { name, partitions, replication, settings: common.into_iter().chain(kept).collect() }
    };
    let kept = |policy: &str, ms: String, bytes_max: usize| {
        vec![
            ("cleanup.policy", policy.to_owned()),
            ("retention.ms", ms),
            ("retention.bytes", UNBOUNDED.to_owned()),
            ("max.message.bytes", bytes_max.to_string()),
        ]
    };
    let inputs = Partitions::uniform(partitions);
    let input = |of: Topic| {
        topic(names.of(of).to_owned(), inputs.count(of), kept("delete", UNBOUNDED.to_owned(), BATCH_BYTES_MAX))
    };
    let outputs = Partitions::outputs(partitions);
    let output = |of: Topic| {
        let kept = match of {
            Topic::View(_) => {
                let mut kept = kept("compact", UNBOUNDED.to_owned(), OUTPUT_BYTES_MAX);
                // A reader of every change has as long for it as with the other outputs.
                kept.push(("min.compaction.lag.ms", OUTPUT_MS.to_string()));
                kept
            }
            // The records of progress have no key, so that they cannot be compacted.
            _ => kept("delete", OUTPUT_MS.to_string(), OUTPUT_BYTES_MAX),
        };
        topic(names.of(of).to_owned(), outputs.count(of), kept)
    };
    Ok(Topic::ALL.into_iter().map(input).chain(outputs.topics().map(output)).collect())
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The topic.
    pub topic: String,
    /// The property: `topic` if it is missing, `partitions`, `replication`, or one of Kafka's settings.
    pub what: String,
    /// The value that it should have.
    pub wanted: String,
    /// The value that it has; none if it is not there.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { topic, what, wanted, found } = self;
        match found {
            None if what == "topic" => write!(f, "{topic} is missing"),
            None => write!(f, "{topic} has no {what}; {wanted} is wanted"),
            Some(found) => write!(f, "{topic} has {what} {found}; {wanted} is wanted"),
        }
    }
}

/// Makes and checks topics.
pub struct Topics {
    config: KafkaConfig,
    wanted: Vec<TopicSpec>,
    places: OffsetClient,
    admin: Admin,
}

impl Topics {
    /// For the topics of the contract in this cluster.
    pub fn open(config: &KafkaConfig, layout: TopicLayout) -> Result<Topics, Error> {
        let wanted = wanted(&config.topic_prefix, layout)?;
        let places = OffsetClient::open(config, Names::new(&config.topic_prefix)?)?;
        Ok(Topics { config: config.clone(), wanted, places, admin: client::admin(config)? })
    }

    /// Makes the topics that are missing, and names them.
    pub fn create(&self) -> Result<Vec<String>, Error> {
        let mut missing = Vec::new();
        for wanted in &self.wanted {
            if found(&self.places, &wanted.name)?.is_none() {
                missing.push(wanted);
            }
        }
        let new: Vec<NewTopic<'_>> = missing.iter().map(|wanted| new_topic(wanted)).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let made = client::block_on(self.admin.create_topics(&new, &client::patience(&self.config)));
        let made = made.map_err(|error| self.away("making topics", &error))?;
        let mut names = Vec::new();
        for result in made {
            match result {
                Ok(name) => names.push(name),
                // Another client was faster; the check that follows shows whether it is as it should be.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(Error::Topics(format!("{name} cannot be made: {code}"))),
            }
        }
        self.wait_for(&names)?;
        Ok(names)
    }

    /// A topic that was made is known to every broker a little later.
    fn wait_for(&self, names: &[String]) -> Result<(), Error> {
        let deadline = Instant::now() + Duration::from_millis(self.config.answer_ms_max);
        for name in names {
            while found(&self.places, name)?.is_none() {
                if Instant::now() > deadline {
                    return Err(Error::Unavailable(format!("{name} was made, and is not there yet")));
                }
                std::thread::park_timeout(PAUSE);
            }
        }
        Ok(())
    }

    /// Lists what is not as it should be.
    pub fn check(&self) -> Result<Vec<Difference>, Error> {
        let mut differences = Vec::new();
        let mut there = Vec::new();
        for wanted in &self.wanted {
            let differs = |what: &str, wanted_value: String, found: Option<String>| Difference {
                topic: wanted.name.clone(),
                what: what.to_owned(),
                wanted: wanted_value,
                found,
            };
            let Some(TopicProperties { partitions, replication }) = found(&self.places, &wanted.name)? else {
                differences.push(differs("topic", "a topic".to_owned(), None));
                continue;
            };
            if partitions != wanted.partitions {
                differences.push(differs("partitions", wanted.partitions.to_string(), Some(partitions.to_string())));
            }
            if replication != wanted.replication {
                differences.push(differs("replication", wanted.replication.to_string(), Some(replication.to_string())));
            }
            there.push(wanted);
        }
        self.check_settings(&there, &mut differences)?;
        Ok(differences)
    }

    fn check_settings(&self, there: &[&TopicSpec], differences: &mut Vec<Difference>) -> Result<(), Error> {
        let asked: Vec<ResourceSpecifier<'_>> =
            there.iter().map(|wanted| ResourceSpecifier::Topic(&wanted.name)).collect();
        if asked.is_empty() {
            return Ok(());
        }
        const DOING: &str = "asking for the settings of topics";
        let described = client::block_on(self.admin.describe_configs(&asked, &client::patience(&self.config)));
        let described = described.map_err(|error| self.away(DOING, &error))?;
        // Answers are in the order of the questions.
        for (wanted, described) in there.iter().zip(described) {
            let described = described.map_err(|code| self.away(DOING, &KafkaError::AdminOp(code)))?;
            for (name, value) in &wanted.settings {
                let found = described.get(name).and_then(|entry| entry.value.clone());
                if found.as_ref() != Some(value) {
                    let (topic, what, wanted) = (wanted.name.clone(), (*name).to_owned(), value.clone());
                    differences.push(Difference { topic, what, wanted, found });
                }
            }
        }
        Ok(())
    }

    fn away(&self, doing: &str, error: &KafkaError) -> Error {
        error::unavailable(doing, error, self.admin.inner().context().last_error())
    }
}

fn new_topic(wanted: &TopicSpec) -> NewTopic<'_> {
    let replication = TopicReplication::Fixed(client::number(wanted.replication));
    let mut new = NewTopic::new(&wanted.name, client::number(wanted.partitions), replication);
    for (name, value) in &wanted.settings {
        new = new.set(name, value);
    }
    new
}

/// The properties of a topic.
struct TopicProperties {
    partitions: u32,
    replication: u32,
}

/// None if there is no such topic.
fn found(places: &OffsetClient, name: &str) -> Result<Option<TopicProperties>, Error> {
    let metadata = places.metadata(name)?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(None) };
    match topic.error() {
        None | Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR) => {}
        Some(
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
        ) => return Ok(None),
        Some(other) => {
            return Err(Error::Unavailable(format!("asking for {name}: {}", RDKafkaErrorCode::from(other))));
        }
    }
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let replication = topic.partitions().iter().map(|partition| count(partition.replicas().len())).min();
    Ok(Some(TopicProperties { partitions: count(topic.partitions().len()), replication: replication.unwrap_or(0) }))
}

/// A log whose topics are missing or divided otherwise is not opened.
pub(super) fn check_partitions(places: &OffsetClient, names: &Names, partitions: &Partitions) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for topic in partitions.topics() {
        let (name, asked) = (names.of(topic), partitions.count(topic));
        match found(places, name)? {
            None => wrong.push(format!("{name} is missing")),
            Some(TopicProperties { partitions: found, replication: _ }) if found != asked => {
                wrong.push(format!("{name} has {found} partitions, and {asked} are wanted"));
            }
            Some(TopicProperties { .. }) => {}
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Topics(wrong.join("; "))) }
}
