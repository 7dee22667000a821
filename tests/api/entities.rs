//! `/entity/{type}/{key}` and `POST /drop` on the service itself: writing, reading, listing and deleting entities, and what is refused.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::access::{ticket, told};
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};
use crate::support::server::Server;
use crate::support::sse::Listener;

const DEADLINE: Duration = Duration::from_secs(20);

/// A running service with one key that may do everything.
pub(crate) struct Service<'a> {
    pub(crate) app: &'a Deployment,
    pub(crate) key: String,
}

impl Service<'_> {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.app.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        client().get(self.url(path)).bearer_auth(&self.key)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> RequestBuilder {
        client().post(self.url(path)).bearer_auth(&self.key).body(body.to_owned())
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        client().delete(self.url(path)).bearer_auth(&self.key)
    }

    /// Writes a payload, which must be taken. Returns the answer.
    pub(crate) async fn write(&self, path: &str, payload: &str) -> Value {
        json(self.post(path, payload).answer().await).await
    }

    /// The payload of an entity; `null` if there is none.
    pub(crate) async fn payload(&self, path: &str) -> Value {
        let answer = self.get(path).answer().await;
        if answer.status() == 404 { Value::Null } else { json(answer).await["payload"].clone() }
    }

    pub(crate) async fn listen(&self, path: &str) -> Listener {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("accept", "text/event-stream"), ("authorization", bearer.as_str())];
        let listener = Listener::connect_with(self.app.addr(), path, &headers).await;
        assert_eq!(listener.status(), 200, "no stream of {path}");
        listener
    }
}

async fn json(answer: Response) -> Value {
    let (status, text) = (answer.status(), answer.text().await.expect("a text"));
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Runs a test on each deployment, with a key that may do everything.
pub(crate) async fn with_key(settings: &[(&str, &str)], test: impl AsyncFn(&Service<'_>)) {
    let secret = secret();
    let keys = key_table("all", &secret, r#"["admin"]"#);
    let settings = [&[("LIVECOUNTER__KEYS", keys.as_str())], settings].concat();
    on_each_deployment(&settings, async |app| {
        test(&Service { app, key: secret.expose().to_owned() }).await;
    })
    .await;
}

#[tokio::test]
async fn fields_are_added_set_and_removed_in_one_step() {
    with_key(&[], async |service| {
        let path = "/entity/analytics/daily/2026-02-10";
        assert_eq!(told(service.get(path)).await, (404, "there is no such entity".to_owned()));
        let written = service.write(path, r#"{"+page_views":1,"title":"x","POST /drop":{"a":[1]}}"#).await;
        assert_eq!((&written["route"], &written["key"], &written["rev"]), (&json!("analytics/daily"), &json!("2026-02-10"), &json!(1)));
        assert!(written["drop_id"].as_str().is_some_and(|id| id.ends_with("-1")), "{written}");
        assert!(written["created_at"].as_str().is_some_and(|at| at.starts_with("20") && at.ends_with('Z')), "{written}");
        let drop = r#"{"route":"analytics/daily","key":"2026-02-10","payload":{"+page_views":41,"title":null,"+requests":0}}"#;
        assert_eq!(service.write("/drop", drop).await["rev"], 2);
        let answer = service.get(path).answer().await;
        assert_eq!(header(&answer, "cache-control"), "private, no-store");
        assert_eq!(
            answer.text().await.expect("a text"),
            r#"{"type":"analytics/daily","key":"2026-02-10","payload":{"POST /drop":{"a":[1]},"page_views":42,"requests":0},"rev":2}"#
        );
        // The product's own name of the field.
        service.write("/drop", r#"{"type":"analytics/daily","key":"2026-02-10","payload":{"+page_views":-2}}"#).await;
        assert_eq!(service.payload(path).await["page_views"], 40);
    })
    .await;
}

#[tokio::test]
async fn adding_to_a_text_is_409_and_changes_nothing() {
    with_key(&[], async |service| {
        let path = "/entity/a/k";
        service.write(path, r#"{"text":"1","fraction":1.5,"most":9007199254740991,"n":1}"#).await;
        let before = service.payload(path).await;
        for (payload, field) in [
            (r#"{"+n":1,"+text":1}"#, "text"),
            (r#"{"+n":1,"+fraction":1}"#, "fraction"),
            (r#"{"+n":1,"+most":1}"#, "most"),
        ] {
            let (status, detail) = told(service.post(path, payload)).await;
            assert_eq!(status, 409, "{detail}");
            assert!(detail.contains(field) && detail.ends_with("nothing was changed"), "{detail}");
        }
        let many: Vec<String> = (0..253).map(|field| format!("\"{field}\":1")).collect();
        assert_eq!(told(service.post(path, &format!("{{{}}}", many.join(",")))).await.0, 409);
        let long = format!("{{\"long\":\"{}\"}}", "x".repeat(16_360));
        assert_eq!(told(service.post(path, &long)).await.0, 409);
        let after: Value = json(service.get(path).answer().await).await;
        assert_eq!((&after["payload"], &after["rev"]), (&before, &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn bad_input_is_named_and_nothing_is_stored() {
    with_key(&[], async |service| {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let fields: Vec<String> = (0..10_000).map(|field| format!("\"{field}\":1")).collect();
        let all_fields = format!("{{{}}}", fields.join(","));
        let fields = format!("{{{}}}", fields[..4000].join(","));
        for (payload, expected) in [
            ("", "no JSON"),
            ("[1]", "must be a JSON object"),
            ("{\"a\":1e400}", "number out of range"),
            ("{\"+a\":1.5}", "must be a whole number"),
            ("{\"+a\":\"1\"}", "must be a whole number"),
            ("{\"+a\":9007199254740992}", "must be within"),
            ("{\"a\":1,\"a\":2}", "comes twice"),
            ("{\"a\":1,\"+a\":2}", "changed twice"),
            ("{\"\":1}", "empty name"),
            ("{\"a\":\"\\ud800\"}", "hex escape"),
            (&deep, "recursion limit"),
            (&fields, "at most 256 fields"),
        ] {
            let (status, detail) = told(service.post("/entity/a/k", payload)).await;
            assert!(status == 400 && detail.contains(expected), "{status} {detail}");
        }
        assert_eq!(told(service.post("/entity/a/k", &all_fields)).await.0, 413);
        assert_eq!(told(service.post("/entity/a/k", &"x".repeat(70_000))).await.0, 413);
        assert_eq!(told(service.post("/entity/a/k", "{}").header("content-type", "image/png")).await.0, 415);
        for (path, expected) in [
            ("/entity/a", "the path of an entity is"),
            ("/entity/a//k", "before and behind each slash"),
            ("/entity/a/k%20", "character 2 is ' '"),
            ("/entity/a/k%2Fl", "character 2 is '%'"),
            ("/entity/a/k%C3%A9", "character 2 is "),
            ("/entity/a/k%00", "character 2 is "),
            ("/entity/a~/k", "character 2 is '~'"),
            ("/entity/a/k?by=5", "unknown parameter \"by\""),
            ("/entity/a/k?keep=0", "keep must be a whole number of seconds"),
        ] {
            let (status, detail) = told(service.post(path, "{\"a\":1}")).await;
            assert!(status == 400 && detail.contains(expected), "{path}: {status} {detail}");
        }
        // All entities of a route can only be listed.
        assert_eq!(told(service.post("/entity/a/", "{}")).await.0, 405);
        assert_eq!(told(service.delete("/entity/a/")).await.0, 405);
        // Names that have a meaning in JavaScript are names like others.
        service.write("/entity/a/proto", r#"{"__proto__":{"x":1},"+constructor":1}"#).await;
        assert_eq!(
            service.payload("/entity/a/proto").await.to_string(),
            r#"{"__proto__":{"x":1},"constructor":1}"#
        );
        assert_eq!(service.payload("/entity/a/k").await, Value::Null);
        assert_eq!(told(service.post("/entity/_admin/daily/k", "{\"a\":1}")).await.0, 403);
        assert_eq!(
            told(service.post("/drop", r#"{"route":"_admin/daily","key":"k","payload":{}}"#)).await.0,
            403
        );
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_counts_once_and_gets_the_same_answer() {
    with_key(&[], async |service| {
        let add = |payload: &str| service.post("/entity/a/k", payload).header("idempotency-key", "one");
        let first: Value = json(add("{\"+n\":5}").answer().await).await;
        let second: Value = json(add("{\"+n\":5}").answer().await).await;
        assert_eq!(first, second);
        assert_eq!(
            told(add("{\"+n\":6}")).await,
            (422, "this Idempotency-Key was used with other fields; nothing was changed".to_owned())
        );
        assert_eq!(service.payload("/entity/a/k").await, json!({"n": 5}));
    })
    .await;
}

#[tokio::test]
async fn an_entity_is_deleted_and_may_come_back() {
    with_key(&[], async |service| {
        let path = "/entity/a/k";
        service.write(path, "{\"+n\":5}").await;
        assert_eq!(
            service.write("/drop", r#"{"route":"a","key":"k","payload":null}"#).await["deleted"],
            true
        );
        assert_eq!(service.payload(path).await, Value::Null);
        assert_eq!(
            service.write("/drop", r#"{"route":"a","key":"k","payload":null}"#).await["deleted"],
            false
        );
        service.write(path, "{\"+n\":1}").await;
        assert_eq!(service.payload(path).await, json!({"n": 1}));
        for _ in 0..2 {
            assert_eq!(service.delete(path).answer().await.status(), 204);
            assert_eq!(service.payload(path).await, Value::Null);
        }
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_has_the_entity_gets_304() {
    with_key(&[], async |service| {
        let path = "/entity/a/k";
        service.write(path, "{\"+n\":5}").await;
        let etag = header(&service.get(path).answer().await, "etag").to_owned();
        assert_eq!(service.get(path).header("if-none-match", &etag).answer().await.status(), 304);
        service.write(path, "{\"+n\":0}").await;
        assert_eq!(service.get(path).header("if-none-match", &etag).answer().await.status(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_adds_at_the_same_time_lose_nothing() {
    with_key(&[], async |service| {
        let adds = (0..20).map(async |at| {
            for _ in 0..50 {
                let payload = format!("{{\"+n\":1,\"+of_{at}\":1}}");
                service.write("/entity/a/k", &payload).await;
            }
        });
        join_all(adds).await;
        let payload = service.payload("/entity/a/k").await;
        assert_eq!((&payload["n"], &payload["of_19"]), (&json!(1000), &json!(50)));
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_a_type_are_listed_without_those_below() {
    with_key(&[], async |service| {
        for (path, _) in ["/entity/a/k1", "/entity/a/k2", "/entity/a/k3", "/entity/a/b/x", "/entity/a/k1/y", "/entity/ab/z"].map(|path| (path, ())) {
            service.write(path, "{\"+n\":1}").await;
        }
        let list: Value = json(service.get("/entity/a/").answer().await).await;
        assert_eq!(
            list,
            json!({"type": "a", "keys": [{"key": "k1", "rev": 1}, {"key": "k2", "rev": 1}, {"key": "k3", "rev": 1}], "after": null})
        );
        let answer = service.get("/entity/a/?limit=2&prefix=k").header("accept", "text/plain").answer().await;
        assert_eq!(header(&answer, "link"), "</entity/a/?prefix=k&after=k2&limit=2>; rel=\"next\"");
        assert!(header(&answer, "access-control-expose-headers").ends_with(", link"));
        assert_eq!(answer.text().await.expect("a text"), "k1\nk2\n");
        let rest: Value = json(service.get("/entity/a/?limit=2&prefix=k&after=k2").answer().await).await;
        assert_eq!((&rest["keys"], &rest["after"]), (&json!([{"key": "k3", "rev": 1}]), &Value::Null));
        let none: Value = json(service.get("/entity/nothing/").answer().await).await;
        assert_eq!(none["keys"], json!([]));
        for path in ["/entity/a/?limit=0", "/entity/a/?limit=05", "/entity/a/?limit=1001", "/entity/a/?prefix=a/b", "/entity/a/?sort=x"] {
            assert_eq!(told(service.get(path)).await.0, 400, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_an_entity_shows_each_state() {
    with_key(&[], async |service| {
        if !service.app.holds_streams() {
            for _ in 0..2 {
                let stream = service.get("/entity/a/k").header("accept", "text/event-stream");
                assert_eq!(told(stream).await.0, 501);
            }
            return;
        }
        let mut listener = service.listen("/entity/a/k").await;
        assert_eq!(listener.header("cache-control"), "private, no-store, no-transform");
        listener.until_data("null", DEADLINE).await;
        service.write("/entity/a/k", r#"{"+n":1,"t":"x"}"#).await;
        listener.until_data(r#"{"n":1,"t":"x"}"#, DEADLINE).await;
        service.write("/entity/a/k", "{\"+n\":1,\"t\":null}").await;
        let events = listener.until_data("{\"n\":2}", DEADLINE).await;
        assert!(
            events
                .last()
                .is_some_and(|event| event.id.as_ref().is_some_and(|id| id.starts_with("entity-a/k@"))),
            "{events:?}"
        );
        service.delete("/entity/a/k").answer().await;
        listener.until_data("null", DEADLINE).await;
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_for_its_route_and_a_public_route_for_all_readers() {
    let settings =
        [("LIVECOUNTER__ACCESS__TICKET_KEY", crate::access::TICKET_KEY), ("LIVECOUNTER__PUBLIC", "open/*")];
    with_key(&settings, async |service| {
        service.write("/entity/a/b/k", "{\"+n\":1}").await;
        service.write("/entity/open/b/k", "{\"+n\":1}").await;
        let get = |path: &str, ticket: &str| client().get(format!("{}?_ticket={ticket}", service.url(path)));
        let read = ticket("read:routes/a/b/");
        assert_eq!(told(get("/entity/a/b/k", &read)).await.0, 200);
        for path in ["/entity/a/c/k", "/entity/a/k", "/entity/a/bc/k"] {
            assert_eq!(told(get(path, &read)).await.0, 403, "{path}");
        }
        let write = client().post(format!("{}?_ticket={read}", service.url("/entity/a/b/k"))).body("{}");
        assert_eq!(
            told(write).await,
            (403, "the ticket does not have the scope write:routes/a/b/".to_owned())
        );
        let open = service.url("/entity/open/b/k");
        assert_eq!(told(client().get(&open)).await.0, 200);
        assert_eq!(told(client().get(service.url("/entity/open/b/"))).await.0, 200);
        assert_eq!(told(client().post(&open).body("{}")).await.0, 401);
        for path in ["/entity/a/b/k", "/entity/a/b/", "/entity/open/k", "/entity/a/b/nothing"] {
            let (status, detail) = told(client().get(service.url(path))).await;
            assert!(status == 401 && detail.contains("read:routes/"), "{path}: {detail}");
        }
        // Neither the name of a topic nor the path of a recovery is another way in.
        for path in [
            "/topics/entity-a/b/k/",
            "/topics/entity-a/",
            "/recover/public/entity-a/b/k",
            "/recover/x/counter-1",
        ] {
            let status = client().get(service.url(path)).answer().await.status();
            assert!(status == 400 || status == 404, "{path}: {status}");
        }
    })
    .await;
}

#[tokio::test]
async fn without_keys_only_the_machine_itself_may_use_entities() {
    on_each_deployment(&[], async |app| {
        let url = format!("{}/entity/a/k", app.address);
        assert_eq!(told(client().post(&url).body("{\"+n\":1}")).await.0, 200);
        assert_eq!(told(client().get(&url)).await.0, 200);
        for (name, value) in [
            ("x-forwarded-for", "192.0.2.1"),
            ("host", "example.com"),
            ("origin", "https://example.com"),
            ("sec-fetch-site", "cross-site"),
        ] {
            for request in
                [client().get(&url), client().post(&url).body("{\"+n\":1}"), client().get(format!("{url}2"))]
            {
                let (status, detail) = told(request.header(name, value)).await;
                assert_eq!(status, 403, "{name}");
                assert!(detail.contains("livecounter key new NAME --scope"), "{detail}");
            }
        }
        assert_eq!(told(client().get(&url)).await.1, r#"{"type":"a","key":"k","payload":{"n":1},"rev":1}"#);
    })
    .await;
}
