//! The file `meta`: the format, and the topics with their partition counts, as they were when the journal was made.
//! Gives every partition its number (slot) in the journal's tables. Not for offsets.

use crate::Error;
use crate::log::Partitions;
use crate::log::storage::Storage;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use serde::{Deserialize, Serialize};

const NAME: &str = "meta";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    topics: Vec<MetaTopic>,
}

#[derive(Serialize, Deserialize)]
struct MetaTopic {
    name: String,
    partitions: u32,
}

/// The partitions, and their numbers.
#[derive(Debug)]
pub struct PartitionLayout {
    partitions: Partitions,
    /// In the order of the file, whose places are the topics' numbers in entries.
    topics: Vec<Topic>,
    slots: Vec<TopicPartition>,
}

impl PartitionLayout {
    fn new(partitions: &Partitions, topics: Vec<Topic>) -> PartitionLayout {
        let of = |topic: &Topic| {
            let topic = *topic;
            (0..partitions.count(topic)).map(move |partition| TopicPartition::new(topic, partition))
        };
        let slots = topics.iter().flat_map(of).collect();
        PartitionLayout { partitions: partitions.clone(), topics, slots }
    }

    /// The number of partitions of each topic.
    pub const fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The number of partitions.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// The cut that these next offsets are, which are given by the partitions' numbers.
    pub fn cut(&self, ends: &[u64]) -> Cut {
        let mut cut = Cut::default();
        for (slot, next) in ends.iter().enumerate() {
            cut.set(self.at(slot), *next);
        }
        cut
    }

    /// The partition of that number.
    pub fn at(&self, slot: usize) -> TopicPartition {
        self.slots[slot]
    }

    /// A partition's number, if there is such a partition.
    pub fn slot(&self, at: TopicPartition) -> Option<usize> {
        let number = self.topics.iter().position(|topic| *topic == at.topic)?;
        self.slot_of(u32::try_from(number).ok()?, at.partition)
    }

    /// The number of a partition that an entry names.
    pub fn slot_of(&self, topic: u32, partition: u32) -> Option<usize> {
        let number = topic as usize;
        let known = *self.topics.get(number)?;
        let first: u32 = self.topics[..number].iter().map(|topic| self.partitions.count(*topic)).sum();
        (partition < self.partitions.count(known)).then_some((first + partition) as usize)
    }

    /// A topic's number in entries.
    pub fn topic_number(&self, topic: Topic) -> u32 {
        let number = self.topics.iter().position(|known| *known == topic);
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX)
    }
}

/// Reads the file and holds it against what is configured; makes it in an empty folder. A topic that this build has
/// and the file lacks is added at its end.
pub fn open(storage: &dyn Storage, partitions: &Partitions, is_new: bool) -> Result<PartitionLayout, Error> {
    let file = storage.describe(NAME);
    let damaged = |why: String| Error::Damaged { file: file.clone(), offset: 0, why };
    let known = match storage.read(NAME) {
        Ok(bytes) => {
            let meta: Meta = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
            if meta.format != FORMAT {
                return Err(damaged(format!("its format is {}, and this build reads {FORMAT}", meta.format)));
            }
            meta.topics
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_new => Vec::new(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged("it is missing, and there are segments".to_owned()));
        }
        Err(error) => return Err(Error::io("reading", &file)(error)),
    };
    let mut topics = Vec::new();
    for MetaTopic { name, partitions: count } in &known {
        let topic = Topic::from_name(name);
        let asked = topic.map(|topic| partitions.count(topic)).filter(|count| *count > 0);
        match topic {
            Some(topic) if asked == Some(*count) => topics.push(topic),
            _ => return Err(Error::Partitions { topic: name.clone(), found: Some(*count), asked }),
        }
    }
    topics.extend(partitions.topics().filter(|topic| !known.iter().any(|known| known.name == topic.name())));
    if topics.len() != known.len() {
        let entry = |topic: &Topic| MetaTopic { name: topic.name().to_owned(), partitions: partitions.count(*topic) };
        let meta = Meta { format: FORMAT, topics: topics.iter().map(entry).collect() };
        let bytes = serde_json::to_vec_pretty(&meta).map_err(|error| damaged(error.to_string()))?;
        storage.replace(NAME, &bytes).map_err(Error::io("writing", &file))?;
    }
    Ok(PartitionLayout::new(partitions, topics))
}
