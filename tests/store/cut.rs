//! A connection to Redis that can be cut after a command was executed and before its answer arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections on a port of its own to another port.
pub(crate) struct Cut {
    port: u16,
    armed: Arc<AtomicBool>,
}

impl Cut {
    /// In front of a server on `port` of 127.0.0.1.
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("its address").port();
        let armed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&armed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server behind");
                tokio::spawn(forward(client, server, Arc::clone(&flag)));
            }
        });
        Cut { port: own, armed }
    }

    /// The URL of the port, as in `REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Loses the next answer, and cuts its connection.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

async fn forward(client: TcpStream, server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut answer = vec![0; 65536];
    while let Ok(len @ 1..) = from_server.read(&mut answer).await {
        if armed.swap(false, Ordering::SeqCst) || to_client.write_all(&answer[..len]).await.is_err() {
            break;
        }
    }
    asking.abort();
}
