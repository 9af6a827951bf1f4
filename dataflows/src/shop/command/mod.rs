//! Commands: what may be asked of the shop, as JSON gives it. Only the shape is checked here; whether a value is within
//! its bounds is the decider's to say, since that has an outcome.

use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::engine::encoding::encode_enum;
use crate::shop::adjustments::RecordAdjustment;
use crate::shop::catalogue::{ArchiveProduct, PutProduct, SetPrice};
use crate::shop::credits::RecordCredit;
use crate::shop::fulfilment::{DeliverOrder, RecordShipmentFailure, ShipOrder};
use crate::shop::orders::{CancelOrder, PlaceOrder};
use crate::shop::payments::RecordPaymentResult;
use crate::shop::policy::PutPolicy;
use crate::shop::refunds::IssueRefund;
use crate::shop::returns::ReturnItems;
use crate::shop::stock::{MoveStock, TransferStock};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use xxhash_rust::xxh3::Xxh3;

pub mod shape;

/// Why a record cannot be read as a command. The record becomes a dead letter, or 422 before the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandReadError {
    /// No command has that name.
    #[error("no command has the type {0}")]
    UnknownType(String),
    /// The data is not of the type's shape.
    #[error("at {pointer:?}: {detail}")]
    Shape {
        /// A JSON pointer to the first thing that is wrong.
        pointer: String,
        /// What is wrong.
        detail: String,
    },
}

macro_rules! commands {
    ($($name:ident $topic:ident $key:ident,)*) => {
        /// Everything that may be asked of the shop.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Command {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        /// The type of a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum CommandType {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name,)*
        }

        impl CommandType {
            /// Every type.
            pub const ALL: &[CommandType] = &[$(CommandType::$name,)*];

            /// Its name, as in `tradewind.<Name>.v1`.
            pub const fn name(self) -> &'static str {
                match self { $(CommandType::$name => stringify!($name),)* }
            }

            /// The topic that its commands are published to.
            pub const fn topic(self) -> Topic {
                match self { $(CommandType::$name => Topic::$topic,)* }
            }

            fn read(self, data: &[u8]) -> Result<Command, CommandReadError> {
                match self { $(CommandType::$name => shape::parse_json(data).map(Command::$name),)* }
            }

            /// The pointers of the fields that the data of such a command does not have, the first 100.
            pub fn unknown_fields(self, data: &[u8]) -> Vec<String> {
                match self { $(CommandType::$name => shape::unknown_fields::<$name>(data),)* }
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

            /// The same id as a text of its own, shared with the command.
            pub fn id(&self) -> SmolStr {
                match self { $(Command::$name(command) => command.id(),)* }
            }

            /// The id of the aggregate that it is about: the key of its record.
            pub fn key(&self) -> &str {
                match self { $(Command::$name(command) => command.$key(),)* }
            }
        }
    };
}

commands! {
    PutPolicy Policy key,
    PutProduct Catalog key,
    ArchiveProduct Catalog key,
    SetPrice Catalog key,
    MoveStock Stock key,
    TransferStock Stock key,
    PlaceOrder Orders key,
    CancelOrder Orders key,
    ShipOrder Orders key,
    DeliverOrder Orders key,
    RecordShipmentFailure Orders key,
    ReturnItems Orders key,
    RecordCredit Orders key,
    RecordAdjustment Orders key,
    RecordPaymentResult Orders key,
    IssueRefund Orders key,
}

macro_rules! keys {
    ($($name:ident $field:ident,)*) => {
        $(impl $name {
            fn key(&self) -> &str { &self.$field }
            fn id(&self) -> SmolStr { self.$field.clone() }
        })*
    };
}

keys! {
    PutProduct product_id, ArchiveProduct product_id, SetPrice product_id, MoveStock sku, TransferStock sku,
    CancelOrder order_id, ShipOrder order_id, DeliverOrder order_id,
    RecordShipmentFailure order_id, ReturnItems order_id, RecordCredit credit_id, RecordAdjustment adjustment_id,
    RecordPaymentResult order_id, IssueRefund order_id,
}

impl CommandType {
    /// The type of that name.
    pub fn from_name(name: &str) -> Option<CommandType> {
        CommandType::ALL.iter().copied().find(|known| known.name() == name)
    }
}

impl Command {
    /// Reads a command's data. An order without an id gets the command's.
    pub fn read(command_type: CommandType, command_id: &str, data: &[u8]) -> Result<Command, CommandReadError> {
        let mut command = command_type.read(data)?;
        if let Command::PlaceOrder(place) = &mut command
            && place.order_id.is_none()
        {
            place.order_id = Some(SmolStr::new(command_id));
        }
        Ok(command)
    }

    /// What tells this command from another under the same id: a hash over type, key and data as read, so that
    /// spelling, field order and unknown fields do not matter.
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

encode_enum! {
    CommandType {
        PutPolicy = 0,
        PutProduct = 1,
        ArchiveProduct = 2,
        SetPrice = 3,
        MoveStock = 4,
        TransferStock = 5,
        PlaceOrder = 6,
        CancelOrder = 7,
        ShipOrder = 8,
        DeliverOrder = 9,
        RecordShipmentFailure = 10,
        ReturnItems = 11,
        RecordCredit = 12,
        RecordAdjustment = 13,
        RecordPaymentResult = 14,
        IssueRefund = 15,
    }
}
