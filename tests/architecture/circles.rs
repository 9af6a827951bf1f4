//! No file of a crate leads back to itself by the paths that it names: `crate::`, `super::` and `self::`, in `use` and in
//! code. A name that a module only passes on leads to where it comes from. Not for crates, which cargo keeps apart.

use super::{File, assert_none, files};
use std::collections::{BTreeMap, BTreeSet};

/// The folders whose files are one crate.
const CRATES: [&str; 9] = [
    "dataflows/src/",
    "dataflows/access/src/",
    "ingest/src/",
    "serving/src/",
    "search/src/",
    "warehouse-export/src/",
    "deploy/node/src/",
    "deploy/tools/src/",
    "deploy/tradewind/",
];

type Path = Vec<String>;

/// A file of a crate.
struct Module<'a> {
    file: &'a File,
    /// Paths that it names, as it names them, with their lines.
    names: Vec<(usize, Path)>,
    /// Names that it passes on, and the paths from which they come, as it names them.
    passes_on: BTreeMap<String, Path>,
}

/// The path of a module from its crate's root, by its file.
fn path_of(file: &str) -> Path {
    let mut path: Path = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") || path == ["lib"] || path == ["main"] {
        path.pop();
    }
    path
}

/// A line without strings and comments.
fn bare(line: &str) -> String {
    let (mut text, mut is_quoted, mut last) = (String::new(), false, ' ');
    for c in line.chars() {
        if c == '"' && last != '\\' && last != '\'' {
            is_quoted = !is_quoted;
        } else if !is_quoted {
            text.push(c);
        }
        last = if last == '\\' && c == '\\' { ' ' } else { c };
    }
    text.split("//").next().unwrap_or_default().to_owned()
}

/// Identifiers, `::`, braces and commas; everything else ends a path.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = if is_name(c) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        let (word, later) = rest.split_at(length);
        if !word.trim().is_empty() {
            words.push(word);
        }
        rest = later;
    }
    words
}

/// The paths of a `use`, each with the name that it gets, from behind the word.
fn leaves(words: &mut std::slice::Iter<'_, &str>, before: &[String], found: &mut Vec<(String, Path)>) {
    let mut path = before.to_vec();
    let mut name = None;
    let mut has_more = false;
    let mut end = |path: &Path, name: Option<String>, has_more: bool| {
        if !has_more && path.len() > before.len() {
            let of = path.iter().rev().find(|part| *part != "self").cloned().unwrap_or_default();
            let path = path.iter().enumerate().filter(|(n, part)| *n == 0 || *part != "self");
            found.push((name.unwrap_or(of), path.map(|(_, part)| part.clone()).collect()));
        }
    };
    let mut nested = Vec::new();
    while let Some(word) = words.next() {
        match *word {
            "::" => {}
            "{" => {
                leaves(words, &path, &mut nested);
                has_more = true;
            }
            "as" => name = words.next().map(|name| (*name).to_owned()),
            "," => {
                end(&path, name.take(), has_more);
                (path, has_more) = (before.to_vec(), false);
            }
            "}" | ";" => break,
            word => path.push(word.to_owned()),
        }
    }
    end(&path, name, has_more);
    found.append(&mut nested);
}

impl<'a> Module<'a> {
    fn read(file: &'a File) -> Module<'a> {
        let (mut names, mut passes_on) = (Vec::new(), BTreeMap::new());
        let last = file.tests_from();
        let lines: Vec<(usize, String)> =
            file.code().filter(|(n, _)| *n < last).map(|(n, line)| (n, bare(line))).collect();
        let mut at = 0;
        while at < lines.len() {
            let (n, line) = &lines[at];
            at += 1;
            let (head, rest) = line.split_once("use ").unwrap_or((line, ""));
            let is_use = !rest.is_empty() && (head.trim().is_empty() || head.trim_start().starts_with("pub"));
            if !is_use {
                names.extend(code_paths(line).into_iter().map(|path| (*n, path)));
                continue;
            }
            let mut text = rest.to_owned();
            while !text.contains(';') && at < lines.len() {
                text.push_str(&lines[at].1);
                at += 1;
            }
            let mut found = Vec::new();
            leaves(&mut words(&text).iter(), &[], &mut found);
            if head.trim().is_empty() {
                names.extend(found.into_iter().map(|(_, path)| (*n, path)));
            } else {
                passes_on.extend(found);
            }
        }
        Module { file, names, passes_on }
    }
}

/// The paths of a line of code that lead into the crate.
fn code_paths(line: &str) -> Vec<Path> {
    let words = words(line);
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_first = at == 0 || words[at - 1] != "::";
        if is_first && matches!(*word, "crate" | "super" | "self") && words.get(at + 1) == Some(&"::") {
            let parts = words[at..].chunks(2).take_while(|pair| pair.len() == 2 && pair[1] == "::");
            let count = parts.count();
            let path = (0..=count).filter_map(|n| words.get(at + 2 * n)).map(|part| (*part).to_owned());
            found.push(path.collect());
        }
    }
    found
}

/// A crate's files by their paths.
struct Crate<'a>(BTreeMap<Path, Module<'a>>);

impl Crate<'_> {
    /// From the root, without what leads to it; none for what is not of this crate.
    fn absolute(&self, at: &Path, path: &[String]) -> Option<Path> {
        let mut base = at.clone();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("crate") => (base, rest) = (Vec::new(), &rest[1..]),
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while let Some("super") = rest.first().map(String::as_str) {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            // A child, or something of another crate.
            Some(first) if self.0.contains_key(&[at.as_slice(), &[first.to_owned()]].concat()) => {}
            Some(_) | None => return None,
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The file that a path from the root leads to.
    fn file_of(&self, path: &Path, steps: usize) -> Option<Path> {
        let (length, module) = (0..=path.len()).rev().find_map(|n| Some((n, self.0.get(&path[..n])?)))?;
        let here = path[..length].to_vec();
        let Some(name) = path.get(length).filter(|_| steps > 0) else { return Some(here) };
        let Some(from) = module.passes_on.get(name).or_else(|| module.passes_on.get("*")) else { return Some(here) };
        let Some(mut from) = self.absolute(&here, from) else { return Some(here) };
        if from.last().is_some_and(|last| last == "*") {
            *from.last_mut()? = name.clone();
        }
        from.extend_from_slice(&path[length + 1..]);
        self.file_of(&from, steps - 1)
    }

    /// The place where each file leads, with the first line that says so.
    fn arrows(&self) -> BTreeMap<&Path, BTreeMap<Path, usize>> {
        let mut all = BTreeMap::new();
        for (at, module) in &self.0 {
            let mut arrows = BTreeMap::new();
            for (line, path) in &module.names {
                let to = self.absolute(at, path).and_then(|path| self.file_of(&path, 8));
                if let Some(to) = to.filter(|to| to != at) {
                    arrows.entry(to).or_insert(*line);
                }
            }
            all.insert(at, arrows);
        }
        all
    }
}

/// What can be reached from a file, itself only by a circle.
fn reached<'a>(from: &Path, arrows: &'a BTreeMap<&Path, BTreeMap<Path, usize>>) -> BTreeSet<&'a Path> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(at) = open.pop() {
        for to in arrows.get(at).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

/// The arrows of a crate that are a part of a circle.
fn circles(files: &[&File], folder: &str) -> Vec<String> {
    let code = files.iter().copied().filter(|file| file.tests_from() > 1);
    let all = Crate(code.map(|file| (path_of(&file.path[folder.len()..]), Module::read(file))).collect());
    let arrows = all.arrows();
    let mut found = Vec::new();
    for (from, to) in &arrows {
        for (to, line) in to {
            if reached(to, &arrows).contains(from) {
                found.push(format!("{}:{line} -> {}", all.0[*from].file.path, all.0[to].file.path));
            }
        }
    }
    found
}

#[test]
fn files_of_a_crate_do_not_go_in_circles() {
    let files = files();
    let found: Vec<String> = CRATES
        .iter()
        .flat_map(|folder| {
            let of: Vec<&File> = files.iter().filter(|file| file.is_rust() && file.path.starts_with(folder)).collect();
            assert!(!of.is_empty(), "{folder} has files");
            circles(&of, folder)
        })
        .collect();
    assert_none(
        &found,
        "files lead back to each other: move what both name into a file of its own below them, or hand it in",
    );
}

#[test]
fn a_circle_is_found_by_use_by_code_and_through_what_is_passed_on() {
    let file = |path: &str, text: &str| File { path: format!("x/{path}"), text: text.to_owned() };
    let circles_of = |files: &[File]| circles(&files.iter().collect::<Vec<_>>(), "x/");
    let lib = || file("lib.rs", "mod a;\nmod b;\n");
    // By `use`, in a group and with another name, and by a path in code.
    let files = [lib(), file("a.rs", "use crate::{b::{B as C, D}};\n"), file("b.rs", "fn b() { super::a::f() }\n")];
    assert_eq!(circles_of(&files), ["x/a.rs:1 -> x/b.rs", "x/b.rs:1 -> x/a.rs"]);
    // What a parent passes on is its child's.
    let parent = || file("a/mod.rs", "mod one;\nmod two;\npub use one::One;\npub use two::*;\n");
    let one = file("a/one.rs", "use super::Two;\n");
    assert_eq!(circles_of(&[lib(), parent(), one, file("a/two.rs", "")]), [""; 0]);
    let (one, two) = (file("a/one.rs", "use super::Two;\n"), file("a/two.rs", "use crate::a::One;\n"));
    assert_eq!(circles_of(&[lib(), parent(), one, two]).len(), 2);
    // Words in comments, in texts and in tests lead nowhere.
    let quiet = "// crate::a\nconst A: &str = \"crate::a\";\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n";
    assert_eq!(circles_of(&[lib(), file("a.rs", "use crate::b;\n"), file("b.rs", quiet)]), [""; 0]);
}
