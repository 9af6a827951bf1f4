//! The policy: five numbers that decisions read, and the command that sets them.

use serde_json::{Value, json};

use super::command::PutPolicy;

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub payment_timeout_s: i64,
    pub payment_timeout_external_s: i64,
    pub id_memory_s: i64,
    pub order_lines_max: i64,
    pub dead_letters_per_min: i64,
    /// True if a command ever set it; only then is there a row.
    pub was_put: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            payment_timeout_s: 900,
            payment_timeout_external_s: 86_400,
            id_memory_s: 604_800,
            order_lines_max: 1_500,
            dead_letters_per_min: 600,
            was_put: false,
        }
    }
}

impl Policy {
    /// Absent keys keep their value.
    pub fn put(&mut self, command: &PutPolicy) {
        let keep = |value: Option<i64>, old: i64| value.unwrap_or(old);
        *self = Policy {
            payment_timeout_s: keep(command.payment_timeout_s, self.payment_timeout_s),
            payment_timeout_external_s: keep(command.payment_timeout_external_s, self.payment_timeout_external_s),
            id_memory_s: keep(command.id_memory_s, self.id_memory_s),
            order_lines_max: keep(command.order_lines_max, self.order_lines_max),
            dead_letters_per_min: keep(command.dead_letters_per_min, self.dead_letters_per_min),
            was_put: true,
        };
    }

    pub fn row(&self) -> Value {
        json!({
            "payment_timeout_s": self.payment_timeout_s,
            "payment_timeout_external_s": self.payment_timeout_external_s,
            "id_memory_s": self.id_memory_s,
            "order_lines_max": self.order_lines_max,
            "dead_letters_per_min": self.dead_letters_per_min,
        })
    }
}
