//! `bench compare`: two binaries, each measured by its own `bench … --json`, in turn, so that a noisy machine is noisy for
//! both. Prints the median and the spread of every figure, and the CPU seconds by thread, which depend less on other
//! users of the machine. Not for measuring: the binaries do that.

mod child;
mod figures;

use super::machine;
use anyhow::{Context, Result, ensure};
use figures::{Figure, Runs};
use indicatif::{ProgressBar, ProgressStyle};
use node::output;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The benches that are compared by default: all that need nothing but the binary.
const BENCHES: [&str; 6] = ["ingest", "commands", "reads", "search", "export", "restart"];

/// The options of a comparison.
pub struct CompareOptions {
    /// The binaries; the second is said to be better or worse than the first.
    pub binaries: [PathBuf; 2],
    /// The arguments after `bench`; all benches that need nothing else if empty.
    pub only: Vec<String>,
    /// The number of runs of each binary.
    pub runs: u32,
    /// True if JSON is printed.
    pub as_json: bool,
}

/// The runs of one bench, or why there are none.
struct BenchRuns {
    bench: String,
    runs: Result<Runs>,
}

/// Measures, compares, prints; fails after that if something could not be compared.
pub fn run(asked: &CompareOptions) -> Result<()> {
    let versions = [version(&asked.binaries[0])?, version(&asked.binaries[1])?];
    let benches: Vec<String> = match asked.only.as_slice() {
        [] => BENCHES.map(str::to_owned).to_vec(),
        only => only.to_vec(),
    };
    let progress = Progress::new();
    let all: Vec<BenchRuns> =
        benches.into_iter().map(|bench| BenchRuns { runs: measure(asked, &bench, &progress), bench }).collect();
    progress.bar.finish_and_clear();
    let shown = if asked.as_json { as_json(asked, &versions, &all) } else { for_people(asked, &versions, &all) };
    output::print(&shown)?;
    let missing: Vec<&str> =
        all.iter().filter(|compared| compared.runs.is_err()).map(|compared| compared.bench.as_str()).collect();
    ensure!(missing.is_empty(), "not compared: {}", missing.join(", "));
    Ok(())
}

fn version(binary: &PathBuf) -> Result<String> {
    let shown = binary.display();
    let said = Command::new(binary).arg("version").stdin(Stdio::null()).output();
    let said = said.with_context(|| format!("running {shown}"))?;
    ensure!(said.status.success(), "{shown} version: {}", String::from_utf8_lossy(&said.stderr).trim_end());
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Runs both binaries so often, each first in turn, so that leftovers of one do not always meet the other.
fn measure(asked: &CompareOptions, bench: &str, progress: &Progress) -> Result<Runs> {
    let mut runs = Runs::default();
    for run in 0..asked.runs {
        let order = if run % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let binary = &asked.binaries[which];
            progress.tell(&format!("bench {bench}, run {} of {}: {}", run + 1, asked.runs, binary.display()));
            let said = child::measured(binary, bench)
                .with_context(|| format!("{} cannot be measured by bench {bench} --json", binary.display()))?;
            runs.add(which, &said);
        }
    }
    Ok(runs)
}

/// Reports on standard error what is under way.
struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Progress {
    fn new() -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, is_terminal }
    }

    fn tell(&self, what: &str) {
        if self.is_terminal {
            self.bar.set_message(what.to_owned());
        } else {
            eprintln!("{what}");
        }
    }
}

fn as_json(asked: &CompareOptions, versions: &[String; 2], all: &[BenchRuns]) -> String {
    let binary =
        |which: usize| json!({"path": asked.binaries[which].display().to_string(), "version": versions[which]});
    let benches = all.iter().map(|BenchRuns { bench, runs }| match runs {
        Ok(runs) => json!({
            "bench": bench,
            "figures": runs.figures().iter().map(Figure::to_json).collect::<Value>(),
            "cpu_seconds_by_thread": runs.threads().iter().map(Figure::to_json).collect::<Value>(),
        }),
        Err(why) => json!({"bench": bench, "not_compared": format!("{why:#}")}),
    });
    let benches: Value = benches.collect();
    let all = json!({"bench": "compare", "machine": machine(), "runs": asked.runs, "a": binary(0), "b": binary(1),
        "benches": benches});
    format!("{all}\n")
}

fn for_people(asked: &CompareOptions, versions: &[String; 2], all: &[BenchRuns]) -> String {
    let mut text = String::new();
    for (name, which) in [("a", 0), ("b", 1)] {
        text += &format!("{name}  {} ({})\n", asked.binaries[which].display(), versions[which]);
    }
    text += &format!("{} runs of each, in turn: medians, and half the spread around them\n", asked.runs);
    for BenchRuns { bench, runs } in all {
        text += &format!("\nbench {bench}\n");
        match runs {
            Ok(runs) => {
                runs.figures().iter().for_each(|figure| text += &(figure.line() + "\n"));
                text += "CPU seconds by thread\n";
                runs.threads().iter().for_each(|figure| text += &(figure.line() + "\n"));
            }
            Err(why) => text += &format!("not compared: {why:#}\n"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A program of shell. Another process writes the file: while one that we start at the same time has it open for
    /// writing, the system would not run it.
    fn program(folder: &Path, name: &str, lines: &str) -> PathBuf {
        let path = folder.join(name);
        let text = format!("#!/bin/sh\nset -eu\nif [ \"$1\" = version ]; then echo {name} 1; exit; fi\n{lines}\n");
        let mut write = Command::new("sh");
        write.args(["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""]).arg(&path).arg(text);
        assert!(write.status().unwrap().success());
        path
    }

    fn asked(a: PathBuf, b: PathBuf, only: &[&str]) -> CompareOptions {
        let only = only.iter().map(|bench| (*bench).to_owned()).collect();
        CompareOptions { binaries: [a, b], only, runs: 3, as_json: true }
    }

    fn compared(asked: &CompareOptions, bench: &str) -> Result<Runs> {
        measure(asked, bench, &Progress { bar: ProgressBar::hidden(), is_terminal: true })
    }

    /// Prints these figures for its first, second, third run.
    fn printing(folder: &Path, name: &str, figures: [&str; 3]) -> PathBuf {
        let [first, second, third] = figures;
        let lines = format!(
            "[ \"$1 $2 $3\" = \"bench commands --json\" ] || {{ echo \"no bench $2\" >&2; exit 2; }}\n\
             echo x >>\"$0.runs\"\n\
             case $(wc -l <\"$0.runs\") in\n1) f='{first}';; 2) f='{second}';; *) f='{third}';;\nesac\n\
             echo \"{{\\\"bench\\\":\\\"commands\\\",\\\"figures\\\":$f}}\""
        );
        program(folder, name, &lines)
    }

    #[test]
    fn what_lies_outside_the_spread_is_better_or_worse() {
        let folder = tempfile::tempdir().unwrap();
        let a = [
            r#"{"commands_per_s":100,"live":{"ms_p99":5.0},"rows":7,"gone":1,"digest":"aa"}"#,
            r#"{"commands_per_s":110,"live":{"ms_p99":6.0},"rows":7,"gone":1,"digest":"aa"}"#,
            r#"{"commands_per_s":90,"live":{"ms_p99":4.0},"rows":7,"gone":1,"digest":"aa"}"#,
        ];
        let b = [
            r#"{"commands_per_s":105,"live":{"ms_p99":7.5},"rows":8,"digest":"aa"}"#,
            r#"{"commands_per_s":140,"live":{"ms_p99":7.0},"rows":8,"digest":"aa"}"#,
            r#"{"commands_per_s":130,"live":{"ms_p99":6.5},"rows":8,"digest":"aa"}"#,
        ];
        let asked = asked(printing(folder.path(), "a", a), printing(folder.path(), "b", b), &["commands"]);
        let runs = compared(&asked, "commands").unwrap();
        let lines: Vec<String> = runs.figures().iter().map(Figure::line).collect();
        let squeezed = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            lines.iter().map(squeezed).collect::<Vec<_>>(),
            [
                "commands_per_s 100 ±10.0% 130 ±13.5% +30.0% better",
                "gone 1 ±0.0% - only in a",
                "live ms_p99 5 ±20.0% 7 ±7.1% +40.0% worse",
                "rows 7 ±0.0% 8 ±0.0% +14.3% other",
            ]
        );
        let shown: Value = serde_json::from_str(&as_json(
            &asked,
            &["1".to_owned(), "2".to_owned()],
            &[BenchRuns { bench: "commands".to_owned(), runs: Ok(runs) }],
        ))
        .unwrap();
        let first = &shown["benches"][0]["figures"][0];
        assert_eq!((&first["name"], &first["verdict"]), (&json!("commands_per_s"), &json!("better")));
        assert_eq!(first["a"], json!({"median": 100.0, "min": 90.0, "max": 110.0, "values": [100.0, 110.0, 90.0]}));
        assert!(shown["benches"][0]["cpu_seconds_by_thread"].is_array());
    }

    #[test]
    fn a_binary_that_has_no_such_bench_is_named_with_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let figures = [r#"{"rows":1}"#; 3];
        let old = program(folder.path(), "old", "echo \"error: unrecognized subcommand '$2'\" >&2; exit 2");
        let asked = asked(old.clone(), printing(folder.path(), "new", figures), &["commands"]);
        let why = format!("{:#}", compared(&asked, "commands").err().unwrap());
        assert!(why.contains(&format!("{} cannot be measured by bench commands --json", old.display())), "{why}");
        assert!(why.contains("exit status: 2") && why.contains("unrecognized subcommand 'commands'"), "{why}");
        let text = program(folder.path(), "text", "echo 1 command a second");
        let why = format!("{:#}", child::measured(&text, "commands").err().unwrap());
        assert!(why.contains("no JSON") && why.contains("1 command a second"), "{why}");
        assert!(version(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn cpu_seconds_are_of_the_threads_and_processes_that_spent_them() {
        let folder = tempfile::tempdir().unwrap();
        // Spends some time in a process of its own, and in itself.
        let lines = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'\n\
                     i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done\necho '{\"figures\":{\"rows\":1}}'";
        let busy = program(folder.path(), "busy", lines);
        let said = child::measured(&busy, "commands").unwrap();
        let sum: f64 = said.cpu_seconds.values().sum();
        assert!(sum > 0.05, "{:?}", said.cpu_seconds);
    }
}
