//! Observations: facts from outside that nothing can refuse, as JSON gives them. They ask for nothing, so they have no
//! outcome and no operation. Only the shape is checked here; the views decide how they count.

use crate::contract::time::Timestamp;
use crate::shop::command::CommandReadError;
use crate::shop::command::shape;
use crate::shop::field::{Count, Faults, FieldType, Id, Pointer, Query, Schemas, Time};
use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;

/// The number of characters of a query that count.
pub const QUERY_CHARS_MAX: usize = 100;

crate::object! {
    /// Somebody searched, and saw the first page of what was found.
    pub struct SearchPerformed {
        /// The search's id, by which clicks name it.
        pub search_id: Id,
        /// The text that was typed.
        pub query: Query,
        /// The number of products that were found, on all pages.
        pub results: Count,
        /// The epoch of the answer.
        pub epoch: Option<Count>,
        /// The customer's id.
        pub customer_id: Option<Id>,
        /// The session's id.
        pub session_id: Option<Id>,
        /// The time at which it happened.
        pub occurred_at: Option<Time>,
    }
}

crate::object! {
    /// Somebody opened a product that a search had found.
    pub struct SearchResultClicked {
        /// The search's id.
        pub search_id: Id,
        /// The product's id.
        pub product_id: Id,
        /// Its place in the list, from 1.
        pub position: Option<Count>,
        /// The text that was typed, as the client knows it; the search itself says what counts.
        pub query: Option<Query>,
        /// The customer's id.
        pub customer_id: Option<Id>,
        /// The session's id.
        pub session_id: Option<Id>,
        /// The time at which it happened.
        pub occurred_at: Option<Time>,
    }
}

macro_rules! observations {
    ($($name:ident;)*) => {
        /// Everything that may be observed.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Observation {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        /// The type of an observation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ObservationType {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name,)*
        }

        impl ObservationType {
            /// Every type.
            pub const ALL: &[ObservationType] = &[$(ObservationType::$name,)*];

            /// Its name, as in `tradewind.<Name>.v1`.
            pub const fn name(self) -> &'static str {
                match self { $(ObservationType::$name => stringify!($name),)* }
            }

            /// Its JSON Schema, among those of the others: a reference to it.
            pub fn schema(self, schemas: &mut Schemas) -> Value {
                match self { $(ObservationType::$name => <$name as FieldType>::schema(schemas),)* }
            }

            fn read(self, data: &[u8]) -> Result<Observation, CommandReadError> {
                match self { $(ObservationType::$name => read_within_bounds::<$name>(data).map(Observation::$name),)* }
            }
        }

        impl Observation {
            /// Its type.
            pub const fn observation_type(&self) -> ObservationType {
                match self { $(Observation::$name(_) => ObservationType::$name,)* }
            }

            /// The owners: the customer and the session, as far as they are given.
            const fn owners(&self) -> [Option<&SmolStr>; 2] {
                match self { $(Observation::$name(of) => [of.customer_id.as_ref(), of.session_id.as_ref()],)* }
            }

            /// The business time that it gives, if any.
            pub const fn occurred_at(&self) -> Option<Timestamp> {
                match self { $(Observation::$name(of) => of.occurred_at,)* }
            }

            /// The search that it is about.
            pub const fn search_id(&self) -> &SmolStr {
                match self { $(Observation::$name(of) => &of.search_id,)* }
            }
        }
    };
}

observations! {
    SearchPerformed;
    SearchResultClicked;
}

/// Reads an object all of whose values must be within their bounds.
fn read_within_bounds<T: FieldType>(data: &[u8]) -> Result<T::Value, CommandReadError> {
    let value = shape::read::<T>(data)?;
    let mut faults = Faults::default();
    T::check(&value, &Pointer::ROOT, &mut faults);
    match faults.into_errors() {
        errors if errors.is_empty() => Ok(value),
        errors => Err(CommandReadError::Shape(errors)),
    }
}

impl ObservationType {
    /// The type of that name.
    pub fn from_name(name: &str) -> Option<ObservationType> {
        ObservationType::ALL.iter().copied().find(|known| known.name() == name)
    }
}

impl Observation {
    /// Reads an observation's data. No outcome could report an id out of bounds, so such data is unreadable.
    pub fn read(observation_type: ObservationType, data: &[u8]) -> Result<Observation, CommandReadError> {
        observation_type.read(data)
    }

    /// The key of its record: the customer's id or the session's; without both, a search is a session of its own.
    pub fn key(&self) -> &SmolStr {
        let [customer, session] = self.owners();
        customer.or(session).unwrap_or(self.search_id())
    }

    /// Returns true if its record may have that key: one of its owners, if it names any, else any key.
    pub fn may_have_key(&self, key: &[u8]) -> bool {
        match self.owners() {
            [None, None] => true,
            owners => owners.into_iter().flatten().any(|id| id.as_bytes() == key),
        }
    }

    /// Its canonical data, as it is written to the log.
    pub fn data(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an observation has only texts, numbers and nulls")
    }
}

/// A query as it counts: in lower case, its words apart by one space, and not too long. What people type differently
/// for the same is one query; accents stay, so that it can be shown.
pub fn normalised(query: &str) -> SmolStr {
    let mut text = String::with_capacity(query.len().min(4 * QUERY_CHARS_MAX));
    let words = query.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut count = 0;
    for word in words {
        let space = (count > 0).then_some(' ');
        for c in space.into_iter().chain(word.chars().flat_map(char::to_lowercase)) {
            if count == QUERY_CHARS_MAX {
                return SmolStr::from(text.trim_end());
            }
            text.push(c);
            count += 1;
        }
    }
    SmolStr::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, data: &str) -> Result<Observation, CommandReadError> {
        Observation::read(ObservationType::from_name(name).unwrap(), data.as_bytes())
    }

    fn key_of(owners: &str) -> String {
        let data = format!(r#"{{"search_id":"s","query":"q","results":0{owners}}}"#);
        read("SearchPerformed", &data).unwrap().key().to_string()
    }

    #[test]
    fn a_query_counts_in_lower_case_with_single_spaces() {
        assert_eq!(normalised("  USB\t\tCable\u{0}5 M \n"), "usb cable 5 m");
        assert_eq!(normalised("Café CRÈME"), "café crème");
        assert_eq!(normalised(" \u{a0} "), "");
    }

    #[test]
    fn a_long_query_is_cut_between_characters_and_stays_as_it_is_when_read_again() {
        let long = "ÄB ".repeat(80);
        let cut = normalised(&long);
        assert_eq!(cut.chars().count(), QUERY_CHARS_MAX);
        assert!(cut.ends_with('ä'), "{cut}");
        assert_eq!(normalised(&cut), cut);
        let at_a_space = format!("{} b", "a".repeat(QUERY_CHARS_MAX - 1));
        assert_eq!(normalised(&at_a_space), "a".repeat(QUERY_CHARS_MAX - 1));
    }

    #[test]
    fn the_key_is_the_customers_or_the_sessions_or_the_searchs() {
        assert_eq!(key_of(r#","customer_id":"c","session_id":"t""#), "c");
        assert_eq!(key_of(r#","session_id":"t","customer_id":null"#), "t");
        assert_eq!(key_of(""), "s");
        let both = r#"{"search_id":"s","product_id":"p","customer_id":"c","session_id":"t"}"#;
        let both = read("SearchResultClicked", both).unwrap();
        assert!(both.may_have_key(b"c") && both.may_have_key(b"t") && !both.may_have_key(b"s"));
        let none = read("SearchResultClicked", r#"{"search_id":"s","product_id":"p"}"#).unwrap();
        assert!(none.may_have_key(b"anything"));
    }

    #[test]
    fn what_is_not_of_its_shape_is_named_by_its_place() {
        let long = format!(r#"{{"search_id":"{}","product_id":"p"}}"#, "x".repeat(129));
        for (name, data, at) in [
            ("SearchPerformed", r#"{"search_id":"s","query":"q","results":-1}"#, "/results"),
            ("SearchPerformed", r#"{"search_id":"s","query":7,"results":1}"#, "/query"),
            ("SearchPerformed", r#"{"search_id":"","query":"q","results":1}"#, "/search_id"),
            ("SearchPerformed", r#"{"search_id":"s","query":"q","results":1,"customer_id":""}"#, "/customer_id"),
            ("SearchResultClicked", r#"{"search_id":"a\u0007","product_id":"p"}"#, "/search_id"),
            ("SearchResultClicked", r#"{"search_id":"s","product_id":"p","occurred_at":"today"}"#, "/occurred_at"),
            ("SearchResultClicked", &long, "/search_id"),
        ] {
            match read(name, data) {
                Err(CommandReadError::Shape(errors)) => assert_eq!(errors[0].pointer, at, "{data}"),
                other => panic!("{data}: {other:?}"),
            }
        }
    }

    #[test]
    fn its_data_is_read_back_as_it_was() {
        let data = r#"{"search_id":"s","query":"Lamp","results":3,"epoch":7,"occurred_at":"2026-01-02T03:04:05Z"}"#;
        let read_once = read("SearchPerformed", data).unwrap();
        let again = Observation::read(ObservationType::SearchPerformed, &read_once.data());
        assert_eq!(again, Ok(read_once));
    }
}
