//! The answers to a PUT and a DELETE of a counter, and the values that they store.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{Managed, deleted, on_each, owner};
use crate::access::told;
use crate::support::app::TestApp;
use crate::support::deployment::Deployment;
use crate::support::http::{Ask, client, header};
use crate::support::keys::secret;
use crate::support::server::Server;
use crate::support::wait::until;

#[tokio::test]
async fn a_counter_is_set_deleted_and_counted_again() {
    on_each(&[], async |service| {
        let app = service.app;
        assert_eq!(told(service.set("2", 26)).await, (200, "26\n".to_owned()));
        let answer =
            service.set("2", -9_007_199_254_740_991).header("accept", "application/json").answer().await;
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(
            answer.json::<Value>().await.expect("JSON"),
            json!({"id": "2", "value": -9_007_199_254_740_991_i64})
        );
        assert_eq!(told(service.set("2", 0)).await, (200, "0\n".to_owned()));
        assert_eq!(app.add("2").await, 1);
        deleted(service.delete("2")).await;
        assert_eq!(app.read("2").await, 0);
        // A DELETE of a counter that does not exist, or never has, has the same answer.
        deleted(service.delete("2")).await;
        deleted(service.delete("never")).await;
        assert_eq!(app.add("2").await, 1);
        // Bodies and queries as a POST takes them.
        let put_with = |query: &str| client().put(app.counter("2") + query).bearer_auth(service.key.expose());
        let put = || put_with("");
        for (request, expected) in [
            (put_with("?value=5"), "5\n"),
            (put().header("content-type", "application/x-www-form-urlencoded").body("value=-6"), "-6\n"),
            (put().body("{\"value\":7}"), "7\n"),
            (client().put(format!("{}?_key={}&value=8", app.counter("2"), service.key.expose())), "8\n"),
        ] {
            assert_eq!(told(request).await, (200, expected.to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn where_new_counters_are_limited_setting_one_counts_as_new() {
    // Each origin asks the store for the count once a second, so that two origins agree only after a while.
    let (key, limit) = (secret(), ("LIVECOUNTER__LIMITS__TOPICS", "1"));
    let app = &Deployment::in_process(&[("LIVECOUNTER__KEYS", &owner(&key)), limit]).await;
    let service = Managed { app, key: &key };
    assert_eq!(told(service.set("1", 5)).await.0, 200);
    assert_eq!(told(service.set("2", 5)).await.0, 507);
    assert_eq!(told(service.set("1", 6)).await, (200, "6\n".to_owned()));
    deleted(service.delete("1")).await;
    until("there is room again", async || told(service.set("2", 5)).await.0 == 200).await;
}

#[tokio::test]
async fn the_same_key_sets_and_deletes_once() {
    on_each(&[], async |service| {
        let app = service.app;
        let once = |request: RequestBuilder, key: &str| request.header("idempotency-key", key);
        assert_eq!(told(once(service.set("1", 5), "a")).await, (200, "5\n".to_owned()));
        assert_eq!(app.add("1").await, 6);
        assert_eq!(told(once(service.set("1", 5), "a")).await, (200, "5\n".to_owned()));
        assert_eq!(app.read("1").await, 6);
        for request in [
            once(service.set("1", 7), "a"),
            once(service.delete("1"), "a"),
            once(client().post(app.counter("1")), "a"),
        ] {
            let detail = "this Idempotency-Key was used with the value 5; nothing was changed".to_owned();
            assert_eq!(told(request).await, (422, detail));
        }
        deleted(once(service.delete("1"), "b")).await;
        assert_eq!(app.add("1").await, 1);
        deleted(once(service.delete("1"), "b")).await;
        assert_eq!(app.read("1").await, 1, "the deletion is not repeated");
        assert_eq!(told(once(service.set("1", 1), "b")).await.0, 422);
    })
    .await;
}

#[tokio::test]
async fn unknown_counters_are_404_for_a_key_that_may_manage_them() {
    on_each(&[("LIVECOUNTER__COUNTERS__KNOWN", "1,2,~")], async |service| {
        assert_eq!(told(service.set("3", 5)).await, (404, "there is no counter 3 here".to_owned()));
        assert_eq!(told(service.delete("3")).await.0, 404);
        assert_eq!(
            told(client().delete(service.app.counter("3"))).await.0,
            401,
            "it does not say what there is"
        );
        assert_eq!(told(service.set("2", 5)).await.0, 200);
        // The list has the known counters, whether they have changed or not.
        assert_eq!(told(service.list("")).await, (200, "1 0\n2 5\n~ 0\n".to_owned()));
        assert_eq!(told(service.list("?after=1&limit=1")).await, (200, "2 5\n".to_owned()));
        assert_eq!(told(service.list("?prefix=~")).await, (200, "~ 0\n".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_set_and_delete() {
    let app = TestApp::spawn().await;
    for method in ["PUT", "DELETE"] {
        let request = client().request(reqwest::Method::OPTIONS, app.counter("1"));
        let request = request.header("origin", "https://page.example");
        let answer = request.header("access-control-request-method", method).answer().await;
        let allowed = header(&answer, "access-control-allow-methods");
        assert!(allowed.split(", ").any(|allowed| allowed == method), "{allowed}");
    }
}
