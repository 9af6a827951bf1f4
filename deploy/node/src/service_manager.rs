//! Reports the state of the process to its service manager, if that asked by `NOTIFY_SOCKET` (the protocol of
//! systemd's `sd_notify`). Not for anything that the process itself depends on.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The service manager, if there is one that wants reports.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager(Option<SocketAddr>);

impl ServiceManager {
    /// The one that the environment names: a path, or with `@` in front an abstract name.
    pub fn of(environment: &[(String, String)]) -> ServiceManager {
        let Some((_, name)) = environment.iter().find(|(variable, _)| variable == VARIABLE) else {
            return ServiceManager(None);
        };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None if name.starts_with('/') => SocketAddr::from_pathname(name),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path from the root nor @ and a name")),
        };
        ServiceManager(address.map_err(|error| told_nothing(&error)).ok())
    }

    /// The process does now what it was started for.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The process ends what was begun, and then itself.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        let Some(address) = &self.0 else { return };
        // Never waits: a manager that does not read must not hold up the process.
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.send_to_addr(what.as_bytes(), address)
        });
        if let Err(error) = sent {
            told_nothing(&error);
        }
    }
}

fn told_nothing(error: &io::Error) {
    tracing::warn!(%error, "the service manager at {VARIABLE} cannot be told anything");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 100];
        let read = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    fn manager(name: &str) -> ServiceManager {
        ServiceManager::of(&[("PATH".to_owned(), "/x".to_owned()), (VARIABLE.to_owned(), name.to_owned())])
    }

    #[test]
    fn it_is_told_over_a_path_and_over_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        manager(path.to_str().unwrap()).ready();
        assert_eq!(received(&socket), "READY=1");
        let name = format!("tradewind-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        manager(&format!("@{name}")).stopping();
        assert_eq!(received(&socket), "STOPPING=1");
    }

    #[test]
    fn nobody_is_told_where_nobody_asked_or_listens() {
        assert!(ServiceManager::of(&[("PATH".to_owned(), "/x".to_owned())]).0.is_none());
        assert!(manager("notify").0.is_none(), "a name is no path from the root");
        assert!(manager("").0.is_none());
        manager("/nowhere/at/all").ready();
    }
}
