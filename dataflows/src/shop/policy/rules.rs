//! The policy: what decisions depend on beside the commands.

use crate::contract::code::Rejection;
use crate::shop::Context;
use crate::shop::decider::Tables;
use crate::shop::decider::{Decision, Rule, Writes};
use crate::shop::policy::PutPolicy;
use std::sync::Arc;

/// Sets the keys that are given.
impl Rule for PutPolicy {
    fn decide(&self, tables: &Tables, _: &Context) -> Result<Decision, Rejection> {
        let mut policy = tables.policy();
        let keys = [
            (self.payment_timeout_s, &mut policy.payment_timeout_s),
            (self.payment_timeout_external_s, &mut policy.payment_timeout_external_s),
            (self.id_memory_s, &mut policy.id_memory_s),
            (self.dead_letters_per_min, &mut policy.dead_letters_per_min),
            (self.order_lines_max, &mut policy.order_lines_max),
        ];
        for (given, value) in keys {
            *value = given.unwrap_or(*value);
        }
        Ok(Decision { writes: Writes { policy: [Arc::new(policy)].into(), ..Writes::default() }, facts: Vec::new() })
    }
}
