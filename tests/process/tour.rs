//! The tour of the README, word for word: every line is run by a shell as a reader would, and answers what stands there.

use super::TestEnv;
use serde_json::Value;
use std::process::Command;

/// The state that a reader sees differently each time.
const DIFFERENT: [&str; 3] = ["epoch", "at", "placed_at"];

/// The lines of the tour, each with its answer.
fn tour(readme: &str) -> Vec<(&str, &str)> {
    let section = readme.split("\n## ").find(|section| section.starts_with("A tour\n")).expect("the README has a tour");
    let mut blocks = section.split("```").skip(1).step_by(2);
    let mut lines = Vec::new();
    while let (Some(line), Some(answer)) = (blocks.next(), blocks.next()) {
        let answer = answer.split_once('\n').expect("a block names its language").1;
        lines.push((line.strip_prefix("sh\n").expect("a line comes before its answer").trim(), answer.trim()));
    }
    lines
}

/// The answer as it is compared: JSON without what is different each time, or text.
fn plain(text: &str) -> Value {
    serde_json::from_str(text).map_or_else(|_| Value::from(text.trim()), without_times)
}

fn without_times(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| !DIFFERENT.contains(&name.as_str()));
            kept.map(|(name, value)| (name, without_times(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_times).collect(),
        other => other,
    }
}

#[test]
fn the_readmes_tour_goes_as_it_says() {
    let readme = include_str!("../../README.md");
    let lines = tour(readme);
    assert_eq!(lines.len(), 10, "ten lines, from an empty shop to a refund");
    let env = TestEnv::start();
    for (line, expected) in lines {
        assert!(line.starts_with("curl ") && line.contains("http://127.0.0.1:8080/"), "{line}");
        let line = line.replace("http://127.0.0.1:8080", env.base());
        let ran = Command::new("sh").args(["-c", &line]).output().expect("there is a shell");
        let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{line}: {stderr}");
        assert_eq!(plain(&stdout), plain(expected), "{line}");
    }
}
