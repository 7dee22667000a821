//! Which clients may write, the refusals of the others, and that no answer repeats a key or a ticket.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use livecounter::access::{Scope, new_ticket};
use livecounter::jwt::SigningKey;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::grip::hs256;
use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};
use crate::support::server::Server;
use crate::support::wait::until;

pub(crate) const TICKET_KEY: &str = "a-secret-of-18-byt";

pub(crate) fn ticket(scope: &str) -> String {
    let key: SigningKey = TICKET_KEY.parse().expect("a key");
    let scopes: [Scope; 1] = [scope.parse().expect("a scope")];
    new_ticket(&key, &scopes, Duration::from_secs(60)).expect("a ticket")
}

/// The status, and the text or the detail of the problem.
pub(crate) async fn told(request: RequestBuilder) -> (u16, String) {
    told_in(request.answer().await).await
}

async fn told_in(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a text");
    let detail =
        serde_json::from_str::<Value>(&text).ok().and_then(|it| Some(it.get("detail")?.as_str()?.to_owned()));
    (status, detail.unwrap_or(text))
}

#[tokio::test]
async fn a_refusal_is_a_problem_with_a_challenge_that_pages_may_read() {
    let settings = [("LIVECOUNTER__ACCESS__WRITE", "key")];
    on_each_deployment(&settings, async |app| {
        for _ in 0..2 {
            let answer =
                client().post(app.counter("1")).header("origin", "https://page.example").answer().await;
            assert_eq!(header(&answer, "content-type"), "application/problem+json");
            assert_eq!(header(&answer, "cache-control"), "no-store");
            assert_eq!(header(&answer, "access-control-allow-origin"), "https://page.example");
            assert_eq!(
                header(&answer, "www-authenticate"),
                "Bearer realm=\"livecounter\", scope=\"write:counters/1/\""
            );
            let problem: Value = answer.json().await.expect("JSON");
            assert_eq!(
                (&problem["type"], &problem["title"], &problem["status"]),
                (&json!("urn:livecounter:problem:unauthorized"), &json!("Unauthorized"), &json!(401))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_never_tells_whether_a_counter_exists() {
    let key = secret();
    let settings = [
        ("LIVECOUNTER__ACCESS__WRITE", "key"),
        ("LIVECOUNTER__COUNTERS__KNOWN", "there"),
        ("LIVECOUNTER__KEYS", &key_table("a", &key, r#"["write:counters/x"]"#)),
    ];
    on_each_deployment(&settings, async |app| {
        for secret in [None, Some(key.expose()), Some("lc_unknown")] {
            let mut answers = Vec::new();
            for id in ["there", "not--"] {
                let post = client().post(app.counter(id));
                let post = if let Some(secret) = secret { post.bearer_auth(secret) } else { post };
                let (status, detail) = told(post).await;
                answers.push((status, detail.replace(id, "ID")));
            }
            assert_eq!(answers[0], answers[1]);
            assert!(answers[0].0 == 401 || answers[0].0 == 403);
        }
        // A client that may write to the counter may know that it does not exist.
        assert_eq!(told(client().post(app.counter("x")).bearer_auth(key.expose())).await.0, 404);
    })
    .await;
}

#[tokio::test]
async fn a_greater_amount_needs_a_key_that_may_write_there() {
    let key = secret();
    let keys = key_table("a", &key, r#"["write:counters/1/"]"#);
    on_each_deployment(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        let by = |id: &str| client().post(format!("{}?by=1001", app.counter(id)));
        assert_eq!(told(by("1").bearer_auth(key.expose())).await, (200, "1001\n".to_owned()));
        assert_eq!(
            told(by("1")).await,
            (403, "by must be from -1000 to 1000 here; nothing was changed".to_owned())
        );
        assert_eq!(told(by("1").bearer_auth("lc_wrong")).await.0, 401);
        assert_eq!(
            told(by("10").bearer_auth(key.expose())).await,
            (403, "the key a does not have the scope write:counters/10/".to_owned())
        );
        // Within what anyone may add, the key is not looked at.
        assert_eq!(
            told(client().post(app.counter("10")).bearer_auth("lc_wrong")).await,
            (200, "1\n".to_owned())
        );
        assert_eq!(app.metric("requests_refused_total{reason=\"amount\"}").await, 1.0);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_that_does_not_count_is_401_and_nothing_is_counted() {
    let settings = [("LIVECOUNTER__ACCESS__WRITE", "key"), ("LIVECOUNTER__ACCESS__TICKET_KEY", TICKET_KEY)];
    on_each_deployment(&settings, async |app| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        let signed = |claims: Value| hs256(TICKET_KEY, &claims);
        let scopes = json!(["write:"]);
        let claims = json!({"exp": now + 60, "scopes": scopes});
        let body = URL_SAFE_NO_PAD.encode(claims.to_string());
        let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
        for (ticket, expected) in [
            (signed(json!({"exp": now - 60, "scopes": scopes})), "the ticket has expired"),
            (
                signed(json!({"exp": now + 7200, "scopes": scopes})),
                "the ticket is good for longer than an hour",
            ),
            (
                signed(json!({"exp": now + 60, "iat": now - 7200, "scopes": scopes})),
                "the ticket is good for longer",
            ),
            (
                signed(json!({"exp": now + 60, "nbf": now + 60, "scopes": scopes})),
                "the ticket is not valid yet",
            ),
            (
                signed(json!({"exp": now + 60, "aud": "x", "scopes": scopes})),
                "the ticket is for another audience",
            ),
            (
                signed(json!({"exp": now + 60, "scopes": ["wirte:"]})),
                "the ticket has something among its scopes",
            ),
            (
                signed(json!({"exp": now + 60})),
                "the ticket is not signed with access.ticket_key, or is no JWT",
            ),
            (
                hs256("another-secret-of-some-bytes", &claims),
                "the ticket is not signed with access.ticket_key",
            ),
            (format!("{none}.{body}."), "the ticket is not signed with access.ticket_key"),
            ("a.b.c".to_owned(), "the ticket is not signed with access.ticket_key"),
            ("x".repeat(10_000), "the key is not known here"),
        ] {
            let (status, detail) = told(client().post(app.counter("1")).bearer_auth(&ticket)).await;
            assert_eq!(status, 401, "{detail}");
            assert!(
                detail.starts_with(expected) && detail.ends_with("with the scope write:counters/1/"),
                "{detail}"
            );
        }
        assert_eq!(app.read("1").await, 0);
        let good = client().post(app.counter("1")).bearer_auth(signed(claims));
        assert_eq!(told(good).await, (200, "1\n".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn no_key_of_an_address_stays_in_pages_metrics_or_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = secret();
    let keys = key_table("a", &key, r#"["admin"]"#);
    let settings = [("LIVECOUNTER__KEYS", keys.as_str()), ("LIVECOUNTER__ADMIN__TALLY", "true")];
    let app = TestApp::in_directory(directory.path(), &settings).await;
    let url = |path: &str| format!("{}{path}_key={}", app.address, key.expose());
    let page = format!("https://page.example/a?_key={}#{}", key.expose(), key.expose());
    for request in [
        client().post(url("/counters/1/?")),
        client().post(url("/entity/a/b?")).body("{\"n\":1}"),
        client().get(url("/live/a/?last=x&")),
        client().get(url("/count?url=page.example&")).header("referer", &page),
        client().get(format!("{}/count", app.address)).header("referer", &page),
        client().get(format!("{}/none", app.address)).header("referer", &page),
    ] {
        let text = request.answer().await.text().await.expect("a text");
        assert!(!text.contains(&key.expose()[12..]), "{text}");
    }
    // The tally writes what it has seen within a second.
    let recorded = || client().get(url("/feed/_admin/events?")).text();
    until("the requests to be recorded", async || recorded().await.contains("/none")).await;
    for path in ["/metrics", "/", "/top/pages", "/top/sites"] {
        let text = client().get(format!("{}{path}", app.address)).text().await;
        assert!(!text.contains(&key.expose()[12..]), "{path}: {text}");
    }
    let shown = recorded().await;
    assert!(shown.contains("page.example") || shown.contains("/count"), "{shown}");
    assert!(!shown.contains(&key.expose()[12..]), "{shown}");
    app.stop().await;
    for file in std::fs::read_dir(directory.path()).expect("the directory") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("its bytes");
        let hidden = &key.expose().as_bytes()[12..];
        assert!(!bytes.windows(hidden.len()).any(|part| part == hidden), "the store has the key");
    }
}

#[tokio::test]
async fn no_answer_repeats_a_key_or_a_ticket() {
    on_each_deployment(&[], async |app| {
        let (key, ticket) = (secret(), ticket("admin"));
        for secret in [key.expose(), &ticket] {
            for request in [
                client().post(format!("{}?{secret}=1", app.counter("1"))),
                client().post(format!("{}?by={secret}", app.counter("1"))),
                client().post(app.counter("1")).body(format!("{{\"{secret}\":1}}")),
                client()
                    .post(app.counter("1"))
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!("{secret}=1")),
                client().get(format!("{}/{secret}?_key={secret}", app.address)),
                client().get(app.counter(&format!("{secret}!"))),
            ] {
                let answer = request.answer().await;
                assert!(answer.status().is_client_error());
                let text = answer.text().await.expect("a text");
                assert!(!text.contains(&secret[12..]), "{text}");
            }
        }
    })
    .await;
}
