//! The policy: what decisions depend on beside the commands.

use crate::contract::code::Rejection;
use crate::shop::Context;
use crate::shop::decider::Tables;
use crate::shop::decider::{Decision, Rule, Writes};
use crate::shop::policy::PutPolicy;
use crate::shop::validation;
use std::sync::Arc;

/// Sets the keys that are given.
impl Rule for PutPolicy {
    fn decide(&self, tables: &Tables, _: &Context) -> Result<Decision, Rejection> {
        let mut policy = tables.policy();
        let (timeout_s, external_s) = (self.payment_timeout_s, self.payment_timeout_external_s);
        let keys = [
            ("/payment_timeout_s", validation::LARGEST, timeout_s, &mut policy.payment_timeout_s),
            ("/payment_timeout_external_s", validation::LARGEST, external_s, &mut policy.payment_timeout_external_s),
            ("/id_memory_s", validation::LARGEST, self.id_memory_s, &mut policy.id_memory_s),
            ("/dead_letters_per_min", validation::LARGEST, self.dead_letters_per_min, &mut policy.dead_letters_per_min),
            ("/order_lines_max", validation::LINES_MAX, self.order_lines_max, &mut policy.order_lines_max),
        ];
        for (pointer, most, given, value) in keys {
            if let Some(given) = given {
                validation::between(1, most, given, || pointer.to_owned())?;
                *value = given;
            }
        }
        Ok(Decision { writes: Writes { policy: [Arc::new(policy)].into(), ..Writes::default() }, facts: Vec::new() })
    }
}
