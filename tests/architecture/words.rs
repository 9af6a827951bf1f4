//! The words of comments: plain technical English, the thing stated first. Not for the names of types, which `names.rs` has,
//! and not for pages.

use super::{File, assert_none, files};

/// Words that comments do not use, each with what to use instead. Those that end in a blank are beginnings of sentences.
const BANNED: [(&str, &str); 8] = [
    ("goes on", "continues, resumes"),
    ("go on", "continue, resume"),
    ("went on", "continued"),
    ("anew", "again, from scratch"),
    ("whoever", "a client, a reader, a caller"),
    ("teller", "recorder, publisher: what it is"),
    ("held against", "compared with, checked against"),
    ("let go of", "dropped, released"),
];
/// Words that state a question instead of a thing.
const QUESTIONS: [&str; 5] = ["What", "Who", "How", "Where", "Whether"];
/// So many of a hundred doc comments may open with one.
const QUESTIONS_MAX: usize = 3;

/// The text of a line that is a comment, or of the comment at its end.
fn comment(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let text = match code.strip_prefix("//") {
        Some(text) => text,
        None => {
            [" // ", ";// "].iter().find_map(|begin| Some(code.split_once(begin)?.1)).filter(|_| !code.contains('"'))?
        }
    };
    Some(text.trim_start_matches(['/', '!']).trim())
}

fn is_doc(line: &str) -> bool {
    let code = line.trim_start();
    code.starts_with("///") || code.starts_with("//!")
}

/// The files of Rust but this one, which names the words.
fn sources(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.is_rust() && !file.path.ends_with("architecture/words.rs"))
}

#[test]
fn comments_use_the_words_of_the_field() {
    let files = files();
    let mut found = Vec::new();
    for file in sources(&files) {
        for (n, line) in file.text.lines().enumerate() {
            let Some(text) = comment(line) else { continue };
            let text = format!(" {} ", text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " "));
            let banned = BANNED.iter().filter(|(word, _)| text.contains(&format!(" {word} ")));
            found.extend(banned.map(|(word, instead)| format!("{}:{}: {word}: {instead}", file.path, n + 1)));
        }
    }
    assert_none(&found, "say it in plain technical English");
}

#[test]
fn doc_comments_state_the_thing() {
    let files = files();
    let (mut count, mut questions) = (0, Vec::new());
    for file in sources(&files) {
        let mut is_inside = false;
        for (n, line) in file.text.lines().enumerate() {
            if is_doc(line) && !is_inside {
                count += 1;
                let first = comment(line).and_then(|text| text.split_whitespace().next()).unwrap_or_default();
                if QUESTIONS.contains(&first) {
                    questions.push(format!("{}:{}", file.path, n + 1));
                }
            }
            is_inside = is_doc(line);
        }
    }
    assert!(count > 5_000, "doc comments are found");
    assert!(
        questions.len() * 100 <= count * QUESTIONS_MAX,
        "{} of {count} doc comments open with a question: state the thing\n  {}",
        questions.len(),
        questions.join("\n  ")
    );
}
