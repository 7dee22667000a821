//! The program of Fastly's edge, run in Viceroy, with a real Pushpin, cache and origin behind it.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::origin::{Origin, event};
use crate::support::edge::{Edge, EdgeChain, ISSUER, Program, Signer};
use crate::support::http::{Ask, client, header};
use crate::support::raw::{raw, read_request};
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
const COUNTER: &str = "/counters/2/";
const READS: &str = r#"livecounter_http_requests_total{route="/counters/{id}/",method="GET""#;
const ACKNOWLEDGED: &str = "livecounter_announcements_acknowledged_total";

async fn post(url: &str) -> String {
    let answer = client().post(url).answer().await;
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("a text").trim().to_owned()
}

/// Reads the plain value. Returns the value and `X-Cache`.
async fn read(url: &str) -> (String, String) {
    let answer = client().get(url).answer().await;
    let cache = header(&answer, "x-cache").to_owned();
    (answer.text().await.expect("a text").trim().to_owned(), cache)
}

async fn until(mut reached: impl AsyncFnMut() -> bool) {
    let mut poll = tokio::time::interval(Duration::from_millis(50));
    let wait = async {
        while !reached().await {
            poll.tick().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("to get there");
}

#[tokio::test]
async fn a_listener_through_the_edge_gets_the_value_and_every_change() {
    let chain = EdgeChain::start(&[]).await;
    let url = chain.edge.url(COUNTER);
    assert_eq!(post(&format!("{url}?by=26")).await, "26");
    let mut listener = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!(listener.status(), 200);
    assert_eq!(listener.header("content-type"), "text/event-stream");
    listener.until_data("26", SOON).await;
    let body = client().post(&url).json(&serde_json::json!({"by": 4})).header("Idempotency-Key", "once");
    for _ in 0..2 {
        let again = body.try_clone().expect("a copy").answer().await;
        assert_eq!(again.text().await.expect("a text").trim(), "30", "body and key reach the origin");
    }
    let seen = listener.until_data("30", SOON).await;
    assert!(seen.iter().all(|event| event.event.as_deref() == Some("message")), "{seen:?}");
}

#[tokio::test]
async fn thirty_cold_listeners_cost_one_origin_request() {
    let chain = EdgeChain::start(&[]).await;
    let before = chain.metric(READS).await;
    // Each listener appends another query, as clients do to get past caches.
    let paths: Vec<String> = (0..30).map(|n| format!("{COUNTER}?_={n}")).collect();
    let connecting = paths.iter().map(|path| Listener::connect(chain.edge.addr(), path));
    let mut listeners = futures_util::future::join_all(connecting).await;
    for listener in &mut listeners {
        assert_eq!(listener.status(), 200);
        assert_eq!(listener.next(SOON).await.data, "0");
    }
    assert_eq!(chain.metric(READS).await - before, 1.0);
    post(&chain.edge.url(COUNTER)).await;
    for listener in &mut listeners {
        listener.until_data("1", SOON).await;
    }
}

#[tokio::test]
async fn after_a_change_the_next_listener_and_reader_get_the_new_value() {
    let chain = EdgeChain::start(&[]).await;
    let url = chain.edge.url(COUNTER);
    Listener::connect(chain.edge.addr(), COUNTER).await.until_data("0", SOON).await;
    assert_eq!(read(&url).await.0, "0");
    assert_eq!(read(&url).await, ("0".to_owned(), "HIT".to_owned()), "kept");
    post(&url).await;
    // The deadline is far below the ten minutes for which the cache would keep the answer.
    until(async || read(&url).await.0 == "1").await;
    let mut late = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!(late.next(SOON).await.data, "1");
}

#[tokio::test]
async fn listeners_get_the_last_value_while_no_origin_answers_then_changes() {
    let mut chain = EdgeChain::start(&[("LIVECOUNTER__CACHE__MAX_AGE", "2s")]).await;
    let url = chain.edge.url(COUNTER);
    post(&url).await;
    // The test goes on after the second purge.
    until(async || chain.metric(ACKNOWLEDGED).await >= 1.0).await;
    Listener::connect(chain.edge.addr(), COUNTER).await.until_data("1", SOON).await;
    assert_eq!(read(&url).await.0, "1");
    assert!(chain.origin.take().expect("an origin").stop().await);
    until(async || read(&url).await == ("1".to_owned(), "STALE".to_owned())).await;
    let mut listener = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!((listener.status(), listener.header("x-cache")), (200, "STALE"));
    assert_eq!(listener.next(SOON).await.data, "1");
    let refused = client().post(&url).answer().await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "1"));

    chain.start_origin().await;
    until(async || client().post(&url).send().await.is_ok_and(|answer| answer.status() == 200)).await;
    // Pushpin asks for the missed value again after 1, 2, 4, 8 s while it is refused.
    listener.until_data("2", Duration::from_secs(20)).await;
}

#[tokio::test]
async fn an_unread_change_leaves_the_value_before_it_while_no_origin_answers() {
    let mut chain = EdgeChain::start(&[]).await;
    let url = chain.edge.url(COUNTER);
    Listener::connect(chain.edge.addr(), COUNTER).await.until_data("0", SOON).await;
    post(&url).await;
    until(async || chain.metric(ACKNOWLEDGED).await >= 1.0).await;
    assert!(chain.origin.take().expect("an origin").stop().await);
    // An EventSource that is refused gives up for good. One that is held gets the new value later.
    let mut listener = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!((listener.status(), listener.header("x-cache")), (200, "STALE"));
    assert_eq!(listener.next(SOON).await.data, "0");
    chain.start_origin().await;
    listener.until_data("1", Duration::from_secs(20)).await;
}

#[tokio::test]
async fn a_lost_publish_is_recovered_through_the_edge_and_past_the_cache() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let mut listener = Listener::connect(edge.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "26");
    // The item with 27 is never published; the item with 28 names it in its prev-id.
    origin.set_value(28);
    edge.pushpin.publish("counter-2", "e-28", "e-27", &event(28)).await;
    assert_eq!(listener.next(SOON).await.data, "28");
    edge.pushpin.publish("counter-2", "e-29", "e-28", &event(29)).await;
    assert_eq!(listener.next(SOON).await.data, "29", "and it still listens");
    let asked = origin.requests();
    let recovery = asked.iter().find(|request| request.path.ends_with("/recover")).expect("a recovery");
    assert_eq!(recovery.header("grip-last"), "counter-2; last-id=e-26");
    assert_eq!(recovery.header("grip-sig").split('.').count(), 3);
    assert_eq!(recovery.header("x-forwarded-for"), "", "nobody's in particular");
}

#[tokio::test]
async fn a_signature_that_is_not_fanout_s_makes_an_ordinary_client() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let stranger = Signer::new();
    for (token, what) in [
        ("forged".to_owned(), "no token"),
        ("\u{e9}".to_owned(), "no text"),
        (stranger.token(ISSUER, 60), "another key"),
        (edge.signer.token(ISSUER, -60), "over"),
        (edge.signer.token("fastly:another", 60), "another service's"),
    ] {
        let before = origin.requests().len();
        let signed = [("Grip-Sig", token.as_str())];
        let mut listener = Listener::connect_with(edge.addr(), COUNTER, &signed).await;
        assert_eq!(listener.next(SOON).await.data, "26", "{what}: held, as anybody");
        assert_eq!(listener.header("grip-hold"), "", "{what}");
        assert_eq!(origin.requests().len(), before + 1, "{what}: handed over once");
        let reached = origin.requests().pop().expect("a request");
        assert_ne!(reached.header("grip-sig"), token, "{what}: the origin sees Fanout's own");

        let request = client().get(edge.url("/counters/2/recover")).header("Grip-Sig", &token);
        let answer = request.header("Grip-Last", "counter-2; last-id=e-1").answer().await;
        let told: Vec<_> =
            answer.headers().keys().filter(|name| name.as_str().starts_with("grip-")).collect();
        assert!(told.is_empty(), "{what}: {told:?}");
        let reached = origin.requests().pop().expect("a request");
        assert_eq!((reached.header("grip-sig"), reached.header("grip-last")), ("", ""), "{what}");
    }
    // Of two signatures only the first counts.
    let token = edge.signer.token(ISSUER, 60);
    let path = format!("GET {COUNTER}recover HTTP/1.1");
    for (tokens, trusted) in [(["forged", &token], false), ([&token, "forged"], true)] {
        let (_, answer) = raw(edge.addr(), &path, &tokens.map(|token| ("Grip-Sig", token))).await;
        assert_eq!(answer.to_ascii_lowercase().contains("\r\ngrip-hold:"), trusted, "{tokens:?}");
    }
    // With a valid signature the client is Fanout, and gets the hold headers.
    let request = client().get(edge.url(COUNTER)).header("Accept", "text/event-stream");
    let answer = request.header("Grip-Sig", &token).answer().await;
    assert_eq!(header(&answer, "grip-hold"), "stream");
    assert_eq!(header(&answer, "surrogate-key"), "", "but what is the cache's stays there");
    assert_eq!(origin.requests().pop().expect("a request").header("grip-sig"), token);
}

#[tokio::test]
async fn the_origin_sees_the_client_s_address_and_nothing_a_client_says_of_it() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let forged = [("X-Forwarded-For", "192.0.2.1"), ("Cookie", "a=b"), ("If-None-Match", "x")];
    Listener::connect_with(edge.addr(), COUNTER, &forged).await.next(SOON).await;
    let held = origin.requests().pop().expect("a request");
    assert_eq!(held.header("x-forwarded-for"), "127.0.0.1", "also by way of Fanout");
    assert_eq!((held.header("cookie"), held.header("if-none-match")), ("", ""));
    let plain = client().get(edge.url(COUNTER)).header("X-Forwarded-For", "192.0.2.1");
    plain.header("X-Livecounter-Client", "192.0.2.1").answer().await;
    let read = origin.requests().pop().expect("a request");
    assert_eq!(read.header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(read.header("x-livecounter-client"), "");
    client().post(edge.url(COUNTER)).header("Cookie", "a=b").answer().await;
    let posted = origin.requests().pop().expect("a request");
    assert_eq!(posted.header("x-livecounter-client"), "");
    assert_eq!((posted.header("x-forwarded-for"), posted.header("cookie")), ("127.0.0.1", "a=b"));
}

#[tokio::test]
async fn however_a_path_is_written_it_is_one_resource() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let before = origin.requests().len();
    for path in
        ["/%6detrics", "/%6D%65trics/", "/./metrics", "/a/%2E%2E/metrics?x", "http://elsewhere/metrics"]
    {
        let (status, _) = raw(edge.addr(), &format!("GET {path} HTTP/1.1"), &[]).await;
        assert_eq!((status, origin.requests().len()), (404, before), "{path}");
    }
    for path in ["/counters/%32/", "/%63ounters/2/?_=1", "/x/../counters/2/?_=2"] {
        let (status, _) = raw(edge.addr(), &format!("GET {path} HTTP/1.1"), &[]).await;
        assert_eq!((status, origin.requests().pop().expect("a request").path), (200, COUNTER.to_owned()));
    }
    // The edge decodes a path once: the origin must not find an escape that the client has not written.
    for (path, reached) in [("/%256detrics", "/%256detrics"), ("/%%36detrics", "/%256detrics")] {
        raw(edge.addr(), &format!("GET {path} HTTP/1.1"), &[]).await;
        assert_eq!(origin.requests().pop().expect("a request").path, reached);
    }
}

#[tokio::test]
async fn purges_and_what_concerns_a_client_s_connection_go_no_further() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let before = origin.requests().len();
    let (status, answer) = raw(edge.addr(), "PURGE /counters/2/ HTTP/1.1", &[]).await;
    assert_eq!((status, origin.requests().len()), (405, before));
    assert!(answer.to_ascii_lowercase().contains("\r\nallow: get, head, post, options\r\n"), "{answer}");

    // Servers between the edge and the origin drop each header that `Connection` names.
    let tricks =
        [("Connection", "X-Forwarded-For"), ("Forwarded", "for=192.0.2.1"), ("Upgrade", "websocket")];
    for line in ["GET /counters/2/ HTTP/1.1", "POST /counters/2/ HTTP/1.1"] {
        assert_eq!(raw(edge.addr(), line, &tricks).await.0, 200, "{line}");
        let reached = origin.requests().pop().expect("a request");
        assert_eq!(reached.header("x-forwarded-for"), "127.0.0.1", "{line}");
        assert_eq!(
            ["connection", "forwarded", "upgrade"].map(|name| reached.header(name)),
            [""; 3],
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_read_has_no_body_and_one_that_is_too_long_counts_nothing() {
    let chain = EdgeChain::start(&[]).await;
    let url = chain.edge.url(COUNTER);
    // On a kept connection, the rest of a body would be the beginning of another client's request.
    for value in ["0", "0"] {
        let read = client().get(&url).body("POST /counters/2/ HTTP/1.1\r\n\r\n").answer().await;
        assert_eq!((read.status().as_u16(), read.text().await.expect("a text").trim()), (200, value));
    }
    let long = client().post(&url).header("Content-Type", "application/json").body("x".repeat(100_000));
    assert_eq!(long.answer().await.status(), 413);
    assert_eq!(post(&url).await, "1");
}

#[tokio::test]
async fn without_fanout_streams_are_refused_and_the_rest_goes_on() {
    let origin = Origin::start().await;
    let edge = Program::without_fanout(origin.addr()).await;
    let refused = client().get(edge.url(COUNTER)).header("Accept", "text/event-stream").answer().await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "1"));
    assert!(refused.text().await.expect("a text").contains("Fanout"), "it says what is missing");
    assert_eq!(read(&edge.url(COUNTER)).await.0, "26");
    assert_eq!(post(&edge.url(COUNTER)).await, "27");
}

#[tokio::test]
async fn bytes_that_are_no_text_do_not_end_the_program() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    for name in ["Grip-Sig", "Accept", "X-Forwarded-For", "X-Livecounter-Client", "Cookie"] {
        let bytes = reqwest::header::HeaderValue::from_bytes(b"\xff\xfe").expect("a value");
        let answer = client().get(edge.url(COUNTER)).header(name, bytes).answer().await;
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(answer.text().await.expect("a text"), "26\n", "{name}");
    }
}

#[tokio::test]
async fn a_fanout_whose_key_is_not_known_is_an_error_and_no_circle() {
    let origin = Origin::start().await;
    let edge = Edge::estranged(origin.addr()).await;
    let refusals = || edge.program.log().matches("a Grip-Sig was not accepted").count();
    let before = (origin.requests().len(), refusals());
    let answer = client().get(edge.url(COUNTER)).header("Accept", "text/event-stream").answer().await;
    assert_eq!(answer.status(), 502);
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert!(answer.text().await.expect("a text").contains("verify_key"), "it says where to look");
    assert_eq!((origin.requests().len(), refusals()), (before.0, before.1 + 1), "it came back once");
}

#[tokio::test]
async fn without_a_usable_answer_browsers_get_a_problem_they_may_read() {
    let nowhere = Origin::start().await.addr();
    // This origin answers only its health check in HTTP.
    let babbler = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let babbling = babbler.local_addr().expect("its address");
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = babbler.accept().await {
            let Some((head, _)) = read_request(&mut stream).await else { continue };
            let healthy = head.starts_with("GET /healthz ");
            let answer =
                if healthy { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } else { "BABBLE\r\n\r\n" };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    for (backend, status) in [(nowhere, 503), (babbling, 502)] {
        let edge = Edge::start(backend).await;
        let asked = [client().get(edge.url(COUNTER)), client().post(edge.url(COUNTER))];
        for request in asked {
            let answer = request.answer().await;
            assert_eq!(answer.status(), status);
            assert_eq!(header(&answer, "content-type"), "application/problem+json");
            assert_eq!(header(&answer, "access-control-allow-origin"), "*");
            assert_eq!(header(&answer, "cache-control"), "no-store");
            assert_eq!(header(&answer, "retry-after"), "1");
            let problem: serde_json::Value = answer.json().await.expect("JSON");
            assert_eq!(problem["status"], status);
        }
    }
    serving.abort();
}

#[tokio::test]
async fn what_is_kept_for_all_names_the_origin_of_each_who_asks_at_the_edge() {
    let chain = EdgeChain::start(&[]).await;
    let [named, allowed] = ["access-control-allow-origin", "access-control-allow-credentials"];
    for page in ["https://one.example", "https://two.example"] {
        let request = client().get(chain.edge.url(COUNTER)).header("Origin", page);
        let read = request.answer().await;
        assert_eq!((header(&read, named), header(&read, allowed)), (page, "true"));
        let stream = Listener::connect_with(chain.edge.addr(), COUNTER, &[("Origin", page)]).await;
        assert_eq!((stream.header(named), stream.header(allowed)), (page, "true"));
    }
    let refused = client().get(chain.edge.url("/metrics")).header("Origin", "https://one.example");
    let refused = refused.answer().await;
    assert_eq!(header(&refused, named), "https://one.example");
    assert_eq!(header(&refused, "x-content-type-options"), "nosniff");
}
