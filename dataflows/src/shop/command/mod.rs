//! Commands: what may be asked of the shop, as JSON gives it. A command that has the shape of its type has an outcome,
//! `invalid` if a value is out of bounds. One that lacks the shape has none; then all faults are named, also of bounds.

use crate::contract::code::FieldError;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::engine::encoding::{DecodeError, Encoding, Reader};
use crate::shop::field::{FieldType, Schemas};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use spec::{CommandSpec, Description};
use xxhash_rust::xxh3::Xxh3;

pub mod shape;
pub mod spec;

/// Why a record cannot be read as a command. The record becomes a dead letter, or 422 before the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandReadError {
    /// No command has that name.
    #[error("no command has the type {0}")]
    UnknownType(String),
    /// The data is not of the type's shape: everything that is wrong with it, of shape and of bounds.
    #[error("{}", in_words(.0))]
    Shape(Vec<FieldError>),
}

/// The first faults, and how many more there are.
fn in_words(errors: &[FieldError]) -> String {
    const TOLD: usize = 3;
    let told = errors.iter().take(TOLD).map(|error| format!("at {:?}: {}", error.pointer, error.detail));
    let more = errors.len().checked_sub(TOLD).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    told.chain(more).collect::<Vec<_>>().join("; ")
}

macro_rules! commands {
    ($($name:ident: $command:ty;)*) => {
        /// Everything that may be asked of the shop.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Command {
            $(#[doc = concat!("`", stringify!($name), "`")] $name($command),)*
        }

        /// The type of a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum CommandType {
            $(#[doc = concat!("`", stringify!($name), "`")] $name,)*
        }

        impl CommandType {
            /// Every type.
            pub const ALL: &[CommandType] = &[$(CommandType::$name,)*];

            /// Its name, as in `tradewind.<Name>.v1`.
            pub const fn name(self) -> &'static str {
                match self { $(CommandType::$name => stringify!($name),)* }
            }

            /// The description of the type.
            pub const fn description(self) -> &'static Description {
                match self { $(CommandType::$name => &<$command as CommandSpec>::DESCRIPTION,)* }
            }

            fn read(self, data: &[u8]) -> Result<Command, CommandReadError> {
                match self { $(CommandType::$name => shape::read::<$command>(data).map(Command::$name),)* }
            }

            fn read_strictly(self, data: &[u8], unknown: impl FnOnce() -> String) -> Result<Command, CommandReadError> {
                match self {
                    $(CommandType::$name => shape::read_strictly::<$command>(data, unknown).map(Command::$name),)*
                }
            }

            /// Its JSON Schema, among those of the others: a reference to it.
            pub fn schema(self, schemas: &mut Schemas) -> Value {
                match self { $(CommandType::$name => <$command as FieldType>::schema(schemas),)* }
            }
        }

        impl Command {
            /// Its type.
            pub const fn command_type(&self) -> CommandType {
                match self { $(Command::$name(_) => CommandType::$name,)* }
            }

            /// The business time that it gives, if any.
            pub const fn occurred_at(&self) -> Option<Timestamp> {
                match self { $(Command::$name(command) => command.occurred_at,)* }
            }

            /// The id of the part that it names, if it names one.
            pub fn part(&self) -> Option<&SmolStr> {
                match self { $(Command::$name(command) => command.part(),)* }
            }

            /// The id of the resource that it is about: the key of its record.
            pub fn id(&self) -> &SmolStr {
                match self { $(Command::$name(command) => command.id(),)* }
            }
        }
    };
}

crate::for_each_command!(commands);

impl CommandType {
    /// The topic that its commands are published to.
    pub const fn topic(self) -> Topic {
        self.description().topic
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<CommandType> {
        CommandType::ALL.iter().copied().find(|known| known.name() == name)
    }
}

impl Command {
    /// The id of the resource that it is about: the key of its record.
    pub fn key(&self) -> &str {
        self.id()
    }

    /// Reads a command's data; fields that it does not have are ignored. An order without an id gets the command's.
    pub fn read(command_type: CommandType, command_id: &str, data: &[u8]) -> Result<Command, CommandReadError> {
        command_type.read(data).map(|command| command.with_default_id(command_id))
    }

    /// The same; fields that it does not have are faults, with `unknown` as their detail.
    pub fn read_strictly(
        command_type: CommandType,
        command_id: &str,
        data: &[u8],
        unknown: impl FnOnce() -> String,
    ) -> Result<Command, CommandReadError> {
        command_type.read_strictly(data, unknown).map(|command| command.with_default_id(command_id))
    }

    fn with_default_id(mut self, command_id: &str) -> Command {
        if let Command::PlaceOrder(place) = &mut self
            && place.order_id.is_none()
        {
            place.order_id = Some(SmolStr::new(command_id));
        }
        self
    }

    /// The hash that distinguishes this command from another under the same id: over type, key and data as read, so
    /// that spelling, field order and unknown fields do not matter.
    pub fn fingerprint(&self, key: &[u8]) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(self.command_type().name().as_bytes());
        hash.update(&[0]);
        hash.update(key);
        hash.update(&[0]);
        hash.update(&serde_json::to_vec(self).expect("a command has only texts, numbers and lists"));
        hash.digest128()
    }

    /// A command's canonical data, as it is written to the log.
    pub fn data(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a command has only texts, numbers and lists")
    }
}

/// By their places in the list.
impl Encoding for CommandType {
    fn store(&self, out: &mut Vec<u8>) {
        (*self as u8).store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let known = CommandType::ALL.get(usize::from(u8::load(from)?)).copied();
        known.ok_or(DecodeError("no CommandType has that number"))
    }
}
