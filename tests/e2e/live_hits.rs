//! The hits of pages and sites as streams and as numbers, through the chain.

use std::time::Duration;

use livecounter::domain::{PageAddress, Topic};

use crate::counters::{lose_a_publish_of, until};
use crate::support::chain::Chain;
use crate::support::http::{Ask, client, header};
use crate::support::sse::Listener;
use crate::support::wait;

const SOON: Duration = Duration::from_secs(10);
const URL: &str = "url=https%3A%2F%2Fwww.example.com%2Fa";
const READS: &str = r#"livecounter_http_requests_total{route="/nocount",method="GET""#;
const REFERER: (&str, &str) = ("Referer", "https://www.example.com/a");

fn topics() -> (Topic, Topic) {
    let address: PageAddress = "www.example.com/a".parse().expect("an address");
    (Topic::page(&address), Topic::site(&address))
}

async fn count(chain: &Chain) {
    let answer = client().get(chain.pushpin.url(&format!("/count?{URL}"))).answer().await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn one_origin_request_serves_all_listeners_of_a_page() {
    let chain = Chain::start(1).await;
    count(&chain).await;
    until(async || chain.metric("livecounter_announcements_acknowledged_total").await, |n| n >= 2.0).await;
    let before = chain.metric(READS).await;
    let mut listeners = Vec::new();
    for number in 0..30 {
        // Each listener sends other parameters, cookies and another Referer, which all belong to the page that shows the number.
        let (path, referer) = (format!("/nocount?_={number}&{URL}"), format!("https://{number}.example/"));
        let headers = [("Referer", referer.as_str()), ("Cookie", "a=b")];
        listeners.push(Listener::connect_with(chain.pushpin.addr(), &path, &headers).await);
    }
    for listener in &mut listeners {
        let first = listener.next(SOON).await;
        assert_eq!((listener.status(), first.data.as_str()), (200, "1"));
        assert!(first.id.expect("an id").starts_with(topics().0.name()));
    }
    assert_eq!(chain.metric(READS).await - before, 1.0);
    count(&chain).await;
    for listener in &mut listeners {
        listener.until_data("2", SOON).await;
    }
}

#[tokio::test]
async fn a_stream_that_counts_its_visit_is_held_and_counts_once() {
    let chain = Chain::start(2).await;
    let mut listeners = Vec::new();
    for expected in ["1", "2", "3"] {
        let mut listener = Listener::connect(chain.pushpin.addr(), &format!("/count?{URL}")).await;
        assert_eq!((listener.status(), listener.next(SOON).await.data.as_str()), (200, expected));
        assert!(listener.header("set-cookie").starts_with("lc_"));
        listeners.push(listener);
    }
    count(&chain).await;
    for listener in &mut listeners {
        listener.until_data("4", SOON).await;
    }
}

#[tokio::test]
async fn streams_of_pages_and_sites_heal_and_one_by_referer_is_not_kept() {
    let chain = Chain::start(2).await;
    let addr = chain.pushpin.addr();
    let mut listeners = vec![
        Listener::connect(addr, &format!("/nocount?{URL}&url=example.org")).await,
        Listener::connect(addr, &format!("/nocount/site?{URL}")).await,
    ];
    for _ in 0..2 {
        let by_referer = Listener::connect_with(addr, "/nocount", &[REFERER]).await;
        assert_eq!((by_referer.status(), by_referer.header("x-cache")), (200, "MISS"));
        assert_eq!(by_referer.header("cache-control"), "no-store, no-transform");
        listeners.push(by_referer);
    }
    let other = Listener::connect_with(addr, "/nocount", &[("Referer", "https://example.org/")]).await;
    count(&chain).await;
    for listener in &mut listeners {
        listener.until_data("1", SOON).await;
    }
    let (page, site) = topics();
    lose_a_publish_of(&chain, &page, 5).await;
    lose_a_publish_of(&chain, &site, 5).await;
    count(&chain).await;
    for listener in &mut listeners {
        listener.until_data("7", SOON).await;
    }
    let mut other = other;
    assert_eq!(other.next(SOON).await.data, "0", "the page of another Referer is another page");
    for path in ["/nocount?url=example.org", "/nocount"] {
        let head = client().head(chain.pushpin.url(path)).header("accept", "text/event-stream");
        let head = head.header(REFERER.0, REFERER.1).answer().await;
        assert_eq!((head.status().as_u16(), header(&head, "cache-control")), (200, "no-store, no-transform"));
    }
}

#[tokio::test]
async fn a_hit_purges_the_numbers_of_its_page_and_its_site() {
    let chain = Chain::start(1).await;
    let read = async |path: &str, accept: &str| {
        let request = client().get(chain.pushpin.url(path)).header("accept", accept).header("cookie", "a=b");
        let answer = request.header("origin", "https://www.example.com").answer().await;
        assert_eq!(header(&answer, "access-control-allow-origin"), "https://www.example.com");
        assert_eq!(header(&answer, "access-control-allow-credentials"), "true");
        assert_eq!(header(&answer, "cache-control"), "max-age=0, no-cache, no-store, must-revalidate");
        assert_eq!(header(&answer, "surrogate-key"), "");
        let cached = header(&answer, "x-cache").to_owned();
        (answer.text().await.expect("a text"), cached)
    };
    let (page, site) = (format!("/nocount?{URL}"), format!("/nocount/site?{URL}"));
    let told = |value: u32| {
        let (of_page, of_site) = topics();
        [
            (page.as_str(), "*/*", value.to_string()),
            (
                &page,
                "application/json",
                format!(r#"{{"page":"www.example.com/a","topic":"{of_page}","value":{value}}}"#),
            ),
            (&site, "*/*", value.to_string()),
            (
                &site,
                "application/json",
                format!(r#"{{"site":"www.example.com","topic":"{of_site}","value":{value}}}"#),
            ),
        ]
    };
    for cached in ["MISS", "HIT"] {
        for (path, accept, expected) in told(0) {
            assert_eq!(read(path, accept).await, (expected, cached.to_owned()), "{path} {accept}");
        }
    }
    count(&chain).await;
    for (path, accept, expected) in told(1) {
        wait::until("the number is purged", async || read(path, accept).await.0 == expected).await;
    }
}

#[tokio::test]
async fn a_hit_purges_the_past_of_its_page_and_its_site() {
    let chain = Chain::start(1).await;
    let read = async |path: &str| {
        let answer = client().get(chain.pushpin.url(path)).answer().await;
        assert_eq!((answer.status().as_u16(), header(&answer, "surrogate-key")), (200, ""), "{path}");
        let cached = header(&answer, "x-cache").to_owned();
        (answer.text().await.expect("a text"), cached)
    };
    let paths =
        ["history?last=1&format=csv", "history?last=1&of=site", "chart.svg?last=1", "tag.json?of=site"];
    let paths = paths.map(|path| format!("/nocount/{path}&{URL}"));
    let mut kept = Vec::new();
    for path in &paths {
        let (before, cached) = read(path).await;
        assert_eq!(cached, "MISS", "{path}");
        assert_eq!(read(path).await.0, before, "{path}");
        wait::until("the answer is kept", async || read(path).await.1 == "HIT").await;
        kept.push(before);
    }
    count(&chain).await;
    for (path, before) in paths.iter().zip(kept) {
        wait::until("the answer is purged", async || read(path).await.0 != before).await;
    }
}
