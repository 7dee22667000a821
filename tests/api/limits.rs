//! The limits of one client that writes: how often, how many new counters, and how much at once.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use futures_util::future::join_all;
use livecounter::settings::Settings;
use reqwest::Response;
use serde_json::{Value, json};

use crate::program::program;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header, metric};
use crate::support::process::{self, Process};
use crate::support::raw::raw_head;
use crate::support::server::Server;
use crate::support::wait::until;

/// The setting that trusts the `X-Forwarded-For` of this machine.
pub(crate) const LOOPBACK: (&str, &str) = ("LIVECOUNTER__TRUSTED_PROXIES", "127.0.0.0/8");

/// Adds 1 for the client of this address, by way of a trusted proxy, from a page of another origin.
async fn post_from(url: &str, address: &str) -> Response {
    let post = client().post(url).header("x-forwarded-for", address).header("origin", "https://page.example");
    post.answer().await
}

/// How many requests were refused for this reason; `None` if there was none.
pub(crate) async fn refused(app: &TestApp, reason: &str) -> Option<f64> {
    metric(&app.address, &format!("requests_refused_total{{reason=\"{reason}\"}}")).await
}

#[tokio::test]
async fn a_client_that_writes_too_often_gets_429_and_nothing_is_counted() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__WRITES", "3/h"), LOOPBACK]).await;
    let url = app.counter("2");
    for expected in ["1\n", "2\n", "3\n"] {
        let answer = post_from(&url, "192.0.2.1").await;
        assert_eq!(answer.text().await.expect("a text"), expected);
    }
    let answer = post_from(&url, "192.0.2.1").await;
    assert_eq!(answer.status(), 429);
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(header(&answer, "access-control-allow-origin"), "https://page.example");
    let exposed = header(&answer, "access-control-expose-headers");
    assert_eq!(exposed, "x-request-id, retry-after, ratelimit, ratelimit-policy");
    assert_eq!(header(&answer, "ratelimit-policy"), "\"writes\";q=3;w=3600");
    let wait: u32 = header(&answer, "retry-after").parse().expect("seconds");
    assert!((1_190..=1200).contains(&wait), "one comes back in a third of an hour: {wait}");
    assert_eq!(header(&answer, "ratelimit"), format!("\"writes\";r=0;t={wait}"));
    let problem: Value = answer.json().await.expect("JSON");
    let detail = format!(
        "your address may send 3 requests that write an hour; try again in {wait} s; nothing was changed"
    );
    let expected = json!({"type": "urn:livecounter:problem:too-many-requests", "title": "Too many requests",
        "status": 429, "detail": detail});
    assert_eq!(problem, expected);

    assert_eq!(app.read("2").await, 3);
    assert_eq!(refused(&app, "writes").await, Some(1.0));
    assert_eq!(
        post_from(&url, "192.0.2.2").await.status(),
        200,
        "another client has an allowance of its own"
    );
    let clients = metric(&app.address, "livecounter_limit_clients{limit=\"writes\"}").await;
    assert_eq!(clients, Some(2.0));
    let whatever = post_from(&app.counter("no!"), "192.0.2.1").await;
    assert_eq!(whatever.status(), 429, "requests that are wrong are counted, too");
}

#[tokio::test]
async fn all_workers_together_let_as_many_through_as_one_may() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__WRITES", "20/h"), ("LIVECOUNTER__WORKERS", "4")]).await;
    // Each POST has a connection of its own, so that every worker gets some.
    let posts = (0..60).map(async |_| app.post("/counters/2/").await.status());
    let statuses = join_all(posts).await;
    assert_eq!(statuses.iter().filter(|status| status.as_u16() == 200).count(), 20, "{statuses:?}");
    assert_eq!(app.read("2").await, 20);
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_not_waited_for() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__WRITES", "1/h")]).await;
    assert_eq!(app.post("/counters/2/").await.status(), 200);
    let head = "POST /counters/2/ HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    let answer = tokio::time::timeout(Duration::from_secs(5), raw_head(app.addr, head.as_bytes())).await;
    assert_eq!(answer.expect("an answer before the body").0, 429);
}

#[tokio::test]
async fn a_client_with_too_many_new_topics_gets_429_and_may_use_the_old_ones() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__NEW_TOPICS", "2/h"), LOOPBACK]).await;
    let post = async |counter: &str, client| post_from(&app.counter(counter), client).await;
    for counter in ["a", "b", "a", "b", "a"] {
        assert_eq!(post(counter, "192.0.2.1").await.status(), 200, "{counter}");
    }
    let answer = post("c", "192.0.2.1").await;
    assert_eq!(answer.status(), 429);
    assert_eq!(header(&answer, "ratelimit-policy"), "\"new-topics\";q=2;w=3600");
    assert_eq!(refused(&app, "new_topics").await, Some(1.0));
    assert_eq!(post("a", "192.0.2.1").await.text().await.expect("a text"), "4\n");
    assert_eq!(app.read("c").await, 0);
    assert_eq!(post("c", "192.0.2.2").await.text().await.expect("a text"), "1\n");
    assert_eq!(post("c", "192.0.2.1").await.text().await.expect("a text"), "2\n", "it is there now");
}

#[tokio::test]
async fn a_key_refused_for_the_rate_counts_when_it_is_sent_again() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__NEW_TOPICS", "1/s"), LOOPBACK]).await;
    let post = async |counter: &str| {
        let post = client().post(app.counter(counter)).header("idempotency-key", "k");
        post.answer().await.status().as_u16()
    };
    assert_eq!(post("a").await, 200);
    until("a refusal, and then what was refused", async || post("b").await == 200).await;
    for counter in ["a", "b"] {
        assert_eq!(post(counter).await, 200);
        assert_eq!(app.read(counter).await, 1);
    }
}

#[tokio::test]
async fn an_amount_beyond_the_bounds_without_a_key_is_403() {
    let app = TestApp::spawn().await;
    let url = app.counter("2");
    for (by, status) in
        [("1000", 200), ("-1000", 200), ("1001", 403), ("-1001", 403), ("9007199254740991", 403)]
    {
        assert_eq!(app.post(&format!("/counters/2/?by={by}")).await.status(), status, "{by}");
    }
    let answer = client().post(&url).json(&json!({"by": 5000})).header("idempotency-key", "k").answer().await;
    assert_eq!(answer.status(), 403);
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:livecounter:problem:forbidden");
    assert_eq!(problem["detail"], "by must be from -1000 to 1000 here; nothing was changed");
    assert_eq!(app.read("2").await, 0);
    assert_eq!(refused(&app, "amount").await, Some(4.0));
    let again = client().post(&url).header("idempotency-key", "k").text().await;
    assert_eq!(again, "1\n", "a refused request uses no key up");
}

#[tokio::test]
async fn other_amounts_may_be_set() {
    let app = TestApp::with(&[("LIVECOUNTER__ACCESS__AMOUNTS", "1..5000")]).await;
    for (by, status) in [("1", 200), ("5000", 200), ("-1", 403), ("5001", 403)] {
        assert_eq!(app.post(&format!("/counters/2/?by={by}")).await.status(), status, "{by}");
    }
}

#[test]
fn the_settings_that_the_documentation_shows_can_be_used() {
    for document in ["docs/your-site.md", "docs/limits.md", "docs/configuration.md"] {
        let text = std::fs::read_to_string(process::repository(document)).expect("the document");
        let shown: Vec<&str> =
            text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!shown.is_empty(), "{document} shows no settings");
        for shown in shown {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(shown.as_bytes()).expect("to write it");
            let settings = Settings::load(Some(file.path()), HashMap::new(), None);
            assert!(settings.is_ok(), "{document}: {settings:?}\n{shown}");
        }
    }
}

/// The lines that the program logs before it serves on this address.
async fn log_of(listen: &str, environment: &[(&str, &str)]) -> String {
    let directory = process::directory();
    let mut command = program(directory.path());
    command.args(["--listen", listen]).envs(environment.iter().copied());
    let mut process = Process::start("origin", &mut command, directory);
    let log = process.dir().join("log");
    let serves = || std::fs::read_to_string(&log).unwrap_or_default().contains("serving http://");
    process.until(async || serves()).await;
    process.log()
}

#[tokio::test]
async fn a_public_address_without_any_limit_is_one_warning() {
    let part =
        "which is not a loopback address, with no limit on what one client may take: see docs/your-site.md";
    for (listen, environment, lines) in [
        ("127.0.0.1:0", vec![], 0),
        ("[::1]:0", vec![], 0),
        ("0.0.0.0:0", vec![], 1),
        ("[::]:0", vec![("LIVECOUNTER__ACCESS__AMOUNTS", "1..1")], 1),
        ("0.0.0.0:0", vec![("LIVECOUNTER__LIMITS__WRITES", "50/s")], 0),
        ("0.0.0.0:0", vec![("LIVECOUNTER__LIMITS__NEW_TOPICS", "50/s")], 0),
        ("0.0.0.0:0", vec![("LIVECOUNTER__LIMITS__STREAMS", "50")], 0),
        ("0.0.0.0:0", vec![("LIVECOUNTER__LIMITS__TOPICS", "50")], 0),
    ] {
        let log = log_of(listen, &environment).await;
        let warnings = log.lines().filter(|line| line.contains("WARN") && line.contains(part)).count();
        assert_eq!(warnings, lines, "{listen} {environment:?}: {log}");
        let public = !listen.starts_with("127.") && !listen.starts_with("[::1]");
        let named: Vec<&str> =
            log.lines().filter(|line| line.contains("livecounter check --public")).collect();
        assert_eq!(named.len(), usize::from(public), "{listen} {environment:?}: {log}");
        let set = |key: &str| environment.iter().any(|(name, _)| name.ends_with(key));
        for (key, is_set) in
            [("limits.topics", set("S__TOPICS")), ("limits.streams", set("STREAMS")), ("hits.allow", false)]
        {
            assert!(named.iter().all(|line| line.contains(key) != is_set), "{key}: {log}");
        }
    }
}
