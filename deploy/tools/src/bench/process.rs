//! A node as a fresh process of this binary, on a folder of its own and free loopback ports. Not for a node inside the
//! measuring process: see `live.rs`.

use super::memory_bytes;
use anyhow::{Context, Result, anyhow};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// The lines that are kept of the output of a process.
const LAST_LINES: usize = 5;

/// The options of a node's start.
#[derive(Clone, Copy, Debug)]
pub struct NodeOptions<'a> {
    /// Environment variables: the configuration that differs from the defaults.
    pub variables: &'a [(&'static str, &'static str)],
    /// The most files that it may have open, if not what this process may.
    pub open_files_max: Option<u32>,
    /// The time that it may take to be ready.
    pub ready_within: Duration,
}

/// A node in a process of its own. Dropping it ends it as a power cut would: everything that matters is on the disk.
pub struct Process {
    child: ChildProcess,
    /// The address that HTTP is served at, such as `http://127.0.0.1:8080`.
    pub base: String,
    /// The address that Kafka clients connect to.
    pub kafka: Option<SocketAddr>,
    /// The time that the start took.
    pub took: Duration,
    /// The peak of its memory until it was ready.
    pub peak_bytes: u64,
    /// Its last lines of output.
    last: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it and waits until it is ready.
    pub fn start(folder: &Path, how: NodeOptions<'_>) -> Result<Process> {
        let binary = std::env::current_exe()?;
        let mut command = match how.open_files_max {
            Some(most) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command.args(["up", "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--data"]).arg(folder);
        for (name, _) in node::config::environment() {
            if name.starts_with("TRADEWIND_") {
                command.env_remove(name);
            }
        }
        command.envs(how.variables.iter().copied());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = ChildProcess(command.spawn().context("starting a node")?);
        let stderr = child.0.stderr.take().context("a node says how it is")?;
        let (say, said) = mpsc::sync_channel(1);
        let last = Arc::<Mutex<Vec<String>>>::default();
        let lines = Arc::clone(&last);
        std::thread::spawn(move || listen(stderr, &say, &lines));
        let ready = said.recv_timeout(how.ready_within).context("the node is not ready in time")?;
        let (took, peak_bytes) = (started.elapsed(), memory_bytes(&child.0.id().to_string(), "VmHWM:"));
        let Ready { base, kafka } = ready.map_err(|Silent| anyhow!("the node has ended: {}", joined(&last)))?;
        Ok(Process { child, base, kafka, took, peak_bytes, last })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Its last lines of output.
    pub fn said(&self) -> String {
        joined(&self.last)
    }

    /// Returns true if it runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.0.try_wait(), Ok(None))
    }
}

/// A process that does not outlive this.
struct ChildProcess(Child);

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The addresses of a node that is ready.
struct Ready {
    base: String,
    kafka: Option<SocketAddr>,
}

/// A node that has ended and was never ready.
struct Silent;

/// Reports the addresses of a node once it is ready, or that it never is; keeps reading, so that the node never waits
/// for a reader.
fn listen(stderr: impl std::io::Read, say: &mpsc::SyncSender<Result<Ready, Silent>>, last: &Mutex<Vec<String>>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some(ready) = ready(&line) {
            let _ = say.try_send(Ok(ready));
        }
        let mut last = last.lock().expect("nobody panics while holding it");
        last.push(line);
        if last.len() > LAST_LINES {
            last.remove(0);
        }
    }
    let _ = say.try_send(Err(Silent));
}

fn joined(last: &Mutex<Vec<String>>) -> String {
    last.lock().expect("nobody panics while holding it").join("; ")
}

/// Reads the line that names the addresses of the ready node.
fn ready(line: &str) -> Option<Ready> {
    let (before, at) = line.split_once("ready at http://")?;
    let address = |text: &str| {
        let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ':');
        text[..end.unwrap_or(text.len())].parse::<SocketAddr>().ok()
    };
    let http = address(at)?;
    // The field is before or after the message, by the form of the log.
    let after_name = [before, at].into_iter().find_map(|part| part.split_once("kafka"));
    let kafka = after_name.and_then(|(_, rest)| address(rest.trim_start_matches(['"', ':', '=', ' '])));
    Some(Ready { base: format!("http://{http}"), kafka })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_line_say_where_the_node_is_ready() {
        let lines = [
            r#"{"level":"INFO","message":"ready at http://127.0.0.1:81","epochs":0,"kafka":"127.0.0.1:92"}"#,
            r#"INFO tradewind: ready at http://127.0.0.1:81 epochs=0 seconds=0.1 kafka="127.0.0.1:92""#,
        ];
        for line in lines {
            let Ready { base, kafka } = ready(line).expect("it says so");
            assert_eq!((base.as_str(), kafka), ("http://127.0.0.1:81", "127.0.0.1:92".parse().ok()));
        }
        let none = ready(r#"ready at http://127.0.0.1:81 kafka="none""#).expect("it says so");
        assert_eq!(none.kafka, None);
        assert!(ready("replaying").is_none());
    }
}
