//! The names of types: a type is a noun, and a name has one meaning. Not for what else is named, and not for which word is
//! the right one.

use super::{File, ROOMS, assert_none, files};
use std::collections::{BTreeMap, BTreeSet};

/// Participles that do not end as others do, and adjectives that are used like them.
const PARTICIPLES: &str =
    "Done Forgotten Found Given Gone Held Kept Known Late Left Lost Made Said Seen Sent Taken Told Written";
/// Nouns that end as participles do.
const NOUNS: [&str; 4] = ["Encoding", "Feed", "Mapping", "Ring"];
/// So many of a hundred types may still be a bare participle.
const PARTICIPLES_MAX: usize = 1;

/// A type: its name, whether others can name it, and where it is declared.
struct Type<'a> {
    name: &'a str,
    is_public: bool,
    place: String,
}

/// The types that a line of a file declares at its beginning; what a trait asks for is none.
fn type_of(line: &str) -> Option<(&str, bool)> {
    let item = line.trim_start();
    let is_inner = item.len() < line.len();
    let (is_public, item) = match item.strip_prefix("pub") {
        Some(rest) if rest.starts_with(' ') => (true, rest.trim_start()),
        Some(rest) if rest.starts_with('(') => (true, rest.split_once(") ")?.1),
        _ => (false, item),
    };
    let (kind, rest) = item.split_once(' ')?;
    let is_type = matches!(kind, "struct" | "enum" | "trait" | "union") || (kind == "type" && !is_inner);
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    (is_type && rest.starts_with(char::is_uppercase)).then_some((&rest[..end], is_public))
}

fn types(file: &File) -> impl Iterator<Item = Type<'_>> {
    file.code().filter_map(|(n, line)| {
        let (name, is_public) = type_of(line)?;
        Some(Type { name, is_public, place: format!("{}:{n}", file.path) })
    })
}

fn is_participle(name: &str) -> bool {
    let is_one_word = name.chars().skip(1).all(char::is_lowercase);
    let ends = ["ed", "ing"].iter().any(|end| name.ends_with(end));
    PARTICIPLES.split(' ').any(|word| word == name) || (is_one_word && ends && !NOUNS.contains(&name))
}

#[test]
fn types_are_nouns() {
    let files = files();
    let all: Vec<Type> = files.iter().filter(|file| file.is_rust()).flat_map(types).collect();
    assert!(all.len() > 1_000, "types are found");
    let found: Vec<String> = all
        .iter()
        .filter(|found| is_participle(found.name))
        .map(|found| format!("{}: {}", found.place, found.name))
        .collect();
    assert!(
        found.len() * 100 <= all.len() * PARTICIPLES_MAX,
        "a type is a noun: say what it is, not what was done with it\n  {}",
        found.join("\n  ")
    );
}

#[test]
fn a_name_has_one_meaning_in_its_crate() {
    let files = files();
    let mut found = Vec::new();
    for (folder, room, _) in ROOMS {
        let mut places: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        // What is in the root's own folder is tests; the core's folder has another crate in it.
        let of_room = files.iter().filter(|file| file.is_rust() && file.path.starts_with(&format!("{folder}/src/")));
        for file in of_room {
            for one in types(file).filter(|one| one.is_public) {
                places.entry(one.name).or_default().insert(one.place);
            }
        }
        let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
        found.extend(twice.map(|(name, places)| format!("{room}: {name} at {}", Vec::from_iter(places).join(", "))));
    }
    assert_none(&found, "a public type has the name of another: say in its name what sets it apart, `JournalConfig`");
}

#[test]
fn types_and_participles_are_told_from_others() {
    let found: Vec<_> = [
        "pub struct Kept<'a> {",
        "    pub(super) enum Limits {",
        "type Rows = Vec<Row>;",
        "    type Item = u8;",
        "impl Trait for Held {}",
        "pub trait Log: Send {",
        "let structure = 1;",
    ]
    .into_iter()
    .map(type_of)
    .collect();
    let expected =
        [Some(("Kept", true)), Some(("Limits", true)), Some(("Rows", false)), None, None, Some(("Log", true)), None];
    assert_eq!(found, expected);
    let participles: Vec<_> =
        ["Kept", "Decided", "Waiting", "Late", "Ring", "Feed", "Encoding", "DecidedRow", "Found"].into_iter().collect();
    let found: Vec<_> = participles.into_iter().filter(|name| is_participle(name)).collect();
    assert_eq!(found, ["Kept", "Decided", "Waiting", "Late", "Found"]);
}
