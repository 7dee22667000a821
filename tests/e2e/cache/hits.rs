//! Hits of pages: the cache keeps reads whose query names the page, and passes all others.

use super::get;
use crate::origin::Origin;
use crate::support::http::{Ask, client, header};
use crate::support::varnish::Varnish;

#[tokio::test]
async fn of_a_read_of_hits_only_the_addresses_of_pages_count() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for (path, sent) in [
        ("/nocount?url=a.example", "/nocount?url=a.example"),
        ("/nocount?_=1&url=b.example&x", "/nocount?url=b.example"),
        ("/nocount?url=b&x=1&url=a?c=d&e&curl=f", "/nocount?url=b&url=a?c=d"),
        ("/nocount/site?v=2&url=a%26b", "/nocount/site?url=a%26b"),
        ("/nocount?url=", "/nocount?url="),
        ("/nocount?url=a?&url=b", "/nocount?url=a?&url=b"),
    ] {
        for accept in ["*/*", "application/json", "text/event-stream"] {
            assert_eq!(get(&cache.url(path), accept).await.1, "MISS", "{path} {accept}");
            let reached = origin.requests().pop().expect("a request");
            assert_eq!((reached.path.as_str(), reached.header("accept")), (sent, accept), "{path}");
            assert_eq!(get(&cache.url(sent), accept).await.1, "HIT", "{sent} {accept}");
        }
    }
    cache.purge("counter-2").await;
    assert_eq!(get(&cache.url("/nocount?url=a.example"), "*/*").await.1, "MISS");
}

#[tokio::test]
async fn of_the_past_of_hits_the_first_address_and_known_parameters_count() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for (path, accept, sent, sent_accept) in [
        (
            "/nocount/history?_=1&of=site&url=a&unit=day&url=b",
            "image/*",
            "/nocount/history?url=a&of=site&unit=day",
            "*/*",
        ),
        (
            "/nocount/history?x&url=a?url=c&last=7&last=8",
            "text/csv",
            "/nocount/history?url=a?url=c&last=8",
            "text/csv",
        ),
        (
            "/nocount/chart.svg?theme=dark&url=a%26b&form=bars&label=x",
            "*/*",
            "/nocount/chart.svg?url=a%26b&form=bars&theme=dark",
            "*/*",
        ),
        (
            "/nocount/tag.json?label=x&unit=day&of=day&url=a&curl=b",
            "application/json;q=0.5",
            "/nocount/tag.json?url=a&of=day&label=x",
            "*/*",
        ),
    ] {
        assert_eq!(get(&cache.url(path), accept).await.1, "MISS", "{path}");
        let reached = origin.requests().pop().expect("a request");
        assert_eq!((reached.path.as_str(), reached.header("accept")), (sent, sent_accept), "{path}");
        assert_eq!(reached.header("x-query"), "");
        assert_eq!(get(&cache.url(sent), sent_accept).await.1, "HIT", "{sent}");
    }
    // A counter's past has no such parameters.
    assert_eq!(get(&cache.url("/counters/2/history?url=a&of=site"), "*/*").await.1, "MISS");
    assert_eq!(origin.requests().pop().expect("a request").path, "/counters/2/history");
}

#[tokio::test]
async fn what_counts_or_is_not_named_by_the_query_passes_each_time() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for path in [
        "/count?url=a.example",
        "/count/site?url=a.example",
        "/count/tag.svg?url=a.example",
        "/nocount",
        "/nocount?curl=a.example",
        "/nocount/site?x=url=a",
        "/nocount/tag.svg?url=a.example",
        "/nocount/history",
        "/nocount/chart.svg?curl=a.example",
        "/nocount/tag.json?of=day",
        "/nocount/top?url=a.example",
        "/nocount/uniques?url=a.example",
        "/nocount/?url=a.example",
        "/%6Eocount?url=a.example",
    ] {
        for accept in ["*/*", "text/event-stream"] {
            for _ in 0..2 {
                let before = origin.count("GET");
                let answer = client().get(cache.url(path)).header("accept", accept);
                let answer = answer.header("referer", "https://www.example.com/a").answer().await;
                assert_eq!(header(&answer, "x-cache"), "MISS", "{path}");
                assert_eq!(origin.count("GET"), before + 1, "{path}");
                let reached = origin.requests().pop().expect("a request");
                assert_eq!(
                    (reached.path.as_str(), reached.header("referer")),
                    (path, "https://www.example.com/a")
                );
            }
        }
    }
    let with_key = client().get(cache.url("/nocount?url=a.example")).bearer_auth("lc_x");
    assert_eq!(header(&with_key.answer().await, "x-cache"), "MISS");
    assert_eq!(origin.requests().pop().expect("a request").header("authorization"), "Bearer lc_x");
}
