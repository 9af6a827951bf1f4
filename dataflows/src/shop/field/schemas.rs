//! The JSON Schemas of commands, by name.

use serde_json::{Map, Value, json};

/// Schemas that others refer to, each once.
#[derive(Debug, Default)]
pub struct Schemas(Map<String, Value>);

impl Schemas {
    /// A reference to a schema of that name, which is made if it is not there yet.
    pub fn named(&mut self, name: &str, make: impl FnOnce(&mut Schemas) -> Value) -> Value {
        if !self.0.contains_key(name) {
            // Its own fields may refer to it.
            self.0.insert(name.to_owned(), Value::Null);
            let schema = make(self);
            self.0.insert(name.to_owned(), schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// All of them.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }
}
