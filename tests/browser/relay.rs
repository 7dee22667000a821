//! A relay between the browser and the service, which a test can cut off, and which counts the streams that it carries.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::traffic::{Open, Traffic};

/// The behaviour of the relay. Each change but the one to `Frozen` also ends the open connections.
#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Through,
    Cut,
    Busy,
    Forgetful,
    Frozen,
    Silent,
}

pub(crate) struct Relay {
    pub(crate) address: String,
    pub(crate) traffic: Arc<Traffic>,
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
        let traffic = Arc::new(Traffic::default());
        tokio::spawn(run(listener, own, target, Arc::clone(&traffic), state));
        Relay { address: format!("http://{own}"), traffic, wire }
    }

    /// Refuses connections, as if the app were down.
    pub(crate) fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Every request is answered 503.
    pub(crate) fn be_busy(&self) {
        self.wire.send_replace(Wire::Busy);
    }

    /// The connections that are open carry nothing any more, and do not end. New ones are as usual.
    pub(crate) fn freeze(&self) {
        self.wire.send_replace(Wire::Frozen);
    }

    /// New connections are taken, and their requests never answered. [`freeze`](Relay::freeze) after it keeps them so.
    pub(crate) fn be_silent(&self) {
        self.wire.send_replace(Wire::Silent);
    }

    /// Every request gets through, but no answer to one that counts.
    pub(crate) fn forget_answers(&self) {
        self.wire.send_replace(Wire::Forgetful);
    }

    pub(crate) fn mend(&self) {
        self.wire.send_replace(Wire::Through);
    }
}

async fn run(
    listener: TcpListener,
    own: SocketAddr,
    target: SocketAddr,
    traffic: Arc<Traffic>,
    mut state: watch::Receiver<Wire>,
) {
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
        let connection = traffic.connection();
        tokio::spawn(async move {
            let mut serving = pin!(serve(browser, target, wire, connection));
            loop {
                tokio::select! {
                    () = &mut serving => return,
                    _ = ended.changed() => {}
                }
                let now = *ended.borrow_and_update();
                match now {
                    // Nothing passes anyway, and the browser's end of it is noticed.
                    Wire::Frozen if wire == Wire::Silent => {}
                    Wire::Frozen => {
                        let _ = ended.changed().await;
                        return;
                    }
                    _ => return,
                }
            }
        });
    }
}

async fn serve(mut browser: TcpStream, target: SocketAddr, wire: Wire, mut connection: Open) {
    // Either side may end the connection at any time: the tests rely on that.
    let mut first = vec![0; 4096];
    if wire == Wire::Busy {
        let read = browser.read(&mut first).await.unwrap_or(0);
        connection.refused(&first[..read]);
        let _ = browser.write_all(BUSY.as_bytes()).await;
        let _ = browser.shutdown().await;
        return;
    }
    if wire == Wire::Silent {
        while let Ok(read @ 1..) = browser.read(&mut first).await {
            connection.sent(&first[..read]);
        }
        return;
    }
    let Ok(mut app) = TcpStream::connect(target).await else { return };
    if wire == Wire::Forgetful {
        let read = browser.read(&mut first).await.unwrap_or(0);
        connection.sent(&first[..read]);
        // No other request follows on this connection, so each one is seen here.
        let request = String::from_utf8_lossy(&first[..read]);
        let request = request.replace("Connection: keep-alive", "Connection: close");
        let _ = app.write_all(request.as_bytes()).await;
        if request.starts_with("POST ") || request.starts_with("GET /count?") {
            let _ = app.read(&mut first).await;
            return;
        }
    }
    let (from_browser, mut to_browser) = browser.into_split();
    let (mut from_app, to_app) = app.into_split();
    tokio::select! {
        () = requests(from_browser, to_app, &mut connection) => {}
        _ = copy(&mut from_app, &mut to_browser) => {}
    }
}

/// Passes on what the browser sends, until either side ends the connection.
async fn requests(mut browser: OwnedReadHalf, mut app: OwnedWriteHalf, connection: &mut Open) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = browser.read(&mut bytes).await {
        connection.sent(&bytes[..read]);
        if app.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
