//! The service behind Varnish and nginx with the settings that they come with.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::write::GzDecoder;
use tokio::time::timeout;

use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::foreign::Foreign;
use crate::support::front::Front;
use crate::support::http::{Ask, client};
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
const COUNTER: &str = "/counters/2/";

async fn text(request: reqwest::RequestBuilder) -> String {
    request.text().await
}

/// Listeners join through the cache before and after changes: each begins with the present value.
async fn assert_streams_begin_with_the_present_value(service: SocketAddr) {
    let cache = Foreign::varnish(service).await;
    let url = format!("http://{service}{COUNTER}");
    let mut listeners = Vec::new();
    for expected in ["0", "1", "2"] {
        let mut joined = Listener::connect(cache.addr(), COUNTER).await;
        assert_eq!(joined.next(SOON).await.data, expected, "a listener that joins now begins with it");
        listeners.push(joined);
        let added = text(client().post(&url)).await;
        for listener in &mut listeners {
            listener.until_data(added.trim(), SOON).await;
        }
    }
}

#[tokio::test]
async fn a_cache_without_purges_never_answers_an_old_value() {
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

#[tokio::test]
async fn a_cache_before_the_front_replays_no_stream() {
    let chain = Chain::start(1).await;
    let front = Front::start(chain.pushpin.addr(), chain.cache.addr()).await;
    assert_streams_begin_with_the_present_value(front.addr()).await;
}

#[tokio::test]
async fn a_held_stream_tells_caches_to_keep_nothing_where_ours_keeps_it() {
    let chain = Chain::start(1).await;
    let front = Front::start(chain.pushpin.addr(), chain.cache.addr()).await;
    for kept in ["MISS", "HIT"] {
        let mut stream = Listener::connect(front.addr(), COUNTER).await;
        assert_eq!(stream.next(SOON).await.data, "0");
        assert_eq!(stream.header("x-cache"), kept, "ours goes by Surrogate-Control");
        assert_eq!(stream.header("cache-control"), "no-cache, no-transform");
        assert_eq!(stream.header("x-accel-buffering"), "no");
        for name in ["surrogate-control", "surrogate-key", "xkey", "grip-hold", "grip-channel", "grip-link"] {
            assert_eq!(stream.header(name), "", "{name}");
        }
    }
}

/// Through nginx with nothing but `proxy_pass`, each event is shown when it comes.
async fn assert_events_come_at_once(service: SocketAddr) {
    let nginx = Foreign::nginx(service, "").await;
    let mut listener = Listener::connect(nginx.addr(), COUNTER).await;
    listener.until_data("0", SOON).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(text(client().post(format!("http://{service}{COUNTER}"))).await.trim(), expected);
        listener.until_data(expected, SOON).await;
    }
}

#[tokio::test]
async fn nginx_before_the_embedded_mode_shows_each_event_at_once() {
    let app = TestApp::spawn().await;
    assert_events_come_at_once(app.addr).await;
}

#[tokio::test]
async fn nginx_before_the_chain_shows_each_event_at_once() {
    let chain = Chain::start(1).await;
    assert_events_come_at_once(chain.pushpin.addr()).await;
}

#[tokio::test]
async fn nginx_that_compresses_streams_shows_each_event_at_once() {
    let app = TestApp::spawn().await;
    let gzip = "gzip on; gzip_min_length 0; gzip_proxied any; gzip_types text/event-stream;";
    let nginx = Foreign::nginx(app.addr, gzip).await;
    let request = client().get(nginx.counter("2")).header("accept", "text/event-stream");
    let mut stream = request.header("accept-encoding", "gzip").answer().await;
    // nginx compresses although the answer says no-transform, but it holds no event back.
    assert_eq!(stream.headers()["content-encoding"], "gzip");
    let mut seen = GzDecoder::new(Vec::new());
    for expected in ["0", "1", "2"] {
        let end = format!("data: {expected}\n\n");
        while !String::from_utf8_lossy(seen.get_ref()).ends_with(&end) {
            let bytes = timeout(SOON, stream.chunk()).await.expect("an event").expect("to receive");
            seen.write_all(&bytes.expect("it goes on")).expect("gzip");
            seen.flush().expect("gzip");
        }
        text(client().post(app.counter("2"))).await;
    }
}
