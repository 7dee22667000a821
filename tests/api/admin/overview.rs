//! The overview and its stream.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{log_in, owner, page};
use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::Ask;
use crate::support::port::Port;
use crate::support::server::Server;
use crate::support::sse::Listener;
use crate::support::wait::until_within;

/// How long the next numbers may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn the_overview_counts_requests_of_clients_and_not_its_own() {
    let (secret, keys) = owner();
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        let cookie = log_in(app, &secret).await;
        for _ in 0..2 {
            let text = page(app, "/admin").header("cookie", &cookie).text().await;
            assert!(text.contains("data-now=\"requests\">0</b>"), "{text}");
        }
        for _ in 0..6 {
            app.add("1").await;
        }
        let text = page(app, "/admin").header("cookie", &cookie).text().await;
        let each = if app.holds_streams() { 6 } else { 3 };
        assert!(text.contains(&format!("data-now=\"requests\">{each}</b>")), "{text}");
        assert_eq!(text.contains("id=\"proxies\""), !app.holds_streams(), "{text}");
        assert!(!text.contains("key="), "{text}");
    })
    .await;
}

#[tokio::test]
async fn the_latest_requests_are_listed_without_their_queries() {
    let app = TestApp::spawn().await;
    let mut text = String::new();
    // Requests before the first second begins are counted, and not kept.
    let listed = async || {
        for path in ["/counters/1/?_key=lc_hush&a=hush", "/<script>hush", "/healthz", "/assets/home.css"] {
            app.get(path).await;
        }
        text = page(&app, "/admin").text().await;
        text.contains("</span> /counters/1/</th>")
    };
    until_within(PATIENCE, "a request in the list", listed).await;
    let (_, list) = text.split_once("id=\"latest\"").expect("the list");
    assert!(list.contains("</span> /counters/1/</th><td class=\"n\">200</td>"), "{list}");
    for absent in ["lc_hush", "a=hush", "<script>hush", "/healthz", "/assets", "/admin"] {
        assert!(!list.contains(absent), "{absent}: {list}");
    }
}

#[tokio::test]
async fn the_stream_brings_the_numbers_and_ends_when_the_service_stops() {
    let app = TestApp::spawn().await;
    let mut listener = Listener::connect(app.addr, "/admin/stream").await;
    assert_eq!(listener.status(), 200);
    let first: Value = serde_json::from_str(&listener.next(PATIENCE).await.data).expect("JSON");
    assert_eq!((&first["requests"], &first["outbox"]), (&0.into(), &0.into()));
    app.add("1").await;
    until_shown(&mut listener, |now| now["requests"] == 1).await;
    let counter = Listener::connect(app.addr, "/counters/1/").await;
    until_shown(&mut listener, |now| now["listeners"] == 1 && now["failing"] == 0).await;
    drop(counter);
    let begun = Instant::now();
    app.stop().await;
    assert!(begun.elapsed().as_secs() < 8, "the stream has held up the end");
}

#[tokio::test]
async fn the_stream_tells_what_waits_and_how_long_publishing_has_failed() {
    // Nothing listens at the address of the proxy.
    let port = Port::reserve();
    let proxy = format!("http://{}/", port.addr());
    let app = TestApp::with(&[("GRIP_URL", &proxy)]).await;
    app.add("1").await;
    let mut listener = Listener::connect(app.addr, "/admin/stream").await;
    let is_behind =
        |now: &Value| now["outbox"] == 1 && now["failing"].as_u64().is_some_and(|seconds| seconds > 0);
    until_shown(&mut listener, is_behind).await;
}

/// Waits until the stream of the overview shows such numbers.
async fn until_shown(listener: &mut Listener, is_so: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now: Value = serde_json::from_str(&listener.next(PATIENCE).await.data).expect("JSON");
        if is_so(&now) {
            return;
        }
        assert!(Instant::now() < deadline, "the stream still shows {now}");
    }
}
