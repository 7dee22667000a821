//! CountAPI: its routes, its forms of an answer, and what is refused.

use serde_json::{Value, json};

use super::{get, json, text};
use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};

pub(super) const HOST: &str = "api.countapi.xyz";
pub(super) const HOSTS: (&str, &str) = ("LIVECOUNTER__COMPAT__COUNTAPI", HOST);

/// Asks and compares status and JSON.
pub(super) async fn told(address: &str, path: &str, status: u16, expected: Value) {
    let answer = get(address, HOST, path).answer().await;
    assert_eq!(json(answer).await, (status, expected), "{path}");
}

/// Asks for a refusal and returns its text.
pub(super) async fn refused(address: &str, path: &str, status: u16) -> String {
    let (given, body) = json(get(address, HOST, path).answer().await).await;
    assert_eq!(given, status, "{path}: {body}");
    body["error"].as_str().unwrap_or_else(|| panic!("{path}: {body}")).to_owned()
}

#[tokio::test]
async fn keys_are_counted_and_read_on_each_deployment() {
    on_each_deployment(&[HOSTS], async |app: &Deployment| {
        let base = app.address.as_str();
        told(base, "/get/example.com/visits", 404, json!({"value": null})).await;
        for value in 1..=3 {
            told(base, "/hit/example.com/visits", 200, json!({"value": value})).await;
        }
        told(base, "/get/example.com/visits/", 200, json!({"value": 3})).await;
        told(base, "/hit/visits", 200, json!({"value": 1})).await;
        told(base, "/get/default/visits", 200, json!({"value": 1})).await;
        told(base, "/update/example.com/visits?amount=-5", 200, json!({"value": -2})).await;
        told(base, "/update/example.com/other?amount=5", 404, json!({"value": null})).await;
        let (status, body) = json(get(base, HOST, "/info/example.com/visits").answer().await).await;
        let expected = json!({"namespace": "example.com", "key": "visits", "ttl": -1, "created": null,
            "update_lowerbound": -1000, "update_upperbound": 1000, "enable_reset": false, "value": -2});
        assert_eq!((status, body), (200, expected));
        told(base, "/info/example.com/other", 404, json!({"value": null})).await;
        assert_eq!(client().get(app.counter("example.com~visits")).text().await, "-2\n");
    })
    .await;
}

#[tokio::test]
async fn long_names_have_counters_as_all_others() {
    let owner = secret();
    let keys = key_table("owner", &owner, r#"["read:"]"#);
    let app = TestApp::with(&[HOSTS, ("LIVECOUNTER__KEYS", &keys)]).await;
    let uuid = "6d5891ff-ebda-48fb-a760-8549d6a3bf3a";
    let path = format!("{uuid}/{uuid}");
    told(&app.address, &format!("/hit/{path}"), 200, json!({"value": 1})).await;
    let answer = get(&app.address, HOST, &format!("/hit/{path}")).answer().await;
    assert_eq!(header(&answer, "x-path"), path);
    let list = client()
        .get(format!("{}/counters/?prefix={uuid}~", app.address))
        .bearer_auth(owner.expose())
        .header("accept", "application/json");
    let (_, list) = json(list.answer().await).await;
    let id = list["counters"][0]["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with(&format!("{uuid}~6d5~~")) && id.len() == 64, "{id}");
    assert_eq!(client().get(app.counter(&id)).text().await, "2\n");
    let badge = client().get(format!("{}badge.svg", app.counter(&id))).answer().await;
    assert_eq!(badge.status().as_u16(), 200);
    for path in [format!("{uuid}/{}", "k".repeat(64)), format!("{}/{uuid}", "n".repeat(64))] {
        told(&app.address, &format!("/hit/{path}"), 200, json!({"value": 1})).await;
    }
}

#[tokio::test]
async fn answers_are_for_all_pages_and_no_cache_keeps_them() {
    let app = TestApp::with(&[HOSTS]).await;
    for (origin, allowed) in [(None, "*"), (Some("https://www.example.com"), "https://www.example.com")] {
        let mut request = get(&app.address, HOST, "/hit/example.com/visits");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.answer().await;
        for (name, expected) in [
            ("content-type", "application/json"),
            ("x-path", "example.com/visits"),
            ("access-control-allow-origin", allowed),
            (
                "access-control-expose-headers",
                "x-path, x-request-id, retry-after, ratelimit, ratelimit-policy",
            ),
            ("cache-control", "max-age=0, no-cache, no-store, must-revalidate"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "nosniff"),
            ("etag", ""),
        ] {
            assert_eq!(header(&answer, name), expected, "{name}");
        }
    }
    let picture = get(&app.address, HOST, "/hit/example.com/visits?img").answer().await;
    assert_eq!((picture.status().as_u16(), header(&picture, "content-type")), (200, "image/gif"));
    let bytes = picture.bytes().await.expect("a picture");
    assert!(bytes.starts_with(b"GIF89a\x01\0\x01\0") && bytes.ends_with(b";"));
    told(&app.address, "/get/example.com/visits", 200, json!({"value": 3})).await;
}

#[tokio::test]
async fn jsonp_calls_a_function_of_the_page_and_never_fails() {
    let app = TestApp::with(&[HOSTS]).await;
    let call = async |path: &str| {
        let answer = get(&app.address, HOST, path).answer().await;
        assert_eq!(header(&answer, "content-type"), "text/javascript; charset=utf-8", "{path}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        (answer.status().as_u16(), answer.text().await.expect("a script"))
    };
    let script = |members: &str| (200, format!("/**/typeof cb===\"function\"&&cb({{{members}}});\n"));
    assert_eq!(call("/hit/a.b/visits?callback=cb").await, script("\"code\":200,\"value\":1"));
    assert_eq!(call("/get/a.b/other?callback=cb&img").await, script("\"code\":404,\"value\":null"));
    let (status, body) = call("/get/a.b/xx?callback=cb").await;
    assert!(
        status == 200 && body.contains("\"code\":400") && body.contains("Malformed Namespace/Key"),
        "{body}"
    );
    // Nothing is counted for a script that cannot be written.
    for name in ["", "alert(1)", "a;b", "a%0Ab", "1a", "%3Cscript%3E", "a%22b", &"x".repeat(65)] {
        let error = refused(&app.address, &format!("/hit/a.b/visits?callback={name}"), 400).await;
        assert!(error.starts_with("callback must be the name of a function"), "{error}");
    }
    told(&app.address, "/get/a.b/visits", 200, json!({"value": 1})).await;
}

#[tokio::test]
async fn names_and_numbers_that_cannot_be_used_are_400_and_count_nothing() {
    let app = TestApp::with(&[HOSTS]).await;
    let long = "x".repeat(65);
    for path in [
        "/hit/ab",
        "/hit/ns1/ab",
        "/hit/ab/key",
        "/get/a%20bc",
        "/hit/a~bc/key",
        "/hit/%C3%A9%C3%A9%C3%A9",
        "/create?key=ab",
        "/create?namespace=ab",
        "/create?key=",
        "/hit/:HOST:/visits",
        "/hit/:PATHNAME:",
        &format!("/hit/{long}"),
        &format!("/hit/{long}/key"),
    ] {
        let error = refused(&app.address, path, 400).await;
        assert!(error.starts_with("Malformed Namespace/Key: "), "{path}: {error}");
    }
    told(&app.address, "/hit/a.b/visits", 200, json!({"value": 1})).await;
    for (path, expected) in [
        ("/update/a.b/visits", "amount is missing: add it to the query, as in ?amount=5"),
        ("/update/a.b/visits?amount=", "amount must be a whole number in plain digits, like 5 or -3"),
        ("/update/a.b/visits?amount=0", "amount must not be 0"),
        ("/update/a.b/visits?amount=1e99", "amount must be a whole number in plain digits, like 5 or -3"),
        ("/update/a.b/visits?amount=99999999999999999999", "amount must be within ±9007199254740991"),
        ("/set/a.b/visits", "value is missing: add it to the query, as in ?value=5"),
        ("/set/a.b/visits?value=1e99", "value must be a whole number in plain digits, like 5 or -3"),
        ("/create?value=1.5", "value must be a whole number in plain digits, like 5 or -3"),
        ("/create?update_upperbound=-1", "update_upperbound must be positive"),
        ("/create?update_lowerbound=1", "update_lowerbound must be negative"),
        ("/create?namespace=a.b&key=visits", "the key a.b/visits exists already; nothing was changed"),
    ] {
        assert_eq!(refused(&app.address, path, 400).await, expected, "{path}");
    }
    for path in ["/hit/", "/hit", "/hit/a.b/visits/more", "/hit//visits"] {
        assert_eq!(text(get(&app.address, HOST, path)).await.0, 404, "{path}");
    }
    told(&app.address, "/get/a.b/visits", 200, json!({"value": 1})).await;
}

#[tokio::test]
async fn reserved_words_stand_for_the_page_that_asks() {
    let app = TestApp::with(&[HOSTS]).await;
    for (origin, referer, word, expected) in [
        (Some("https://www.Example.com:8443"), None, ":HOST:/visits", "www.example.com/visits"),
        (None, Some("https://example.com/example/page?a=b"), ":HOST:/:PATHNAME:", "example.com/examplepage"),
        (Some("null"), Some("https://a.example/"), ":HOST:/:PATHNAME:", "a.example/..."),
        (None, Some("http://a.b/x"), "%3AHOST%3A/:PATHNAME:", "a.b/x.."),
        (None, Some("http://[::1]/~me/%C3%A4b.html"), ":HOST:/:PATHNAME:", "1../meC3A4b.html"),
        (None, Some("http://a.b/x"), ":HOST:", "default/a.b"),
        (None, Some("http://a.b/x/yz"), ":HOST:/:PATH:", "a.b/xyz"),
    ] {
        let mut request = get(&app.address, HOST, &format!("/hit/{word}"));
        for (name, value) in [("origin", origin), ("referer", referer)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let answer = request.answer().await;
        assert_eq!((answer.status().as_u16(), header(&answer, "x-path")), (200, expected));
    }
    let long = get(&app.address, HOST, "/hit/a.b/:PATHNAME:")
        .header("referer", format!("http://a.b/{}", "x/".repeat(100)));
    assert_eq!(header(&long.answer().await, "x-path"), format!("a.b/{}", "x".repeat(64)));
    for referer in ["about:blank", "data:text/html,x", "nonsense", ""] {
        let answer = get(&app.address, HOST, "/hit/:HOST:/visits").header("referer", referer).answer().await;
        assert_eq!(answer.status().as_u16(), 400, "{referer}");
    }
}

#[tokio::test]
async fn a_request_that_only_prepares_or_asks_for_headers_changes_nothing() {
    let owner = secret();
    let keys = key_table("owner", &owner, r#"["manage:"]"#);
    let app = TestApp::with(&[HOSTS, ("LIVECOUNTER__KEYS", &keys)]).await;
    let changes =
        ["/hit/a.b/visits", "/update/a.b/visits?amount=5", "/set/a.b/visits?value=7", "/create?key=fresh"];
    told(&app.address, changes[0], 200, json!({"value": 1})).await;
    for path in changes {
        let url = format!("{}{path}", app.address);
        let head = client().head(&url).header("host", HOST).bearer_auth(owner.expose()).answer().await;
        assert!([200, 403].contains(&head.status().as_u16()), "{path}");
        for (name, value) in [("sec-purpose", "prefetch"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
            get(&app.address, HOST, path).header(name, value).bearer_auth(owner.expose()).answer().await;
        }
    }
    told(&app.address, "/get/a.b/visits", 200, json!({"value": 1})).await;
    told(&app.address, "/get/fresh", 404, json!({"value": null})).await;
    // Programs count, although they say in their names that they are bots.
    let bot = get(&app.address, HOST, changes[0]).header("user-agent", "SomeBot/1.0 (axios)");
    assert_eq!(json(bot.answer().await).await, (200, json!({"value": 2})));
}
