//! The command of a credit without an order.

use crate::contract::code::Code;
use crate::contract::money::MoneyInput;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::defaults::{null_is_true, yes};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A line of a credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct CreditLineInput {
    /// What.
    pub sku: SmolStr,
    /// How many.
    pub quantity: i64,
    /// At what price.
    pub unit_price: MoneyInput,
}

/// A credit note without an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RecordCredit {
    /// The credit's id, and the record's key.
    pub credit_id: SmolStr,
    /// For whom.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: SmolStr,
    /// For which country.
    pub country: SmolStr,
    /// What; at least one line.
    pub lines: Vec<CreditLineInput>,
    /// Whether the goods come back into stock, at `main`.
    #[serde(default = "yes", deserialize_with = "null_is_true")]
    pub restock: bool,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for RecordCredit {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Credit,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/credits",
        summary: "Records a credit note",
        body_is_optional: false,
        creates: true,
        rejections: &[
            Code::AlreadyExists,
            Code::UnknownSku,
            Code::NotSold,
            Code::CurrencyMismatch,
            Code::Overflow,
            Code::TooLarge,
        ],
    };

    fn id(&self) -> &SmolStr {
        &self.credit_id
    }
}

crate::strict_object! { CreditLineInput, RecordCredit }
