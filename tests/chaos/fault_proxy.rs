//! A fault proxy for HTTP requests: between an origin and Pushpin's control port, an origin and the purge API, or the cache and an origin.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::request::{Request, answer};
use crate::support::port::Port;

/// What the proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request and its answer are passed on.
    None,
    /// The proxy answers 200 and does not pass the request on, which the sender cannot notice.
    Lose,
    /// The proxy closes the connection and does not pass the request on.
    Cut,
    /// The request is passed on, and the answer is lost.
    LoseAnswer,
    /// The request is passed on after this delay, even if the sender has given up by then.
    Delay(Duration),
    /// The request is passed on, and once more a little later.
    Repeat,
    /// The request is passed on after the next one.
    Swap,
    /// The proxy answers with this status and does not pass the request on.
    Answer(u16),
    /// The proxy keeps the request until the test releases or drops it.
    Hold,
    /// The request is passed on, and the proxy keeps the answer until the test releases or drops it.
    HoldAnswer,
}

type Plan = Box<dyn FnMut(&Request) -> Fault + Send>;

/// A request with a body, recorded for the checker.
pub(crate) struct Record {
    pub(crate) at: Instant,
    pub(crate) body: Vec<u8>,
}

/// The proxy. Ended when dropped.
pub(crate) struct FaultProxy {
    port: Port,
    inner: Arc<Inner>,
    accepting: Option<JoinHandle<()>>,
}

struct Inner {
    to: Mutex<SocketAddr>,
    plan: Mutex<Plan>,
    held: Mutex<Vec<oneshot::Sender<()>>>,
    records: Mutex<Vec<Record>>,
    arrived: Notify,
}

impl FaultProxy {
    /// A proxy that passes everything on, to a server that is named later.
    pub(crate) async fn start() -> FaultProxy {
        let inner = Inner {
            to: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            plan: Mutex::new(Box::new(|_| Fault::None)),
            held: Mutex::default(),
            records: Mutex::default(),
            arrived: Notify::new(),
        };
        let mut proxy = FaultProxy { port: Port::reserve(), inner: Arc::new(inner), accepting: None };
        proxy.come_back().await;
        proxy
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// Names the server.
    pub(crate) fn lead_to(&self, to: SocketAddr) {
        *lock(&self.inner.to) = to;
    }

    /// Sets the function that chooses the fault of each request from now on.
    pub(crate) fn plan(&self, plan: impl FnMut(&Request) -> Fault + Send + 'static) {
        *lock(&self.inner.plan) = Box::new(plan);
    }

    /// Sets the fault of every request from now on.
    pub(crate) fn all(&self, fault: Fault) {
        self.plan(move |_| fault);
    }

    /// Sets the fault of the next `count` requests; later ones are passed on.
    pub(crate) fn next(&self, mut count: usize, fault: Fault) {
        self.plan(move |_| {
            let due = count > 0;
            count = count.saturating_sub(1);
            if due { fault } else { Fault::None }
        });
    }

    /// Refuses new connections from now on; open ones remain.
    pub(crate) fn go_away(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
    }

    /// Accepts new connections again.
    pub(crate) async fn come_back(&mut self) {
        if self.accepting.is_some() {
            return;
        }
        let listener = bind(self.addr()).await;
        let inner = Arc::clone(&self.inner);
        self.accepting = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&inner)));
            }
        }));
    }

    /// Waits until the proxy keeps a request or an answer.
    pub(crate) async fn until_held(&self, within: Duration) {
        let waiting = async {
            loop {
                let arrived = self.inner.arrived.notified();
                if !lock(&self.inner.held).is_empty() {
                    return;
                }
                arrived.await;
            }
        };
        timeout(within, waiting).await.expect("a request to hold");
    }

    /// The number of requests and answers that the proxy keeps.
    pub(crate) fn held(&self) -> usize {
        lock(&self.inner.held).len()
    }

    /// Releases the kept requests and answers.
    pub(crate) fn release(&self) {
        for held in lock(&self.inner.held).drain(..) {
            let _ = held.send(()); // the task that waited may have ended
        }
    }

    /// Drops the kept requests and answers.
    pub(crate) fn discard(&self) {
        lock(&self.inner.held).clear();
    }

    /// Calls a function with the requests so far that had a body.
    pub(crate) fn records<T>(&self, look: impl FnOnce(&[Record]) -> T) -> T {
        look(&lock(&self.inner.records))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.go_away();
    }
}

/// The proxy listens at its own address again; the listener before may hold it for a moment longer.
pub(crate) async fn bind(addr: SocketAddr) -> TcpListener {
    let binding = async {
        loop {
            match TcpListener::bind(addr).await {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(Duration::from_secs(5), binding).await.expect("the proxy's address")
}

async fn serve(mut client: TcpStream, inner: Arc<Inner>) {
    let Some(request) = Request::read(&mut client).await else { return };
    if !request.body.is_empty() {
        lock(&inner.records).push(Record { at: Instant::now(), body: request.body.clone() });
    }
    let fault = (lock(&inner.plan))(&request);
    let arrived = inner.arrived.notified();
    inner.arrived.notify_waiters();
    match fault {
        Fault::None => {}
        Fault::Lose => return reply(client, &answer(200)).await,
        Fault::Answer(status) => return reply(client, &answer(status)).await,
        Fault::Cut => return,
        Fault::Delay(time) => sleep(time).await,
        Fault::Hold => {
            if !inner.hold().await {
                return;
            }
        }
        // The next request goes first; if none comes, this one goes on after a time.
        Fault::Swap => {
            if timeout(Duration::from_secs(1), arrived).await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
        }
        Fault::LoseAnswer | Fault::Repeat | Fault::HoldAnswer => {}
    }
    let to = *lock(&inner.to);
    let answered = request.forward(to).await;
    match fault {
        Fault::LoseAnswer => return,
        Fault::HoldAnswer if !inner.hold().await => return,
        _ => {}
    }
    if let Ok(answer) = answered {
        reply(client, &answer).await;
    }
    if fault == Fault::Repeat {
        sleep(Duration::from_millis(100)).await;
        let _ = request.forward(to).await; // one more is as good as none
    }
}

async fn reply(mut client: TcpStream, answer: &[u8]) {
    let _ = client.write_all(answer).await; // the client may have gone
    let _ = client.shutdown().await;
}

impl Inner {
    /// Returns whether to go on.
    async fn hold(&self) -> bool {
        let (go_on, told) = oneshot::channel();
        lock(&self.held).push(go_on);
        self.arrived.notify_waiters();
        told.await.is_ok()
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
