//! Listening sockets, and how many connections the limit of open files allows.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use crate::settings::SettingsError;

/// How many connections may wait to be accepted. Linux allows at most `net.core.somaxconn`, which is 4096 by default.
const BACKLOG: i32 = 4096;

/// How long a client may acknowledge nothing of what the service sends before the system ends the connection: because the
/// client has stopped reading and its buffers are full, or because it has left without closing. Otherwise the service would
/// hold such a stream for a quarter of an hour, or for ever.
#[cfg(target_os = "linux")]
const STUCK_FOR: Duration = Duration::from_secs(20);

/// Open files that are no connections of clients: those of the store, the publisher, the purger and the log.
const OTHER_FILES: u64 = 64;
/// Open files that each worker has besides the connections of clients.
const OTHER_FILES_PER_WORKER: u64 = 16;
/// The most connections, however many files may be open.
const MOST: u64 = 1_000_000;
/// One in so many connections is kept free of streams, so that other requests, also those of operators, find a connection.
const FREE_OF_STREAMS: usize = 10;

/// Listens on an address. Returns it with the port that the system has chosen if 0 was asked for. Accepted connections inherit
/// the options of the socket.
pub(in crate::app) fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    // The standard library listens with a shorter queue. Listening again changes the length of the queue.
    rustix::net::listen(&listener, BACKLOG)?;
    // Without this option an event that follows another one within some 40 ms waits until the client has acknowledged the one before.
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(&listener, STUCK_FOR.as_millis() as u32)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// How many connections clients may have at a time, and how many of them may be streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) struct Capacity {
    pub(in crate::app) connections: NonZeroUsize,
    pub(in crate::app) streams: usize,
}

impl Capacity {
    /// As many connections as `asked` for, or else as many as the limit of open files leaves.
    pub(in crate::app) fn of(
        asked: Option<NonZeroUsize>,
        workers: NonZeroUsize,
    ) -> Result<Self, SettingsError> {
        Capacity::within(getrlimit(Resource::Nofile).current, asked, workers)
    }

    /// `files` is the limit of open files; `None` means that there is no limit.
    fn within(
        files: Option<u64>,
        asked: Option<NonZeroUsize>,
        workers: NonZeroUsize,
    ) -> Result<Self, SettingsError> {
        let others = OTHER_FILES + OTHER_FILES_PER_WORKER * workers.get() as u64;
        let most = files.map_or(MOST, |files| files.saturating_sub(others).min(MOST)) as usize;
        let connections = match asked {
            Some(asked) if asked.get() > most => {
                let problem = format!(
                    "{asked} connections need {} open files, and the limit allows {} (see ulimit -n)",
                    asked.get() as u64 + others,
                    files.unwrap_or(MOST),
                );
                return Err(SettingsError::new("connections.max", problem));
            }
            Some(asked) => asked,
            None => NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN),
        };
        let free = connections.get().div_ceil(FREE_OF_STREAMS);
        Ok(Capacity { connections, streams: connections.get() - free })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(files: u64, asked: usize) -> Result<Capacity, SettingsError> {
        let two = NonZeroUsize::new(2).expect("two");
        Capacity::within(Some(files), NonZeroUsize::new(asked), two)
    }

    fn capacity(connections: usize, streams: usize) -> Result<Capacity, SettingsError> {
        Ok(Capacity { connections: NonZeroUsize::new(connections).expect("some"), streams })
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn accepted_connections_send_each_event_at_once() {
        let (listener, address) = listen(([127, 0, 0, 1], 0).into()).expect("listen");
        let _client = std::net::TcpStream::connect(address).expect("connect");
        let (accepted, _) = listener.accept().expect("accept");
        assert!(accepted.nodelay().expect("the option"));
    }

    #[test]
    fn connections_leave_files_for_the_rest_and_streams_connections() {
        assert_eq!(within(1024, 0), capacity(928, 835));
        assert_eq!(within(1024, 100), capacity(100, 90));
        assert_eq!(within(20, 0), capacity(1, 0));
        assert_eq!(within(u64::MAX, 0), capacity(1_000_000, 900_000));
    }

    #[test]
    fn more_connections_than_files_are_refused() {
        let error = within(1024, 1000).expect_err("a refusal").to_string();
        let expected = "connections.max: 1000 connections need 1096 open files, and the limit allows 1024 (see ulimit -n)";
        assert_eq!(error, expected);
    }
}
