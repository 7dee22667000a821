//! Counters, pages and sites in one stream, through the chain.

use std::time::Duration;

use livecounter::domain::{PageAddress, Topic};

use crate::counters::lose_a_publish_of;
use crate::support::chain::Chain;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::sse::Listener;
use crate::support::wait;

const SOON: Duration = Duration::from_secs(10);

async fn count(chain: &Chain, origin: usize, page: &str) {
    let url = format!("{}/count?url={page}", chain.origins[origin].address);
    assert_eq!(client().get(url).answer().await.status(), 200);
}

/// The topic and the value of the next event.
async fn next(listener: &mut Listener) -> (String, String) {
    let event = listener.next(SOON).await;
    let id = event.id.expect("an id");
    (id.split_once('@').expect("a topic and a revision").0.to_owned(), event.data)
}

/// Reads events until the topic has this value.
async fn until(listener: &mut Listener, topic: &str, value: &str) {
    while next(listener).await != (topic.to_owned(), value.to_owned()) {}
}

#[tokio::test]
async fn one_stream_of_a_counter_a_page_and_a_site_goes_on_and_heals() {
    let chain = Chain::start(2).await;
    let address: PageAddress = "[::1]:81/a".parse().expect("an address");
    let (page, site) = (Topic::page(&address), Topic::site(&address));
    let path = format!("/topics/site-%5B::1%5D:81,{page},counter-2/");
    let mut listener = Listener::connect(chain.pushpin.addr(), &path).await;
    assert_eq!(listener.status(), 200);
    let mut opening = Vec::new();
    for _ in 0..3 {
        opening.push(next(&mut listener).await);
    }
    let expected = ["2", page.name(), site.name()].map(|topic| (topic.to_owned(), "0".to_owned()));
    assert_eq!(opening, expected);
    chain.origins[0].add("2").await;
    until(&mut listener, "2", "1").await;
    count(&chain, 1, "http://[::1]:81/b").await;
    until(&mut listener, site.name(), "1").await;
    // The next publish on each channel names the one that was lost.
    lose_a_publish_of(&chain, &page, 5).await;
    lose_a_publish_of(&chain, &site, 5).await;
    count(&chain, 0, "http://[::1]:81/a").await;
    let mut last = std::collections::BTreeMap::new();
    while last.get(page.name()).is_none_or(|value| value != "6")
        || last.get(site.name()).is_none_or(|value| value != "7")
    {
        let (topic, value) = next(&mut listener).await;
        last.insert(topic, value);
    }
    chain.origins[1].add("2").await;
    until(&mut listener, "2", "2").await;
    let recoveries = r#"route="/topics/{names}/recover""#;
    assert!(chain.metric(recoveries).await >= 1.0);
    let head = client().head(chain.pushpin.url(&path)).header("accept", "text/event-stream").answer().await;
    assert_eq!((head.status().as_u16(), header(&head, "cache-control")), (200, "no-store, no-transform"));
}

#[tokio::test]
async fn the_cache_keeps_one_answer_for_all_spellings_of_topics() {
    let chain = Chain::start(1).await;
    let get = async |path: &str| {
        let answer = client().get(chain.cache.url(path)).answer().await;
        assert_eq!(answer.status(), 200, "{path}");
        let cached = header(&answer, "x-cache").to_owned();
        (answer.text().await.expect("a body"), cached)
    };
    let fresh = "counter-2 0\nsite-[::1]:81 0\n".to_owned();
    assert_eq!(get("/topics/site-%5B::1%5D:81,counter-2/").await, (fresh.clone(), "MISS".to_owned()));
    for path in [
        "/topics/site-%5B::1%5D:81,counter-2/",
        "/topics/counter-2,site-%5B::1%5D:81/?_=1",
        "/topics/counter-2,site-%5B::1%5D:81",
        "/topics/counter-2%2Csite-%5b%3A%3A1%5d:81,counter-2/",
    ] {
        assert_eq!(get(path).await, (fresh.clone(), "HIT".to_owned()), "{path}");
    }
    count(&chain, 0, "http://[::1]:81/a").await;
    for path in ["/topics/site-%5B::1%5D:81,counter-2/", "/topics/counter-2,site-%5B::1%5D:81/"] {
        let purged = async || get(path).await.0 == "counter-2 0\nsite-[::1]:81 1\n";
        wait::until("the topics are purged", purged).await;
    }
    assert_eq!(client().get(chain.cache.url("/topics/import-1/")).answer().await.status(), 400);
}
