//! The service behind caches and proxies of others, as they come.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::foreign::Foreign;
use crate::support::http::client;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
const COUNTER: &str = "/counters/2/";

async fn text(request: reqwest::RequestBuilder) -> String {
    request.send().await.expect("an answer").text().await.expect("a text")
}

/// Joins through the cache, before and behind changes: whoever joins later begins with the present value.
async fn assert_streams_begin_with_the_present_value(service: SocketAddr) {
    let cache = Foreign::varnish(service).await;
    let url = format!("http://{service}{COUNTER}");
    let mut listeners = Vec::new();
    for expected in ["0", "1", "2"] {
        let mut joined = Listener::connect(cache.addr(), COUNTER).await;
        assert_eq!(joined.next(SOON).await.data, expected, "who joins now begins with it");
        listeners.push(joined);
        let added = text(client().post(&url)).await;
        for listener in &mut listeners {
            listener.until_data(added.trim(), SOON).await;
        }
    }
}

#[tokio::test]
async fn a_cache_that_nobody_purges_never_answers_an_old_value() {
    let app = TestApp::spawn().await;
    let cache = Foreign::varnish(app.addr).await;
    for expected in ["1\n", "2\n", "3\n"] {
        assert_eq!(text(client().post(cache.counter("2"))).await, expected);
        for accept in ["*/*", "application/json"] {
            let read = text(client().get(cache.counter("2")).header("accept", accept)).await;
            assert!(read.contains(expected.trim()), "{accept}: {read} behind {expected}");
        }
    }
}

#[tokio::test]
async fn a_cache_before_the_embedded_mode_replays_no_stream() {
    let app = TestApp::spawn().await;
    assert_streams_begin_with_the_present_value(app.addr).await;
}

#[tokio::test]
async fn a_cache_before_pushpin_replays_no_stream() {
    let chain = Chain::start(1).await;
    assert_streams_begin_with_the_present_value(chain.pushpin.addr()).await;
}
