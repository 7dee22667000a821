//! A server that records the requests of an origin, in place of a proxy or of the purge API.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;
use tokio::sync::oneshot;

const SOON: Duration = Duration::from_secs(10);
/// The body of every answer.
pub(crate) const SAID: &str = r#"{"msg":"as told"}"#;

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) keys: String,
    pub(crate) body: Value,
}

/// The requests so far, and how the next one is answered.
struct Notes {
    seen: Vec<Arrival>,
    status: u16,
    takes: Duration,
}

/// A server that records its requests and answers with a status that can be changed.
pub(crate) struct Witness {
    pub(crate) addr: SocketAddr,
    notes: web::Data<Mutex<Notes>>,
    stop: Option<ServerHandle>,
}

impl Witness {
    pub(crate) async fn start() -> Self {
        let notes =
            web::Data::new(Mutex::new(Notes { seen: Vec::new(), status: 200, takes: Duration::ZERO }));
        let (ready, started) = oneshot::channel();
        let served = notes.clone();
        std::thread::spawn(move || actix_web::rt::System::new().block_on(serve(served, ready)));
        let (addr, stop) = started.await.expect("a server");
        Witness { addr, notes, stop: Some(stop) }
    }

    /// The GRIP_URL with which an origin publishes to this witness.
    pub(crate) fn grip_url(&self) -> String {
        format!("http://{}/?iss=test&key=a-secret-for-these-tests", self.addr)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("the notes")
    }

    pub(crate) fn seen(&self) -> Vec<Arrival> {
        self.notes().seen.clone()
    }

    pub(crate) fn answer_with(&self, status: u16) {
        self.notes().status = status;
    }

    /// From now on every answer takes this time.
    pub(crate) fn answer_after(&self, takes: Duration) {
        self.notes().takes = takes;
    }

    /// The channels of all items that were published, each with the time and the content, in order.
    pub(crate) fn told(&self) -> Vec<(Instant, String, String)> {
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let content = |item: &Value| text(&item["formats"]["http-stream"], "content");
        let items = |arrival: &Arrival| {
            let items = arrival.body["items"].as_array().into_iter().flatten();
            items.map(|item| (arrival.at, text(item, "channel"), content(item))).collect::<Vec<_>>()
        };
        self.notes().seen.iter().flat_map(items).collect()
    }

    /// The content of the item that was published last, empty if there was none.
    pub(crate) fn last_content(&self) -> String {
        self.told().pop().map(|(_, _, content)| content).unwrap_or_default()
    }

    /// Whether one of the requests from `next` on published this line on a channel. Moves `next` behind the last request, so
    /// that a test that calls this repeatedly looks at each request once.
    pub(crate) fn was_told(&self, next: &mut usize, channel: &str, line: &str) -> bool {
        let seen = &self.notes().seen;
        let says_so = |item: &Value| {
            let content = item["formats"]["http-stream"]["content"].as_str().unwrap_or_default();
            item["channel"] == *channel && content.contains(line)
        };
        let items = seen[*next..].iter().filter_map(|arrival| arrival.body["items"].as_array()).flatten();
        let told = items.into_iter().any(says_so);
        *next = seen.len();
        told
    }

    /// Waits for this number of requests whose path has this end, and returns them.
    pub(crate) async fn arrivals(&self, path: &str, count: usize) -> Vec<Arrival> {
        let mut poll = tokio::time::interval(Duration::from_millis(10));
        let deadline = Instant::now() + SOON;
        loop {
            poll.tick().await;
            let found: Vec<_> =
                self.seen().into_iter().filter(|arrival| arrival.path.ends_with(path)).collect();
            if found.len() >= count {
                return found;
            }
            assert!(Instant::now() < deadline, "only {found:?}");
        }
    }
}

/// Serves until the service is stopped; sends the address and the handle that stops it.
async fn serve(notes: web::Data<Mutex<Notes>>, ready: oneshot::Sender<(SocketAddr, ServerHandle)>) {
    let app = move || App::new().app_data(notes.clone()).default_service(web::to(note));
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").expect("a port");
    let addr = server.addrs()[0];
    let server = server.run();
    let _ = ready.send((addr, server.handle()));
    server.await.expect("to serve");
}

async fn note(notes: web::Data<Mutex<Notes>>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let keys = request.headers().get("surrogate-key").and_then(|keys| keys.to_str().ok());
    let arrival = Arrival {
        at: Instant::now(),
        path: request.path().to_owned(),
        keys: keys.unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let (status, takes) = {
        let mut notes = notes.lock().expect("the notes");
        notes.seen.push(arrival);
        (notes.status, notes.takes)
    };
    if !takes.is_zero() {
        tokio::time::sleep(takes).await;
    }
    HttpResponse::build(StatusCode::from_u16(status).expect("a status")).body(SAID)
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            drop(stop.stop(false));
        }
    }
}
