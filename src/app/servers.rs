//! The sockets that the service listens on, and the servers behind them: one for clients, and one for operators if
//! `ops.listen` is set.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;

use actix_server::{Server, ServerHandle};

use super::error::StartError;
use super::server::{ServerOptions, listen, serve};
use super::worker_factory::WorkerFactory;
use crate::settings::Settings;

/// How many connections operators may have at a time.
const OPS_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// A listening socket and its address.
type Socket = (TcpListener, SocketAddr);

/// The sockets, before anything accepts their connections.
pub(super) struct Sockets {
    public: Socket,
    ops: Option<Socket>,
}

impl Sockets {
    /// Listens on the addresses of the settings.
    pub(super) fn listen(settings: &Settings) -> Result<Self, StartError> {
        let listen_on = |address| listen(address).map_err(|error| StartError::Listen(address, error));
        let public = listen_on(settings.listen)?;
        Ok(Sockets { public, ops: settings.ops_listen.map(listen_on).transpose()? })
    }

    /// Where clients connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.public.1
    }

    /// Puts a server behind each socket. The one for operators has a worker of its own.
    pub(super) fn serve(self, worker: WorkerFactory, options: ServerOptions) -> Result<Servers, StartError> {
        let ops = match self.ops {
            Some((socket, address)) => {
                let options =
                    ServerOptions { workers: NonZeroUsize::MIN, connections: OPS_CONNECTIONS, ..options };
                let worker = worker.clone();
                let server = serve(socket, options, move |config| worker.serve_ops(config));
                Some((server.map_err(|error| StartError::Listen(address, error))?, address))
            }
            None => None,
        };
        let (socket, address) = self.public;
        let metrics = ops.is_none();
        let public = serve(socket, options, move |config| worker.serve_public(config, metrics))
            .map_err(|error| StartError::Listen(address, error))?;
        Ok(Servers { public, address, ops })
    }
}

/// The servers; they serve when they are run.
pub(super) struct Servers {
    public: Server,
    /// Where clients connect.
    pub(super) address: SocketAddr,
    /// The server for operators serves even if clients have taken all connections of the other.
    ops: Option<(Server, SocketAddr)>,
}

impl Servers {
    /// Where operators connect, if there is a server for them.
    pub(super) fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref().map(|(_, address)| *address)
    }

    /// Stops the server for clients, and so [`run`](Self::run).
    pub(super) fn handle(&self) -> ServerHandle {
        self.public.handle()
    }

    /// Serves until the server for clients is stopped. The server for operators ends after it, so that operators can watch
    /// the last requests finish.
    pub(super) async fn run(self) -> io::Result<()> {
        let ops = self.ops.map(|(server, _)| (server.handle(), actix_web::rt::spawn(server)));
        let ended = self.public.await;
        if let Some((handle, running)) = ops {
            handle.stop(true).await;
            // How the server for operators has ended changes nothing: it was told to end.
            let _ = running.await;
        }
        ended
    }
}
