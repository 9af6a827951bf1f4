//! Reads the JSON of a body strictly, before it is read as a command: an object, in UTF-8, not too deep, no key doubled.
//! Not for the shape of commands.

use super::problem::{ApiErrorKind, Problem};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The depth to which objects and lists may be nested; the outermost object is at 1.
const DEPTH_MAX: usize = 64;

/// Checks that the body is one JSON object in which every key comes once.
pub fn check_object(body: &[u8]) -> Result<(), Problem> {
    let malformed = |detail: String| Problem::new(ApiErrorKind::Malformed, detail);
    let text = std::str::from_utf8(body).map_err(|error| malformed(format!("the body is not UTF-8: {error}")))?;
    let mut scan = Scan { text, at: 0 };
    scan.blanks();
    if scan.peek() != Some(b'{') {
        return Err(malformed("the body is not a JSON object".to_owned()));
    }
    scan.value(0).and_then(|()| scan.end()).map_err(malformed)
}

/// The object with the ids of the path filled in. Each may be in the body too, but not another one.
pub fn with_ids<'b>(body: &'b [u8], ids: &[(&'static str, &str)]) -> Result<Cow<'b, [u8]>, Problem> {
    let unreadable = |error: serde_json::Error| Problem::new(ApiErrorKind::Malformed, error.to_string());
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(body).map_err(unreadable)?;
    let mut filled = Vec::with_capacity(ids.len());
    for (name, id) in ids {
        match fields.get(*name).map(|value| value.get()) {
            Some(value) if value != "null" => {
                // Another type than a text is found when the command is read.
                let given: Option<Cow<'_, str>> = serde_json::from_str(value).ok();
                if given.is_some_and(|given| given != *id) {
                    let detail = format!("{name} is {id:?} in the path; leave it out of the body, or repeat it");
                    return Err(Problem::invalid(format!("/{name}"), detail));
                }
            }
            Some(_) | None => {
                filled.push((*name, serde_json::value::to_raw_value(id).map_err(unreadable)?));
            }
        }
    }
    if filled.is_empty() {
        return Ok(Cow::Borrowed(body));
    }
    fields.extend(filled.iter().map(|(name, id)| (Cow::Borrowed(*name), id.as_ref())));
    serde_json::to_vec(&fields).map(Cow::Owned).map_err(unreadable)
}

/// Goes through JSON once, from its begin to its end. Values are not made: reading the command does that, and says of a
/// number that no type can hold where it is.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn wrong(&self, what: &str) -> String {
        format!("the body is not JSON: {what} at byte {}", self.at)
    }

    fn end(&mut self) -> Result<(), String> {
        self.blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(self.wrong("something after the object")) }
    }

    /// A value that lies in so many others.
    fn value(&mut self, depth: usize) -> Result<(), String> {
        self.blanks();
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => {
                Err(format!("objects and lists lie more than {DEPTH_MAX} deep in each other at byte {}", self.at))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), String> {
        let mut keys: BTreeSet<Cow<'a, str>> = BTreeSet::new();
        self.at += 1;
        if self.closes(b'}') {
            return Ok(());
        }
        loop {
            self.blanks();
            let key = self.string()?;
            if keys.contains(&key) {
                return Err(format!("the key {key:?} stands twice in one object"));
            }
            keys.insert(key);
            self.blanks();
            self.take(b':', "a colon is missing")?;
            self.value(depth)?;
            if self.closes(b'}') {
                return Ok(());
            }
            self.take(b',', "a comma or the end of an object is missing")?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), String> {
        self.at += 1;
        if self.closes(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.closes(b']') {
                return Ok(());
            }
            self.take(b',', "a comma or the end of a list is missing")?;
        }
    }

    /// Returns true if an object or a list ends here.
    fn closes(&mut self, with: u8) -> bool {
        self.blanks();
        let closes = self.peek() == Some(with);
        self.at += usize::from(closes);
        closes
    }

    fn take(&mut self, byte: u8, or: &str) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(or));
        }
        self.at += 1;
        Ok(())
    }

    /// A text, decoded.
    fn string(&mut self) -> Result<Cow<'a, str>, String> {
        let begin = self.at;
        self.take(b'"', "a text is missing")?;
        let mut is_plain = true;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    self.at += 2;
                }
                Some(0..0x20) | None => return Err(self.wrong("a text does not end")),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        if is_plain {
            return Ok(Cow::Borrowed(&self.text[begin + 1..self.at - 1]));
        }
        // Escapes may be wrong in many ways, half a surrogate pair among them.
        let decoded = serde_json::from_str(&self.text[begin..self.at]).map(Cow::Owned);
        decoded.map_err(|_| self.wrong("an escape in a text is wrong"))
    }

    fn number(&mut self) -> Result<(), String> {
        self.at += usize::from(self.peek() == Some(b'-'));
        let is_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        if digits == 0 || is_zero && digits > 1 {
            return Err(self.wrong("a number is not well formed"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.wrong("a number is not well formed"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.wrong("a number is not well formed"));
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - begin
    }

    fn word(&mut self) -> Result<(), String> {
        let rest = &self.text[self.at..];
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word));
        let word = word.ok_or_else(|| self.wrong("a value is missing"))?;
        self.at += word.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(body: &str) -> Result<String, &'static str> {
        with_ids(body.as_bytes(), &[("sku", "a b")])
            .map(|body| String::from_utf8_lossy(&body).into_owned())
            .map_err(|problem| problem.code)
    }

    #[test]
    fn only_one_object_without_doubled_keys_is_taken() {
        for body in
            [r#"{}"#, r#" {"a":{"b":[1,{"c":null}]},"b":1e999,"é":"\u0000\ud83d\ude00","c":-0.5e+3,"d":[],"e":true} "#]
        {
            assert_eq!(check_object(body.as_bytes()), Ok(()), "{body}");
        }
        let deep = |depth: usize| format!("{}{}", "{\"a\":".repeat(depth - 1) + "{}", "}".repeat(depth - 1));
        let deep_list = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        for body in [deep(64), deep_list(64)] {
            assert_eq!(check_object(body.as_bytes()), Ok(()));
        }
        let (too_deep, too_deep_list) = (deep(65), deep_list(65));
        // Whatever comes before it, a doubled key is found.
        let behind_brackets = format!(r#"{{"x":{}{},"a":1,"a":2}}"#, "[".repeat(200), "]".repeat(200));
        let bad = [
            r#"{"x":1e999,"a":1,"a":2}"#,
            r#"{"x":99999999999999999999999,"a":1,"a":2}"#,
            &behind_brackets,
            &too_deep,
            &too_deep_list,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\x"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":nul}"#,
            r#"{"a":-}"#,
            r#"{"a":1.}"#,
            r#"{"a":1e}"#,
            r#"{"a":.5}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            r#"{"a":"b"#,
            r#"{"a":"\"#,
            "",
            "[]",
            "7",
            "{",
            r#"{"a":1,"a":2}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
            "{} {}",
            r#"{"a":01}"#,
            "{'a':1}",
        ];
        for body in bad {
            assert_eq!(check_object(body.as_bytes()).map_err(|problem| problem.code), Err("malformed"), "{body}");
        }
        assert!(check_object(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn ids_of_the_path_are_filled_in_and_never_overruled() {
        assert_eq!(filled(r#"{"quantity":1}"#).as_deref(), Ok(r#"{"quantity":1,"sku":"a b"}"#));
        assert_eq!(filled(r#"{"sku":null}"#).as_deref(), Ok(r#"{"sku":"a b"}"#));
        assert_eq!(filled(r#"{"sku":"a\u0020b"}"#).as_deref(), Ok(r#"{"sku":"a\u0020b"}"#));
        assert_eq!(filled(r#"{"sku":"b"}"#), Err("invalid"));
        assert_eq!(filled(r#"{"sku":7}"#).as_deref(), Ok(r#"{"sku":7}"#));
    }
}
