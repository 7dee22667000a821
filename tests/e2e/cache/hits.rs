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
