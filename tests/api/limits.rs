//! What one client may take, and which client it is.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use futures_util::future::join_all;
use livecounter::settings::Settings;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::program;
use crate::support::app::TestApp;
use crate::support::http::{client, header, metric};
use crate::support::process::{self, Process};
use crate::support::raw::raw_head;
use crate::support::redis::RedisServer;
use crate::support::wait::until;
use crate::witness::Witness;

/// Everything that this machine sends comes from here.
const LOOPBACK: (&str, &str) = ("LIVECOUNTER__TRUSTED_PROXIES", "127.0.0.0/8");

/// A stream that stays open as long as the socket lives; the head of its answer.
async fn listen(app: &TestApp, headers: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(app.addr).await.expect("a connection");
    let request = format!(
        "GET /counters/1/ HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{headers}\r\n",
        app.addr
    );
    socket.write_all(request.as_bytes()).await.expect("to send");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        assert!(socket.read_buf(&mut answer).await.expect("to receive") > 0, "closed before the head");
    }
    (socket, String::from_utf8_lossy(&answer).into_owned())
}

/// Adds 1 for the client of this address, by way of a trusted proxy, from a page of another origin.
async fn post_from(url: &str, address: &str) -> Response {
    let post = client().post(url).header("x-forwarded-for", address).header("origin", "https://page.example");
    post.send().await.expect("an answer")
}

async fn refused(app: &TestApp, reason: &str) -> Option<f64> {
    metric(&app.address, &format!("requests_refused_total{{reason=\"{reason}\"}}")).await
}

async fn value(app: &TestApp, counter: &str) -> i64 {
    let answer = client().get(app.counter(counter)).send().await.expect("an answer");
    answer.text().await.expect("a text").trim().parse().expect("a number")
}

#[tokio::test]
async fn who_writes_too_often_is_429_and_nothing_is_counted() {
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

    assert_eq!(value(&app, "2").await, 3);
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
    // Each on a connection of its own, so that all workers have some.
    let posts =
        (0..60).map(async |_| client().post(app.counter("2")).send().await.expect("an answer").status());
    let statuses = join_all(posts).await;
    assert_eq!(statuses.iter().filter(|status| status.as_u16() == 200).count(), 20, "{statuses:?}");
    assert_eq!(value(&app, "2").await, 20);
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_not_waited_for() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__WRITES", "1/h")]).await;
    assert_eq!(client().post(app.counter("2")).send().await.expect("an answer").status(), 200);
    let head = "POST /counters/2/ HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    let answer = tokio::time::timeout(Duration::from_secs(5), raw_head(app.addr, head.as_bytes())).await;
    assert_eq!(answer.expect("an answer before the body").0, 429);
}

#[tokio::test]
async fn who_makes_too_many_new_topics_is_429_and_may_use_the_old_ones() {
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
    assert_eq!(value(&app, "c").await, 0);
    assert_eq!(post("c", "192.0.2.2").await.text().await.expect("a text"), "1\n");
    assert_eq!(post("c", "192.0.2.1").await.text().await.expect("a text"), "2\n", "it is there now");
}

#[tokio::test]
async fn a_key_refused_for_the_rate_counts_when_it_is_sent_again() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__NEW_TOPICS", "1/s"), LOOPBACK]).await;
    let post = async |counter: &str| {
        let post = client().post(app.counter(counter)).header("idempotency-key", "k");
        post.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(post("a").await, 200);
    until("a refusal, and then what was refused", async || post("b").await == 200).await;
    for counter in ["a", "b"] {
        assert_eq!(post(counter).await, 200);
        assert_eq!(value(&app, counter).await, 1);
    }
}

#[tokio::test]
async fn an_amount_beyond_what_anybody_may_add_is_403() {
    let app = TestApp::spawn().await;
    let url = app.counter("2");
    for (by, status) in
        [("1000", 200), ("-1000", 200), ("1001", 403), ("-1001", 403), ("9007199254740991", 403)]
    {
        let answer = client().post(format!("{url}?by={by}")).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{by}");
    }
    let answer = client().post(&url).json(&json!({"by": 5000})).header("idempotency-key", "k").send();
    let answer = answer.await.expect("an answer");
    assert_eq!(answer.status(), 403);
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:livecounter:problem:forbidden");
    assert_eq!(problem["detail"], "by must be from -1000 to 1000 here; nothing was changed");
    assert_eq!(value(&app, "2").await, 0);
    assert_eq!(refused(&app, "amount").await, Some(4.0));
    let again = client().post(&url).header("idempotency-key", "k").send().await.expect("an answer");
    assert_eq!(again.text().await.expect("a text"), "1\n", "a refused request uses no key up");
}

#[tokio::test]
async fn other_amounts_may_be_set() {
    let app = TestApp::with(&[("LIVECOUNTER__ACCESS__AMOUNTS", "1..5000")]).await;
    for (by, status) in [("1", 200), ("5000", 200), ("-1", 403), ("5001", 403)] {
        let url = format!("{}?by={by}", app.counter("2"));
        assert_eq!(client().post(url).send().await.expect("an answer").status(), status, "{by}");
    }
}

/// The counters of these that are there already, and those that are new, are answered so.
async fn statuses(app: &TestApp, counters: impl Iterator<Item = u32>) -> Vec<u16> {
    let post = async |counter: u32| client().post(app.counter(&counter.to_string())).send().await;
    let answers = join_all(counters.map(post)).await;
    answers.into_iter().map(|answer| answer.expect("an answer").status().as_u16()).collect()
}

/// New counters up to the limit, then none, while those that there are go on.
async fn no_more_topics_than_may_be(app: &TestApp) {
    let mut made = statuses(app, 0..30).await;
    made.sort_unstable();
    assert_eq!(
        made,
        [[200; 10].as_slice(), &[507; 20]].concat(),
        "of many at once, as many as there is room for"
    );
    let answer = client().post(app.counter("new")).send().await.expect("an answer");
    assert_eq!(answer.status(), 507);
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:livecounter:problem:too-many-topics");
    assert_eq!(problem["status"], 507);
    assert_eq!(value(app, "new").await, 0);

    let again = statuses(app, 0..30).await;
    assert_eq!(
        again.iter().filter(|status| **status == 200).count(),
        10,
        "those that there are go on: {again:?}"
    );
    assert_eq!(refused(app, "topics").await, Some(41.0));
    assert_eq!(metric(&app.address, "livecounter_topics ").await, Some(10.0));
    assert_eq!(metric(&app.address, "livecounter_topics_limit ").await, Some(10.0));
}

const TEN_TOPICS: (&str, &str) = ("LIVECOUNTER__LIMITS__TOPICS", "10");

#[tokio::test]
async fn beyond_the_most_topics_new_ones_are_507_and_others_go_on() {
    no_more_topics_than_may_be(&TestApp::with(&[TEN_TOPICS]).await).await;
}

#[tokio::test]
async fn on_redis_the_most_topics_are_no_more_and_room_is_seen() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let (url, grip) = (redis.url(), format!("http://{}/?iss=test&key=a-secret-for-these-tests", proxy.addr));
    let app = TestApp::with(&[("REDIS_URL", &url), ("GRIP_URL", &grip), TEN_TOPICS]).await;
    no_more_topics_than_may_be(&app).await;
    redis.cli(&["FLUSHALL"]);
    until("room for new ones", async || statuses(&app, 50..51).await == [200]).await;
}

#[tokio::test]
async fn two_origins_stop_at_the_most_topics_together() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let (url, grip) = (redis.url(), format!("http://{}/?iss=test&key=a-secret-for-these-tests", proxy.addr));
    let settings = [("REDIS_URL", url.as_str()), ("GRIP_URL", &grip), TEN_TOPICS];
    let (one, other) = (TestApp::with(&settings).await, TestApp::with(&settings).await);
    assert_eq!(statuses(&one, 0..6).await, [200; 6]);
    // The other one counts at its first new topic.
    let made = statuses(&other, 10..20).await;
    assert_eq!(made.iter().filter(|status| **status == 200).count(), 4, "{made:?}");
    // The first one may make some more, until it counts again.
    let mut new = 20..;
    until("a count that knows of the other's", async || {
        let counter = new.next().expect("another");
        statuses(&one, counter..counter + 1).await == [507]
    })
    .await;
    assert_eq!(statuses(&other, 1000..1001).await, [507]);
    assert_eq!(statuses(&other, 0..6).await, [200; 6]);
}

#[tokio::test]
async fn a_key_refused_for_want_of_room_counts_nothing() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__TOPICS", "1")]).await;
    let post = async |counter: &str| {
        let post = client().post(app.counter(counter)).header("idempotency-key", "k");
        let answer = post.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    let first = post("a").await;
    assert_eq!(first, (200, "1\n".to_owned()));
    assert_eq!(post("b").await.0, 507);
    assert_eq!(post("b").await.0, 507);
    assert_eq!(post("a").await, first);
    assert_eq!((value(&app, "a").await, value(&app, "b").await), (1, 0));
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_503_where_topics_are_limited() {
    let (redis, proxy) = (RedisServer::stopped(), Witness::start().await);
    let (url, grip) = (redis.url(), format!("http://{}/?iss=test&key=a-secret-for-these-tests", proxy.addr));
    let app = TestApp::with(&[("REDIS_URL", &url), ("GRIP_URL", &grip), TEN_TOPICS]).await;
    assert_eq!(statuses(&app, 0..1).await, [503]);
    let known = metric(&app.address, "livecounter_topics ").await;
    assert!(known.is_some_and(f64::is_nan), "{known:?}");
}

#[test]
fn the_settings_that_the_documentation_shows_can_be_used() {
    for document in ["docs/your-site.md", "docs/configuration.md"] {
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

/// What the program logs by the time it serves on this address.
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
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_of_a_client_are_429_until_one_ends() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "2"), LOOPBACK]).await;
    let from_one = "X-Forwarded-For: 192.0.2.1\r\nOrigin: https://page.example\r\n";
    let (first, head) = listen(&app, from_one).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (_second, head) = listen(&app, from_one).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");

    let (_, head) = listen(&app, from_one).await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    let head = head.to_ascii_lowercase();
    for line in [
        "content-type: application/problem+json\r\n",
        "retry-after: 10\r\n",
        "ratelimit-policy: \"streams\";q=2;qu=\"concurrent-requests\"\r\n",
        "ratelimit: \"streams\";r=0\r\n",
        "access-control-allow-origin: https://page.example\r\n",
        "access-control-expose-headers: x-request-id, retry-after, ratelimit, ratelimit-policy\r\n",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert_eq!(metric(&app.address, "requests_refused_total{reason=\"streams\"}").await, Some(1.0));

    let (_of_other, head) = listen(&app, "X-Forwarded-For: 192.0.2.2\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "another client has streams of its own: {head}");
    let line =
        format!("HEAD /counters/1/ HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n{from_one}\r\n");
    assert_eq!(raw_head(app.addr, line.as_bytes()).await.0, 200, "a head opens no stream");
    drop(first);
    until("a stream in the place of the one that ended", async || {
        listen(&app, from_one).await.1.starts_with("HTTP/1.1 200 ")
    })
    .await;
}

#[tokio::test]
async fn an_untrusted_peer_cannot_be_another_client() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "1")]).await;
    let (_first, head) = listen(&app, "X-Forwarded-For: 192.0.2.1\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (_, head) = listen(&app, "X-Forwarded-For: 192.0.2.2\r\n").await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
}

#[tokio::test]
async fn several_header_lines_are_one_list_and_ipv6_counts_by_64() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "1"), LOOPBACK]).await;
    let mut open = Vec::new();
    for (headers, status) in [
        ("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.9\r\n", 200),
        ("X-Forwarded-For: 192.0.2.2\r\nx-forwarded-for: 192.0.2.9, 127.0.0.2\r\n", 429),
        ("X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-For: 192.0.2.1\r\n", 200),
        ("X-Forwarded-For: 2001:db8:1:2::1\r\n", 200),
        ("X-Forwarded-For: 2001:db8:1:2:ffff::2\r\n", 429),
        ("X-Forwarded-For: 2001:db8:1:3::1\r\n", 200),
        ("X-Forwarded-For: ::ffff:192.0.2.1\r\n", 429),
    ] {
        let (socket, head) = listen(&app, headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}: {head}");
        open.push(socket);
    }
}
