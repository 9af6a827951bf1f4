//! The command that sets the policy.

use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Sets what decisions depend on; absent keys keep their value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PutPolicy {
    /// How long a sandbox payment may take.
    pub payment_timeout_s: Option<i64>,
    /// How long an external payment may take.
    pub payment_timeout_external_s: Option<i64>,
    /// How long command ids are remembered.
    pub id_memory_s: Option<i64>,
    /// How many lines an order or a credit may have.
    pub order_lines_max: Option<i64>,
    /// How many dead letters of a topic keep their bytes in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters_per_min: Option<i64>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for PutPolicy {
    const DESCRIPTION: Description = Description {
        topic: Topic::Policy,
        resource: Resource::Policy,
        part: "",
        method: RouteMethod::Put,
        path: "/api/v1/policy",
        summary: "Sets what decisions depend on",
        body_is_optional: false,
        creates: false,
        rejections: &[],
    };

    fn id(&self) -> &SmolStr {
        static POLICY: SmolStr = SmolStr::new_static("policy");
        &POLICY
    }
}

crate::strict_object! { PutPolicy }
