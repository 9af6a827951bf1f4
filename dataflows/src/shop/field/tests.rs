//! Every fault of an object at once, at its pointer, in words.

use super::*;
use crate::contract::code::{ERRORS_MAX, FieldError};
use crate::shop::command::{Command, CommandReadError, CommandType};
use std::collections::BTreeSet;

fn faults(name: &str, data: &str) -> Vec<FieldError> {
    let command_type = CommandType::from_name(name).unwrap();
    match Command::read_strictly(command_type, "id", data.as_bytes(), || "no such field".to_owned()) {
        Err(CommandReadError::Shape(errors)) => errors,
        other => panic!("{data}: {other:?}"),
    }
}

fn pointers(name: &str, data: &str) -> Vec<String> {
    faults(name, data).into_iter().map(|error| error.pointer.into_owned()).collect()
}

#[test]
fn faults_of_shape_and_of_bounds_are_told_together_in_the_order_of_the_fields() {
    let data = r#"{"order_id":" x","customer_id":7,"currency":"EUX","country":"","custommer_id":"c",
        "lines":[{"sku":"A","quantity":0.5},{"quantity":0,"unit_price":{"amount":"-1","currency":"GBP"}},7,
            {"sku":"A","quantity":1000000000000000000000,"unit_price":{"amount":1,"currency":"GBP"},"sky":1}],
        "occurred_at":"today"}"#;
    let expected = [
        "/order_id",
        "/customer_id",
        "/currency",
        "/country",
        "/lines/0/quantity",
        "/lines/1/sku",
        "/lines/1/quantity",
        "/lines/1/unit_price",
        "/lines/2",
        "/lines/3/quantity",
        "/lines/3/unit_price",
        "/lines/3/sky",
        "/payment",
        "/occurred_at",
        "/custommer_id",
    ];
    assert_eq!(pointers("PlaceOrder", data), expected);
    let told = faults("PlaceOrder", data);
    let detail = |at: &str| &*told.iter().find(|error| error.pointer == at).unwrap().detail;
    // The allowed values are named in the same words whatever was wrong.
    for quantity in ["/lines/0/quantity", "/lines/1/quantity", "/lines/3/quantity"] {
        assert_eq!(detail(quantity), "a quantity is a whole number from 1 to 1000000000");
    }
    assert_eq!(detail("/payment"), "this is missing: this is an object");
    assert_eq!(detail("/lines/3/sky"), "no such field");
}

#[test]
fn a_field_that_is_unknown_brings_the_faults_of_bounds_with_it() {
    assert_eq!(
        pointers("MoveStock", r#"{"sku":"A","quantity":0,"reason":"received","restok":1}"#),
        ["/quantity", "/restok"]
    );
    let nested = r#"{"product_id":"p","sku":"A","price":{"amount":"1","currency":"GBP","a/b~":1}}"#;
    assert_eq!(pointers("SetPrice", nested), ["/price/a~1b~0"]);
}

#[test]
fn null_is_absent_but_not_as_an_entry() {
    let read = |data: &str| Command::read(CommandType::MoveStock, "id", data.as_bytes());
    let absent = read(r#"{"sku":"A","quantity":1,"reason":"received"}"#);
    assert_eq!(read(r#"{"sku":"A","location":null,"quantity":1,"reason":"received","reference":null}"#), absent);
    assert_eq!(pointers("MoveStock", r#"{"sku":null,"quantity":1,"reason":null}"#), ["/sku", "/reason"]);
    assert_eq!(pointers("ReturnItems", r#"{"order_id":"o","return_id":"r","lines":[null]}"#), ["/lines/0"]);
}

#[test]
fn words_are_named_in_their_spelling() {
    let told = faults("MoveStock", r#"{"sku":"A","quantity":1,"reason":"Received"}"#);
    assert_eq!(told[0].detail, "this is one of received, adjusted, written_off");
}

#[test]
fn what_is_no_json_or_says_something_twice_is_told_all_the_same() {
    for data in ["", "[", "7", r#"{"sku":"A","sku":"B","quantity":1,"reason":"received"}"#, r#"{"sku":"\ud800"}"#] {
        assert!(!faults("MoveStock", data).is_empty(), "{data}");
    }
    assert_eq!(pointers("CancelOrder", r#"["o"]"#), [""]);
    // A number that no type holds is one fault among others.
    assert_eq!(pointers("MoveStock", r#"{"sku":7,"quantity":1e999,"reason":"received"}"#), ["/sku", "/quantity"]);
}

#[test]
fn no_more_faults_are_told_than_the_limit() {
    let lines = vec!["{}"; 1_000].join(",");
    let data = format!(r#"{{"order_id":"o","return_id":"r","lines":[{lines}]}}"#);
    assert_eq!(faults("ReturnItems", &data).len(), ERRORS_MAX);
}

/// A value of a schema, and the pointers of its leaves: of money, of the whole.
fn sample(schemas: &serde_json::Map<String, Value>, schema: &Value, at: &str, leaves: &mut BTreeSet<String>) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return sample(schemas, &schemas[name.rsplit('/').next().unwrap()], at, leaves);
    }
    if let Some(fields) =
        schema["properties"].as_object().filter(|fields| !fields.contains_key("amount") || fields.len() > 2)
    {
        return fields
            .iter()
            .map(|(name, of)| (name.clone(), sample(schemas, of, &format!("{at}/{name}"), leaves)))
            .collect();
    }
    if schema["type"] == "array" {
        return Value::Array(vec![sample(schemas, &schema["items"], &format!("{at}/0"), leaves)]);
    }
    leaves.insert(at.to_owned());
    match schema["type"].as_str().unwrap() {
        "object" if schema["properties"].is_object() => serde_json::json!({"amount": "1.5", "currency": "GBP"}),
        "object" => serde_json::json!({"colour": "red"}),
        "string" if schema["enum"].is_array() => schema["enum"][0].clone(),
        "string" if schema["format"] == "date-time" => "2026-01-01T00:00:00Z".into(),
        "string" if schema["pattern"] == "^[A-Z]{3}$" => "GBP".into(),
        "string" => "text".into(),
        "integer" => 1.into(),
        "boolean" => true.into(),
        other => panic!("no sample of {other}"),
    }
}

/// Each leaf of each command, with a value of another JSON type, alone and all together.
#[test]
fn each_field_of_each_command_is_named_where_it_is_wrong() {
    for command_type in CommandType::ALL {
        let mut schemas = Schemas::default();
        let schema = command_type.schema(&mut schemas);
        let (schemas, mut leaves) = (schemas.into_map(), BTreeSet::new());
        let good = sample(&schemas, &schema, "", &mut leaves);
        let read = Command::read(*command_type, "id", good.to_string().as_bytes());
        assert!(read.is_ok(), "{command_type:?}: {read:?}");
        let mut all_wrong = good.clone();
        for leaf in &leaves {
            let mut wrong = good.clone();
            *wrong.pointer_mut(leaf).unwrap() = serde_json::json!([[1.5]]);
            *all_wrong.pointer_mut(leaf).unwrap() = serde_json::json!([[1.5]]);
            // An entry of a list may be a list, and is named then.
            let told = pointers(command_type.name(), &wrong.to_string());
            assert!(told.len() == 1 && told[0].starts_with(leaf.as_str()), "{command_type:?} {leaf}: {told:?}");
        }
        let told = faults(command_type.name(), &all_wrong.to_string());
        assert_eq!(told.len(), leaves.len(), "{command_type:?}: {told:?}");
        assert!(told.iter().all(|error| !error.detail.contains(" at line ")), "{told:?}");
    }
}
