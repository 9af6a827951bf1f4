//! The row of a command's outcome: the memory of command ids.

use crate::contract::code::{Code, FieldError};
use crate::contract::epoch::Epoch;
use crate::contract::time::Timestamp;
use crate::contract::topic::Origin;
use crate::engine::encoding::encode_struct;
use crate::shop::command::CommandType;
use crate::shop::footprint::{ALLOCATION_BYTES, Footprint, problems, text};
use crate::shop::row::{Row, TableRow, View};
use serde::{Serialize, Serializer, ser::SerializeMap, ser::SerializeStruct};
use smol_str::SmolStr;
use std::borrow::Cow;

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The command's id.
    pub command_id: SmolStr,
    /// Its type.
    pub command_type: CommandType,
    /// The epoch that decided it.
    pub epoch: Epoch,
    /// The place of the record that was decided.
    pub origin: Origin,
    /// The ids that it is about.
    pub ids: Ids,
    /// True if it put a product that was not there before.
    pub is_first: bool,
    /// Why it was refused; boxed, since few are.
    pub refusal: Option<Box<(Code, Vec<FieldError>)>>,
    /// Type, key and data of the command, hashed.
    pub fingerprint: u128,
    /// When it is forgotten: in the first epoch whose `now` is later.
    pub remembered_until: Timestamp,
}

/// The ids that a command is about: the aggregate's, and one within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The aggregate's id; empty if what was given is longer than an id may be.
    pub of: SmolStr,
    /// The id of a part of it: payment, return, refund, SKU.
    pub part: Option<Box<SmolStr>>,
}

impl Operation {
    /// The code of a refusal.
    pub fn code(&self) -> Option<Code> {
        self.refusal.as_ref().map(|refusal| refusal.0)
    }

    /// The faults; empty on success.
    pub fn errors(&self) -> &[FieldError] {
        self.refusal.as_ref().map_or(&[], |refusal| &refusal.1)
    }

    /// Returns true if the command id is taken. It stays free where the command named something that is not there: a
    /// later command under it is decided, and its outcome replaces this one.
    pub fn is_remembered(&self) -> bool {
        match self.code() {
            Some(Code::NotFound | Code::UnknownPayment) => false,
            // Of a line it is one fault among others.
            Some(Code::UnknownSku) => self.errors().iter().all(|error| error.pointer != "/sku"),
            Some(_) | None => true,
        }
    }

    /// `succeeded` or `rejected`.
    pub fn status(&self) -> &'static str {
        if self.refusal.is_none() { "succeeded" } else { "rejected" }
    }
}

/// The ids as JSON.
pub struct IdsJson<'a>(&'a Operation);

impl Serialize for IdsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let description = self.0.command_type.description();
        let (of, part) = (description.resource.id_name(), description.part);
        let mut ids = serializer.serialize_map(None)?;
        if !of.is_empty() && !self.0.ids.of.is_empty() {
            ids.serialize_entry(of, &self.0.ids.of)?;
        }
        if let Some(id) = &self.0.ids.part {
            ids.serialize_entry(part, id)?;
        }
        ids.end()
    }
}

impl Operation {
    /// The ids as a serializable object: `{"order_id": …}`.
    pub const fn ids_json(&self) -> IdsJson<'_> {
        IdsJson(self)
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Operation", 8)?;
        row.serialize_field("command_id", &self.command_id)?;
        row.serialize_field("type", &self.command_type)?;
        row.serialize_field("status", self.status())?;
        row.serialize_field("epoch", &self.epoch)?;
        row.serialize_field("origin", &self.origin)?;
        row.serialize_field("ids", &self.ids_json())?;
        row.serialize_field("code", &self.code())?;
        row.serialize_field("errors", self.errors())?;
        row.end()
    }
}

impl Row for Operation {
    const VIEW: View = View::Operations;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.command_id)
    }

    fn key_text(&self) -> SmolStr {
        self.command_id.clone()
    }
}

impl TableRow for Operation {
    fn id(&self) -> &str {
        &self.command_id
    }
}

encode_struct! {
    Operation {
        command_id, command_type, epoch, origin, ids, is_first, refusal, fingerprint, remembered_until,
    }
    Ids { of, part }
}

impl Footprint for Operation {
    fn heap_bytes(&self) -> usize {
        let part = self.ids.part.as_ref().map_or(0, |part| size_of::<SmolStr>() + ALLOCATION_BYTES + text(part));
        let refusal = self.refusal.as_ref().map_or(0, |refusal| size_of_val(refusal.as_ref()) + problems(&refusal.1));
        text(&self.command_id) + text(&self.ids.of) + part + refusal
    }
}
