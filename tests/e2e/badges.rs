//! Badges through the whole chain: the cache keeps one until its counter changes.

use crate::support::chain::Chain;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::wait::until;

#[tokio::test]
async fn after_a_post_a_badge_shows_the_new_value() {
    let chain = Chain::start(2).await;
    let url = chain.pushpin.url("/counters/2/badge.svg?label=visits&_=1");
    let day = chain.pushpin.url("/counters/2/badge.json?of=day");
    for value in 0..3_i64 {
        if value > 0 {
            assert_eq!(chain.origins[value as usize % 2].add("2").await, value);
        }
        let shown = format!("aria-label=\"visits: {value}\"");
        until("the badge is purged", async || client().get(&url).text().await.contains(&shown)).await;
        let added = format!("\"message\":\"{value}\"");
        until("the day is purged", async || client().get(&day).text().await.contains(&added)).await;
        // An origin purges a second time before it acknowledges. The first read behind that is kept.
        let acknowledged = async || chain.metric("livecounter_announcements_acknowledged_total").await;
        until("both purges", async || acknowledged().await == value as f64).await;
        client().get(&url).text().await;
        let kept = client().get(&url).header("accept", "image/*").answer().await;
        assert_eq!((header(&kept, "x-cache"), header(&kept, "content-type")), ("HIT", "image/svg+xml"));
        assert_eq!(header(&kept, "cache-control"), "no-cache");
        assert_eq!(header(&kept, "cross-origin-resource-policy"), "cross-origin");
        for name in ["surrogate-control", "surrogate-key"] {
            assert_eq!(header(&kept, name), "", "{name}");
        }
        let tag = header(&kept, "etag");
        let again = client().get(&url).header("if-none-match", tag).answer().await;
        assert_eq!(again.status(), 304);
    }
    let refused = client().get(chain.pushpin.url("/counters/2/badge.svg?color=none")).answer().await;
    assert_eq!((refused.status().as_u16(), header(&refused, "content-type")), (400, "image/svg+xml"));
    assert_eq!(chain.origins[0].read("2").await, 2, "looking at it does not count");
}
