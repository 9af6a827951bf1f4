//! The query part of a request: parameters by name.

use super::problem::Problem;
use dataflows::shop::field::escaped;
use std::borrow::Cow;

/// The parameters of a request, decoded.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=2`.
    pub fn read(text: Option<&str>) -> Query {
        let Some(text) = text else { return Query(Vec::new()) };
        Query(form_urlencoded::parse(text.as_bytes()).map(|(name, value)| (owned(name), owned(value))).collect())
    }

    /// Refuses a parameter that is not one of these, or that is there twice.
    pub fn check(&self, known: &[&str]) -> Result<(), Problem> {
        for (n, (name, _)) in self.0.iter().enumerate() {
            let pointer = || format!("/{}", escaped(name));
            if !known.contains(&name.as_str()) {
                let allowed = if known.is_empty() { "it takes none".to_owned() } else { known.join(", ") };
                return Err(Problem::invalid(pointer(), format!("{name:?} is no parameter of this route: {allowed}")));
            }
            if self.0[..n].iter().any(|(before, _)| before == name) {
                return Err(Problem::invalid(pointer(), format!("{name} is given once")));
            }
        }
        Ok(())
    }

    /// A parameter; `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that is a whole number.
    pub fn number<N: std::str::FromStr>(&self, name: &'static str) -> Result<Option<N>, Problem> {
        self.get(name).map(str::parse).transpose().map_err(|_| {
            Problem::invalid(format!("/{name}"), format!("{name} is a whole number, not {:?}", self.get(name)))
        })
    }

    /// The parameters as a query again, `cursor` being the one given.
    pub fn with_cursor(&self, cursor: &str) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.0.iter().filter(|(name, _)| name != "cursor"));
        text.append_pair("cursor", cursor);
        text.finish()
    }

    /// The part that decides which rows a list has, and in which order: all but the page's start and length.
    pub fn filter(&self) -> String {
        let mut pairs: Vec<_> =
            self.0.iter().filter(|(name, _)| !["cursor", "limit", "as_of"].contains(&name.as_str())).collect();
        pairs.sort_unstable();
        format!("{pairs:?}")
    }
}

fn owned(text: Cow<'_, str>) -> String {
    text.into_owned()
}
