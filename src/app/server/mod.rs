//! The HTTP server. It is wired by hand, because a client of actix-web's own server can take as much memory and time as it
//! likes: see [`connection`].

mod connection;
mod exchange;
mod http10;
mod listen;
mod pieces;
mod usage;
mod worker_connections;

use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::h1::H1ServiceHandler;
use actix_http::{HttpService, KeepAlive};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, Service as _, ServiceFactoryExt, apply_fn_factory, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::ServiceConfig;
use tokio::net::TcpStream;

use crate::http::Occupancy;
use crate::settings::Settings;
use connection::Connection;
use exchange::EXCHANGE;
pub(super) use listen::{Capacity, listen};
use usage::Patience;
use worker_connections::WorkerConnections;

/// How long the requests that are being served may take to finish when the service stops, in seconds.
const FINISH_WITHIN: u64 = 10;
/// How long the head of a connection's first request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a client may take to close its side of a connection after the last answer.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// A connection ends if what its client has sent is not answered within this time.
const UNANSWERED_FOR: Duration = Duration::from_secs(30);
/// A connection ends if no byte is sent or received for so long. Streams are never silent for as long.
const SILENT_FOR: Duration = Duration::from_secs(90);
/// Added to [`ServerOptions::keep_alive`], so that a kept connection ends by that time and not by this one.
const SILENT_BEYOND_KEPT: Duration = Duration::from_secs(15);

/// What a server has for its clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerOptions {
    /// The number of worker threads.
    pub(super) workers: NonZeroUsize,
    /// How many connections there may be at a time, over all workers; further connections wait to be accepted.
    pub(super) connections: NonZeroUsize,
    /// How long a connection without a request is kept.
    pub(super) keep_alive: Duration,
}

impl ServerOptions {
    /// The options of the server for clients.
    pub(super) fn of(settings: &Settings, capacity: Capacity) -> Self {
        ServerOptions {
            workers: settings.workers,
            connections: capacity.connections,
            keep_alive: settings.connections_keep_alive,
        }
    }

    fn patience(&self) -> Patience {
        let silent = SILENT_FOR.max(self.keep_alive + SILENT_BEYOND_KEPT);
        Patience { unanswered: UNANSWERED_FOR, silent, kept: self.keep_alive }
    }
}

/// A server for the routes that `routes` adds, which is called once for each worker and in its thread. `occupancy` counts the
/// connections. The server runs when it is awaited.
pub(super) fn serve(
    listener: TcpListener,
    options: ServerOptions,
    occupancy: Option<Arc<Occupancy>>,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    serve_with(options.patience(), listener, options, occupancy, routes)
}

fn serve_with(
    patience: Patience,
    listener: TcpListener,
    options: ServerOptions,
    occupancy: Option<Arc<Occupancy>>,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let builder = builder(options);
    let stopping = builder.graceful_shutdown_signal();
    let connections = move || {
        let worker = WorkerConnections::start(patience, stopping.clone(), occupancy.clone());
        let of_worker = Rc::clone(&worker);
        let app = App::new().configure(&routes).into_factory();
        let app = app.map_err(|error: actix_web::Error| error.error_response());
        let app = apply_fn_factory(map_config(app, |()| AppConfig::default()), exchange::serve);
        let http = HttpService::build()
            // The connection itself ends when it was kept for long enough: actix-http would set a timer behind each answer.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(HEAD_WITHIN)
            .client_disconnect_timeout(CLOSE_WITHIN)
            // A client that has closed its side has left. Its stream ends now, not at the next write.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .graceful_shutdown_signal(move || Rc::clone(&of_worker).stopped())
            .h1(app);
        apply_fn_factory(http, move |socket: TcpStream, http: &H1ServiceHandler<_, _, _, _, _>| {
            let client = socket.peer_addr().ok();
            let connection = Connection::new(socket, &worker);
            // actix-server's task has room for two copies of this future, so it gets a pointer.
            Box::pin(EXCHANGE.scope(connection.exchange(), http.call((connection, client))))
        })
    };
    Ok(builder.listen("livecounter", listener, connections)?.run())
}

fn builder(options: ServerOptions) -> ServerBuilder {
    Server::build()
        .workers(options.workers.get())
        .max_concurrent_connections(options.connections.get().div_ceil(options.workers.get()))
        .shutdown_timeout(FINISH_WITHIN)
        .disable_signals()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Instant;

    use actix_web::HttpResponse;
    use actix_web::rt::System;
    use actix_web::web::{Bytes, get, resource};
    use futures_util::{StreamExt, stream};

    use super::*;

    const UNANSWERED: Duration = Duration::from_millis(300);
    const SILENT: Duration = Duration::from_millis(900);
    const HURRIED: Patience = Patience { unanswered: UNANSWERED, silent: SILENT, kept: SOON };
    /// This is long because the machine may be building at the same time.
    const SOON: Duration = Duration::from_secs(20);

    /// A stream with a byte three times in [`SILENT`].
    async fn now_and_then() -> HttpResponse {
        let ticks = stream::unfold(tokio::time::interval(SILENT / 3), |mut interval| async {
            interval.tick().await;
            Some((Ok::<_, io::Error>(Bytes::from_static(b".")), interval))
        });
        HttpResponse::Ok().streaming(ticks.take(15))
    }

    /// Calls `client` with the address of a server that answers `/` at once, and `/stream` with a byte three times in [`SILENT`]. Then
    /// stops the server, which waits for requests if `graceful`, and returns what `client` has returned and how long stopping took.
    fn against_a_server<T: Send + 'static>(
        patience: Patience,
        graceful: bool,
        client: impl FnOnce(SocketAddr) -> T + Send + 'static,
    ) -> (T, Duration) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        System::new().block_on(async move {
            let one = NonZeroUsize::MIN;
            let options = ServerOptions {
                workers: one,
                connections: NonZeroUsize::new(9).expect("some"),
                keep_alive: SOON,
            };
            let routes = |config: &mut ServiceConfig| {
                config.service(resource("/").route(get().to(HttpResponse::Ok)));
                config.service(resource("/stream").route(get().to(now_and_then)));
            };
            let server = serve_with(patience, listener, options, None, routes).expect("a server");
            let handle = server.handle();
            let running = actix_web::rt::spawn(server);
            let done = tokio::task::spawn_blocking(move || client(address)).await;
            let stopping = Instant::now();
            handle.stop(graceful).await;
            let _ = running.await;
            (done.expect("the client"), stopping.elapsed())
        })
    }

    /// Sends `request` and reads until the server closes. Returns what the server sent, and how long that took.
    fn exchange(address: SocketAddr, request: &str) -> (String, Duration) {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("to send");
        let mut answer = Vec::new();
        // A reset ends the connection, too.
        let _ = stream.read_to_end(&mut answer);
        (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
    }

    #[test]
    fn half_a_head_behind_an_answer_ends_the_connection() {
        against_a_server(HURRIED, false, |address| {
            let (answer, took) = exchange(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\nG");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!((UNANSWERED..SOON).contains(&took), "{took:?}");
        });
    }

    #[test]
    fn a_body_that_never_comes_ends_the_connection() {
        against_a_server(HURRIED, false, |address| {
            for header in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
                let (answer, took) =
                    exchange(address, &format!("GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n"));
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                assert!(took < SOON, "{header}: {took:?}");
            }
        });
    }

    #[test]
    fn a_stream_that_writes_now_and_then_is_not_touched() {
        // A stream is no connection without a request, however short a time such a connection is kept.
        let patience = Patience { kept: SILENT / 9, ..HURRIED };
        against_a_server(patience, false, |address| {
            let request = "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let (answer, took) = exchange(address, request);
            assert_eq!(answer.matches("\r\n.\r\n").count(), 15, "{answer}");
            assert!(took > 4 * SILENT, "{took:?}");
        });
    }

    #[test]
    fn a_connection_without_a_request_is_kept_for_a_while() {
        let patience = Patience { unanswered: SILENT, silent: 9 * SOON, kept: SILENT };
        against_a_server(patience, false, |address| {
            let (answer, took) = exchange(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!((SILENT..SOON).contains(&took), "{took:?}");
        });
    }

    #[test]
    fn a_kept_connection_ends_when_the_server_stops() {
        // If the connection is not woken, the server waits for its end, and drops it after `FINISH_WITHIN`.
        let patient = Patience { unanswered: 9 * SOON, silent: 9 * SOON, kept: 9 * SOON };
        let (mut kept, took) = against_a_server(patient, true, |address| {
            let mut kept = TcpStream::connect(address).expect("a connection");
            kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("to send");
            assert!(kept.read(&mut [0; 999]).expect("bytes of the answer") > 0);
            kept
        });
        assert!(took < Duration::from_secs(FINISH_WITHIN) / 2, "{took:?}");
        assert_eq!(kept.read(&mut [0; 9]).expect("an end"), 0);
    }

    #[test]
    fn patience_outlasts_kept_connections() {
        let with = |keep_alive| ServerOptions {
            workers: NonZeroUsize::MIN,
            connections: NonZeroUsize::MIN,
            keep_alive,
        };
        assert_eq!(with(Duration::from_secs(75)).patience().silent, Duration::from_secs(90));
        assert_eq!(with(Duration::from_secs(600)).patience().silent, Duration::from_secs(615));
    }
}
