//! The pages for administrators behind Pushpin and the cache, and behind the edge program: a login, and the stream of the overview, which the origin holds itself.

use std::net::SocketAddr;
use std::time::Duration;

use livecounter::access::NewSecret;
use serde_json::Value;

use crate::support::chain::Chain;
use crate::support::edge::EdgeChain;
use crate::support::http::{Ask, client, header};
use crate::support::keys::owner;
use crate::support::pushpin::Options;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(15);

/// Logs in at this address, and returns the cookie.
async fn log_in(addr: SocketAddr, secret: &NewSecret) -> String {
    let login = client().post(format!("http://{addr}/admin/login"));
    let answer = login
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("key={}", secret.expose()))
        .answer()
        .await;
    assert_eq!((answer.status().as_u16(), header(&answer, "location")), (303, "/admin"));
    header(&answer, "set-cookie").split(';').next().unwrap_or_default().to_owned()
}

/// Looks at the overview at this address: its page, and its stream while a counter changes.
async fn look(addr: SocketAddr, secret: &NewSecret) {
    let cookie = log_in(addr, secret).await;
    let page = client().get(format!("http://{addr}/admin")).header("cookie", &cookie).answer().await;
    assert_eq!(page.status(), 200);
    assert!(header(&page, "cache-control").contains("no-store"), "{:?}", page.headers());
    let text = page.text().await.expect("a page");
    assert!(text.contains("data-stream=\"/admin/stream\"") && text.contains("id=\"proxies\""), "{text}");
    let without = client().get(format!("http://{addr}/admin")).answer().await;
    assert_eq!(without.status(), 401, "no cache has kept the page");
    no_page_of_another_origin_reads(addr, &cookie).await;
    let mut listener = Listener::connect_with(addr, "/admin/stream", &[("cookie", &cookie)]).await;
    assert_eq!((listener.status(), listener.header("content-type")), (200, "text/event-stream"));
    let numbers = async |listener: &mut Listener| -> Value {
        serde_json::from_str(&listener.next(SOON).await.data).expect("JSON")
    };
    let before = numbers(&mut listener).await["requests"].as_u64().expect("a number");
    let post = client().post(format!("http://{addr}/counters/2/")).answer().await;
    assert_eq!(post.status(), 200);
    while numbers(&mut listener).await["requests"].as_u64().is_none_or(|now| now <= before) {}
    assert_eq!(Listener::connect(addr, "/admin/stream").await.status(), 401);
}

/// Asks as a browser does for a page of another origin that is of the same site, and so sends the cookie: over plain http, and over TLS.
async fn no_page_of_another_origin_reads(addr: SocketAddr, cookie: &str) {
    for site in [None, Some("same-site")] {
        for path in ["/admin", "/admin/counters", "/admin/stream"] {
            let mut request = client().get(format!("http://{addr}{path}")).header("cookie", cookie);
            request = request.header("origin", "http://www.example.com");
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            let answer = request.answer().await;
            assert_eq!(answer.status(), 401, "{path}, {site:?}");
            assert_eq!(header(&answer, "access-control-allow-origin"), "", "{path}: {:?}", answer.headers());
            assert_eq!(header(&answer, "access-control-allow-credentials"), "", "{path}");
        }
    }
    let counter =
        client().get(format!("http://{addr}/counters/2/")).header("origin", "http://www.example.com");
    let answer = counter.answer().await;
    assert_eq!(header(&answer, "access-control-allow-origin"), "http://www.example.com");
}

#[tokio::test]
async fn an_administrator_watches_the_overview_through_pushpin_and_the_cache() {
    let (secret, keys) = owner();
    let chain = Chain::with(1, &[("LIVECOUNTER__KEYS", keys)], Options::default()).await;
    look(chain.pushpin.addr(), &secret).await;
}

#[tokio::test]
async fn an_administrator_watches_the_overview_through_the_edge_program() {
    let (secret, keys) = owner();
    let chain = EdgeChain::start(&[("LIVECOUNTER__KEYS", keys)]).await;
    look(chain.edge.addr(), &secret).await;
}
