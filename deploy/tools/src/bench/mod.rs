//! `tradewind bench`: measures, and prints the figures and the machine. Everything runs in a folder of its own that is
//! removed again. Not a test: nothing here fails because a machine is slow.

mod commands;
mod compare;
mod export;
mod hostile;
mod ingest_rates;
mod live;
pub mod load;
mod process;
mod reads;
mod restart;
mod search;
mod workload;

use anyhow::{Result, ensure};
use node::output;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The measurements.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Bench {
    /// The speed at which the log takes records
    Ingest(BenchFlags),
    /// The speed at which commands are decided, and the time until they are seen
    Commands(BenchFlags),
    /// The speed of point reads, beside an empty handler
    Reads(BenchFlags),
    /// The time and memory of a restart, by the number of orders; what a checkpoint takes and costs
    Restart {
        /// The flags of every measurement.
        #[command(flatten)]
        flags: BenchFlags,
        /// The numbers of orders in the states
        #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000],
            value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
        orders: Vec<u64>,
    },
    /// The speed at which the tables for analysts are written, beside DuckDB's COPY of the same rows
    Export {
        /// The flags of every measurement
        #[command(flatten)]
        flags: BenchFlags,
        /// A Python that has duckdb
        #[arg(long, value_name = "FILE", default_value = "python3")]
        python: PathBuf,
    },
    /// Measures two binaries in turn, each by its own bench, and reports what of the second is better or worse
    Compare {
        /// The flags of every measurement
        #[command(flatten)]
        flags: BenchFlags,
        /// A binary
        a: PathBuf,
        /// Another one
        b: PathBuf,
        /// The benches to run, with their own flags: commands,"restart --orders 10000" [default: all that need no file]
        #[arg(long, value_name = "BENCH,BENCH", value_delimiter = ',')]
        only: Vec<String>,
        /// The number of runs of each binary
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        runs: u32,
    },
    /// The speed at which products are found, and the time until a changed one is
    Search {
        /// The flags of every measurement
        #[command(flatten)]
        flags: BenchFlags,
        /// A file of products, as `import catalog` takes it [default: a made-up catalogue]
        #[arg(long, value_name = "FILE")]
        products: Option<PathBuf>,
        /// A file with a query at the start of each line but the first [default: words of the titles]
        #[arg(long, value_name = "FILE")]
        queries: Option<PathBuf>,
    },
    /// Sends what attackers and accidents send, each case to a fresh node of its own; exits with 1 if one does not hold
    #[command(after_help = hostile::list())]
    Hostile {
        /// The flags of every measurement
        #[command(flatten)]
        flags: BenchFlags,
        /// Only these cases [default: all]
        #[arg(long, value_name = "C1,H2", value_delimiter = ',')]
        only: Vec<String>,
    },
}

/// The flags of every measurement.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchFlags {
    /// Prints one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Measures, and prints the figures.
pub fn run(bench: Bench) -> Result<()> {
    let folder = Folder::new()?;
    match bench {
        Bench::Compare { flags, a, b, only, runs } => {
            compare::run(&compare::CompareOptions { binaries: [a, b], only, runs, as_json: flags.json })
        }
        Bench::Ingest(flags) => print(&flags, "ingest", &ingest_rates::measure(folder.path())?),
        Bench::Commands(flags) => print(&flags, "commands", &commands::measure(folder.path())?),
        Bench::Reads(flags) => print(&flags, "reads", &reads::measure(folder.path())?),
        Bench::Restart { flags, orders } => print(&flags, "restart", &restart::measure(folder.path(), &orders)?),
        Bench::Export { flags, python } => print(&flags, "export", &export::measure(folder.path(), &python)?),
        Bench::Search { flags, products, queries } => {
            let figures = search::measure(folder.path(), products.as_deref(), queries.as_deref())?;
            print(&flags, "search", &figures)
        }
        Bench::Hostile { flags, only } => {
            let figures = hostile::measure(folder.path(), &only, flags.json)?;
            if flags.json {
                print(&flags, "hostile", &figures)?;
            }
            ensure!(figures.failed() == 0, "{} cases do not hold", figures.failed());
            Ok(())
        }
    }
}

/// A folder for one run.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("tradewind-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that is left over is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn print(flags: &BenchFlags, name: &str, figures: &impl Serialize) -> Result<()> {
    let mut all = json!({"bench": name, "version": env!("CARGO_PKG_VERSION"), "machine": machine()});
    all["figures"] = serde_json::to_value(figures)?;
    if flags.json {
        return output::print(&format!("{all}\n"));
    }
    let mut text = String::new();
    lines(&mut text, "", &all);
    output::print(&text)
}

fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) { "development" } else { "release" };
    json!({"cores": cores, "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "build": build})
}

fn lines(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name} {field}") };
                lines(text, &name, value);
            }
        }
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                lines(text, &format!("{name} {n}"), value);
            }
        }
        Value::Number(number) if number.is_f64() => {
            text.push_str(&format!("{name:<44} {:.2}\n", number.as_f64().unwrap_or_default()));
        }
        Value::String(word) => text.push_str(&format!("{name:<44} {word}\n")),
        other => text.push_str(&format!("{name:<44} {other}\n")),
    }
}

/// The memory of this process in bytes, where the system reports it.
fn resident_bytes() -> u64 {
    memory_bytes("self", "VmRSS:")
}

/// The system's value of that name for a process's memory.
fn memory_bytes(process: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The time that all threads of this process have had, where the system reports it: user and system, in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// The value that so many of a hundred do not exceed, in milliseconds.
fn percentile_ms(sorted_us: &[u64], percent: usize) -> f64 {
    let rank = (sorted_us.len() * percent).div_ceil(100);
    sorted_us.get(rank.saturating_sub(1)).copied().unwrap_or_default() as f64 / 1000.0
}
