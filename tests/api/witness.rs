//! A server that notes what an origin sends it, in place of a proxy or of the purge API.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);
/// What it says, whatever the status.
pub(crate) const SAID: &str = r#"{"msg":"as told"}"#;

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) keys: String,
    pub(crate) body: Value,
}

/// A server that notes what it is sent and answers with a status that can be changed.
pub(crate) struct Witness {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Arrival>>>,
    status: Arc<Mutex<u16>>,
    takes: Arc<Mutex<Duration>>,
    stop: Option<actix_web::dev::ServerHandle>,
}

impl Witness {
    pub(crate) async fn start() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let status = Arc::new(Mutex::new(200));
        let takes = Arc::new(Mutex::new(Duration::ZERO));
        let (data, answers, lasts) = (Arc::clone(&seen), Arc::clone(&status), Arc::clone(&takes));
        let (ready, started) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    let (seen, status, takes) = (Arc::clone(&data), Arc::clone(&answers), Arc::clone(&lasts));
                    App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                        let header = request.headers().get("surrogate-key").and_then(|v| v.to_str().ok());
                        seen.lock().expect("the list").push(Arrival {
                            at: Instant::now(),
                            path: request.path().to_owned(),
                            keys: header.unwrap_or_default().to_owned(),
                            body: serde_json::from_slice(&body).unwrap_or_default(),
                        });
                        let status = *status.lock().expect("the status");
                        let status = actix_web::http::StatusCode::from_u16(status).expect("a status");
                        let takes = *takes.lock().expect("the time");
                        async move {
                            if !takes.is_zero() {
                                tokio::time::sleep(takes).await;
                            }
                            HttpResponse::build(status).body(SAID)
                        }
                    }))
                })
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .expect("a port");
                let addr = server.addrs()[0];
                let server = server.run();
                let _ = ready.send((addr, server.handle()));
                server.await.expect("to serve");
            });
        });
        let (addr, stop) = started.await.expect("a server");
        Witness { addr, seen, status, takes, stop: Some(stop) }
    }

    pub(crate) fn seen(&self) -> Vec<Arrival> {
        self.seen.lock().expect("the list").clone()
    }

    pub(crate) fn answer_with(&self, status: u16) {
        *self.status.lock().expect("the status") = status;
    }

    /// From now on every answer takes so long.
    pub(crate) fn answer_after(&self, takes: Duration) {
        *self.takes.lock().expect("the time") = takes;
    }

    /// The channels of all that a proxy was told, each with the time and the content, in order.
    pub(crate) fn told(&self) -> Vec<(Instant, String, String)> {
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let items = |arrival: Arrival| {
            let items = arrival.body["items"].as_array().cloned().unwrap_or_default();
            let content = |item: &Value| text(&item["formats"]["http-stream"], "content");
            items.into_iter().map(move |item| (arrival.at, text(&item, "channel"), content(&item)))
        };
        self.seen().into_iter().flat_map(items).collect()
    }

    /// Whether a proxy was told this on a channel in one of the requests from `next` on; moves `next` behind the last one. So
    /// who asks again and again looks at each request once.
    pub(crate) fn was_told(&self, next: &mut usize, channel: &str, line: &str) -> bool {
        let seen = self.seen.lock().expect("the requests");
        let told = seen[*next..].iter().filter_map(|arrival| arrival.body["items"].as_array()).flatten().any(
            |item| {
                let content = item["formats"]["http-stream"]["content"].as_str().unwrap_or_default();
                item["channel"] == *channel && content.contains(line)
            },
        );
        *next = seen.len();
        told
    }

    /// Waits until so many requests have come whose path ends so; returns them.
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

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            drop(stop.stop(false));
        }
    }
}
