//! The command that sets the policy.

use crate::contract::topic::Topic;
use crate::shop::bounds::LARGEST;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Number, Time};
use smol_str::SmolStr;

crate::object! {
    /// Sets what decisions depend on; absent keys keep their value.
    #[derive(Default)]
    pub struct PutPolicy {
        /// Seconds that a sandbox payment may take; 900 at first.
        pub payment_timeout_s: Option<Number<1, LARGEST>>,
        /// Seconds that an external payment may take; 86400 at first.
        pub payment_timeout_external_s: Option<Number<1, LARGEST>>,
        /// Seconds that command ids are remembered; 604800 at first.
        pub id_memory_s: Option<Number<1, LARGEST>>,
        /// Lines that an order or a credit may have; 1500 at first.
        pub order_lines_max: Option<Number<1, 5_000>>,
        /// Dead letters of a topic in a minute that keep their bytes; beyond that every hundredth by offset does. 600 at
        /// first.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub dead_letters_per_min: Option<Number<1, LARGEST>>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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
