//! The command of a payment, and the ways to pay.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::engine::encoding::encode_enum;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Id, Note, Price, Time, Word};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The way an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// The gateway that is built in, for trying things.
    Sandbox,
    /// A connector of one's own.
    External,
    /// The money is there already.
    Settled,
}

/// The result of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentResult {
    /// The money was taken.
    Processed,
    /// It was not.
    Failed,
    /// The customer's bank took it back.
    ChargedBack,
}

crate::object! {
    /// Says what became of an order's payment.
    pub struct RecordPaymentResult {
        /// The order's id, and the record's key.
        pub order_id: Id,
        /// The payment's id.
        pub payment_id: Id,
        /// The result.
        pub status: Word<PaymentResult>,
        /// The amount; more than 0 if it was charged back.
        pub amount: Price,
        /// The reason, in words.
        pub reason: Option<Note>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
}

impl CommandSpec for RecordPaymentResult {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "payment_id",
        method: RouteMethod::Post,
        path: "/api/v1/payments/{order_id}/results",
        summary: "Says what became of a payment",
        body_is_optional: false,
        creates: false,
        rejections: &[
            Code::NotFound,
            Code::UnknownPayment,
            Code::InvalidTransition,
            Code::CurrencyMismatch,
            Code::AmountMismatch,
            Code::OverRefund,
            Code::TooLarge,
        ],
    };

    fn id(&self) -> &SmolStr {
        &self.order_id
    }

    fn part(&self) -> Option<&SmolStr> {
        Some(&self.payment_id)
    }
}

encode_enum! {
    PaymentMethod { Sandbox = 0, External = 1, Settled = 2 }
}
