//! A run of the binary: what it prints, how it ends. Ended for certain when the test is done with it.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The time that anything may take before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A running program.
pub struct Program {
    child: Child,
    stdout: Arc<PrintedOutput>,
    stderr: Arc<PrintedOutput>,
}

/// A program that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramExit {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// The binary with these arguments, and of our variables only these.
    pub fn start(arguments: &[&str], variables: &[(&str, String)]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
        command.args(arguments);
        Program::spawn(command, variables)
    }

    /// The same, from a line of shell that puts itself in the binary's place.
    pub fn start_from_shell(line: &str, arguments: &[&str], variables: &[(&str, String)]) -> Program {
        let mut command = Command::new("sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_tradewind")]).args(arguments);
        Program::spawn(command, variables)
    }

    fn spawn(mut command: Command, variables: &[(&str, String)]) -> Program {
        for (name, _) in node::config::environment() {
            if name.starts_with("TRADEWIND_") {
                command.env_remove(name);
            }
        }
        command.envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let stdout = PrintedOutput::of(child.stdout.take().expect("it was asked for"));
        let stderr = PrintedOutput::of(child.stderr.take().expect("it was asked for"));
        Program { child, stdout, stderr }
    }

    /// Runs the binary to its end.
    pub fn run(arguments: &[&str]) -> ProgramExit {
        Program::start(arguments, &[]).end()
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self) -> ProgramExit {
        for printed in [&self.stdout, &self.stderr] {
            if printed.wait_for(|text| text.has_ended.then_some(())).is_none() {
                panic!("the program does not end; it said:\n{}", self.stderr.text());
            }
        }
        let status = self.child.wait().expect("a program that closed its outputs ends");
        ProgramExit { code: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// Waits for the end of a line on standard error that begins somewhere with `start`.
    pub fn said(&self, start: &str) -> Option<String> {
        let found = self.stderr.wait_for(|text| match text.after(start) {
            None if text.has_ended => Some(None),
            None => None,
            Some(found) => Some(Some(found)),
        });
        found.flatten()
    }

    /// Everything on standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status();
        assert!(sent.expect("there is a shell").success(), "the program can be signalled");
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Ok(Some(status)) = self.child.try_wait() {
                // What it said last may not be here yet.
                self.stderr.wait_for(|text| text.has_ended.then_some(()));
                println!("process {} ended with {status}", self.child.id());
            }
            println!("process {} said:\n{}", self.child.id(), self.stderr.text());
        }
        self.kill();
    }
}

/// The output that a program writes to one of its outputs, as it comes.
#[derive(Default)]
struct PrintedOutput {
    text: Mutex<Text>,
    more: Condvar,
}

#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Text {
    /// What follows `start`, up to the end of its line or to a quotation mark.
    fn after(&self, start: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let rest = &text[text.find(start)? + start.len()..];
        let end = rest.find(['\n', '"'])?;
        Some(rest[..end].trim_end().to_owned())
    }
}

impl PrintedOutput {
    fn of(mut pipe: impl Read + Send + 'static) -> Arc<PrintedOutput> {
        let printed = Arc::new(PrintedOutput::default());
        let ours = Arc::clone(&printed);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = pipe.read(&mut buffer).unwrap_or(0);
                let mut text = ours.lock();
                text.bytes.extend_from_slice(&buffer[..read]);
                text.has_ended = read == 0;
                ours.more.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        printed
    }

    fn lock(&self) -> MutexGuard<'_, Text> {
        self.text.lock().expect("nobody panics while holding this")
    }

    fn wait_for<T>(&self, found: impl Fn(&Text) -> Option<T>) -> Option<T> {
        let waited = self.more.wait_timeout_while(self.lock(), PATIENCE, |text| found(text).is_none());
        found(&waited.expect("nobody panics while holding this").0)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }
}
