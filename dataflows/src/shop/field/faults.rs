//! The faults of a command, each with its pointer.

use crate::contract::code::{Code, ERRORS_MAX, FieldError, Rejection};
use std::borrow::Cow;
use std::fmt;

/// A place in JSON, written as a JSON pointer (RFC 6901). It is written out only when something is wrong there.
#[derive(Clone, Copy, Debug)]
pub struct Pointer<'a> {
    parent: Option<&'a Pointer<'a>>,
    token: Token<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Token<'a> {
    Field(&'a str),
    Entry(usize),
}

impl Pointer<'_> {
    /// The whole of the data.
    pub const ROOT: Pointer<'static> = Pointer { parent: None, token: Token::Entry(0) };

    /// A field of the object that is there.
    pub const fn field<'a>(&'a self, name: &'a str) -> Pointer<'a> {
        Pointer { parent: Some(self), token: Token::Field(name) }
    }

    /// An entry of the list that is there, from 0.
    pub const fn entry(&self, n: usize) -> Pointer<'_> {
        Pointer { parent: Some(self), token: Token::Entry(n) }
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        match self.token {
            Token::Field(name) => write!(f, "{parent}/{}", escaped(name)),
            Token::Entry(n) => write!(f, "{parent}/{n}"),
        }
    }
}

/// A name as a token of a JSON pointer.
pub fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1").into() } else { name.into() }
}

/// The faults that were found, the first [`ERRORS_MAX`] of them.
#[derive(Debug, Default)]
pub struct Faults {
    errors: Vec<FieldError>,
    unknown_field: Option<Cow<'static, str>>,
}

impl Faults {
    /// None yet. A field that an object does not have will be one, with this detail.
    pub const fn refusing_unknown_fields(detail: String) -> Faults {
        Faults { errors: Vec::new(), unknown_field: Some(Cow::Owned(detail)) }
    }

    /// Adds one of code `invalid`; `detail` names what is allowed.
    pub fn add(&mut self, at: &Pointer<'_>, detail: impl Into<Cow<'static, str>>) {
        if !self.is_full() {
            self.errors.push(FieldError { pointer: at.to_string().into(), code: Code::Invalid, detail: detail.into() });
        }
    }

    /// Adds a field that its object does not have, if that is a fault.
    pub fn add_unknown_field(&mut self, at: &Pointer<'_>) {
        if let Some(detail) = self.unknown_field.clone() {
            self.add(at, detail);
        }
    }

    /// Returns true if as many were found as are reported.
    pub const fn is_full(&self) -> bool {
        self.errors.len() >= ERRORS_MAX
    }

    /// Refuses if there are any.
    pub fn into_result(self) -> Result<(), Rejection> {
        Rejection::of(self.errors).map_or(Ok(()), Err)
    }

    /// All of them, in the order of the fields.
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}
