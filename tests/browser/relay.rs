//! A relay between the browser and the service, which a test can cut off.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The behaviour of the relay. Each change also ends the open connections.
#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Through,
    Cut,
    Busy,
    Forgetful,
}

pub(crate) struct Relay {
    pub(crate) address: String,
    wire: watch::Sender<Wire>,
}

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    connection: close\r\n\r\n{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"the store is away\"}";

impl Relay {
    /// A relay to the app at `address`, open.
    pub(crate) async fn to(address: &str) -> Self {
        let target: SocketAddr = address.trim_start_matches("http://").parse().expect("host and port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("an address");
        let (wire, state) = watch::channel(Wire::Through);
        tokio::spawn(run(listener, own, target, state));
        Relay { address: format!("http://{own}"), wire }
    }

    /// Refuses connections, as if the app were down.
    pub(crate) fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Every request is answered 503.
    pub(crate) fn be_busy(&self) {
        self.wire.send_replace(Wire::Busy);
    }

    /// Every request gets through, but no answer to a POST.
    pub(crate) fn forget_answers(&self) {
        self.wire.send_replace(Wire::Forgetful);
    }

    pub(crate) fn mend(&self) {
        self.wire.send_replace(Wire::Through);
    }
}

async fn run(listener: TcpListener, own: SocketAddr, target: SocketAddr, mut state: watch::Receiver<Wire>) {
    let mut listener = Some(listener);
    loop {
        let wire = *state.borrow_and_update();
        if wire == Wire::Cut {
            listener = None;
            if state.changed().await.is_err() {
                return;
            }
            continue;
        }
        if listener.is_none() {
            listener = Some(TcpListener::bind(own).await.expect("the port that was ours"));
        }
        let accepted = tokio::select! {
            accepted = listener.as_ref().expect("just bound").accept() => accepted,
            changed = state.changed() => if changed.is_err() { return } else { continue },
        };
        let (browser, _) = accepted.expect("a connection");
        let mut ended = state.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = serve(browser, target, wire) => {}
                _ = ended.changed() => {}
            }
        });
    }
}

async fn serve(mut browser: TcpStream, target: SocketAddr, wire: Wire) {
    // Either side may end the connection at any time: the tests rely on that.
    let mut first = vec![0; 4096];
    if wire == Wire::Busy {
        let _ = browser.read(&mut first).await;
        let _ = browser.write_all(BUSY.as_bytes()).await;
        let _ = browser.shutdown().await;
        return;
    }
    let Ok(mut app) = TcpStream::connect(target).await else { return };
    if wire == Wire::Forgetful {
        let read = browser.read(&mut first).await.unwrap_or(0);
        let _ = app.write_all(&first[..read]).await;
        if first.starts_with(b"POST ") {
            let _ = app.read(&mut first).await;
            return;
        }
    }
    let _ = copy_bidirectional(&mut browser, &mut app).await;
}
