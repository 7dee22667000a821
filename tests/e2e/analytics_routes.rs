//! Entities, events, statements and commands by each way to an origin: front, Pushpin and cache, the cache alone, and the edge.

use std::net::SocketAddr;
use std::time::Duration;

use livecounter::access::NewSecret;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::chain::Chain;
use crate::support::edge::EdgeChain;
use crate::support::front::Front;
use crate::support::http::{Ask, client, header};
use crate::support::keys::owner;
use crate::support::pushpin::Options;
use crate::support::sse::Listener;
use crate::support::wait::until;

const SOON: Duration = Duration::from_secs(20);

/// A way to an origin, with a key that may do everything. Each way writes to a route of its own.
struct Way<'a> {
    addr: SocketAddr,
    route: &'a str,
    secret: &'a NewSecret,
}

async fn told(request: RequestBuilder) -> (u16, Value) {
    let answer: Response = request.answer().await;
    let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a text"));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl Way<'_> {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        client().get(self.url(path)).bearer_auth(self.secret.expose())
    }

    fn post(&self, path: &str, body: &str) -> RequestBuilder {
        client().post(self.url(path)).header("x-ocean-key", self.secret.expose()).body(body.to_owned())
    }

    /// Writes a drop with this key and payload, or an event; returns the answer.
    async fn drop(&self, key: Option<&str>, payload: Value) -> Value {
        let mut drop = json!({"route": self.route, "payload": payload});
        if let Some(key) = key {
            drop["key"] = json!(key);
        }
        let again: String = payload.to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
        let request = self.post("/drop", &drop.to_string()).header("idempotency-key", again);
        let (status, answer) = told(request).await;
        assert_eq!((status, &answer["route"]), (200, &json!(self.route)), "{answer}");
        answer
    }

    /// Writes, reads, lists and deletes an entity. Nobody reads it without the key, also after somebody with the key has.
    async fn serves_entities(&self) {
        let path = format!("/entity/{}/k", self.route);
        let first = self.drop(Some("k"), json!({"+n": 2, "t": "ü \u{2028} \u{1f980}"})).await;
        assert_eq!(self.drop(Some("k"), json!({"+n": 2, "t": "ü \u{2028} \u{1f980}"})).await, first, "once");
        assert_eq!(told(self.post(&path, "{\"+n\":3}")).await.1["rev"], 2);
        let (status, refused) = told(self.post(&path, "{\"+n\":1,\"+t\":1}")).await;
        assert_eq!((status, &refused["type"]), (409, &json!("urn:livecounter:problem:conflict")));
        for _ in 0..2 {
            let answer = self.get(&path).answer().await;
            assert_eq!(header(&answer, "cache-control"), "private, no-store");
            let etag = header(&answer, "etag").to_owned();
            let entity: Value = answer.json().await.expect("JSON");
            assert_eq!(entity["payload"], json!({"n": 5, "t": "ü \u{2028} \u{1f980}"}));
            assert_eq!(self.get(&path).header("if-none-match", etag).answer().await.status(), 304);
            let without = client().get(self.url(&path)).answer().await;
            assert_eq!((without.status().as_u16(), header(&without, "cache-control")), (401, "no-store"));
        }
        let list = told(self.get(&format!("/entity/{}/", self.route))).await.1;
        assert_eq!(list["keys"], json!([{"key": "k", "rev": 2}]));
        let delete = client().delete(self.url(&path)).bearer_auth(self.secret.expose());
        assert_eq!(delete.answer().await.status(), 204);
        assert_eq!(told(self.get(&path)).await.0, 404);
    }

    /// Asks in SQL and by commands, and makes mistakes in both.
    async fn serves_statements_and_commands(&self) {
        let commands = format!("incr {0} @d1 .\"POST /drop\" 3\n-- a comment\nread {0} @d1", self.route);
        for request in [
            self.post("/exec", &commands),
            self.post("/exec", &json!({"query": commands}).to_string())
                .header("content-type", "application/json"),
        ] {
            let (status, answer) = told(request.header("idempotency-key", "commands")).await;
            assert_eq!(
                (status, &answer["results"][1]["result"]),
                (200, &json!({"POST /drop": 3})),
                "{answer}"
            );
        }
        let (status, problem) = told(self.post("/exec", "list nothing\nicr a @b .n")).await;
        assert_eq!((status, &problem["line"]), (400, &json!(2)), "{problem}");
        let statement =
            format!("SELECT key, \"POST /drop\" AS drops FROM \"{}\" WHERE key = 'd1'", self.route);
        let encoded = form_urlencoded::Serializer::new(String::new()).append_pair("q", &statement).finish();
        let query = format!("/sql?{encoded}");
        let rows = json!([{"key": "d1", "drops": 3}]);
        let by_parameter = json!({"query": statement.replace("'d1'", "?"), "params": ["d1"]}).to_string();
        for request in [
            self.post("/sql", &statement).header("content-type", "text/plain"),
            self.post("/sql", &by_parameter).header("content-type", "application/json"),
            self.get(&query),
        ] {
            let (status, answer) = told(request).await;
            assert_eq!((status, &answer["rows"]), (200, &rows), "{answer}");
        }
        let csv = self.get(&query).header("accept", "text/csv").text().await;
        assert_eq!(csv, "key,drops\r\nd1,3\r\n");
        let wrong = self.post("/sql", &statement.replace("POST /drop", "POST /dorp"));
        let (status, problem) = told(wrong).await;
        assert_eq!((status, &problem["type"]), (422, &json!("urn:livecounter:problem:statement-refused")));
        assert!(
            problem["detail"].as_str().is_some_and(|text| text.contains("did you mean \"POST /drop\"")),
            "{problem}"
        );
        for path in ["/sql?q=SELECT+1", "/feed/a"] {
            assert_eq!(client().get(self.url(path)).answer().await.status(), 401, "{path}");
        }
    }

    /// Appends events, and reads them.
    async fn keeps_events(&self) {
        let feed = format!("/feed/{}?limit=2", self.route);
        let mut last = Value::Null;
        for number in 0..3 {
            last = self.drop(None, json!({"number": number})).await["drop_id"].clone();
        }
        until("the last event to be shown", async || told(self.get(&feed)).await.1["position"] == last).await;
        let page = told(self.get(&feed)).await.1;
        let numbers: Vec<_> = page["events"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|event| &event["payload"]["number"])
            .collect();
        assert_eq!(numbers, [1, 2], "{page}");
    }

    /// Listens to an entity, to a feed as `EventSource` asks for it, and to all feeds below a route.
    async fn holds_streams(&self) {
        let (route, key) = (self.route, self.secret.expose());
        let bearer = format!("Bearer {key}");
        let by_header = [("authorization", bearer.as_str())];
        let parent = route.rsplit_once('/').map_or(route, |(parent, _)| parent);
        let mut entity =
            Listener::connect_with(self.addr, &format!("/entity/{route}/live"), &by_header).await;
        let mut feed = Listener::connect(self.addr, &format!("/live/{route}?_key={key}")).await;
        let mut below = Listener::connect_with(self.addr, &format!("/live/{parent}/*"), &by_header).await;
        for listener in [&entity, &feed, &below] {
            assert_eq!(
                (listener.status(), listener.header("content-type")),
                (200, "text/event-stream"),
                "{route}"
            );
            assert_eq!(listener.header("cache-control"), "private, no-store, no-transform", "{route}");
            assert_eq!(listener.header("grip-hold"), "", "{route}");
        }
        entity.until_data("null", SOON).await;
        self.drop(Some("live"), json!({"+live": 1})).await;
        entity.until_data("{\"live\":1}", SOON).await;
        let first = self.drop(None, json!("first")).await["drop_id"].as_str().expect("an id").to_owned();
        self.drop(None, json!("second")).await;
        for listener in [&mut feed, &mut below] {
            listener.until_data("\"first\"", SOON).await;
            listener.until_data("\"second\"", SOON).await;
        }
        let again = format!("/live/{route}?last_event_id={first}");
        let mut returned = Listener::connect_with(self.addr, &again, &by_header).await;
        assert_eq!(returned.next(SOON).await.data, "\"second\"");
        for path in [format!("/live/{route}"), format!("/live/{parent}/*"), format!("/entity/{route}/live")] {
            assert_eq!(Listener::connect(self.addr, &path).await.status(), 401, "{path}");
        }
    }
}

#[tokio::test]
async fn entities_events_and_sql_are_served_by_front_pushpin_and_cache() {
    let (secret, keys) = owner();
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", keys)], Options::default()).await;
    let front = Front::start(chain.pushpin.addr(), chain.cache.addr()).await;
    for (addr, route) in
        [(front.addr(), "by/front"), (chain.pushpin.addr(), "by/pushpin"), (chain.cache.addr(), "by/cache")]
    {
        let way = Way { addr, route, secret: &secret };
        way.serves_entities().await;
        way.serves_statements_and_commands().await;
        way.keeps_events().await;
        if route != "by/cache" {
            way.holds_streams().await;
        }
    }
}

#[tokio::test]
async fn entities_events_and_sql_are_served_at_the_edge() {
    let (secret, keys) = owner();
    let chain = EdgeChain::start(&[("LIVECOUNTER__KEYS", keys)]).await;
    let way = Way { addr: chain.edge.addr(), route: "by/edge", secret: &secret };
    way.serves_entities().await;
    way.serves_statements_and_commands().await;
    way.keeps_events().await;
    way.holds_streams().await;
}
