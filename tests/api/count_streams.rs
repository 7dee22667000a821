//! `/count` as a stream, as pages open it that show their own number with an `EventSource`.

use std::time::Duration;

use crate::grip::{GRIP_URL, SECRET, claims, hs256};
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};
use crate::support::redis::RedisServer;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
const REFERER: (&str, &str) = ("Referer", "https://www.example.com/a");
const PAGE: &str = "page-JoDShKgqAQjUcOK_8rDqUg";

async fn present(app: &TestApp) -> String {
    client().get(format!("{}/nocount?url=www.example.com/a", app.address)).text().await
}

#[tokio::test]
async fn a_visit_counts_when_its_stream_opens_and_not_when_it_comes_back() {
    let app = TestApp::spawn().await;
    let mut first = Listener::connect_with(app.addr, "/count", &[REFERER]).await;
    assert_eq!(first.header("content-type"), "text/event-stream");
    assert_eq!(first.header("cache-control"), "no-store, no-transform");
    let event = first.next(SOON).await;
    let id = event.id.expect("an id");
    assert_eq!((id.split_once('@').expect("an @").0, event.data.as_str()), (PAGE, "1"));
    let mut second = Listener::connect(app.addr, "/count?url=www.example.com/a").await;
    assert_eq!(second.next(SOON).await.data, "2");
    first.until_data("2", SOON).await;
    let cookie = first.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    for known in [("Last-Event-ID", id.as_str()), ("Cookie", cookie.as_str()), ("Purpose", "prefetch")] {
        let mut again = Listener::connect_with(app.addr, "/count", &[REFERER, known]).await;
        assert_eq!(again.next(SOON).await.data, "2", "{known:?}");
        assert_eq!(again.header("set-cookie"), "", "{known:?}");
    }
    let head = client().head(format!("{}/count", app.address)).header(REFERER.0, REFERER.1);
    let head = head.header("accept", "text/event-stream").answer().await;
    assert_eq!((head.status().as_u16(), header(&head, "content-type")), (200, "text/event-stream"));
    assert_eq!(present(&app).await, "2");
}

#[tokio::test]
async fn a_proxy_is_told_to_hold_it_and_without_one_nothing_counts() {
    let redis = RedisServer::start();
    let app = TestApp::with(&[("REDIS_URL", &redis.url()), ("GRIP_URL", GRIP_URL)]).await;
    let ask = || {
        let request = client().get(format!("{}/count", app.address)).header(REFERER.0, REFERER.1);
        request.header("accept", "text/event-stream")
    };
    assert_eq!(ask().answer().await.status(), 501);
    assert_eq!(present(&app).await, "0");
    let held = ask().header("grip-sig", hs256(SECRET, &claims("pushpin", 60))).answer().await;
    let link = format!("</topics/{PAGE}/recover>; rel=next; timeout=3");
    assert_eq!((header(&held, "grip-hold"), header(&held, "grip-link")), ("stream", &*link));
    for name in ["surrogate-control", "surrogate-key"] {
        assert_eq!(header(&held, name), "", "{name}");
    }
    assert_eq!(header(&held, "cache-control"), "no-store, no-transform");
    assert!(header(&held, "set-cookie").starts_with("lc_"));
    assert!(held.text().await.expect("a body").ends_with("data: 1\n\n"));
    assert_eq!(present(&app).await, "1");
}

#[tokio::test]
async fn a_stream_that_is_refused_counts_nothing() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "1")]).await;
    let mut first = Listener::connect_with(app.addr, "/count", &[REFERER]).await;
    assert_eq!(first.next(SOON).await.data, "1");
    for _ in 0..3 {
        let refused = client().get(format!("{}/count", app.address)).header(REFERER.0, REFERER.1);
        assert_eq!(refused.header("accept", "text/event-stream").answer().await.status(), 429);
    }
    assert_eq!(present(&app).await, "1");
}
