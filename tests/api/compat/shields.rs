//! The badges of Abacus, on the hosts of CountAPI.

use serde_json::json;

use super::badges::title;
use super::countapi::{HOST, HOSTS, told};
use super::get;
use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client};

#[tokio::test]
async fn a_shield_shows_the_value_and_the_one_of_a_hit_counts() {
    on_each_deployment(&[HOSTS], async |app: &Deployment| {
        let shield = |path: &str| get(&app.address, HOST, path);
        let missing = title(shield("/get/a.b/visits/shield"), 404).await;
        assert_eq!(missing, "error 404: the key does not exist: a hit creates it");
        assert_eq!(title(shield("/hit/a.b/visits/shield"), 200).await, "counter: 1");
        let look = "bgcolor=e05d44&text=visits&style=plastic&fontsize=12&font=arial&textcolor=ffff00";
        assert_eq!(title(shield(&format!("/hit/a.b/visits/shield/?{look}")), 200).await, "visits: 2");
        assert_eq!(title(shield("/get/a.b/visits/shield?text=a&style=flat-simple"), 200).await, "2");
        told(&app.address, "/get/a.b/visits", 200, json!({"value": 2})).await;
        assert_eq!(client().get(app.counter("a.b~visits")).text().await, "2\n");
    })
    .await;
}

#[tokio::test]
async fn a_shield_that_cannot_be_drawn_or_is_refused_counts_nothing() {
    let app = TestApp::with(&[HOSTS, ("LIVECOUNTER__ACCESS__WRITE", "anyone,key:counters/private~")]).await;
    for (path, status, expected) in [
        ("/hit/a.b/visits/shield?bgcolor=5", 400, "error 400: bgcolor must be 3 or 6 hex digits"),
        ("/hit/a.b/visits/shield?text=%00", 400, "error 400: text must not have control characters"),
        ("/hit/a.b/visits/shield?text=a&text=b", 400, "error 400: text is given twice in the query"),
        ("/hit/ab/visits/shield", 400, "error 400: Malformed Namespace/Key: "),
        ("/hit/private/visits/shield", 401, "error 401: "),
    ] {
        let told = title(get(&app.address, HOST, path), status).await;
        assert!(told.starts_with(expected), "{path}: {told}");
    }
    for name in ["a.b/visits", "private/visits"] {
        told(&app.address, &format!("/get/{name}"), 404, json!({"value": null})).await;
    }
    let head = client().head(format!("{}/hit/a.b/visits/shield", app.address)).header("host", HOST);
    assert_eq!(head.answer().await.status(), 200);
    told(&app.address, "/get/a.b/visits", 404, json!({"value": null})).await;
    // A key may be called `shield`.
    told(&app.address, "/hit/a.b/shield", 200, json!({"value": 1})).await;
    assert_eq!(title(get(&app.address, HOST, "/hit/a.b/shield/shield"), 200).await, "counter: 2");
}
