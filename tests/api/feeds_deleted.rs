//! Deleting a feed: `DELETE /feed`.

use livecounter::access::NewSecret;
use serde_json::{Value, json};

use crate::feeds::{gap, keys, next, page_with};
use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::sse::Listener;

#[tokio::test]
async fn a_deleted_feed_is_a_gap_for_its_listeners_and_begins_anew() {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = keys(&secret, r#""read:", "write:", "manage:""#);
    let settings = [("LIVECOUNTER__KEYS", keys.as_str())];
    on_each_deployment(&settings, async |app| {
        let key = secret.expose();
        let write = async |number: u64| -> String {
            let body = json!({"route": "app/chat", "payload": number});
            let request = client().post(format!("{}/drop", app.address)).bearer_auth(key).json(&body);
            let answer: Value = request.answer().await.json().await.expect("JSON");
            answer["drop_id"].as_str().expect("an id").to_owned()
        };
        let url = format!("{}/feed/app/chat", app.address);
        let delete = async |query: &str| {
            client().delete(format!("{url}{query}")).bearer_auth(key).answer().await.status().as_u16()
        };
        let page = async |id: &str| page_with(app, key, "/feed/app/chat", id).await;
        assert_eq!(delete("").await, 204, "there is none");
        let first = write(1).await;
        page(&first).await;
        assert_eq!(delete("?x=1").await, 400);
        assert_eq!(page(&first).await["events"].as_array().map(Vec::len), Some(1), "nothing was deleted");
        assert_eq!((delete("/").await, delete("").await), (204, 204));
        let empty: Value = client().get(&url).bearer_auth(key).answer().await.json().await.expect("JSON");
        assert_eq!(empty["events"], json!([]));
        let second = write(2).await;
        assert_ne!(second, first);
        let page = page(&second).await;
        assert_eq!(page["events"].as_array().map(Vec::len), Some(1), "{page}");
        let once = async || {
            let request = client().delete(&url).bearer_auth(key).header("Idempotency-Key", "one");
            request.answer().await.status().as_u16()
        };
        assert_eq!(once().await, 204);
        let third = write(3).await;
        assert_eq!(once().await, 204, "a repetition");
        page_with(app, key, "/feed/app/chat", &third).await;
    })
    .await;
}

#[tokio::test]
async fn listeners_of_a_deleted_feed_get_one_gap_and_then_the_next_event() {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = keys(&secret, r#""read:", "write:", "manage:""#);
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    let bearer = format!("Bearer {}", secret.expose());
    let headers = [("Authorization", bearer.as_str())];
    let write = async |number: u64| {
        let request = client().post(format!("{}/drop", app.address)).bearer_auth(secret.expose());
        let answer = request.json(&json!({"route": "app/chat", "payload": number})).answer().await;
        assert_eq!(answer.status(), 200);
    };
    let mut one = Listener::connect_with(app.addr, "/live/app/chat", &headers).await;
    let mut below = Listener::connect_with(app.addr, "/live/app/*", &headers).await;
    write(1).await;
    for listener in [&mut one, &mut below] {
        assert_eq!(next(listener).await.1, "1");
    }
    let url = format!("{}/feed/app/chat", app.address);
    assert_eq!(client().delete(&url).bearer_auth(secret.expose()).answer().await.status(), 204);
    for listener in [&mut one, &mut below] {
        assert_eq!(gap(listener).await["reason"], "deleted");
    }
    write(2).await;
    for listener in [&mut one, &mut below] {
        assert_eq!(next(listener).await.1, "2");
    }
}

#[tokio::test]
async fn only_a_key_that_manages_the_route_deletes_its_feed() {
    let secret = NewSecret::generate().expect("random numbers");
    let keys = keys(&secret, r#""read:", "write:", "manage:routes/a/""#);
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &keys)]).await;
    for (path, expected) in [
        ("/feed/a/b", 204),
        ("/feed/ab", 403),
        ("/feed/b", 403),
        ("/feed/_admin/events", 403),
        ("/feed/a//b", 400),
        ("/feed/*", 400),
    ] {
        let url = format!("{}{path}", app.address);
        let answer = client().delete(&url).bearer_auth(secret.expose()).answer().await;
        assert_eq!(answer.status(), expected, "{path}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
    }
    let url = format!("{}/feed/a/b", app.address);
    assert_eq!(client().delete(&url).answer().await.status(), 401);
    let answer = client().post(&url).answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, "GET, HEAD, DELETE, OPTIONS"));
}
