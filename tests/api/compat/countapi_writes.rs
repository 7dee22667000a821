//! CountAPI: who may set, create and add how much, and the limits that hold.

use futures_util::future::join_all;
use serde_json::json;

use super::countapi::{HOST, HOSTS, refused, told};
use super::{get, json, text};
use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};

#[tokio::test]
async fn setting_and_large_amounts_need_a_key_for_the_counter() {
    let (owner, other) = (secret(), secret());
    let keys = format!(
        "{}{}",
        key_table("owner", &owner, r#"["manage:counters/a.b~"]"#),
        key_table("other", &other, r#"["manage:counters/other~"]"#)
    );
    let app = TestApp::with(&[HOSTS, ("LIVECOUNTER__KEYS", &keys)]).await;
    let base = app.address.as_str();
    told(base, "/hit/a.b/visits", 200, json!({"value": 1})).await;
    for (path, kept) in [
        ("/set/a.b/visits?value=7", json!({"old_value": 1, "value": 1})),
        ("/update/a.b/visits?amount=1001", json!({"value": 1})),
        (&*format!("/set/a.b/visits?value=7&_key={}", other.expose()), json!({"old_value": 1, "value": 1})),
        (&*format!("/update/a.b/visits?amount=-1001&_key={}", other.expose()), json!({"value": 1})),
    ] {
        let (status, mut body) = json(get(base, HOST, path).answer().await).await;
        let error = body.as_object_mut().expect("an object").remove("error").expect("a reason");
        assert_eq!((status, body), (403, kept), "{path}: {error}");
        assert!(!error.to_string().contains(other.expose()), "{error}");
    }
    told(base, "/set/a.b/none?value=7", 404, json!({"old_value": null, "value": null})).await;
    told(base, "/update/a.b/none?amount=5000", 404, json!({"value": null})).await;
    for (path, expected) in [
        (
            "/create?namespace=a.b&key=large&value=5000",
            "value must be from -1000 to 1000 here; nothing was changed",
        ),
        ("/update/a.b/visits?amount=5000", "amount must be from -1000 to 1000 here; nothing was changed"),
    ] {
        assert_eq!(refused(base, path, 403).await, expected);
    }
    let with_key = |path: &str| get(base, HOST, path).bearer_auth(owner.expose());
    for (path, expected) in [
        ("/set/a.b/visits?value=69", json!({"old_value": 1, "value": 69})),
        ("/update/a.b/visits?amount=5000", json!({"value": 5069})),
        (
            "/create?namespace=a.b&key=large&value=5000",
            json!({"namespace": "a.b", "key": "large", "value": 5000}),
        ),
    ] {
        assert_eq!(json(with_key(path).answer().await).await, (200, expected), "{path}");
    }
    let by_header = get(base, HOST, "/set/a.b/visits?value=2").header("x-ocean-key", owner.expose());
    assert_eq!(json(by_header.answer().await).await, (200, json!({"old_value": 5069, "value": 2})));
    let (status, body) = json(with_key("/update/a.b/visits?amount=9007199254740991").answer().await).await;
    assert_eq!((status, &body["value"]), (403, &json!(2)), "{body}");
}

#[tokio::test]
async fn a_key_is_created_once_with_its_value_or_a_new_name() {
    let app = TestApp::with(&[HOSTS]).await;
    let base = app.address.as_str();
    let expected = json!({"namespace": "a.b", "key": "fresh", "value": 42});
    told(base, "/create?namespace=a.b&key=fresh&value=42&enable_reset=1&update_upperbound=10", 200, expected)
        .await;
    told(base, "/get/a.b/fresh", 200, json!({"value": 42})).await;
    let (status, body) = json(get(base, HOST, "/create").answer().await).await;
    let key = body["key"].as_str().expect("a key").to_owned();
    assert_eq!(
        (status, &body["namespace"], &body["value"], key.len()),
        (200, &json!("default"), &json!(0), 36)
    );
    assert_eq!(key.as_bytes()[14], b'4', "{key}");
    told(base, &format!("/get/{key}"), 200, json!({"value": 0})).await;
    told(base, &format!("/hit/{key}"), 200, json!({"value": 1})).await;
    let (status, stats) = json(get(base, HOST, "/stats").answer().await).await;
    assert_eq!(
        (status, &stats["keys_created"], &stats["keys_updated"]),
        (200, &json!(2), &json!(3)),
        "{stats}"
    );
    assert_eq!(stats["version"], env!("CARGO_PKG_VERSION"));
    assert!(stats["requests"].as_u64().is_some_and(|requests| requests >= 6), "{stats}");
}

#[tokio::test]
async fn the_limits_of_clients_and_of_topics_hold() {
    let app = TestApp::with(&[
        HOSTS,
        ("LIVECOUNTER__LIMITS__TOPICS", "2"),
        ("LIVECOUNTER__LIMITS__NEW_TOPICS", "2/h"),
    ])
    .await;
    let base = app.address.as_str();
    told(base, "/hit/a.b/one", 200, json!({"value": 1})).await;
    told(base, "/create?key=two", 200, json!({"namespace": "default", "key": "two", "value": 0})).await;
    let limited = get(base, HOST, "/hit/a.b/three").answer().await;
    assert_eq!(limited.status().as_u16(), 429);
    assert!(
        !header(&limited, "retry-after").is_empty() && header(&limited, "ratelimit").contains("new-topics")
    );
    let (_, body) = json(limited).await;
    assert!(body["error"].is_string(), "{body}");
    told(base, "/hit/a.b/one", 200, json!({"value": 2})).await;

    let app = TestApp::with(&[HOSTS, ("LIVECOUNTER__LIMITS__TOPICS", "1")]).await;
    told(&app.address, "/hit/a.b/one", 200, json!({"value": 1})).await;
    refused(&app.address, "/hit/a.b/two", 507).await;
    refused(&app.address, "/create?key=two", 507).await;

    let app = TestApp::with(&[HOSTS, ("LIVECOUNTER__LIMITS__WRITES", "2/h")]).await;
    told(&app.address, "/hit/a.b/one", 200, json!({"value": 1})).await;
    told(&app.address, "/update/a.b/one?amount=2", 200, json!({"value": 3})).await;
    for path in ["/hit/a.b/one", "/update/a.b/one?amount=2", "/create?key=two", "/set/a.b/one?value=2"] {
        refused(&app.address, path, 429).await;
    }
    let script = text(get(&app.address, HOST, "/hit/a.b/one?callback=cb")).await;
    assert!(script.0 == 200 && script.1.contains("\"code\":429"), "{script:?}");
    told(&app.address, "/get/a.b/one", 200, json!({"value": 3})).await;
}

#[tokio::test]
async fn writers_and_known_counters_are_those_of_the_settings() {
    let shop = secret();
    let keys = key_table("shop", &shop, r#"["write:counters/a.b~"]"#);
    let environment = [HOSTS, ("LIVECOUNTER__ACCESS__WRITE", "key"), ("LIVECOUNTER__KEYS", &*keys)];
    let app = TestApp::with(&environment).await;
    refused(&app.address, "/hit/a.b/visits", 403).await;
    told(&app.address, &format!("/hit/a.b/visits?_key={}", shop.expose()), 200, json!({"value": 1})).await;
    refused(&app.address, &format!("/hit/other/visits?_key={}", shop.expose()), 403).await;
    told(&app.address, "/get/a.b/visits", 200, json!({"value": 1})).await;

    let app = TestApp::with(&[HOSTS, ("LIVECOUNTER__COUNTERS__KNOWN", "a.b~visits")]).await;
    told(&app.address, "/hit/a.b/visits", 200, json!({"value": 1})).await;
    for path in ["/hit/a.b/other", "/get/a.b/other", "/create?key=other"] {
        refused(&app.address, path, 404).await;
    }
    let only_down = TestApp::with(&[HOSTS, ("LIVECOUNTER__ACCESS__AMOUNTS", "-5..0")]).await;
    told(&only_down.address, "/hit/a.b/visits", 404, json!({"value": null})).await;
}

#[tokio::test]
async fn of_many_that_create_a_key_at_once_one_succeeds_and_hits_count() {
    for limits in [&[HOSTS][..], &[HOSTS, ("LIVECOUNTER__LIMITS__TOPICS", "1000")]] {
        on_each_deployment(limits, async |app: &Deployment| {
            let base = app.address.as_str();
            let ask = async |path: String| json(get(base, HOST, &path).answer().await).await;
            for round in 0..8 {
                let value = if round % 2 == 0 { 0 } else { 100 };
                let key = format!("a.b/race{round}");
                let create = format!("/create?namespace=a.b&key=race{round}&value={value}");
                let create = join_all((0..6).map(|_| ask(create.clone())));
                let hits = join_all((0..6).map(|_| ask(format!("/hit/{key}"))));
                let (created, hits) = tokio::join!(create, hits);
                let won = created.iter().filter(|(status, _)| *status == 200).count();
                assert!(created.iter().all(|(status, _)| [200, 400].contains(status)), "{created:?}");
                assert!(won <= 1, "{created:?}");
                assert!(hits.iter().all(|(status, _)| *status == 200), "{hits:?}");
                let expected = 6 + if won == 1 { value } else { 0 };
                assert_eq!(
                    ask(format!("/get/{key}")).await,
                    (200, json!({"value": expected})),
                    "{created:?}"
                );
            }
            let created =
                join_all((0..8).map(|_| ask("/create?namespace=a.b&key=alone&value=7".into()))).await;
            assert_eq!(created.iter().filter(|(status, _)| *status == 200).count(), 1, "{created:?}");
            assert_eq!(ask("/get/a.b/alone".into()).await, (200, json!({"value": 7})));
        })
        .await;
    }
}

#[tokio::test]
async fn a_value_that_is_set_while_hits_count_is_where_they_go_on() {
    let owner = secret();
    let keys = key_table("owner", &owner, r#"["manage:"]"#);
    on_each_deployment(&[HOSTS, ("LIVECOUNTER__KEYS", &keys)], async |app: &Deployment| {
        let base = app.address.as_str();
        told(base, "/hit/a.b/visits", 200, json!({"value": 1})).await;
        let hits = join_all((0..20).map(|_| get(base, HOST, "/hit/a.b/visits").answer()));
        let set = get(base, HOST, "/set/a.b/visits?value=1000").bearer_auth(owner.expose()).answer();
        let (hits, set) = tokio::join!(hits, set);
        assert!(hits.iter().all(|answer| answer.status() == 200));
        let (status, body) = json(set).await;
        assert_eq!((status, &body["value"]), (200, &json!(1000)), "{body}");
        assert!(body["old_value"].as_i64().is_some_and(|old| (1..=21).contains(&old)), "{body}");
        let (_, now) = json(get(base, HOST, "/get/a.b/visits").answer().await).await;
        assert!(now["value"].as_i64().is_some_and(|now| (1000..=1020).contains(&now)), "{now}");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_deleted_is_created_again_at_once() {
    let owner = secret();
    let keys = key_table("owner", &owner, r#"["manage:"]"#);
    on_each_deployment(&[HOSTS, ("LIVECOUNTER__KEYS", &keys)], async |app: &Deployment| {
        let base = app.address.as_str();
        for value in [1, 2, 2, 0, 0, 5] {
            let create = format!("/create?namespace=a.b&key=again&value={value}");
            told(base, &create, 200, json!({"namespace": "a.b", "key": "again", "value": value})).await;
            refused(base, &create, 400).await;
            told(base, "/hit/a.b/again", 200, json!({"value": value + 1})).await;
            let delete = client().delete(format!("{base}/counters/a.b~again/")).bearer_auth(owner.expose());
            let status = delete.answer().await.status();
            assert!(status.is_success(), "{status}");
            told(base, "/get/a.b/again", 404, json!({"value": null})).await;
        }
    })
    .await;
}
