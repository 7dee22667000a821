//! A small origin that answers as the service does, so that the configurations of Pushpin and the cache are tested by themselves. It records
//! its requests, and fails when a test asks for it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::raw;

/// A request as it arrived; /healthz is not recorded.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    head: String,
    peer: SocketAddr,
}

impl Request {
    /// The value of a header, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        raw::header(&self.head, name)
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// The origin's answers, and the requests that it has received.
#[derive(Debug)]
struct OriginState {
    value: i64,
    surrogate_control: String,
    failing: bool,
    failing_recoveries: bool,
    requests: Vec<Request>,
}

/// A running origin, ended when dropped. Every answer closes its connection.
pub(crate) struct Origin {
    addr: SocketAddr,
    state: Arc<Mutex<OriginState>>,
    serving: JoinHandle<()>,
}

impl Origin {
    pub(crate) async fn start() -> Origin {
        Origin::at("127.0.0.1:0".parse().expect("an address")).await
    }

    /// Starts the origin at this address, also where another one has been before.
    pub(crate) async fn at(addr: SocketAddr) -> Origin {
        let listener = TcpListener::bind(addr).await.expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let surrogate_control = "max-age=600, stale-if-error=86400".to_owned();
        let state = OriginState {
            value: 26,
            surrogate_control,
            failing: false,
            failing_recoveries: false,
            requests: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                tokio::spawn(serve(stream, peer, shared.clone()));
            }
        });
        Origin { addr, state, serving }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sets the value without publishing it.
    pub(crate) fn set_value(&self, value: i64) {
        self.lock().value = value;
    }

    /// From now on the origin answers every request but /healthz with 500.
    pub(crate) fn fail(&self) {
        self.lock().failing = true;
    }

    /// From now on the origin answers every recovery with 500.
    pub(crate) fn fail_recoveries(&self) {
        self.lock().failing_recoveries = true;
    }

    /// Answers again.
    pub(crate) fn mend(&self) {
        let mut state = self.lock();
        (state.failing, state.failing_recoveries) = (false, false);
    }

    pub(crate) fn set_surrogate_control(&self, text: &str) {
        self.lock().surrogate_control = text.to_owned();
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// The requests of clients: all but Pushpin's recoveries, the first of which comes a second after a channel's first subscription.
    pub(crate) fn of_clients(&self) -> Vec<Request> {
        let is_of_pushpin =
            |request: &Request| request.path.ends_with("/recover") && !request.header("grip-last").is_empty();
        self.requests().into_iter().filter(|request| !is_of_pushpin(request)).collect()
    }

    /// How many requests there were with this method.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.lock().requests.iter().filter(|request| request.method == method).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, OriginState> {
        self.state.lock().expect("no test thread has panicked with it")
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, peer: SocketAddr, state: Arc<Mutex<OriginState>>) {
    let Some(request) = read(&mut stream, peer).await else { return };
    let answer = answer(&request, &state);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream, peer: SocketAddr) -> Option<Request> {
    let (head, _) = raw::read_request(stream).await?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Request { method, path, head, peer })
}

fn answer(request: &Request, state: &Mutex<OriginState>) -> String {
    if request.path == "/healthz" {
        return response("200 OK", "", "ok");
    }
    let mut state = state.lock().expect("no test thread has panicked with it");
    state.requests.push(request.clone());
    let is_recovery = request.path.starts_with("/counters/2/recover");
    if state.failing || (state.failing_recoveries && is_recovery) {
        return response("500 Internal Server Error", "Cache-Control: no-store\r\n", "");
    }
    if request.method == "POST" {
        state.value += 1;
        return response("200 OK", "Cache-Control: no-store\r\n", &format!("{}\n", state.value));
    }
    let value = state.value;
    let event = event(value);
    let hold = format!(
        "Content-Type: text/event-stream\r\nGrip-Hold: stream\r\nGrip-Channel: counter-2; prev-id=e-{value}\r\n\
         Grip-Keep-Alive: :\\n; format=cstring; timeout=20\r\n\
         Grip-Link: </counters/2/recover>; rel=next; timeout=60\r\n"
    );
    if is_recovery {
        let current = request.header("grip-last").ends_with(&format!("last-id=e-{value}"));
        let body = if current { "" } else { &event };
        return response("200 OK", &format!("Cache-Control: no-store\r\n{hold}"), body);
    }
    let accept = request.header("accept");
    let (kind, body) = if accept.contains("text/event-stream") {
        (hold, event)
    } else if accept.contains("application/json") {
        ("Content-Type: application/json\r\n".to_owned(), format!("{{\"id\":\"2\",\"value\":{value}}}"))
    } else {
        ("Content-Type: text/plain\r\n".to_owned(), format!("{value}\n"))
    };
    let caching = match state.surrogate_control.as_str() {
        "" => String::new(),
        control => format!("Surrogate-Control: {control}\r\nSurrogate-Key: counter-2\r\n"),
    };
    response("200 OK", &format!("Vary: Accept\r\nCache-Control: no-cache\r\n{caching}{kind}"), &body)
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// The content of the item that publishes a value.
pub(crate) fn event(value: i64) -> String {
    format!("id: 2@e-{value}\nevent: message\ndata: {value}\n\n")
}
