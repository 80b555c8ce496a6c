//! The service manager that has started this process, by systemd's protocol (sd_notify(3)): it
//! learns when the node is ready, that it works, and when it stops.
//!
//! Without `NOTIFY_SOCKET` there is none. A message is one datagram, which is sent or not: a
//! manager that does not read must not block the node.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use thiserror::Error;

/// The environment variable with the socket's address.
pub(crate) const SOCKET: &str = "NOTIFY_SOCKET";

/// The variable with the time after which a silent process is ended, in microseconds, and the one
/// with the process that is meant.
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// The shortest interval of messages.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Why the service manager cannot be told anything.
#[derive(Debug, Error)]
pub(crate) enum ManagerError {
    /// The socket's address is of another kind.
    #[error("{SOCKET} is {0:?}: allowed are a path from / on and an abstract name from @ on")]
    Address(OsString),
    /// The system refuses the address or gives no socket.
    #[error("{SOCKET}: {0}")]
    Socket(#[from] io::Error),
    /// The watchdog's time is not understood.
    #[error("{WATCHDOG} is {0:?}: allowed is a number of microseconds above 0")]
    Watchdog(OsString),
}

/// The service manager that started this process.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names, if there is one.
    ///
    /// # Errors
    ///
    /// [`ManagerError`] if what the environment names cannot be used.
    pub(crate) fn of_environment(
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, ManagerError> {
        let Some(name) = environment(SOCKET).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let address = address(&name)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Some(Self { socket, address, watchdog: watchdog(environment)? }))
    }

    /// How often it is to hear that the node works; `None` if it does not want to.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        // Of three messages two may be late or lost.
        self.watchdog.map(|time| (time / 3).max(LEAST_INTERVAL))
    }

    /// The node can be used.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The node works, if these problems that only another start mends are none.
    pub(crate) fn works_without(&self, problems: &[String]) {
        match problems {
            [] => self.tell("WATCHDOG=1"),
            problems => tracing::error!(
                problems = problems.join("; "),
                "the service manager is not told that the node works, and starts it again"
            ),
        }
    }

    /// The node begins to stop.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        if let Err(error) = self.socket.send_to_addr(state.as_bytes(), &self.address) {
            tracing::warn!(state, %error, "the service manager is not told");
        }
    }
}

fn address(name: &OsStr) -> Result<SocketAddr, ManagerError> {
    match name.as_bytes() {
        [b'/', ..] => Ok(SocketAddr::from_pathname(name)?),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            Ok(SocketAddr::from_abstract_name(name)?)
        }
        _ => Err(ManagerError::Address(name.to_owned())),
    }
}

fn watchdog(
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Duration>, ManagerError> {
    let number = |text: &OsString| text.to_str().and_then(|text| text.parse::<u64>().ok());
    let Some(time) = environment(WATCHDOG) else { return Ok(None) };
    // A child inherits the variables of its parent.
    let of_another = environment(WATCHDOG_PROCESS)
        .is_some_and(|process| number(&process) != Some(std::process::id().into()));
    if of_another {
        return Ok(None);
    }
    match number(&time) {
        None | Some(0) => Err(ManagerError::Watchdog(time)),
        Some(microseconds) => Ok(Some(Duration::from_micros(microseconds))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<ServiceManager>, String> {
        let read = ServiceManager::of_environment(|wanted| {
            let mut all = variables.iter();
            all.find(|(name, _)| *name == wanted).map(|(_, value)| value.into())
        });
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_socket_there_is_no_service_manager() {
        assert!(read(&[(WATCHDOG, "30000000")]).unwrap().is_none());
        assert!(read(&[(SOCKET, "")]).unwrap().is_none());
    }

    #[test]
    fn a_socket_has_a_path_from_the_root_or_an_abstract_name() {
        let long = format!("/{}", "a".repeat(200));
        for (name, said) in [
            ("notify", "allowed are a path from / on"),
            ("vsock:2:1", "allowed are a path from / on"),
            (&long, "NOTIFY_SOCKET: "),
        ] {
            let error = read(&[(SOCKET, name)]).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(read(&[(SOCKET, "/run/notify")]).unwrap().is_some());
        assert!(read(&[(SOCKET, "@notify")]).unwrap().is_some());
    }

    #[test]
    fn a_manager_is_told_that_a_node_works_while_it_has_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ear");
        let ear = UnixDatagram::bind(&path).unwrap();
        ear.set_nonblocking(true).unwrap();
        let manager = read(&[(SOCKET, path.to_str().unwrap())]).unwrap().unwrap();
        let mut message = [0; 64];
        manager.works_without(&["the node of group treasury does not answer".to_owned()]);
        assert_eq!(ear.recv(&mut message).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        manager.works_without(&[]);
        let length = ear.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"WATCHDOG=1");
    }

    #[test]
    fn a_manager_that_reads_nothing_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deaf");
        let _deaf = UnixDatagram::bind(&path).unwrap();
        let manager = read(&[(SOCKET, path.to_str().unwrap())]).unwrap().unwrap();
        // More than the system keeps for it.
        (0..10_000).for_each(|_| manager.ready());
    }

    #[test]
    fn the_watchdog_of_this_process_hears_three_times_within_its_time() {
        let interval = |variables: &[_]| {
            let all = [&[(SOCKET, "@notify")], variables].concat();
            read(&all).map(|manager| manager.unwrap().watchdog())
        };
        let own = std::process::id().to_string();
        let times = [(WATCHDOG, "30000000"), (WATCHDOG_PROCESS, own.as_str())];
        assert_eq!(interval(&times), Ok(Some(Duration::from_secs(10))));
        assert_eq!(interval(&times[..1]), Ok(Some(Duration::from_secs(10))));
        assert_eq!(interval(&[(WATCHDOG, "1")]), Ok(Some(LEAST_INTERVAL)));
        assert_eq!(interval(&[]), Ok(None));
        assert_eq!(interval(&[times[0], (WATCHDOG_PROCESS, "1")]), Ok(None));
        for wrong in ["0", "", "-1", "a minute"] {
            assert!(interval(&[(WATCHDOG, wrong)]).unwrap_err().contains("above 0"), "{wrong}");
        }
    }
}
