//! The topics of the log and their order inside an epoch. Not for prefixes or partition counts: those are the log's.

use crate::contract::domain::Domain;
use crate::engine::encoding::{DecodeError, Encoding, Reader, encode_struct};
use crate::shop::row::View;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A topic: what comes in, in the order of the phases of Rule S, then what goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `policy.commands`
    Policy,
    /// `catalog.commands`
    Catalog,
    /// `stock.commands`
    Stock,
    /// `orders.commands`
    Orders,
    /// `activity`: observations, which nothing is decided by.
    Activity,
    /// `epochs`: the one partition that holds the end of each epoch.
    Epochs,
    /// `<domain>.events`: what was decided.
    Events(Domain),
    /// `views.<view>`: the changes of a view.
    View(View),
    /// `views.progress`: the epochs that are complete there, in one partition.
    Progress,
    /// `dead-letters`
    DeadLetters,
}

impl Topic {
    /// Every input topic, in order.
    pub const ALL: [Topic; 6] =
        [Topic::Policy, Topic::Catalog, Topic::Stock, Topic::Orders, Topic::Activity, Topic::Epochs];
    /// The topics of commands, in the order of their phases, and that of observations: what an epoch covers.
    pub const COVERED: [Topic; 5] = [Topic::Policy, Topic::Catalog, Topic::Stock, Topic::Orders, Topic::Activity];

    /// The name without the deployment's prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Policy => "policy.commands",
            Topic::Catalog => "catalog.commands",
            Topic::Stock => "stock.commands",
            Topic::Orders => "orders.commands",
            Topic::Activity => "activity",
            Topic::Epochs => "epochs",
            Topic::Events(domain) => domain.topic(),
            Topic::View(view) => view.topic(),
            Topic::Progress => "views.progress",
            Topic::DeadLetters => "dead-letters",
        }
    }

    /// Every output topic, in order.
    pub fn outputs() -> impl Iterator<Item = Topic> {
        let events = Domain::ALL.iter().copied().map(Topic::Events);
        let views = View::ALL.iter().copied().map(Topic::View);
        events.chain(views).chain([Topic::Progress, Topic::DeadLetters])
    }

    /// The topic of that name, without the prefix.
    pub fn from_name(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().chain(Topic::outputs()).find(|topic| topic.name() == name)
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Topic, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Topic::from_name(&name).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&name), &"the name of a topic"))
    }
}

/// One partition of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Topic,
    /// Its partition, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub const fn new(topic: Topic, partition: u32) -> Self {
        TopicPartition { topic, partition }
    }

    /// The partition that holds the epoch records.
    pub const EPOCHS: TopicPartition = TopicPartition::new(Topic::Epochs, 0);
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic.name(), self.partition)
    }
}

/// A place in the log: where a command was read. The order is that of Rule S within an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The topic, which gives the phase.
    pub topic: Topic,
    /// The partition.
    pub partition: u32,
    /// The offset within it.
    pub offset: u64,
}

impl Origin {
    /// The partition that holds the record.
    pub const fn topic_partition(self) -> TopicPartition {
        TopicPartition::new(self.topic, self.partition)
    }

    /// Reads what [`Origin`] is displayed as: `orders.commands/3/17`.
    pub fn from_text(text: &str) -> Option<Origin> {
        let mut parts = text.split('/');
        let (topic, partition, offset) = (parts.next()?, parts.next()?, parts.next()?);
        let topic = Topic::from_name(topic)?;
        let origin = Origin { topic, partition: partition.parse().ok()?, offset: offset.parse().ok()? };
        // One text a place: no sign, no leading zero.
        (origin.to_string() == text).then_some(origin)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic_partition(), self.offset)
    }
}

impl Encoding for Topic {
    fn store(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Topic::Policy => 0,
            Topic::Catalog => 1,
            Topic::Stock => 2,
            Topic::Orders => 3,
            Topic::Epochs => 4,
            Topic::Activity => 5,
            Topic::Events(_) | Topic::View(_) | Topic::Progress | Topic::DeadLetters => {
                unreachable!("what is kept came in, and these go out")
            }
        });
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::load(from)? {
            0 => Ok(Topic::Policy),
            1 => Ok(Topic::Catalog),
            2 => Ok(Topic::Stock),
            3 => Ok(Topic::Orders),
            4 => Ok(Topic::Epochs),
            5 => Ok(Topic::Activity),
            _ => Err(DecodeError("no Topic has that number")),
        }
    }
}

encode_struct! {
    Origin { topic, partition, offset }
}
