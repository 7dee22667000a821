//! Setting, deleting and listing counters: who may, what is answered, and what listeners and other origins see of it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use livecounter::access::NewSecret;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::access::{secret, table, told};
use crate::grip::GRIP_URL;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::witness::Witness;

const SOON: Duration = Duration::from_secs(10);

/// A service with one key that may manage all counters.
struct Managed {
    app: TestApp,
    key: NewSecret,
}

impl Managed {
    async fn start(environment: &[(&str, &str)]) -> Managed {
        let key = secret();
        let app = origin(&key, environment).await;
        Managed { app, key }
    }

    fn set(&self, id: &str, value: i64) -> RequestBuilder {
        set(&self.app, &self.key, id, value)
    }

    fn delete(&self, id: &str) -> RequestBuilder {
        client().delete(self.app.counter(id)).bearer_auth(self.key.expose())
    }

    fn list(&self, query: &str) -> RequestBuilder {
        list(&self.app, &self.key, query)
    }

    async fn page(&self, query: &str) -> Value {
        self.list(query).header("accept", "application/json").answer().await.json().await.expect("JSON")
    }
}

async fn origin(key: &NewSecret, environment: &[(&str, &str)]) -> TestApp {
    let keys = table("owner", key, r#"["manage:counters/"]"#);
    TestApp::with(&[&[("LIVECOUNTER__KEYS", keys.as_str())], environment].concat()).await
}

fn set(app: &TestApp, key: &NewSecret, id: &str, value: i64) -> RequestBuilder {
    client().put(app.counter(id)).bearer_auth(key.expose()).json(&json!({ "value": value }))
}

fn list(app: &TestApp, key: &NewSecret, query: &str) -> RequestBuilder {
    client().get(format!("{}/counters/{query}", app.address)).bearer_auth(key.expose())
}

async fn deleted(request: RequestBuilder) {
    let answer = request.answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (204, "no-store"));
    assert_eq!(answer.text().await.expect("no body"), "");
}

fn link(answer: &Response) -> String {
    header(answer, "link").to_owned()
}

/// What is set, deleted and counted again is answered and read, on whatever store.
async fn a_counter_is_set_and_deleted(environment: &[(&str, &str)]) {
    let service = Managed::start(environment).await;
    let app = &service.app;
    assert_eq!(told(service.set("2", 26)).await, (200, "26\n".to_owned()));
    let answer = service.set("2", -9_007_199_254_740_991).header("accept", "application/json").answer().await;
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(
        answer.json::<Value>().await.expect("JSON"),
        json!({"id": "2", "value": -9_007_199_254_740_991_i64})
    );
    assert_eq!(told(service.set("2", 0)).await, (200, "0\n".to_owned()));
    assert_eq!(app.add("2").await, 1);
    deleted(service.delete("2")).await;
    assert_eq!(app.read("2").await, 0);
    // What is not there, or never was, is answered the same.
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
}

#[tokio::test]
async fn a_counter_is_set_and_deleted_in_one_process() {
    a_counter_is_set_and_deleted(&[]).await;
}

#[tokio::test]
async fn a_counter_is_set_and_deleted_in_redis() {
    let redis = RedisServer::start();
    a_counter_is_set_and_deleted(&[("REDIS_URL", &redis.url()), ("GRIP_URL", GRIP_URL)]).await;
}

#[tokio::test]
async fn where_new_counters_are_limited_setting_one_counts_as_new() {
    let service = Managed::start(&[("LIVECOUNTER__LIMITS__TOPICS", "1")]).await;
    assert_eq!(told(service.set("1", 5)).await.0, 200);
    assert_eq!(told(service.set("2", 5)).await.0, 507);
    assert_eq!(told(service.set("1", 6)).await, (200, "6\n".to_owned()));
    deleted(service.delete("1")).await;
    // The store is asked for its count once a second.
    until("there is room again", async || told(service.set("2", 5)).await.0 == 200).await;
}

#[tokio::test]
async fn the_same_key_sets_and_deletes_once() {
    let service = Managed::start(&[]).await;
    let app = &service.app;
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
}

#[tokio::test]
async fn listeners_are_shown_what_is_set_0_after_a_deletion_and_what_follows() {
    let service = Managed::start(&[]).await;
    let app = &service.app;
    app.add_by("2", 26).await;
    let mut listener = app.listen("2").await;
    assert_eq!(listener.next(SOON).await.data, "26");
    assert_eq!(told(service.set("2", 7)).await.0, 200);
    assert_eq!(listener.next(SOON).await.data, "7");
    deleted(service.delete("2")).await;
    assert_eq!(listener.next(SOON).await.data, "0");
    // A listener that comes now begins with 0 as well.
    let mut late = app.listen("2").await;
    assert_eq!(late.next(SOON).await.data, "0");
    deleted(service.delete("2")).await;
    assert_eq!(app.add("2").await, 1);
    for listener in [&mut listener, &mut late] {
        assert_eq!(listener.next(SOON).await.data, "1", "and nothing in between");
    }
}

#[tokio::test]
async fn what_one_origin_sets_and_deletes_the_other_reads_and_proxies_are_told() {
    let (redis, proxy, key) = (RedisServer::start(), Witness::start().await, secret());
    let (redis, grip) = (redis.url(), proxy.grip_url());
    let environment = [("REDIS_URL", redis.as_str()), ("GRIP_URL", &grip)];
    let (one, other) = (origin(&key, &environment).await, origin(&key, &environment).await);
    let published = async |data: &str| {
        let content = format!("\ndata: {data}\n\n");
        until(data, async || proxy.told().last().is_some_and(|(_, _, told)| told.ends_with(&content))).await;
    };
    assert_eq!(told(set(&one, &key, "2", 26)).await.0, 200);
    assert_eq!(other.read("2").await, 26);
    published("26").await;
    assert_eq!(other.add("2").await, 27);
    published("27").await;
    deleted(client().delete(other.counter("2")).bearer_auth(key.expose())).await;
    assert_eq!(one.read("2").await, 0);
    published("0").await;
    assert_eq!(told(list(&one, &key, "")).await, (200, String::new()));
    assert_eq!(one.add("2").await, 1);
    published("1").await;
    assert_eq!(told(list(&other, &key, "")).await, (200, "2 1\n".to_owned()));
}

/// A deletion while others add: each of them is before or behind it, for everybody.
async fn a_deletion_is_before_or_behind_each_addition(environment: &[(&str, &str)]) {
    let service = Managed::start(environment).await;
    let app = &service.app;
    let add = async || {
        let mut values = Vec::new();
        for _ in 0..50 {
            values.push(app.add("2").await);
        }
        values
    };
    let delete = async {
        until("some were added", async || app.read("2").await >= 40).await;
        deleted(service.delete("2")).await;
    };
    let (added, ()) = tokio::join!(join_all((0..8).map(|_| add())), delete);
    let last = app.read("2").await;
    let mut values: Vec<i64> = added.into_iter().flatten().collect();
    values.sort_unstable();
    // Before the deletion the values 1, 2, 3, … were given once each, and behind it again.
    let before = 400 - last;
    let mut expected: Vec<i64> = (1..=before).chain(1..=last).collect();
    expected.sort_unstable();
    assert_eq!(values, expected, "{before} before the deletion and {last} behind it");
    if environment.is_empty() {
        assert_eq!(app.listen("2").await.next(SOON).await.data, last.to_string());
    }
}

#[tokio::test]
async fn a_deletion_in_a_flood_is_before_or_behind_each_post_in_one_process() {
    a_deletion_is_before_or_behind_each_addition(&[]).await;
}

#[tokio::test]
async fn a_deletion_in_a_flood_is_before_or_behind_each_post_in_redis() {
    let redis = RedisServer::start();
    let url = redis.url();
    a_deletion_is_before_or_behind_each_addition(&[("REDIS_URL", &url), ("GRIP_URL", GRIP_URL)]).await;
}

#[tokio::test]
async fn where_no_key_is_set_nobody_manages_and_the_refusal_says_what_to_do() {
    let app = TestApp::spawn().await;
    app.add("1").await;
    for (request, scope) in [
        (client().put(app.counter("1")).json(&json!({"value": 5})), "manage:counters/1/"),
        (client().delete(app.counter("1")), "manage:counters/1/"),
        (client().delete(app.counter("1")).bearer_auth("lc_wrong"), "manage:counters/1/"),
        (client().get(format!("{}/counters/", app.address)), "read:counters/"),
    ] {
        let (status, detail) = told(request).await;
        assert_eq!(status, 401);
        let expected = format!(
            "this needs a key with the scope {scope}, and this service has no keys yet: `livecounter key new NAME --scope \
             {scope}` makes one and prints the lines for the configuration"
        );
        assert_eq!(detail, expected);
    }
    assert_eq!(app.read("1").await, 1);
}

#[tokio::test]
async fn a_key_manages_and_lists_what_its_scope_covers_and_nothing_else() {
    let keys: Vec<(NewSecret, &str)> = [
        r#"["manage:counters/shop-"]"#,
        r#"["write:counters/"]"#,
        r#"["read:counters/"]"#,
        r#"["read:counters/shop-1"]"#,
        r#"["manage:counters/shop-1/"]"#,
    ]
    .map(|scopes| (secret(), scopes))
    .into();
    let tables = keys.iter().enumerate().map(|(n, (key, scopes))| table(&format!("k{n}"), key, scopes));
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &tables.collect::<String>())]).await;
    // Which of them may set `shop-1` and `other`, and list all, `shop-` and `shop-10`.
    for ((key, scopes), expected) in keys.iter().zip([
        [200, 403, 403, 200, 200],
        [403, 403, 403, 403, 403],
        [403, 403, 200, 200, 200],
        [403, 403, 403, 403, 200],
        [200, 403, 403, 403, 403],
    ]) {
        let mut statuses = Vec::new();
        for request in [
            set(&app, key, "shop-1", 5),
            set(&app, key, "other", 5),
            list(&app, key, ""),
            list(&app, key, "?prefix=shop-"),
            list(&app, key, "?prefix=shop-10"),
        ] {
            statuses.push(request.answer().await.status().as_u16());
        }
        assert_eq!(statuses, expected, "{scopes}");
    }
    assert_eq!(
        told(client().delete(app.counter("other")).bearer_auth(keys[0].0.expose())).await,
        (403, "the key k0 does not have the scope manage:counters/other/".to_owned())
    );
}

#[tokio::test]
async fn what_is_no_value_is_refused_and_changes_nothing() {
    let service = Managed::start(&[]).await;
    let app = &service.app;
    app.add_by("2", 26).await;
    let put_with = |query: &str| client().put(app.counter("2") + query).bearer_auth(service.key.expose());
    let put = || put_with("");
    let form =
        |body: &'static str| put().header("content-type", "application/x-www-form-urlencoded").body(body);
    let long = format!("{{\"value\":{}}}", "1".repeat(10_000));
    for (request, status, expected) in [
        (put(), 400, "value is missing; send JSON like {\"value\":5}"),
        (put().body(""), 400, "value is missing"),
        (put().body("{}"), 400, "value is missing"),
        (put().body("5"), 400, "the body must be JSON like {\"value\":5}: invalid type"),
        (put().body("{\"value\":null}"), 400, "the body must be JSON like {\"value\":5}: value is no number"),
        (
            put().body("{\"value\":\"5\"}"),
            400,
            "the body must be JSON like {\"value\":5}: value is no number",
        ),
        (put().body("{\"value\":[5]}"), 400, "the body must be JSON like {\"value\":5}: value is no number"),
        (
            put().body("{\"value\":5,\"value\":5}"),
            400,
            "the body must be JSON like {\"value\":5}: value is given twice",
        ),
        (put().body("{\"by\":5}"), 400, "the body must be JSON like {\"value\":5}: unknown member \"by\""),
        (put().body("{\"value\":5} 6"), 400, "the body must be JSON like {\"value\":5}: trailing characters"),
        (put().body("[5]"), 400, "the body must be JSON like {\"value\":5}: invalid type"),
        (put().body("\u{202e}\u{0}"), 400, "the body must be JSON like {\"value\":5}"),
        (put().body("{\"value\":1.5}"), 400, "value must be a whole number in plain digits"),
        (put().body("{\"value\":1e3}"), 400, "value must be a whole number in plain digits"),
        (put().body("{\"value\":9007199254740992}"), 400, "value must be within ±9007199254740991"),
        (put().body("{\"value\":-9007199254740992}"), 400, "value must be within ±9007199254740991"),
        (put().body(long), 413, "the body may have at most 4096 bytes"),
        (put_with("?value=%005"), 400, "value must be a whole number in plain digits"),
        (put_with("?value=%D9%A5"), 400, "value must be a whole number in plain digits"),
        (put_with("?by=5"), 400, "the query has the unknown parameter \"by\"; there is only value"),
        (put_with("?vlaue=5"), 400, "the query has the unknown parameter \"vlaue\"; did you mean value?"),
        (put_with("?value=5").body("{\"value\":5}"), 400, "value is given in the query and in the body"),
        (form("value=5&value=6"), 400, "value is given twice in the body"),
        (form("{\"value\":5}"), 400, "the body is a form with the unknown field"),
        (put().header("content-type", "text/csv").body("value\n5"), 415, "the body must be JSON"),
        (put().header("accept", "image/png").body("{\"value\":5}"), 406, "this resource is available as"),
        (put().header("idempotency-key", "").body("{\"value\":5}"), 400, ""),
        (
            client().delete(app.counter("2") + "?value=5").bearer_auth(service.key.expose()),
            400,
            "the query has the unknown parameter \"value\"; there are none",
        ),
        (service.delete("2").header("idempotency-key", "a b"), 400, ""),
        (service.set("1,2", 5), 400, "a list of counters can only be read"),
        (service.delete("1,2"), 400, "a list of counters can only be read"),
        (service.set(&"x".repeat(10_000), 5), 400, "a counter id has at most 64 characters"),
        (service.delete("a%00"), 400, "a counter id consists of"),
    ] {
        let (told_status, detail) = told(request).await;
        assert_eq!(told_status, status, "{detail}");
        assert!(detail.starts_with(expected), "{detail}");
    }
    assert_eq!(app.read("2").await, 26);
    assert_eq!(service.page("").await["counters"], json!([{"id": "2", "value": 26}]));
}

#[tokio::test]
async fn counters_that_are_not_known_are_404_for_who_may_manage_them() {
    let service = Managed::start(&[("LIVECOUNTER__COUNTERS__KNOWN", "1,2,~")]).await;
    assert_eq!(told(service.set("3", 5)).await, (404, "there is no counter 3 here".to_owned()));
    assert_eq!(told(service.delete("3")).await.0, 404);
    assert_eq!(told(client().delete(service.app.counter("3"))).await.0, 401, "it does not say what there is");
    assert_eq!(told(service.set("2", 5)).await.0, 200);
    // These are the counters that there are, whether they have changed or not.
    assert_eq!(told(service.list("")).await, (200, "1 0\n2 5\n~ 0\n".to_owned()));
    assert_eq!(told(service.list("?after=1&limit=1")).await, (200, "2 5\n".to_owned()));
    assert_eq!(told(service.list("?prefix=~")).await, (200, "~ 0\n".to_owned()));
}

/// Pages of the list: order, prefix, links, validators.
async fn counters_are_listed(environment: &[(&str, &str)]) {
    let service = Managed::start(environment).await;
    let mut ids: BTreeSet<String> = (0..110).map(|n| format!("n{n}")).collect();
    ids.extend(["A", "a.b", "axb", "~"].map(str::to_owned));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(told(service.set(id, n as i64)).await.0, 200);
    }
    // Without parameters, the first hundred.
    let page = service.page("").await;
    let listed = |page: &Value| -> Vec<String> {
        let counters = page["counters"].as_array().expect("a list");
        counters.iter().map(|counter| counter["id"].as_str().expect("an id").to_owned()).collect()
    };
    let expected: Vec<String> = ids.iter().cloned().collect();
    assert_eq!(listed(&page), expected[..100]);
    assert_eq!(page["counters"][1], json!({"id": expected[1], "value": 1}));
    assert_eq!(page["after"], json!(expected[99]));
    let (mut found, mut query) = (Vec::new(), "?limit=7".to_owned());
    while !query.is_empty() {
        let answer = service.list(&query).header("accept", "application/json").answer().await;
        let next = link(&answer);
        let page: Value = answer.json().await.expect("JSON");
        query = page["after"].as_str().map_or(String::new(), |after| format!("?limit=7&after={after}"));
        let expected = page["after"].as_str().map_or(String::new(), |after| {
            format!("</counters/?prefix=&after={after}&limit=7>; rel=\"next\"")
        });
        assert_eq!(next, expected);
        found.extend(listed(&page));
    }
    assert_eq!(found, expected, "each once, in the order of the bytes of their ids");
    assert_eq!(told(service.list("?prefix=a.")).await, (200, "a.b 1\n".to_owned()), "a dot is a dot");
    assert_eq!(told(service.list("?prefix=n10&after=n105&limit=2")).await.1.lines().count(), 2);
    assert_eq!(told(service.list("?prefix=zz")).await, (200, String::new()));
    assert_eq!(service.page("?prefix=zz").await, json!({"counters": [], "after": null}));
    assert_eq!(told(service.list("?prefix=..")).await, (200, String::new()));
    assert_eq!(service.page("?limit=1000").await["after"], Value::Null);
    // The one address and the other.
    let bare = client().get(format!("{}/counters?prefix=~", service.app.address));
    let value = expected.len() - 1;
    assert_eq!(told(bare.bearer_auth(service.key.expose())).await, (200, format!("~ {value}\n")));

    let first = service.list("?prefix=~").answer().await;
    assert_eq!(header(&first, "cache-control"), "private, no-cache");
    assert!(first.headers().get("surrogate-control").is_none());
    let tag = header(&first, "etag").to_owned();
    let asked = async || service.list("?prefix=~").header("if-none-match", &tag).answer().await.status();
    assert_eq!(asked().await, 304);
    service.app.add("~").await;
    assert_eq!(asked().await, 200);
    deleted(service.delete("~")).await;
    assert_eq!(told(service.list("?prefix=~")).await, (200, String::new()));
}

#[tokio::test]
async fn counters_are_listed_in_order_and_by_pages_in_one_process() {
    counters_are_listed(&[]).await;
}

#[tokio::test]
async fn counters_are_listed_in_order_and_by_pages_in_redis() {
    let redis = RedisServer::start();
    counters_are_listed(&[("REDIS_URL", &redis.url()), ("GRIP_URL", GRIP_URL)]).await;
}

#[tokio::test]
async fn parameters_of_the_list_are_bounded_and_named() {
    let service = Managed::start(&[]).await;
    service.app.add("1").await;
    let long = "a".repeat(10_000);
    let limit = "limit must be a whole number from 1 to 1000, in plain digits";
    let prefix = "prefix must be the beginning of ids, as plain text: ";
    for (query, expected) in [
        ("?limit=0", limit),
        ("?limit=1001", limit),
        ("?limit=1e9", limit),
        ("?limit=1000000000", limit),
        ("?limit=99999999999999999999", limit),
        ("?limit=-1", limit),
        ("?limit=%2B1", limit),
        ("?limit=", limit),
        ("?limit=%D9%A5", limit),
        ("?limit=1&limit=2", "limit is given twice in the query"),
        ("?lmit=5", "the query has the unknown parameter \"lmit\"; did you mean limit?"),
        ("?sort=-value", "the query has the unknown parameter \"sort\"; there are prefix, after, limit"),
        (
            "?prefix=.*",
            &format!("{prefix}a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another"),
        ),
        ("?prefix=%5Ea", prefix),
        ("?prefix=(a%7Cb)%2B", prefix),
        ("?prefix=a%00", prefix),
        ("?prefix=%C3%A9", prefix),
        ("?prefix=%FF", prefix),
        ("?prefix=counters/1", prefix),
        (&format!("?prefix={long}"), &format!("{prefix}a counter id has at most 64 characters")),
        (
            "?after=a%0D%0Ab",
            "after must be an id: a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another",
        ),
        ("?after=%1B", "after must be an id: "),
        ("?after=", "after must be an id: a counter id must not be empty"),
        (&format!("?after={long}"), "after must be an id: a counter id has at most 64 characters"),
    ] {
        let (status, detail) = told(service.list(query)).await;
        assert_eq!(status, 400, "{query}: {detail}");
        assert!(detail.starts_with(expected), "{query}: {detail}");
    }
    let stream = service.list("").header("accept", "text/event-stream").answer().await;
    assert_eq!(stream.status(), 406);
    // What gateways and clients append is left alone.
    assert_eq!(told(service.list("?_=1732&_x")).await, (200, "1 1\n".to_owned()));
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
