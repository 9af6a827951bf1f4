//! What is wrong with a command: its data as JSON, the text of it, its record. One to three faults each. Not for which
//! answer is right: a fault may well leave a command that is taken.

use crate::model::workload::Random;
use bytes::Bytes;
use ingest::log::Record;
use serde_json::{Map, Number, Value, json};
use smol_str::SmolStr;

/// The data with faults, as bytes; perhaps no JSON any more.
pub fn data(random: &mut Random, data: &Value) -> Vec<u8> {
    let mut data = data.clone();
    for _ in 0..random.between(1, 3) {
        let place = random.below(places(&data));
        fault_at(random, &mut data, &mut { place });
    }
    let mut text = data.to_string().into_bytes();
    if random.percent(25) {
        fault_in_text(random, &mut text);
    }
    text
}

/// The number of values there are, the outermost included.
fn places(value: &Value) -> u64 {
    1 + match value {
        Value::Array(items) => items.iter().map(places).sum(),
        Value::Object(fields) => fields.values().map(places).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Puts a fault where `place` counts down to 0; says whether it did.
fn fault_at(random: &mut Random, value: &mut Value, place: &mut u64) -> bool {
    if *place == 0 {
        fault(random, value);
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| fault_at(random, item, place)),
        Value::Object(fields) => fields.values_mut().any(|field| fault_at(random, field, place)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Changes a value: mostly within its own type, at an edge of what is allowed.
fn fault(random: &mut Random, value: &mut Value) {
    if random.percent(20) {
        *value = other_type(random);
        return;
    }
    match value {
        Value::Object(fields) => fault_in_object(random, fields),
        Value::Array(items) => fault_in_list(random, items),
        Value::String(text) => *text = odd_text(random, text),
        Value::Number(_) => *value = odd_number(random),
        Value::Bool(is) => *value = json!(!*is),
        Value::Null => *value = other_type(random),
    }
}

fn other_type(random: &mut Random) -> Value {
    let values =
        [Value::Null, json!(true), json!(0), json!(-1.5), json!(""), json!("x"), json!([]), json!([[]]), json!({})];
    if random.percent(10) {
        return (0..random.between(1, 100)).fold(json!(1), |inner, _| json!([inner]));
    }
    random.pick(&values).clone()
}

fn fault_in_object(random: &mut Random, fields: &mut Map<String, Value>) {
    let names: Vec<String> = fields.keys().cloned().collect();
    match random.below(5) {
        0 if !names.is_empty() => drop(fields.remove(random.pick(&names))),
        1 if !names.is_empty() => drop(fields.insert(random.pick(&names).clone(), Value::Null)),
        2 if names.len() > 1 => {
            // Two fields change places.
            let (one, other) = (random.pick(&names).clone(), random.pick(&names).clone());
            let (first, second) = (fields[&one].clone(), fields[&other].clone());
            fields.insert(one, second);
            fields.insert(other, first);
        }
        3 => {
            let names =
                ["occurred_at", "if_version", "metadata", "settled", "lines", "payment", "payments", "x", "", "é\n"];
            let value = if random.percent(50) { json!(odd_time(random)) } else { other_type(random) };
            fields.insert((*random.pick(&names)).to_owned(), value);
        }
        _ => drop(fields.insert("occurred_at".to_owned(), json!(odd_time(random)))),
    }
}

fn fault_in_list(random: &mut Random, items: &mut Vec<Value>) {
    let times = match random.below(100) {
        0..=39 => 0,
        40..=89 => random.between(2, 12) as usize,
        90..=97 => random.between(90, 110) as usize,
        _ => random.between(1_499, 5_001) as usize,
    };
    match items.first().cloned() {
        Some(first) if times > 0 => *items = vec![first; times],
        Some(_) if random.percent(50) => items.clear(),
        Some(_) => items.push(other_type(random)),
        None => *items = vec![other_type(random); times.max(1)],
    }
}

/// Whole numbers at the edges of what is allowed, and numbers that are none of them.
fn odd_number(random: &mut Random) -> Value {
    const EDGES: [i64; 20] = [
        0,
        -1,
        1,
        2,
        3_599,
        3_600,
        5_000,
        5_001,
        1_000_000_000,
        1_000_000_001,
        -1_000_000_000,
        -1_000_000_001,
        i32::MAX as i64,
        i32::MIN as i64,
        (1 << 53) + 1,
        i64::MAX,
        i64::MAX - 1,
        i64::MIN,
        i64::MIN + 1,
        100,
    ];
    match random.below(10) {
        0..=7 => json!(random.pick(&EDGES)),
        8 => json!(u64::MAX),
        _ => Number::from_f64(*random.pick(&[0.5, -0.0, 1e18, 1e300, 5e-324])).map_or(Value::Null, Value::Number),
    }
}

/// Texts at the edges of lengths, with odd characters, odd money, odd times, words of other fields.
fn odd_text(random: &mut Random, text: &str) -> String {
    const LENGTHS: [usize; 20] =
        [1, 2, 17, 63, 64, 65, 100, 101, 127, 128, 129, 200, 255, 256, 257, 1_000, 1_001, 2_049, 10_000, 10_001];
    const LETTERS: [&str; 5] = ["x", "9", "é", "😀", " "];
    const MONEY: [&str; 18] = [
        "0",
        "-0",
        "0.0001",
        "0.00001",
        "-0.01",
        "1e3",
        "+1",
        "1.",
        ".5",
        "01",
        "1,5",
        " 1",
        "922337203685477.5807",
        "922337203685477.5808",
        "-922337203685477.5808",
        "99999999999999999999",
        "1.50000000",
        "NaN",
    ];
    const WORDS: [&str; 28] = [
        "",
        ".",
        "..",
        " a",
        "a ",
        "a b",
        "\0",
        "a\u{7}b",
        "a\nb",
        "\u{85}",
        "\u{202e}a",
        "e\u{301}",
        "tw:timer:1",
        "abcdefghijklmnopqrst.x",
        "GBP",
        "gbp",
        "EURO",
        "XXX",
        "XAU",
        "JPY",
        "KWD",
        "main",
        "none",
        "reserve",
        "settled",
        "processed",
        "policy",
        "4111 1111 1111 1111",
    ];
    match random.below(10) {
        0..=2 => random.pick(&LETTERS).repeat(*random.pick(&LENGTHS)),
        3..=4 => (*random.pick(&MONEY)).to_owned(),
        5 => odd_time(random),
        6 => format!("{text}{}", random.pick(&WORDS)),
        7 => text.chars().rev().collect(),
        _ => (*random.pick(&WORDS)).to_owned(),
    }
}

fn odd_time(random: &mut Random) -> String {
    const TIMES: [&str; 20] = [
        "2010-12-01T00:00:00Z",
        "2010-12-01T00:00:00+00:00",
        "2010-12-01T00:00:00.123456789+14:00",
        "2010-12-01T00:00:00-23:59",
        "2010-12-01T00:00:00+24:00",
        "2010-12-01t00:00:00z",
        "2010-12-01 00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2010-02-29T00:00:00Z",
        "2012-02-29T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1582-10-10T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-14:00",
        "+10000-01-01T00:00:00Z",
        "2010-12-01",
        "1291161600",
        "now",
    ];
    (*random.pick(&TIMES)).to_owned()
}

/// Changes the text itself: doubled keys, numbers that no type holds, depth, bytes that are no UTF-8, a part that is missing.
fn fault_in_text(random: &mut Random, text: &mut Vec<u8>) {
    let at = random.below(text.len().max(1) as u64) as usize;
    match random.below(9) {
        0 => double_a_key(random, text),
        1 => replace_first(text, b":", br#":1e999,"x":"#),
        2 => {
            let depth = random.between(30, 300) as usize;
            let nested = format!(r#"{{"x":{}{},"#, "[".repeat(depth), "]".repeat(depth));
            replace_first(text, b"{", nested.as_bytes());
        }
        3 => {
            let odd: [&[u8]; 6] = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", br"\ud800", b"\xef\xbb\xbf", b"\x01"];
            let odd = *random.pick(&odd);
            text.splice(at..at, odd.iter().copied());
        }
        4 => text.truncate(at),
        5 => {
            let ends = ["{}", ",", "]", "\0", " "];
            text.extend_from_slice(random.pick(&ends).as_bytes());
        }
        6 if !text.is_empty() => text[at] ^= 1 << random.below(8),
        7 => {
            let digits = format!(":{},\"x\":", "9".repeat(random.between(19, 400) as usize));
            replace_first(text, b":", digits.as_bytes());
        }
        _ => replace_first(text, b"\"", b"'"),
    }
    // A line of a batch ends with it.
    text.retain(|byte| *byte != b'\n');
}

/// The first field once more, before or after itself, spelled the same or otherwise.
fn double_a_key(random: &mut Random, text: &mut Vec<u8>) {
    let plain = String::from_utf8_lossy(text).into_owned();
    let Some(name) = plain.strip_prefix("{\"").and_then(|rest| rest.split('"').next()).filter(|name| !name.is_empty())
    else {
        return;
    };
    let escaped = name.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect::<String>();
    let name = if random.percent(50) { name } else { &escaped };
    let value = *random.pick(&["null", "1", "\"x\"", "[]"]);
    *text = if random.percent(50) {
        plain.replacen('{', &format!("{{\"{name}\":{value},"), 1).into_bytes()
    } else {
        format!("{},\"{name}\":{value}}}", plain.trim_end_matches('}')).into_bytes()
    };
}

fn replace_first(text: &mut Vec<u8>, what: &[u8], with: &[u8]) {
    if let Some(at) = text.windows(what.len()).position(|part| part == what) {
        text.splice(at..at + what.len(), with.iter().copied());
    }
}

/// Changes what stands around the data: key, headers, no value at all.
pub fn record(random: &mut Random, record: &mut Record) {
    let odd: [&[u8]; 8] =
        [b"", b" ", b"\xff\xfe", b"policy", b"tw:x", b"two words", b"tradewind.PlaceOrder.v1", b"1.0"];
    let odd = Bytes::from_static(odd[random.below(odd.len() as u64) as usize]);
    match random.below(8) {
        0 => record.key = None,
        1 => record.key = Some(odd),
        2 => record.value = None,
        3 if !record.headers.is_empty() => {
            let at = random.below(record.headers.len() as u64) as usize;
            record.headers.remove(at);
        }
        4 if !record.headers.is_empty() => {
            let at = random.below(record.headers.len() as u64) as usize;
            record.headers[at].1 = Some(odd);
        }
        5 if !record.headers.is_empty() => {
            let twice = random.pick(&record.headers).clone();
            record.headers.push(twice);
        }
        6 => record.headers.clear(),
        _ => record.headers.push((SmolStr::new_static("tw_actor"), Some(odd))),
    }
}
