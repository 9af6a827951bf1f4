//! A node on a folder of its own: started, asked, killed, started again.

use super::{Api, Program, ProgramExit};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;

/// The way a node is run. None of it may change an answer.
#[derive(Clone, Debug, Default)]
pub struct Way {
    pub workers: Option<u32>,
    /// An address; a free port unless given.
    pub listen: Option<String>,
    /// An address or `none`; a free port unless given.
    pub kafka_listen: Option<String>,
    /// Environment variables.
    pub variables: Vec<(&'static str, String)>,
    /// A line of shell that puts the binary, `"$0" "$@"`, in its own place.
    pub shell: Option<String>,
}

impl Way {
    /// With that many workers.
    pub fn workers(workers: u32) -> Way {
        Way { workers: Some(workers), ..Way::default() }
    }
}

/// A node and its folder. Requests go to the node: it is a client of it.
pub struct TestEnv {
    folder: TempDir,
    program: Program,
    api: Api,
}

impl TestEnv {
    /// A node on an empty folder, ready.
    pub fn start() -> TestEnv {
        TestEnv::start_as(&Way::default())
    }

    /// The same, run that way.
    pub fn start_as(way: &Way) -> TestEnv {
        TestEnv::start_in(TempDir::with_prefix("tradewind-test-").expect("there is room for a folder"), way)
    }

    /// A node on that folder, ready.
    pub fn start_in(folder: TempDir, way: &Way) -> TestEnv {
        let program = spawn(folder.path(), way);
        let api = Api::new(&ready(&program));
        TestEnv { program, api, folder }
    }

    /// The place where its state is.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Another client, with connections of its own.
    pub fn client(&self) -> Api {
        Api::new(self.api.base())
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) -> ProgramExit {
        self.program.end()
    }

    /// Tells it to stop, and waits until it has; it must say that all is well.
    pub fn stop(&mut self) -> ProgramExit {
        self.program.signal("TERM");
        let ended = self.program.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended
    }

    /// Starts it again on the same folder, and waits until it is ready.
    pub fn restart(&mut self, way: &Way) {
        self.begin(way);
        self.wait_ready();
    }

    /// Starts it again on the same folder.
    pub fn begin(&mut self, way: &Way) {
        self.program.kill();
        self.program = spawn(self.folder.path(), way);
        if let Some(listen) = &way.listen {
            self.api = Api::new(&format!("http://{listen}"));
        }
    }

    /// Waits until it may be asked.
    pub fn wait_ready(&mut self) {
        self.api = Api::new(&ready(&self.program));
    }

    /// Waits until the probe says so, from epoch to epoch or second to second.
    pub fn until_ready(&self, expected: bool) {
        let deadline = Instant::now() + super::program::PATIENCE;
        loop {
            let answer = self.get("/health/ready");
            let body = answer.json();
            assert_eq!((answer.status == 200, body["why"].is_null()), (body["ready"] == true, body["ready"] == true));
            if body["ready"] == expected {
                return;
            }
            assert!(Instant::now() < deadline, "the node stays as it is: {body}");
            let next = (answer.epoch() + 1).to_string();
            self.call("GET", "/api/v1/epochs/latest", &[("tradewind-min-epoch", &next), ("prefer", "wait=1")], "");
        }
    }

    /// The digest of each view, and of all together, at the newest epoch.
    pub fn digests(&self) -> BTreeMap<String, String> {
        self.digests_of("latest").1
    }

    /// The same of `latest` or an epoch that the node still has, with its number.
    pub fn digests_of(&self, epoch: &str) -> (u64, BTreeMap<String, String>) {
        let found = self.get(&format!("/api/v1/epochs/{epoch}")).ok().json();
        let views = found["views"].as_object().expect("an object");
        let text = |value: &Value| value.as_str().expect("a digest").to_owned();
        let views = views.iter().map(|(name, view)| (name.clone(), text(&view["digest"])));
        let all = views.chain([("total".to_owned(), text(&found["digest"]))]).collect();
        (found["epoch"].as_u64().expect("an epoch"), all)
    }

    /// Asserts that nothing is violated, and returns the epoch.
    pub fn assert_sound(&self) -> u64 {
        let answer = self.get("/api/v1/invariants").ok();
        assert_sound(&answer.json(), answer.epoch());
        answer.epoch()
    }
}

impl Deref for TestEnv {
    type Target = Api;
    fn deref(&self) -> &Api {
        &self.api
    }
}

/// Asserts that the body of `/invariants` has checks, and that none of them is violated.
pub fn assert_sound(body: &Value, epoch: u64) {
    let checks = body["data"].as_array().expect("a list");
    assert!(!checks.is_empty(), "there are checks");
    for check in checks {
        let found = (&check["violations"], &check["first_violation"]);
        assert_eq!(found, (&Value::from(0), &Value::Null), "at epoch {epoch}: {check}");
        assert!(check["name"].is_string() && check["checked"].is_u64(), "{check}");
    }
}

fn spawn(data: &Path, way: &Way) -> Program {
    let Way { workers, listen, kafka_listen, variables, shell } = way;
    // Beside the folder they would outlive the test.
    let secrets = ("TRADEWIND_AUTH_SECRETS_DIR", data.join("secrets").display().to_string());
    let variables = &[variables.clone(), vec![secrets]].concat();
    let (data, workers) = (data.display().to_string(), workers.map(|workers| workers.to_string()));
    let listen = listen.as_deref().unwrap_or("127.0.0.1:0");
    let mut arguments = vec!["up", "--data", &data, "--listen", listen];
    // Any number of nodes are tested at once, and none takes a port that somebody else may want.
    arguments.extend(["--kafka-listen", kafka_listen.as_deref().unwrap_or("127.0.0.1:0")]);
    if let Some(workers) = &workers {
        arguments.extend(["--workers", workers]);
    }
    match shell {
        Some(line) => Program::start_from_shell(line, &arguments, variables),
        None => Program::start(&arguments, variables),
    }
}

/// The place where the node says that it may be asked.
fn ready(program: &Program) -> String {
    let found = program.said("ready at ");
    found.unwrap_or_else(|| panic!("the node did not become ready; it said:\n{}", program.stderr()))
}
