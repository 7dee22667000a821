//! Where a text of commands stops, and what is refused.

use serde_json::{Value, json};

use super::with_key;
use crate::program::Program;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};

#[tokio::test]
async fn a_command_that_fails_ends_the_request_and_names_its_place() {
    with_key(async |service| {
        let commands = "write a @b { text: \"x\" }\nincr a @c .n;  incr a @b .text\nincr a @c .n";
        let (status, problem) = service.run(commands).await;
        assert_eq!((status, &problem["line"], &problem["column"]), (409, &json!(2), &json!(16)), "{problem}");
        let results = problem["results"].as_array().expect("results");
        assert_eq!(results.len(), 2, "{problem}");
        assert_eq!(results[1]["result"]["key"], "c");
        assert_eq!(service.fields("a @c").await, json!({ "n": 1 }));
        assert_eq!(service.fields("a @b").await, json!({ "text": "x" }));
    })
    .await;
}

#[tokio::test]
async fn a_text_that_cannot_be_read_runs_no_command() {
    let nested = format!("incr a @b .n\nwrite a {{ n: {}", "[".repeat(10_000));
    let fields: String = (0..8_000).map(|field| format!(" .{field}")).collect();
    let fields = format!("incr a @b .n\nincr a @b{fields}");
    with_key(async |service| {
        for (commands, status, expected) in [
            ("incr a @b .n\nincr a", 400, "line 2, column"),
            ("incr a @b .n\nwrite a @b { n: 1e400 }", 400, "line 2, column"),
            (
                "incr a @b .n\nwrite _admin/daily @b { n: 1 }",
                403,
                "line 2, column 1: routes that begin with _",
            ),
            ("incr a @b .n\nwrite a { n: 1", 400, "line 2, column 15: expected the name of a field or }"),
            ("incr a @b .n\nsql `SELECT 1", 400, "line 2, column 14: expected a query between backticks"),
            ("incr a @b .n\nfind a where x = 1 and", 400, "line 2, column 23: expected the name of a field"),
            ("incr a @b .n\nincr a @b .n 1.5", 400, "line 2, column 14: 1.5 is not a whole number"),
            ("incr a @b .n\nwrite a @b { +n: \"1\" }", 400, "the field \"+n\" must be a whole number"),
            ("incr a @b .n\nwrite a @b { n: 1, n: 2 }", 400, "the field \"n\" comes twice"),
            (
                "incr a @b .n\nwrite a @b { n: \"\\ud800\" }",
                400,
                "line 2, column 17: unexpected end of hex escape",
            ),
            ("incr a @b .n\nincr a @b/c .n", 400, "line 2, column "),
            ("incr a @b .n\nincr a @é .n", 400, "line 2, column 9: "),
            (&nested, 400, "may be nested 32 deep"),
            (&fields, 400, "at most 256 fields"),
            ("incr a @b .n\nlist a top 1001", 400, "line 2, column 1: top is at most 1000"),
            ("", 400, "there is no command"),
            (
                "incr a @b .n\nSELECT n FROM a",
                400,
                "line 2, column 1: there is no command \"SELECT\": SQL stands between backticks",
            ),
        ] {
            let (answered, problem) = service.run(commands).await;
            assert_eq!(answered, status, "{commands}: {problem}");
            assert!(problem["detail"].as_str().is_some_and(|text| text.contains(expected)), "{problem}");
        }
        let long = format!("incr a @b .n\nwrite a {{ long: \"{}\" }}", "x".repeat(16 * 1024));
        let (status, problem) = service.run(&long).await;
        assert_eq!((status, &problem["line"]), (400, &json!(2)), "{problem}");
        assert_eq!(service.run(&"incr a @b .n\n".repeat(101)).await.0, 400);
        assert_eq!(service.run(&" ".repeat(65 * 1024)).await.0, 400);
        assert_eq!(service.run(&" ".repeat(129 * 1024)).await.0, 413);
        assert_eq!(service.fields("a @b").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_text_that_broke_off_can_be_sent_again() {
    with_key(async |service| {
        let commands = "incr a @b .n\nincr a @b .n\nupdate a @later { x: 1 }\nincr a @b .n 10";
        let send = async || service.exec(commands).header("idempotency-key", "one").answer().await;
        assert_eq!(send().await.status(), 404);
        assert_eq!(service.fields("a @b").await, json!({ "n": 2 }));
        assert_eq!(service.run("write a @later {}").await.0, 200);
        let answer = send().await;
        assert_eq!(answer.status(), 200);
        let results: Value = answer.json().await.expect("JSON");
        assert_eq!(results["results"][0]["result"]["rev"], 1);
        assert_eq!(service.fields("a @b").await, json!({ "n": 12 }));
        assert_eq!(send().await.status(), 200);
        assert_eq!(service.fields("a @b").await, json!({ "n": 12 }));
    })
    .await;
}

#[tokio::test]
async fn commands_come_as_text_or_as_json_and_as_nothing_else() {
    with_key(async |service| {
        let (command, json) = ("incr a @b .n", r#"{"query":"incr a @b .n"}"#);
        for (body, media_type, expected) in [
            (command, "text/plain; charset=utf-8", 200),
            (command, "application/x-www-form-urlencoded", 200),
            (json, "application/json", 200),
            (command, "application/json", 400),
            (r#"{"query":5}"#, "application/json", 400),
            (r#"{"query":"incr a @b .n","other":1}"#, "application/json", 400),
            (json, "text/plain", 400),
            (command, "application/xml", 415),
        ] {
            let answer = service.exec(body).header("content-type", media_type).answer().await;
            assert_eq!(answer.status(), expected, "{media_type}: {body}");
            let kept = header(&answer, "cache-control").to_owned();
            assert!(kept.contains("no-store"), "{kept}");
        }
        assert_eq!(service.fields("a @b").await, json!({ "n": 3 }));
        assert_eq!(client().get(format!("{}/exec", service.app.address)).answer().await.status(), 405);
    })
    .await;
}

#[tokio::test]
async fn json_without_its_type_is_told_which_header_is_missing() {
    with_key(async |service| {
        for (path, json) in [("exec", r#"{"query":"incr a @b .n"}"#), ("sql", r#" {"query":"SELECT 1"}"#)] {
            for media_type in ["application/x-www-form-urlencoded", "text/plain;charset=UTF-8", ""] {
                let request =
                    client().post(format!("{}/{path}", service.app.address)).bearer_auth(&service.key);
                let answer = request.header("content-type", media_type).body(json).answer().await;
                let (status, text) = (answer.status(), answer.text().await.expect("a text"));
                assert_eq!(status, 400, "{path} {media_type}: {text}");
                assert!(text.contains("Content-Type: application/json"), "{path} {media_type}: {text}");
            }
        }
        assert_eq!(service.fields("a @b").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn no_command_runs_if_the_key_does_not_allow_one() {
    let secret = secret();
    let keys = key_table("some", &secret, r#"["read:routes/a", "write:routes/a", "sql"]"#);
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", keys.as_str())]).await;
    let exec = async |commands: &str| {
        let request = client().post(format!("{}/exec", app.address)).body(commands.to_owned());
        request.bearer_auth(secret.expose()).answer().await.status().as_u16()
    };
    for (commands, expected) in [
        ("incr a @b .n\nincr c @b .n", 403),
        ("incr a @b .n\nremove a @b", 403),
        ("incr a @b .n\nfind c", 403),
        ("incr a @b .n\nwrite c { n: 1 }", 403),
        ("read a @b", 404),
        ("sql `SELECT key FROM c`", 403),
        ("sql `SELECT key FROM a`", 200),
        ("incr a @b .n\nread a @b\nlist a", 200),
    ] {
        assert_eq!(exec(commands).await, expected, "{commands}");
    }
    let without = client().post(format!("{}/exec", app.address)).body("list a").answer().await;
    assert_eq!(without.status(), 401);
}

#[tokio::test]
async fn no_command_begins_behind_the_time_of_a_request() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[("LIVECOUNTER__COMMANDS__TIME", "1ms")]);
    let commands = "incr a @b .n\n".repeat(100);
    let answer = client().post(program.url("/exec")).body(commands).answer().await;
    assert_eq!(answer.status(), 503);
    let problem: Value = answer.json().await.expect("JSON");
    let done = problem["results"].as_array().expect("results").len();
    assert!(done < 100, "{done}: {problem}");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(done + 1), &json!(1)));
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("(commands.time, ")),
        "{problem}"
    );
    let statement = "SELECT coalesce(sum(n), 0) AS n FROM a";
    let sum: Value =
        client().post(program.url("/sql")).body(statement).answer().await.json().await.expect("JSON");
    assert_eq!(sum["rows"][0]["n"], done, "what was done stays");
}

#[tokio::test]
async fn no_command_begins_behind_results_of_four_mebibytes() {
    with_key(async |service| {
        let text = "x".repeat(15_000);
        for group in 0..75 {
            let write = |number| format!("write a @k{group}-{number} {{ text: \"{text}\" }}\n");
            assert_eq!(service.run(&(0..4).map(write).collect::<String>()).await.0, 200);
        }
        let (status, problem) = service.run("list a top 300\nincr a @b .n").await;
        assert_eq!((status, &problem["line"]), (503, &serde_json::json!(2)), "{}", problem["detail"]);
        assert_eq!(problem["results"][0]["result"]["truncated"], true);
        assert_eq!(service.fields("a @b").await, Value::Null);
    })
    .await;
}
