//! What a process manager relies on: SIGHUP reads the configuration again and ends nothing, and a manager that asks is told
//! when the node is ready and when it stops. Not for how it stops: see `faults::stop`.

use super::{Api, Program};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use tempfile::TempDir;

fn start(folder: &Path, variables: &[(&str, String)]) -> Program {
    let text = |path: &str| folder.join(path).display().to_string();
    let listen = ["--listen", "127.0.0.1:0", "--kafka-listen", "none"];
    let (data, file) = (text("data"), text("shop.toml"));
    let arguments = [&["up", "--data", &data, "--config", &file][..], &listen].concat();
    Program::start(&arguments, variables)
}

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("shop.toml"), text).expect("the folder is ours");
}

#[test]
fn a_hangup_reads_the_log_level_again_and_ends_nothing() {
    let folder = TempDir::new().expect("there is room for a folder");
    write(folder.path(), "[telemetry]\nlog_level = \"info\"\n");
    let mut node = start(folder.path(), &[]);
    let base = node.said("ready at ").expect("the node starts");
    write(folder.path(), "[telemetry]\nlog_level = \"warn\"\n\n[serving]\nwait_s = 3\n");
    node.signal("HUP");
    // A mistake changes nothing.
    write(folder.path(), "[telemetry]\nlog_level = \"loud\"\n");
    node.signal("HUP");
    node.said("telemetry.log_level cannot be loud").expect("it complains");
    write(folder.path(), "[telemetry]\nlog_level = \"debug\"\n\n[serving]\nwait_s = 3\n");
    node.signal("HUP");
    node.said("the configuration was read again").expect("it says so");
    let said = node.stderr();
    assert!(said.contains("serving.wait_s") && said.contains("Debug"), "{said}");
    assert!(Api::new(&base).get("/health/ready").status == 200, "it goes on");
    node.signal("TERM");
    let ended = node.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

fn received(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 100];
    let read = socket.recv(&mut bytes).expect("the node tells");
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

#[test]
fn a_service_manager_is_told_when_the_node_is_ready_and_when_it_stops() {
    let folder = TempDir::new().expect("there is room for a folder");
    write(folder.path(), "");
    let path = folder.path().join("notify");
    let name = format!("tradewind-test-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
    let sockets = [
        (path.display().to_string(), UnixDatagram::bind(&path).expect("the folder is ours")),
        (format!("@{name}"), UnixDatagram::bind_addr(&abstract_name).expect("the name is free")),
    ];
    for (address, socket) in sockets {
        socket.set_read_timeout(Some(super::program::PATIENCE)).expect("it can be bounded");
        let mut node = start(folder.path(), &[("NOTIFY_SOCKET", address)]);
        assert_eq!(received(&socket), "READY=1");
        let base = node.said("ready at ").expect("it says so too");
        assert_eq!(Api::new(&base).get("/health/ready").status, 200);
        node.signal("TERM");
        assert_eq!(received(&socket), "STOPPING=1");
        assert_eq!(node.end().code, Some(0));
    }
}
