//! A fault proxy for bytes between the origins and Redis, which it delays, keeps back or cuts off.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::fault_proxy::bind;
use crate::support::port::Port;

/// What the wire does with bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Bytes are passed on at once.
    Well,
    /// Bytes to the server are passed on after this delay.
    Slow(Duration),
    /// The wire keeps all bytes in both directions until the mode changes, and then passes them on.
    Hanging,
    /// The wire keeps the bytes of connections from these addresses.
    HangingFor(Vec<IpAddr>),
}

impl Mode {
    fn hangs_for(&self, peer: IpAddr) -> bool {
        match self {
            Mode::Well | Mode::Slow(_) => false,
            Mode::Hanging => true,
            Mode::HangingFor(peers) => peers.contains(&peer),
        }
    }
}

/// The proxy. Ended when dropped.
pub(crate) struct Wire {
    port: Port,
    mode: Arc<watch::Sender<Mode>>,
    cuts: Arc<watch::Sender<()>>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// A wire to this server.
    pub(crate) async fn start(to: SocketAddr) -> Wire {
        let port = Port::reserve();
        let listener = bind(port.addr()).await;
        let (mode, cuts) = (Arc::new(watch::Sender::new(Mode::Well)), Arc::new(watch::Sender::new(())));
        let (modes, cutting) = (Arc::clone(&mode), Arc::clone(&cuts));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let (mode, mut cut) = (modes.subscribe(), cutting.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(stream, peer.ip(), to, mode) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Wire { port, mode, cuts, accepting }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends all open connections; bytes that are under way are lost.
    pub(crate) fn cut(&self) {
        self.cuts.send_replace(());
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, peer: IpAddr, to: SocketAddr, mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(to).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // When one side closes its connection, the wire closes the other.
    tokio::select! {
        () = pump(from_client, to_server, mode.clone(), peer, true) => {}
        () = pump(from_server, to_client, mode, peer, false) => {}
    }
}

async fn pump(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mode: watch::Receiver<Mode>,
    peer: IpAddr,
    towards_server: bool,
) {
    let (sender, receiver) = mpsc::channel(1024);
    tokio::join!(take(from, sender, mode.clone(), towards_server), give(to, receiver, mode, peer));
}

type Parcel = (Instant, Vec<u8>);

async fn take(
    mut from: OwnedReadHalf,
    sender: mpsc::Sender<Parcel>,
    mode: watch::Receiver<Mode>,
    towards_server: bool,
) {
    loop {
        let mut bytes = Vec::with_capacity(16 * 1024);
        if from.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let late = match *mode.borrow() {
            Mode::Slow(time) if towards_server => time,
            _ => Duration::ZERO,
        };
        if sender.send((Instant::now() + late, bytes)).await.is_err() {
            return;
        }
    }
}

async fn give(
    mut to: OwnedWriteHalf,
    mut receiver: mpsc::Receiver<Parcel>,
    mut mode: watch::Receiver<Mode>,
    peer: IpAddr,
) {
    while let Some((due, bytes)) = receiver.recv().await {
        sleep_until(due).await;
        if mode.wait_for(|mode| !mode.hangs_for(peer)).await.is_err() || to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
