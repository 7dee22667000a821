//! Streams of pages, sites and topics through the edge, and what the edge asks the cache for.

use super::{SOON, until};
use crate::origin::Origin;
use crate::support::edge::{Edge, EdgeChain};
use crate::support::http::{Ask, client, header};
use crate::support::sse::Listener;

const REFERER: (&str, &str) = ("Referer", "https://www.example.com/a");

#[tokio::test]
async fn listeners_of_pages_sites_and_topics_get_every_hit_at_the_edge() {
    let chain = EdgeChain::start(&[]).await;
    let addr = chain.edge.addr();
    let mut listeners = vec![
        Listener::connect(addr, "/nocount?_=1&url=www.example.com/a").await,
        Listener::connect(addr, "/nocount/site?url=www.example.com").await,
        Listener::connect(addr, "/topics/site-www.example.com,counter-2/").await,
        Listener::connect_with(addr, "/nocount", &[REFERER]).await,
    ];
    for listener in &mut listeners {
        assert_eq!((listener.status(), listener.header("content-type")), (200, "text/event-stream"));
        assert_eq!(listener.header("grip-hold"), "");
        listener.until_data("0", SOON).await;
    }
    for hits in ["1", "2"] {
        let url = chain.edge.url("/count?url=www.example.com/a");
        assert_eq!(client().get(url).text().await, hits);
        for listener in &mut listeners {
            listener.until_data(hits, SOON).await;
        }
    }
    let read = async || client().get(chain.edge.url("/nocount?url=www.example.com/a")).text().await;
    until(async || read().await == "2").await;
    let mut counted = Listener::connect(addr, "/count?url=www.example.com/a").await;
    assert_eq!((counted.status(), counted.next(SOON).await.data.as_str()), (200, "3"));
    for listener in &mut listeners {
        listener.until_data("3", SOON).await;
    }
}

#[tokio::test]
async fn reads_of_hits_are_looked_up_by_the_pages_in_their_query() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    for (path, sent, referer) in [
        ("/nocount?_=1&url=b&x=y&url=a%26b", "/nocount?url=b&url=a%26b", "https://www.example.com/a"),
        ("/nocount/site?url=a&v", "/nocount/site?url=a", "https://www.example.com/a"),
        ("/nocount?v=1", "/nocount?v=1", "https://www.example.com/a"),
        ("/topics/site-b,counter-2,site-b/?_=1", "/topics/counter-2,site-b/", "https://www.example.com/a"),
        ("/count?_=1&url=a", "/count?_=1&url=a", "https://www.example.com/a"),
    ] {
        let answer = client().get(edge.url(path)).header(REFERER.0, REFERER.1).answer().await;
        assert_eq!((answer.status().as_u16(), header(&answer, "surrogate-key")), (200, ""));
        let reached = origin.requests().pop().expect("a request");
        assert_eq!((reached.path.as_str(), reached.header("referer")), (sent, referer));
    }
    let before = origin.requests().len();
    let counts = client().get(edge.url("/count/tag.svg?url=a")).header("accept", "text/event-stream");
    let counts = counts.answer().await;
    assert_eq!(
        (counts.status().as_u16(), origin.requests().len()),
        (200, before + 1),
        "sent once, and held by no proxy"
    );
    assert_eq!(origin.requests().pop().expect("a request").header("grip-sig"), "");
}
