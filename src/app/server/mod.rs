//! The HTTP server, wired by hand where actix-web's own would give each client as much memory and time as it likes: see
//! [`connection`].

mod connection;
mod exchange;
mod http10;
mod listen;

use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::ServiceConfig;
use tokio::net::TcpStream;

use connection::{Connection, Patience};
pub(super) use listen::{Capacity, listen};

/// How long requests under way may take to finish when the service stops, in seconds.
const FINISH_WITHIN: u64 = 10;
/// How long the head of a connection's first request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a client may take to close its side behind a last answer.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// What a client has sent is answered within this time, or its connection ends.
const UNANSWERED_FOR: Duration = Duration::from_secs(30);
/// A connection ends when no byte has gone over it for so long: streams are never silent for as long.
const SILENT_FOR: Duration = Duration::from_secs(90);
/// Above [`Terms::keep_alive`], so that a kept connection ends by that.
const SILENT_BEYOND_KEPT: Duration = Duration::from_secs(15);

/// What a server grants its clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Threads that serve.
    pub(super) workers: NonZeroUsize,
    /// Connections at a time, over all workers; more wait to be accepted.
    pub(super) connections: NonZeroUsize,
    /// How long a connection without a request is kept.
    pub(super) keep_alive: Duration,
}

impl Terms {
    fn patience(&self) -> Patience {
        let silent = SILENT_FOR.max(self.keep_alive + SILENT_BEYOND_KEPT);
        Patience { unanswered: UNANSWERED_FOR, silent }
    }
}

/// A server for what `routes` configures, once for each worker and in its thread; it runs when it is awaited.
pub(super) fn serve(
    listener: TcpListener,
    terms: Terms,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    serve_with(terms.patience(), listener, terms, routes)
}

fn serve_with(
    patience: Patience,
    listener: TcpListener,
    terms: Terms,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let builder = Server::build()
        .workers(terms.workers.get())
        .max_concurrent_connections(terms.connections.get().div_ceil(terms.workers.get()))
        .shutdown_timeout(FINISH_WITHIN)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let connections = move || {
        let stopping = stopping.clone();
        let stopped = move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        };
        let app = App::new().configure(&routes).into_factory();
        let app = app.map_err(|error: actix_web::Error| error.error_response());
        let app = apply_fn_factory(map_config(app, |()| AppConfig::default()), exchange::serve);
        let http = HttpService::build()
            .keep_alive(terms.keep_alive)
            .client_request_timeout(HEAD_WITHIN)
            .client_disconnect_timeout(CLOSE_WITHIN)
            // A client that has closed its side has left: its stream must not linger until the next write.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .graceful_shutdown_signal(stopped)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.exchange());
            })
            .finish(app);
        let accepted = move |socket: TcpStream| {
            let client = socket.peer_addr().ok();
            ready(Ok::<_, DispatchError>((Connection::new(socket, patience), Protocol::Http1, client)))
        };
        fn_service(accepted).and_then(http)
    };
    Ok(builder.listen("livecounter", listener, connections)?.run())
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
    /// Generous: the machine may be building at the same time.
    const SOON: Duration = Duration::from_secs(20);

    /// Runs what a client does against a server that answers `/` at once, and `/stream` with a byte now and then.
    fn against_a_server(client: impl FnOnce(SocketAddr) + Send + 'static) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        System::new().block_on(async move {
            let one = NonZeroUsize::MIN;
            let terms =
                Terms { workers: one, connections: NonZeroUsize::new(9).expect("some"), keep_alive: SOON };
            let patience = Patience { unanswered: UNANSWERED, silent: SILENT };
            let routes = |config: &mut ServiceConfig| {
                let now_and_then = || async {
                    let ticks = stream::unfold(tokio::time::interval(SILENT / 3), |mut interval| async {
                        interval.tick().await;
                        Some((Ok::<_, io::Error>(Bytes::from_static(b".")), interval))
                    });
                    HttpResponse::Ok().streaming(ticks.take(15))
                };
                config.service(resource("/").route(get().to(HttpResponse::Ok)));
                config.service(resource("/stream").route(get().to(now_and_then)));
            };
            let server = serve_with(patience, listener, terms, routes).expect("a server");
            let handle = server.handle();
            let running = actix_web::rt::spawn(server);
            let done = tokio::task::spawn_blocking(move || client(address)).await;
            handle.stop(false).await;
            let _ = running.await;
            done.expect("the client");
        });
    }

    /// Sends this, and reads until the server closes. Returns what it sent, and how long that took.
    fn exchange(address: SocketAddr, request: &str) -> (String, Duration) {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("to send");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // a reset is an end, too
        (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
    }

    #[test]
    fn half_a_head_behind_an_answer_ends_the_connection() {
        against_a_server(|address| {
            let (answer, took) = exchange(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\nG");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!((UNANSWERED..SOON).contains(&took), "{took:?}");
        });
    }

    #[test]
    fn a_body_that_never_comes_ends_the_connection() {
        against_a_server(|address| {
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
        against_a_server(|address| {
            let request = "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let (answer, took) = exchange(address, request);
            assert_eq!(answer.matches("\r\n.\r\n").count(), 15, "{answer}");
            assert!(took > 4 * SILENT, "{took:?}");
        });
    }

    #[test]
    fn patience_outlasts_kept_connections() {
        let with =
            |keep_alive| Terms { workers: NonZeroUsize::MIN, connections: NonZeroUsize::MIN, keep_alive };
        assert_eq!(with(Duration::from_secs(75)).patience().silent, Duration::from_secs(90));
        assert_eq!(with(Duration::from_secs(600)).patience().silent, Duration::from_secs(615));
    }
}
