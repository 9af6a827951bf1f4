//! The real process, in a folder of its own. Not for how it stops: it is killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A node of its own, in a folder of its own. Both go when the test ends.
pub struct Node {
    child: Child,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Node {
    pub fn start() -> Node {
        let folder = tempfile::tempdir().expect("there is room");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tradewind"))
            .args(["up", "--listen", "127.0.0.1:0", "--workers", "2", "--data"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("ready at http://")?;
            let end = |letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ':';
            Some(address.split(end).next()?.parse().expect("an address"))
        });
        // Read on, so that the node never waits for a reader of what it says.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| println!("node: {line}")));
        Node { child, address: address.expect("the node starts"), _folder: folder }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().expect("the node still runs");
        self.child.wait().expect("it has ended");
    }
}
