//! Setting, deleting and listing through the chain: listeners are told, the cache is purged, and nothing is sent twice.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livecounter::access::NewSecret;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::origin::Origin;
use crate::support::chain::Chain;
use crate::support::edge::{Edge, Program};
use crate::support::http::{Ask, client, header, metric};
use crate::support::keys::key_table;
use crate::support::pushpin::Options;
use crate::support::raw;
use crate::support::server::Server;
use crate::support::sse::Listener;
use crate::support::stream_checks::Checked;
use crate::support::varnish::Varnish;
use crate::support::wait::until;

const SOON: Duration = Duration::from_secs(10);

/// The setting with one key, which may manage all counters.
pub(crate) fn owner(secret: &NewSecret) -> String {
    key_table("owner", secret, r#"["manage:"]"#)
}

/// Waits until all that can be read of the counter 2 at this address shows the value: the value itself, what it stood at in the end of this day, and the
/// pictures.
pub(crate) async fn all_reads_show(base: &str, value: i64) {
    let day = format!(",{value},{value}\r\n");
    for (path, shown) in [
        ("/counters/2/", format!("{value}\n")),
        ("/counters/1,2/", format!("\n2 {value}\n")),
        ("/counters/2/history?unit=day&last=1&format=csv", day),
        ("/counters/2/chart.svg?unit=day&last=1", format!("<title id=\"t\">Counter 2: {value}</title>")),
        ("/counters/2/badge.svg", format!("<title>hits: {value}</title>")),
        ("/counters/2/badge.json?of=day", format!("\"message\":\"{value}\"")),
    ] {
        let url = format!("{base}{path}");
        until(&url, async || client().get(&url).text().await.contains(&shown)).await;
    }
}

#[tokio::test]
async fn a_set_and_a_deletion_reach_listeners_and_purge_the_cache() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &owner(&secret))], Options::default()).await;
    let (url, key) = (chain.pushpin.url("/counters/2/"), secret.expose());
    let shows = async |value| all_reads_show(&chain.cache.url(""), value).await;
    chain.origins[0].add_by("2", 26).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    listener.until_data("26", SOON).await;
    shows(26).await;

    let answer = client().put(&url).bearer_auth(key).json(&json!({"value": 7})).answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (200, "no-store"));
    assert_eq!(answer.text().await.expect("a text"), "7\n");
    listener.until_data("7", SOON).await;
    shows(7).await;

    let list = chain.pushpin.url("/counters/?prefix=2");
    let listed = async || client().get(&list).bearer_auth(key).text().await;
    assert_eq!(listed().await, "2 7\n");
    chain.origins[1].add_by("3", 9).await;
    let greatest = chain.cache.url("/counters/?sort=-value&limit=1");
    assert_eq!(client().get(&greatest).bearer_auth(key).text().await, "3 9\n");
    assert_eq!(client().get(&greatest).answer().await.status(), 401);

    let answer = client().delete(format!("{url}?_key={key}")).answer().await;
    assert_eq!(answer.status(), 204);
    // The list is asked for at an origin each time, also where the key is in the query.
    assert_eq!(listed().await, "");
    assert_eq!(client().get(format!("{list}&_key={key}")).text().await, "");
    assert_eq!(client().get(&list).answer().await.status(), 401);
    let seen = listener.until_data("0", SOON).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    shows(0).await;
    let mut late = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    assert_eq!(late.next(SOON).await.data, "0");

    assert_eq!(chain.origins[1].add("2").await, 1);
    for listener in [&mut listener, &mut late] {
        listener.until_data("1", SOON).await;
    }
    shows(1).await;
}

/// Two origins behind Pushpin and the cache, as clients reach them.
struct Front<'a>(&'a Chain);

impl Server for Front<'_> {
    fn addr(&self) -> SocketAddr {
        self.0.pushpin.addr()
    }
}

#[tokio::test]
async fn listeners_behind_two_origins_see_set_values_and_deletions() {
    let secret = NewSecret::generate().expect("random numbers");
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &owner(&secret))], Options::default()).await;
    let service = Checked { server: &Front(&chain), key: secret.expose() };
    service.listeners_see_a_set_value_and_a_deletion().await;
    service.one_stream_shows_all_its_counters().await;
    for origin in &chain.origins {
        let posts = r#"livecounter_http_requests_total{route="/counters/{id}/",method="POST""#;
        let posts = metric(&origin.address, posts).await;
        assert!(posts.is_some_and(|posts| posts > 0.0), "the cache has asked both");
    }
}

/// An origin that is healthy but closes the connection of each other request without an answer, as one does that dies behind the
/// change.
pub(crate) async fn dying_origin() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (addr, seen) = (listener.local_addr().expect("its address"), Arc::new(Mutex::new(Vec::new())));
    let notes = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some((head, _)) = raw::read_request(&mut stream).await {
                if head.starts_with("GET /healthz ") {
                    let healthy = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    let _ = stream.write_all(healthy).await;
                    continue;
                }
                let method = head.split(' ').next().unwrap_or_default().to_owned();
                notes.lock().expect("no panic").push(method);
            }
        }
    });
    (addr, seen)
}

#[tokio::test]
async fn a_write_passes_cache_and_edge_once_even_if_it_fails() {
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let (addr, seen) = dying_origin().await;
        let (cache, edge) = (Varnish::start(&[addr, addr]).await, Program::without_fanout(addr).await);
        for url in [cache.url("/counters/2/"), edge.url("/counters/2/")] {
            let before = seen.lock().expect("no panic").iter().filter(|it| **it == method.as_str()).count();
            let request = client().request(method.clone(), &url).json(&json!({"value": 5}));
            let status = request.answer().await.status().as_u16();
            assert!([502, 503].contains(&status), "{method} {url}: {status}");
            let count = seen.lock().expect("no panic").iter().filter(|it| **it == method.as_str()).count();
            assert_eq!(count, before + 1, "{method} {url}");
        }
    }
}

#[tokio::test]
async fn the_list_passes_cache_and_edge_with_its_query_every_time() {
    let origin = Origin::start().await;
    let (cache, edge) = (Varnish::start(&[origin.addr()]).await, Edge::start(origin.addr()).await);
    for base in [cache.url(""), edge.url("")] {
        for path in ["/counters/?prefix=a&_key=x", "/counters?limit=1"] {
            for accept in ["application/json", "text/event-stream"] {
                for _ in 0..2 {
                    let before = origin.requests().len();
                    client().get(format!("{base}{path}")).header("accept", accept).answer().await;
                    let requests = origin.requests();
                    assert_eq!(requests.len(), before + 1, "{base}{path}");
                    assert_eq!(requests[before].path, path);
                }
            }
        }
    }
}
