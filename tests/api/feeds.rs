//! The events of feeds: written by `POST /drop`, streamed by `/live`, and read by `/feed`.

use std::time::Duration;

use livecounter::access::NewSecret;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::keys::key_table;
use crate::support::sse::{Event, Listener};
use crate::support::wait::until;

const SOON: Duration = Duration::from_secs(10);

pub(crate) fn keys(secret: &NewSecret, scopes: &str) -> String {
    key_table("k", secret, &format!("[{scopes}]"))
}

/// Appends an event, and returns its id.
pub(crate) async fn drop_event(address: &str, route: &str, payload: &Value) -> String {
    let body = json!({"route": route, "payload": payload});
    let answer = client().post(format!("{address}/drop")).json(&body).answer().await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.expect("JSON");
    answer["drop_id"].as_str().expect("an id").to_owned()
}

pub(crate) async fn next(listener: &mut Listener) -> (String, String) {
    let Event { id, event, data } = listener.next(SOON).await;
    assert_eq!(event.as_deref(), Some("message"), "{data}");
    (id.unwrap_or_default(), data)
}

pub(crate) async fn gap(listener: &mut Listener) -> Value {
    let Event { event, data, .. } = listener.next(SOON).await;
    assert_eq!(event.as_deref(), Some("gap"), "{data}");
    serde_json::from_str(&data).expect("JSON")
}

/// The last page of a feed, once its last event has this id.
pub(crate) async fn page_with(app: &Deployment, key: &str, path: &str, id: &str) -> Value {
    let url = format!("{}{path}", app.address);
    let page =
        async || -> Value { client().get(&url).bearer_auth(key).answer().await.json().await.expect("JSON") };
    until("the event to be announced", async || {
        page().await["events"].as_array().is_some_and(|events| events.iter().any(|it| it["drop_id"] == id))
    })
    .await;
    page().await
}

#[tokio::test]
async fn each_event_reaches_the_listeners_of_its_feed_in_order() {
    let app = TestApp::spawn().await;
    let mut listener = Listener::connect(app.addr, "/live/app/chat").await;
    assert_eq!((listener.status(), listener.header("content-type")), (200, "text/event-stream"));
    assert_eq!(listener.header("cache-control"), "private, no-store, no-transform");
    drop_event(&app.address, "app/other", &json!(0)).await;
    for number in 0..100 {
        let id = drop_event(&app.address, "app/chat", &json!({"number": number, "text": "a\nb"})).await;
        let (event_id, data) = next(&mut listener).await;
        assert_eq!(event_id, format!("feed-app/chat@{id}"));
        assert_eq!(data, format!(r#"{{"number":{number},"text":"a\nb"}}"#));
    }
    assert!(listener.retry().is_some());
}

#[tokio::test]
async fn events_come_whether_or_not_announcements_are_put_together() {
    for interval in ["0ms", "50ms", "1h"] {
        let app = TestApp::with(&[("LIVECOUNTER__PUBLISH__INTERVAL", interval)]).await;
        let mut listener = Listener::connect(app.addr, "/live/chat").await;
        let most = if interval == "1h" { 1 } else { 200 };
        for number in 0..most {
            drop_event(&app.address, "chat", &json!(number)).await;
        }
        for number in 0..most {
            assert_eq!(next(&mut listener).await.1, number.to_string(), "{interval}");
        }
    }
}

#[tokio::test]
async fn a_listener_that_returns_gets_what_it_has_missed_and_nothing_twice() {
    let app = TestApp::spawn().await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(drop_event(&app.address, "chat", &json!(number)).await);
    }
    let name = |id: &str| format!("feed-chat@{id}");
    let (third, last) = (name(&ids[2]), name(&ids[19]));
    let mut by_header = Listener::connect_with(app.addr, "/live/chat", &[("Last-Event-ID", &third)]).await;
    let path = format!("/live/chat?last_event_id={}", ids[2]);
    let mut by_query = Listener::connect(app.addr, &path).await;
    let both = format!("/live/chat/?last_event_id={last}");
    let mut header_wins = Listener::connect_with(app.addr, &both, &[("Last-Event-ID", &third)]).await;
    let only_new = Listener::connect_with(app.addr, "/live/chat", &[("Last-Event-ID", &last)]).await;
    for listener in [&mut by_header, &mut by_query, &mut header_wins] {
        for (number, id) in ids.iter().enumerate().skip(3) {
            assert_eq!(next(listener).await, (name(id), number.to_string()));
        }
    }
    // All of them are announced by now.
    let mut last_ones = Listener::connect(app.addr, "/live/chat?last=2").await;
    assert_eq!((next(&mut last_ones).await.1, next(&mut last_ones).await.1), ("18".into(), "19".into()));
    let id = drop_event(&app.address, "chat", &json!("new")).await;
    for mut listener in [by_header, by_query, header_wins, last_ones, only_new] {
        assert_eq!(next(&mut listener).await, (name(&id), "\"new\"".into()));
    }
}

#[tokio::test]
async fn a_history_that_does_not_reach_is_one_gap_and_never_a_part() {
    let app = TestApp::with(&[("LIVECOUNTER__FEEDS__EVENTS", "5")]).await;
    let mut ids = Vec::new();
    for number in 0..9 {
        ids.push(drop_event(&app.address, "chat", &json!(number)).await);
        // Events that are not announced yet are kept longer.
        let mut listener = Listener::connect(app.addr, "/live/chat?last=1").await;
        listener.until_data(&number.to_string(), SOON).await;
    }
    let (first, last) = (format!("feed-chat@{}", ids[0]), format!("feed-chat@{}", ids[8]));
    let mut late = Listener::connect_with(app.addr, "/live/chat", &[("Last-Event-ID", &first)]).await;
    assert_eq!(gap(&mut late).await, json!({"from": first, "to": last, "reason": "expired"}));
    let mut lost =
        Listener::connect_with(app.addr, "/live/chat", &[("Last-Event-ID", "feed-chat@abc-7")]).await;
    assert_eq!(gap(&mut lost).await, json!({"from": "feed-chat@abc-7", "to": last, "reason": "unknown"}));
    for other in ["feed-else@1-1", "nonsense", "2@1-1"] {
        let mut foreign = Listener::connect_with(app.addr, "/live/chat", &[("Last-Event-ID", other)]).await;
        assert_eq!(
            gap(&mut foreign).await,
            json!({"from": null, "to": last, "reason": "unknown"}),
            "{other}"
        );
    }
    drop_event(&app.address, "chat", &json!("new")).await;
    for mut listener in [late, lost] {
        assert_eq!(next(&mut listener).await.1, "\"new\"");
    }
}

#[tokio::test]
async fn a_listener_to_a_prefix_gets_the_events_of_all_feeds_below() {
    let app = TestApp::spawn().await;
    let mut all = Listener::connect(app.addr, "/live/*").await;
    let mut below = Listener::connect(app.addr, "/live/app/*").await;
    let mut deep = Listener::connect(app.addr, "/live/app/eu/*").await;
    for (route, number) in [("other", 1), ("app", 2), ("app/chat", 3), ("app/eu/chat", 4), ("apple/chat", 5)]
    {
        drop_event(&app.address, route, &json!(number)).await;
        all.until_data(&number.to_string(), SOON).await;
    }
    assert_eq!((next(&mut below).await.1, next(&mut below).await.1), ("3".into(), "4".into()));
    let (id, data) = next(&mut deep).await;
    assert_eq!(data, "4");
    assert!(id.starts_with("feed-app/eu/chat@"), "{id}");
    let again = [("Last-Event-ID", id.as_str())];
    let mut returned = Listener::connect_with(app.addr, "/live/app/eu/*", &again).await;
    assert_eq!(gap(&mut returned).await, json!({"from": null, "to": null, "reason": "prefix"}));
    drop_event(&app.address, "app/eu/chat", &json!(6)).await;
    assert_eq!(next(&mut returned).await.1, "6");
}

#[tokio::test]
async fn pages_lead_back_to_the_first_event_and_on_to_the_next_one() {
    let secret = NewSecret::generate().expect("random numbers");
    let (settings, key) = (keys(&secret, "\"read:routes/\", \"write:routes/\""), secret.expose());
    on_each_deployment(&[("LIVECOUNTER__KEYS", &settings)], async |app| {
        let mut ids = Vec::new();
        for number in 0..7 {
            let body = json!({"route": "app/chat", "payload": {"n": number}});
            let drop = client().post(format!("{}/drop", app.address)).bearer_auth(key).json(&body);
            let answer: Value = drop.answer().await.json().await.expect("JSON");
            ids.push(answer["drop_id"].as_str().expect("an id").to_owned());
        }
        let page = page_with(app, key, "/feed/app/chat?limit=3", &ids[6]).await;
        assert_eq!((&page["route"], &page["position"]), (&json!("app/chat"), &json!(ids[6])));
        let told = |page: &Value| -> Vec<Value> {
            page["events"].as_array().expect("events").iter().map(|it| it["payload"]["n"].clone()).collect()
        };
        assert_eq!(told(&page), [4, 5, 6]);
        let created = page["events"][0]["created_at"].as_str().expect("a time");
        assert!(created.ends_with('Z') && created.starts_with("20"), "{created}");
        let mut path = format!("/feed/app/chat?limit=3&before={}", page["before"].as_str().expect("an id"));
        let page = page_with(app, key, &path, &ids[1]).await;
        assert_eq!(told(&page), [1, 2, 3]);
        path = format!("/feed/app/chat/?limit=3&before={}", page["before"].as_str().expect("an id"));
        let page = page_with(app, key, &path, &ids[0]).await;
        assert_eq!((told(&page), &page["before"]), (vec![json!(0)], &json!(null)));
        // A page that begins with the first event is the first one, also if it is full.
        for path in ["/feed/app/chat?limit=7".to_owned(), format!("/feed/app/chat?limit=1&before={}", ids[1])]
        {
            let page = page_with(app, key, &path, &ids[0]).await;
            assert_eq!((&told(&page)[0], &page["before"]), (&json!(0), &json!(null)), "{path}");
        }
        let page = page_with(app, key, "/feed/app/chat?limit=6", &ids[6]).await;
        assert_eq!((told(&page).len(), &page["before"]), (6, &json!(ids[1])));
        let answer = client().get(format!("{}/feed/app/chat", app.address)).bearer_auth(key).answer().await;
        assert_eq!(header(&answer, "cache-control"), "private, no-store");
        let empty = client().get(format!("{}/feed/none", app.address)).bearer_auth(key).text().await;
        assert_eq!(empty, r#"{"route":"none","events":[],"position":"0-0","before":null}"#);
    })
    .await;
}

#[tokio::test]
async fn a_stream_from_the_position_of_a_page_has_every_later_event_once() {
    let app = TestApp::spawn().await;
    drop_event(&app.address, "chat", &json!(0)).await;
    let page: Value =
        client().get(format!("{}/feed/chat", app.address)).answer().await.json().await.expect("JSON");
    let shown = page["events"].as_array().expect("events").len();
    for number in 1..50 {
        drop_event(&app.address, "chat", &json!(number)).await;
    }
    let path = format!("/live/chat?last_event_id={}", page["position"].as_str().expect("an id"));
    let mut listener = Listener::connect(app.addr, &path).await;
    for number in shown..50 {
        assert_eq!(next(&mut listener).await.1, number.to_string());
    }
}

#[tokio::test]
async fn bad_requests_for_events_say_what_is_wrong() {
    let app = TestApp::spawn().await;
    for (path, expected) in [
        ("/live/", "a route must not be empty"),
        ("/live/a//b", "characters before and behind each slash"),
        ("/live/a%20b", "character 2 is ' '"),
        ("/live/a*", "character 2 is '*'"),
        ("/live/*/a", "character 1 is '*'"),
        ("/live/a?last=1e9", "last must be a whole number from 0 to 1000"),
        ("/live/a?last=1000000000", "last must be a whole number from 0 to 1000"),
        ("/live/a?last=-1", "last must be a whole number"),
        ("/live/a?lst=1", "did you mean last?"),
        ("/live/a?last=1&last_event_id=x", "must be the id of an event of this stream"),
        ("/live/a?last_event_id=seven", "must be the id of an event of this stream"),
        ("/live/a?last_event_id=feed-b@1-1", "must be the id of an event of this stream"),
        ("/live/a/*?last=1", "has no past"),
        ("/feed/", "a route must not be empty"),
        ("/feed/a/*", "character 3 is '*'"),
        ("/feed/a?limit=1001", "limit must be a whole number from 0 to 1000"),
        ("/feed/a?before=x", "before is the drop_id of an event"),
        ("/feed/a?since=1", "unknown parameter"),
    ] {
        let answer = client().get(format!("{}{path}", app.address)).answer().await;
        assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (400, "no-store"), "{path}");
        let problem: Value = answer.json().await.expect("JSON");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(expected), "{path}: {detail}");
    }
    let refused =
        client().get(format!("{}/live/a", app.address)).header("Accept", "text/html").answer().await;
    assert_eq!(refused.status(), 406);
    let long = json!({"route": "a", "payload": "x".repeat(1 << 20)});
    let answer = client().post(format!("{}/drop", app.address)).json(&long).answer().await;
    assert_eq!(answer.status(), 413);
    // The body may have 64 KiB, but not the event in it.
    let long = json!({"route": "a", "payload": "x".repeat(16 * 1024)});
    let answer = client().post(format!("{}/drop", app.address)).json(&long).answer().await;
    assert_eq!(answer.status(), 413);
    let problem = answer.text().await.expect("a problem");
    assert!(problem.contains("an event has at most 16384 bytes of data, this one has 16386"), "{problem}");
    let page = client().get(format!("{}/feed/a", app.address)).text().await;
    assert!(page.contains("\"events\":[]"), "nothing was stored: {page}");
}

#[tokio::test]
async fn feeds_are_private_and_a_recovery_is_only_for_a_proxy() {
    let secret = NewSecret::generate().expect("random numbers");
    let settings = keys(&secret, "\"read:routes/app/\"");
    let public = [("LIVECOUNTER__KEYS", settings.as_str()), ("LIVECOUNTER__PUBLIC", "open/*")];
    let app = TestApp::with(&public).await;
    let asked = async |path: &str, key: Option<&str>| {
        let request = client().head(format!("{}{path}", app.address));
        let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
        request.answer().await.status().as_u16()
    };
    let key = Some(secret.expose());
    for (path, with_key, without) in [
        ("/live/app/chat", 200, 401),
        ("/feed/app/chat", 200, 401),
        ("/live/app/*", 200, 401),
        ("/live/other", 403, 401),
        ("/live/*", 403, 401),
        ("/live/open/chat", 200, 200),
        ("/live/open/*", 200, 200),
        ("/recover/x/feed-app/chat", 404, 404),
        ("/recover/x/feed-*", 404, 404),
    ] {
        let told = (asked(path, key).await, asked(path, None).await);
        assert_eq!(told, (with_key, without), "{path}");
    }
    let by_query = format!("/live/app/chat?_key={}", secret.expose());
    assert_eq!(Listener::connect(app.addr, &by_query).await.status(), 200, "as EventSource asks");
}
