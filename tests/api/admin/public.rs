//! The page that every client may see, where a setting says so.

use serde_json::Value;

use super::{owner, page};
use crate::support::app::TestApp;
use crate::support::http::{Ask, header};
use crate::support::server::Server;
use crate::support::sse::Listener;

use super::overview::PATIENCE;

#[tokio::test]
async fn the_public_page_shows_numbers_and_nothing_of_clients() {
    let (_, keys) = owner();
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys), ("LIVECOUNTER__ADMIN__PUBLIC", "true")]).await;
    for _ in 0..3 {
        app.add("secret-counter").await;
    }
    let answer = page(&app, "/admin/public").answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (200, "no-store"));
    let text = answer.text().await.expect("a page");
    assert!(text.contains("data-now=\"requests\">3</b>"), "{text}");
    for absent in ["secret-counter", "Log out", "/admin/counters", "id=\"latest\"", "id=\"proxies\""] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    let mut listener = Listener::connect(app.addr, "/admin/public/stream").await;
    let event: Value = serde_json::from_str(&listener.next(PATIENCE).await.data).expect("JSON");
    let mut names: Vec<&String> = event.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["announced", "listeners", "requests", "seconds"]);
    assert_eq!(page(&app, "/admin/public?_key=lc_hush").answer().await.status(), 400);
    assert_eq!(page(&app, "/admin").answer().await.status(), 401);
}

#[tokio::test]
async fn there_is_no_public_page_unless_a_setting_says_so() {
    let app = TestApp::spawn().await;
    for path in ["/admin/public", "/admin/public/stream"] {
        let answer = page(&app, path).answer().await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(answer.text().await.expect("a problem").contains("admin.public is false"), "{path}");
    }
}
