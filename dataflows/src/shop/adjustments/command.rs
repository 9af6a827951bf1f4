//! The command of money without goods.

use crate::contract::code::Code;
use crate::contract::money::MoneyInput;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Money without goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RecordAdjustment {
    /// The adjustment's id, and the record's key.
    pub adjustment_id: SmolStr,
    /// For whom.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: SmolStr,
    /// For which country.
    pub country: SmolStr,
    /// How much, signed.
    pub amount: MoneyInput,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for RecordAdjustment {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Adjustment,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/adjustments",
        summary: "Records money without goods",
        body_is_optional: false,
        creates: true,
        rejections: &[Code::AlreadyExists, Code::CurrencyMismatch, Code::Overflow],
    };

    fn id(&self) -> &SmolStr {
        &self.adjustment_id
    }
}

crate::strict_object! { RecordAdjustment }
