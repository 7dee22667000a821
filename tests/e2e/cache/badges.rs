//! Badges: kept under their known parameters, for all clients alike, and purged with their counter.

use super::get;
use crate::origin::Origin;
use crate::support::varnish::Varnish;

#[tokio::test]
async fn of_a_badge_only_known_parameters_count_in_one_order() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for (path, sent) in [
        ("/counters/2/badge.svg?label=a&style=flat", "/counters/2/badge.svg?style=flat&label=a"),
        ("/counters/2/badge.svg?_=1&v=2", "/counters/2/badge.svg"),
        ("/counters/2/badge.json?label=a&label=b", "/counters/2/badge.json?label=b"),
        (
            "/counters/2/badge.svg?base=5&format=short&labelColor=red&color=fff&label=%3Fx&style=social&of=day&tz=UTC",
            "/counters/2/badge.svg?of=day&tz=UTC&style=social&label=%3Fx&color=fff&labelColor=red&format=short&base=5",
        ),
        ("/counters/2/badge.svg?labelColor=red", "/counters/2/badge.svg?labelColor=red"),
        // Only the first question mark begins the query.
        ("/counters/2/badge.svg?label=a?color=red", "/counters/2/badge.svg?label=a?color=red"),
        // Counters with these names have no query.
        ("/counters/badge.svg?label=a", "/counters/badge.svg"),
    ] {
        assert_eq!(get(&cache.url(path), "image/avif,image/*").await.1, "MISS", "{path}");
        let reached = origin.requests().pop().expect("a request");
        assert_eq!((reached.path.as_str(), reached.header("x-query")), (sent, ""), "{path}");
        assert_eq!(reached.header("accept"), "*/*", "{path}");
        assert_eq!(get(&cache.url(sent), "*/*").await.1, "HIT", "{sent}");
    }
}

#[tokio::test]
async fn a_badge_is_one_answer_for_all_and_purged_with_its_counter() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url("/counters/2/badge.svg?label=a");
    let accepts = ["image/avif,image/webp,*/*;q=0.8", "*/*", "text/event-stream", "application/json;q=0.5"];
    for round in 0..2 {
        for (index, accept) in accepts.into_iter().enumerate() {
            let expected = if index == 0 { "MISS" } else { "HIT" };
            assert_eq!(get(&url, accept).await.1, expected, "{round} {accept}");
        }
        cache.purge("counter-2").await;
    }
}
