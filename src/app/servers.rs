//! The sockets that the service listens on, and the servers behind them: one for clients, and one for operators if
//! `ops.listen` is set.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;

use actix_server::{Server, ServerHandle};

use super::error::StartError;
use super::server::{ServerOptions, listen, serve};
use super::worker_factory::WorkerFactory;
use crate::http::Occupancy;
use crate::settings::Settings;

/// The largest number of connections that operators may have at a time.
const OPS_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// What chooses the address for clients, and that for operators.
const BY_FLAG: &str = "--listen";
const BY_OPS_SETTING: &str = "ops.listen";

/// A listening socket and its address.
type Socket = (TcpListener, SocketAddr);

/// The listening sockets, before a server accepts their connections.
pub(super) struct Sockets {
    public: Socket,
    ops: Option<Socket>,
}

impl Sockets {
    /// Listens on the addresses of the settings.
    pub(super) fn listen(settings: &Settings) -> Result<Self, StartError> {
        let listen_on = |address, by| listen(address).map_err(|error| StartError::Listen(address, error, by));
        let public = listen_on(settings.listen, BY_FLAG)?;
        let ops = settings.ops_listen.map(|address| listen_on(address, BY_OPS_SETTING));
        Ok(Sockets { public, ops: ops.transpose()? })
    }

    /// The address to which clients connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.public.1
    }

    /// Makes a server for each socket. The server for operators has a worker of its own; its connections are not counted.
    pub(super) fn serve(
        self,
        worker: WorkerFactory,
        options: ServerOptions,
        occupancy: Arc<Occupancy>,
    ) -> Result<Servers, StartError> {
        let ops = match self.ops {
            Some((socket, address)) => {
                let options =
                    ServerOptions { workers: NonZeroUsize::MIN, connections: OPS_CONNECTIONS, ..options };
                let worker = worker.clone();
                let server = serve(socket, options, None, move |config| worker.serve_ops(config));
                Some((server.map_err(|error| StartError::Listen(address, error, BY_OPS_SETTING))?, address))
            }
            None => None,
        };
        let (socket, address) = self.public;
        let metrics = ops.is_none();
        let public =
            serve(socket, options, Some(occupancy), move |config| worker.serve_public(config, metrics))
                .map_err(|error| StartError::Listen(address, error, BY_FLAG))?;
        Ok(Servers { public, address, ops })
    }
}

/// The servers, which serve when [`run`](Self::run) is called.
pub(super) struct Servers {
    public: Server,
    /// The address to which clients connect.
    pub(super) address: SocketAddr,
    /// The server for operators. It serves even if clients have taken all connections of the server for clients.
    ops: Option<(Server, SocketAddr)>,
}

impl Servers {
    /// The address to which operators connect, if there is a server for them.
    pub(super) fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref().map(|(_, address)| *address)
    }

    /// Returns the handle that stops the server for clients; then [`run`](Self::run) returns, too.
    pub(super) fn handle(&self) -> ServerHandle {
        self.public.handle()
    }

    /// Serves until the server for clients is stopped. The server for operators stops after the server for clients, so that operators can
    /// watch the last requests finish.
    pub(super) async fn run(self) -> io::Result<()> {
        let ops = self.ops.map(|(server, _)| (server.handle(), actix_web::rt::spawn(server)));
        let ended = self.public.await;
        if let Some((handle, running)) = ops {
            handle.stop(true).await;
            // An error of the server for operators is ignored here, because that server was told to stop.
            let _ = running.await;
        }
        ended
    }
}
