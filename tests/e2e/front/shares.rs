//! The front lets no client take more than its share of requests, connections and streams.

use std::net::{Ipv6Addr, SocketAddr};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{COUNTER, SOON, front_of_noting};
use crate::support::chain::Chain;
use crate::support::front::{Front, Options};
use crate::support::http::{Ask, client, client_at, header};
use crate::support::raw::{self, raw_head};
use crate::support::sse::Listener;

/// Reads the head of one answer, up to the empty line behind it.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(SOON, stream.read_u8()).await.expect("an answer in time").expect("a head"));
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test]
async fn requests_count_as_open_while_their_bodies_come() {
    let options = Options { environment: &[("FRONT_OPEN", "5")], ..Options::default() };
    let (front, _to_pushpin, mut to_cache) = front_of_noting(options).await;
    // The front answers 100 when it has counted a request and waits for its body.
    let head =
        format!("POST {COUNTER} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n");
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(front.addr()).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("to send");
        assert_eq!(read_head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
        slow.push(stream);
    }
    assert_eq!(raw_head(front.addr(), head.as_bytes()).await.0, 429);
    for stream in &mut slow {
        stream.write_all(b"{\"by\":1}").await.expect("to send");
        assert!(read_head(stream).await.starts_with("HTTP/1.1 200"));
        assert!(to_cache.recv().await.expect("a request").ends_with("{\"by\":1}"));
    }
}

#[tokio::test]
async fn clients_of_both_families_are_known_by_their_address() {
    let environment = &[("FRONT_REQUESTS", "2")];
    let options = Options { everywhere: true, environment, ..Options::default() };
    let (front, _to_pushpin, mut to_cache) = front_of_noting(options).await;
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, front.addr().port()));
    let clients = [(client_at(2), front.addr(), "127.0.0.2"), (client_at(3), front.addr(), "127.0.0.3")];
    for (client, front, address) in clients.into_iter().chain([(client(), v6, "::1")]) {
        let url = format!("http://{front}{COUNTER}");
        for expected in [200, 200, 429] {
            assert_eq!(client.get(&url).answer().await.status(), expected, "{address}");
        }
        for _ in 0..2 {
            let head = to_cache.recv().await.expect("a request");
            assert_eq!(raw::header(&head, "x-forwarded-for"), address);
        }
    }
}

async fn five_streams(front: &Front) -> Vec<Listener> {
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = Listener::connect(front.addr(), COUNTER).await;
        stream.next(SOON).await;
        streams.push(stream);
    }
    streams
}

/// Of this many new connections, those on which the front answers. The front ends the others before it reads a byte.
async fn answered_connections(front: &Front, number: usize) -> Vec<TcpStream> {
    let mut answered = Vec::new();
    for _ in 0..number {
        // To a client, a connection that is ended at once may look as if it was refused.
        let Ok(mut connection) = TcpStream::connect(front.addr()).await else { continue };
        let request = format!("GET {COUNTER} HTTP/1.1\r\nHost: x\r\n\r\n");
        let _ = connection.write_all(request.as_bytes()).await;
        if matches!(timeout(SOON, connection.read(&mut [0; 12])).await, Ok(Ok(1..))) {
            answered.push(connection);
        }
    }
    answered
}

#[tokio::test]
async fn one_client_takes_no_more_than_its_share() {
    let chain = Chain::start(1).await;
    let environment = &[("FRONT_OPEN", "5"), ("FRONT_CONNECTIONS", "8"), ("FRONT_REQUESTS", "30")];
    let options = Options { environment, ..Options::default() };
    let front = Front::with(chain.pushpin.addr(), chain.cache.addr(), options).await;
    let mut streams = five_streams(&front).await;
    let sixth = Listener::connect(front.addr(), COUNTER).await;
    assert_eq!((sixth.status(), sixth.header("retry-after")), (429, "5"));
    assert_eq!(sixth.header("content-type"), "application/problem+json");
    assert_eq!(sixth.header("access-control-allow-origin"), "*");
    // Another client is served, and the streams go on.
    let other = client_at(6);
    let added = other.post(front.url(COUNTER)).answer().await;
    assert_eq!(added.status(), 200);
    for stream in &mut streams {
        stream.until_data("1", SOON).await;
    }
    let idle = answered_connections(&front, 8).await;
    assert_eq!(idle.len(), 2, "with the six from before, eight");
    drop((idle, sixth, streams));
    // The front also limits a client to 30 requests in 10 s.
    let mut refused = None;
    // Four at a time, which is less than a client may have open: one after the other may take longer than 10 s.
    for _ in 0..10 {
        for answer in join_all([(); 4].map(|()| other.get(front.url(COUNTER)).answer())).await {
            match answer.status().as_u16() {
                429 => refused = Some(header(&answer, "retry-after").to_owned()),
                status => assert_eq!(status, 200),
            }
        }
    }
    assert_eq!(refused.as_deref(), Some("10"));
}
