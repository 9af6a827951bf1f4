//! A real Apache Kafka for tests: one node on loopback, from jars that Maven fetches once into the build's folder, or the
//! one that `TRADEWIND_TEST_KAFKA=HOST:PORT` names. Where there is neither, tests say that they are skipped and why, and
//! fail if `TRADEWIND_TEST_NO_SKIP=1`. Not for production.
//!
//! A broker ends with the process that started it, however that ends: a shell waits for that process's end of a pipe.

use super::free_port;
use crate::log::lock;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant, SystemTime};

/// The version in the pom.
const VERSION: &str = "4.3.1";
const POM: &str = include_str!("broker/pom.xml");
const PROPERTIES: &str = include_str!("broker/server.properties");
const LOGGING: &str = include_str!("broker/log4j2.properties");
/// The broker's log line when it can be asked.
const STARTED: &str = "Kafka Server started";
/// The time that fetching the jars may take.
const FETCH_MAX: Duration = Duration::from_secs(600);
/// The time that a broker may take to start.
const START_MAX: Duration = Duration::from_secs(120);

/// A broker.
pub struct Broker {
    address: String,
    own: Option<Own>,
}

/// The parts of a broker that we started.
struct Own {
    libs: PathBuf,
    folder: PathBuf,
    process: Mutex<Option<Child>>,
    /// Ends the process whose number it was told last, and clears the folder, when this is closed.
    warden: Mutex<(Option<ChildStdin>, Child)>,
}

impl Broker {
    /// One for all tests of this process; none if there is none to be had, which is then reported.
    pub fn shared() -> Option<&'static Broker> {
        static SHARED: OnceLock<Option<Broker>> = OnceLock::new();
        let start = || match std::env::var("TRADEWIND_TEST_KAFKA") {
            Ok(address) => Some(Broker { address, own: None }),
            Err(_) => start_or_skip(),
        };
        SHARED.get_or_init(start).as_ref()
    }

    /// One of the test's own, which may be killed; none if there is none to be had, which is then reported.
    pub fn start() -> Option<Broker> {
        start_or_skip()
    }

    /// `HOST:PORT`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends a broker of the test's own as a power cut would.
    pub fn kill(&self) {
        if let Some(own) = &self.own
            && let Some(mut process) = lock(&own.process).take()
        {
            // It may have ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again, and waits until it can be asked. Meanwhile its ports are anybody's, so that it may have to wait.
    pub fn restart(&self) {
        let own = self.own.as_ref().expect("only a broker of the test's own is started again");
        let deadline = Instant::now() + START_MAX;
        loop {
            self.kill();
            match own.start() {
                Ok(()) => return,
                Err(error) => assert!(Instant::now() < deadline, "the broker does not start again: {error}"),
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        if let Some(own) = &self.own {
            let (stdin, warden) = &mut *lock(&own.warden);
            drop(stdin.take());
            let _ = warden.wait();
        }
    }
}

/// The folder of the jars, in which Kafka's own clients are too.
pub fn libs() -> io::Result<PathBuf> {
    fetched(&format!("kafka-{VERSION}"), POM)
}

fn start_or_skip() -> Option<Broker> {
    match start() {
        Ok(broker) => Some(broker),
        Err(error) => {
            let why = format!("there is no Apache Kafka to test against, and TRADEWIND_TEST_KAFKA names none: {error}");
            assert!(std::env::var_os("TRADEWIND_TEST_NO_SKIP").is_none_or(|value| value != "1"), "{why}");
            // Written past the test harness, which keeps what passing tests print to itself.
            let _ = io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes());
            None
        }
    }
}

fn start() -> io::Result<Broker> {
    static NUMBER: Mutex<u32> = Mutex::new(0);
    let number = {
        let mut number = lock(&NUMBER);
        *number += 1;
        *number
    };
    let libs = libs()?;
    let folder = kept(&format!("kafka-{VERSION}"))?.join("runs").join(format!("{}-{number}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (broker, controller) = (free_port()?.to_string(), free_port()?.to_string());
    let properties = PROPERTIES.replace("BROKER_PORT", &broker).replace("CONTROLLER_PORT", &controller);
    fs::write(folder.join("server.properties"), properties)?;
    fs::write(folder.join("log4j2.properties"), LOGGING)?;
    let script = "while read -r line; do pid=$line; done; kill -9 \"$pid\" 2>/dev/null; rm -rf \"$1\"";
    let mut warden = Command::new("sh");
    warden.args(["-c", script, "sh"]).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut warden = warden.spawn()?;
    let warden = Mutex::new((warden.stdin.take(), warden));
    let own = Own { libs, folder, process: Mutex::default(), warden };
    run(own
        .java()
        .args(["kafka.tools.StorageTool", "format", "--standalone", "-c", "server.properties", "-t"])
        .arg(id()))?;
    own.start()?;
    Ok(Broker { address: format!("127.0.0.1:{broker}"), own: Some(own) })
}

impl Own {
    fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.current_dir(&self.folder).args(["-Xms128m", "-Xmx512m", "-Djava.awt.headless=true"]);
        // It runs for seconds: what pays off later costs most of a start.
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
        java.arg("-Dlog4j2.configurationFile=file:log4j2.properties").arg("-cp").arg(self.libs.join("*"));
        java.stdin(Stdio::null());
        java
    }

    /// Starts the process, and waits until the broker can be asked.
    fn start(&self) -> io::Result<()> {
        let mut java = self.java();
        java.args(["kafka.Kafka", "server.properties"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = java.spawn()?;
        if let (Some(stdin), _) = &mut *lock(&self.warden) {
            writeln!(stdin, "{}", process.id())?;
        }
        let lines = BufReader::new(process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
        *lock(&self.process) = Some(process);
        let (tell, told) = mpsc::sync_channel(1);
        // Reads on, so that the broker never waits for a reader of what it says.
        std::thread::spawn(move || {
            let mut said = String::new();
            for line in lines.map_while(Result::ok) {
                if line.contains(STARTED) {
                    let _ = tell.try_send(Ok(()));
                }
                if said.len() < 10_000 {
                    said += &(line + "\n");
                }
            }
            let _ = tell.try_send(Err(io::Error::other(format!("the broker has ended: {said}"))));
        });
        told.recv_timeout(START_MAX).unwrap_or_else(|_| Err(io::Error::other("the broker does not start")))
    }
}

/// The folder of that name that is kept between runs, in the folder of all that is built.
fn kept(name: &str) -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // A test is `target/debug/deps/NAME`.
    let target = program.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?;
    let kept = target.join(name);
    fs::create_dir_all(&kept)?;
    Ok(kept)
}

/// The folder of the jars that a pom names, kept under that name, and fetched if they are not there. Maven holds them
/// against the registry's checksums.
pub fn fetched(name: &str, pom: &str) -> io::Result<PathBuf> {
    let cache = kept(name)?;
    let libs = cache.join("libs");
    if libs.is_dir() {
        return Ok(libs);
    }
    // The process that is first to have them all names them so.
    let fetched = cache.join(format!("fetched-{}", std::process::id()));
    let file = cache.join("pom.xml");
    fs::write(&file, pom)?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "--strict-checksums", "dependency:copy-dependencies", "-DincludeScope=runtime", "-f"]);
    maven.arg(&file).arg(format!("-DoutputDirectory={}", fetched.display())).stdin(Stdio::null());
    run(&mut maven)?;
    if fs::rename(&fetched, &libs).is_err() {
        fs::remove_dir_all(&fetched)?;
    }
    Ok(libs)
}

/// Runs it to its end, with an error that has what it said.
fn run(command: &mut Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let told = |error| io::Error::other(format!("{name}: {error}"));
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(told)?;
    let id = process.id();
    let (send, ended) = mpsc::sync_channel(1);
    std::thread::spawn(move || send.send(process.wait_with_output()));
    let Ok(output) = ended.recv_timeout(FETCH_MAX) else {
        let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        return Err(io::Error::other(format!("{name} does not end")));
    };
    let output = output?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{name}: {}", String::from_utf8_lossy(&said))))
}

/// An id for a cluster that no other has.
fn id() -> String {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let mut bytes = (since << 32 | u128::from(std::process::id())).to_be_bytes();
    // It must not begin like an option.
    bytes[0] = 0x40;
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Waits for something of the broker's, looking again and again.
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + START_MAX;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
