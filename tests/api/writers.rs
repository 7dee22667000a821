//! What a key learns of entities and events that may write them and not read them.

use livecounter::access::NewSecret;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::access::told;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client};
use crate::support::keys::{key_table, secret};

/// A text that stands in an entity and in an event, and that no answer may have.
const HIDDEN: &str = "hush";

/// Requests that need more than writing, each about the entity of a route and a key or about all of the route.
fn requests(app: &Deployment, route: &str, key: &str) -> Vec<RequestBuilder> {
    let url = |path: String| format!("{}{path}", app.address);
    let entity = url(format!("/entity/{route}/{key}"));
    let exec = |command: String| client().post(url("/exec".to_owned())).body(command);
    vec![
        client().get(&entity),
        client().get(&entity).header("accept", "text/event-stream"),
        client().get(&entity).header("if-none-match", "*"),
        client().delete(&entity),
        client().get(url(format!("/entity/{route}/"))),
        client().get(url(format!("/feed/{route}"))),
        client().get(url(format!("/live/{route}?last=1"))),
        client().delete(url(format!("/feed/{route}"))),
        exec(format!("{route} @{key}")),
        exec(format!("find {route} where n > 1")),
        exec(format!("remove {route} @{key}")),
    ]
}

/// A service with an entity `there` of the routes `a` and `c` and with an event of both, and a key for writing `a`.
async fn with_writer(test: impl AsyncFn(&Deployment, &NewSecret)) {
    let (owner, writer) = (secret(), secret());
    let keys =
        key_table("owner", &owner, r#"["admin"]"#) + &key_table("writer", &writer, r#"["write:routes/a/"]"#);
    on_each_deployment(&[("LIVECOUNTER__KEYS", keys.as_str())], async |app| {
        for route in ["a", "c"] {
            let fields = json!({"text": HIDDEN, "n": 7});
            for drop in [
                json!({"route": route, "key": "there", "payload": fields}),
                json!({"route": route, "payload": fields}),
            ] {
                let drop =
                    client().post(format!("{}/drop", app.address)).bearer_auth(owner.expose()).json(&drop);
                assert_eq!(drop.answer().await.status(), 200);
            }
        }
        test(app, &writer).await;
    })
    .await;
}

#[tokio::test]
async fn a_refusal_never_tells_whether_an_entity_or_a_feed_exists() {
    with_writer(async |app, writer| {
        // The writer may write to `a`; neither to `c`, where the entity is, nor to `d`, where there is nothing.
        for names in [[("a", "there"), ("a", "none-")], [("c", "there"), ("d", "none-")]] {
            for secret in [None, Some(writer.expose()), Some("lc_unknown")] {
                let mut answers = Vec::new();
                for (route, key) in names {
                    for request in requests(app, route, key) {
                        let request = secret.into_iter().fold(request, |it, secret| it.bearer_auth(secret));
                        let (status, detail) = told(request).await;
                        assert!([401, 403].contains(&status), "{route} {key}: {status} {detail}");
                        let scope = format!("routes/{route}/");
                        answers.push((status, detail.replace(&scope, "ROUTE").replace(key, "KEY")));
                    }
                }
                let (there, missing) = answers.split_at(answers.len() / 2);
                assert_eq!(there, missing);
            }
        }
        for (route, key) in [("c", "there"), ("d", "none-")] {
            let write = client().post(format!("{}/entity/{route}/{key}", app.address)).body("{\"+n\":1}");
            let expected = format!("the key writer does not have the scope write:routes/{route}/");
            assert_eq!(told(write.bearer_auth(writer.expose())).await, (403, expected));
        }
    })
    .await;
}

#[tokio::test]
async fn a_writer_learns_what_its_own_changes_tell_and_no_text() {
    with_writer(async |app, writer| {
        let post = async |path: &str, body: &str| {
            let request = client().post(format!("{}{path}", app.address)).bearer_auth(writer.expose());
            let answer = request.body(body.to_owned()).answer().await;
            let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a text"));
            assert!(!text.contains(HIDDEN), "{text}");
            (status, serde_json::from_str::<Value>(&text).expect("JSON"))
        };
        // Whether there was such an entity, and how often it has changed.
        for (key, rev) in [("there", 2), ("new", 1)] {
            let (status, written) = post(&format!("/entity/a/{key}"), "{\"+m\":1}").await;
            assert_eq!((status, &written["rev"]), (200, &json!(rev)), "{written}");
            let members: Vec<&String> = written.as_object().expect("an object").keys().collect();
            assert_eq!(members, ["created_at", "drop_id", "key", "rev", "route"]);
        }
        assert_eq!(post("/exec", "update a @none { m: 1 }").await.0, 404);
        assert_eq!(post("/exec", "update a @there { m: 1 }").await.0, 200);
        // Whether a field that the writer names holds a whole number, and whether a sum is in range.
        for field in ["text", "n"] {
            let (status, problem) =
                post("/entity/a/there", &format!("{{\"+{field}\":9007199254740991}}")).await;
            assert_eq!(status, 409, "{problem}");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(field)), "{problem}");
        }
        // How many events there were.
        assert_eq!(post("/exec", "write a { m: 1 }").await.1["results"][0]["result"]["rev"], 2);
    })
    .await;
}
