//! The past of counters: the only reads of a counter whose query counts.

use super::get;
use crate::origin::Origin;
use crate::support::varnish::Varnish;

#[tokio::test]
async fn of_the_past_only_known_parameters_count_in_one_order() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for (path, sent) in [
        ("/counters/2/history?last=7&unit=day", "/counters/2/history?unit=day&last=7"),
        ("/counters/2/history?_=1&x=2", "/counters/2/history"),
        ("/counters/2/history?last=7&last=8", "/counters/2/history?last=8"),
        (
            "/counters/2/chart.svg?theme=dark&form=bars&tz=UTC&z",
            "/counters/2/chart.svg?tz=UTC&form=bars&theme=dark",
        ),
        ("/counters/2/history?format=csv&unit=", "/counters/2/history?unit=&format=csv"),
        // A question mark within a value begins no further parameter.
        ("/counters/2/history?tz=UTC?unit=day", "/counters/2/history?tz=UTC?unit=day"),
        // Counters with these names have no query.
        ("/counters/history?unit=day", "/counters/history"),
        ("/counters/chart.svg/?unit=day", "/counters/chart.svg/"),
    ] {
        assert_eq!(get(&cache.url(path), "image/*").await.1, "MISS", "{path}");
        let reached = origin.requests().pop().expect("a request");
        assert_eq!((reached.path.as_str(), reached.header("x-query")), (sent, ""), "{path}");
        assert_eq!(get(&cache.url(sent), "*/*").await.1, "HIT", "{sent}");
    }
}

#[tokio::test]
async fn the_past_as_a_table_is_another_answer_and_purged_with_the_counter() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url("/counters/2/history?last=3");
    for (accept, sent, cached) in [
        ("text/csv", "text/csv", "MISS"),
        ("application/json", "*/*", "MISS"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", "", "HIT"),
        ("text/event-stream", "", "HIT"),
        ("application/json;q=0.5, text/csv;q=0.9", "", "HIT"),
        ("text/csv; header=present, */*;q=0.1", "", "HIT"),
    ] {
        let asked = origin.requests().len();
        assert_eq!(get(&url, accept).await.1, cached, "{accept}");
        if cached == "MISS" {
            assert_eq!(origin.requests().pop().expect("a request").header("accept"), sent);
        } else {
            assert_eq!(origin.requests().len(), asked, "{accept}");
        }
    }
    cache.purge("counter-2").await;
    for accept in ["text/csv", "*/*"] {
        assert_eq!(get(&url, accept).await.1, "MISS", "{accept}");
    }
}
