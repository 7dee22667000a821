//! The servers that are measured, each started from a temporary configuration on a free port, with one worker.

pub(crate) mod bare;
pub(crate) mod livecounter;
pub(crate) mod nchan;
pub(crate) mod pushpin;
pub(crate) mod redis;
pub(crate) mod varnish;
pub(crate) mod webdis;

use tempfile::TempDir;

use crate::process::Server;

/// A server that runs until it is dropped.
pub(crate) struct Peer {
    // The server stands before the directory, so that it ends first.
    server: Server,
    port: u16,
    _directory: TempDir,
}

impl Peer {
    /// The server's port of 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The id of the server's first process.
    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }
}
