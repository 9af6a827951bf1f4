//! One run of a binary: its output, and the CPU time of its threads and those of the processes that it starts,
//! looked up while it runs. Not for what the figures mean.

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The interval between two looks at the threads.
const LOOK: Duration = Duration::from_millis(100);
/// The time that a run may take.
const RUN_MAX: Duration = Duration::from_secs(3_600);
/// The characters shown of a binary's unusable output, at most.
const SHOWN_CHARS: usize = 500;
/// The name under which time after the last look at a thread is counted.
const UNSEEN: &str = "unseen";

/// The figures of a run.
pub struct RunFigures {
    /// The figures, as the binary prints them.
    pub figures: Value,
    /// By the name of the threads, without their numbers.
    pub cpu_seconds: BTreeMap<String, f64>,
}

/// Runs `BINARY bench BENCH --json`.
pub fn measured(binary: &Path, bench: &str) -> Result<RunFigures> {
    let before = reaped_s();
    let mut command = Command::new(binary);
    command.arg("bench").args(bench.split_whitespace()).arg("--json");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let printed = read_all(child.stdout.take());
    let complained = read_all(child.stderr.take());
    let (started, mut threads) = (Instant::now(), Threads::default());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > RUN_MAX {
            // It may end just now.
            let _ = child.kill();
            child.wait()?;
            return Err(anyhow!("it does not end within {} s", RUN_MAX.as_secs()));
        }
        threads.look_at(child.id());
        std::thread::sleep(LOOK);
    };
    let (printed, complained) = (text_of(printed), text_of(complained));
    ensure!(status.success(), "{status}: {}", shown(&complained));
    let mut said: Value = serde_json::from_str(&printed).with_context(|| format!("no JSON: {}", shown(&printed)))?;
    Ok(RunFigures { figures: said["figures"].take(), cpu_seconds: threads.seconds(reaped_s() - before) })
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // The output until an error is shown.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        bytes
    })
}

fn text_of(reading: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&reading.join().unwrap_or_default()).into_owned()
}

/// The last of it, which holds the reason.
fn shown(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(SHOWN_CHARS);
    text.chars().skip(skipped).collect()
}

/// The CPU seconds of the processes that we started and that have ended.
fn reaped_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    fields(&stat).map_or(0.0, |(_, fields)| ticks(&fields, 13))
}

/// The name in a `stat` of `/proc`, and the fields after it, of which the first is the third of all.
fn fields(stat: &str) -> Option<(&str, Vec<&str>)> {
    let (begin, rest) = stat.rsplit_once(')')?;
    Some((begin.split_once('(')?.1, rest.split_whitespace().collect()))
}

/// User and system time from that field on, which the system gives in hundredths.
fn ticks(fields: &[&str], from: usize) -> f64 {
    let both = fields.iter().skip(from).take(2);
    both.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The threads that were seen: by process and thread, the name and the time.
#[derive(Default)]
struct Threads(BTreeMap<(u32, u32), (String, f64)>);

impl Threads {
    /// Looks at the threads of a process and of those that it started; skips one that has just ended.
    fn look_at(&mut self, process: u32) {
        let mut left = vec![process];
        while let Some(process) = left.pop() {
            let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
            for task in tasks {
                let Some(thread) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
                let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
                if let Some((name, fields)) = fields(&stat) {
                    self.0.insert((process, thread), (name.to_owned(), ticks(&fields, 11)));
                }
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                left.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
    }

    /// By name; the rest of `all` was spent after the last look.
    fn seconds(self, all: f64) -> BTreeMap<String, f64> {
        let mut by_name = BTreeMap::<String, f64>::new();
        let mut seen = 0.0;
        for (name, seconds) in self.0.into_values() {
            // Numbered threads do the same work.
            let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || "-_: ".contains(c)).to_owned();
            *by_name.entry(name).or_default() += seconds;
            seen += seconds;
        }
        by_name.insert(UNSEEN.to_owned(), (all - seen).max(0.0));
        by_name
    }
}
