//! What the program of the edge passes on of a request: addresses, headers, paths and bodies.

use super::{COUNTER, SOON, post};
use crate::origin::Origin;
use crate::support::edge::{Edge, EdgeChain, ISSUER, Signer};
use crate::support::http::{Ask, client, header};
use crate::support::raw::raw;
use crate::support::sse::Listener;

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
        let before = origin.of_clients().len();
        let signed = [("Grip-Sig", token.as_str())];
        let mut listener = Listener::connect_with(edge.addr(), COUNTER, &signed).await;
        assert_eq!(listener.next(SOON).await.data, "26", "{what}: held, as for any client");
        assert_eq!(listener.header("grip-hold"), "", "{what}");
        assert_eq!(origin.of_clients().len(), before + 1, "{what}: handed over once");
        let reached = origin.of_clients().pop().expect("a request");
        assert_ne!(reached.header("grip-sig"), token, "{what}: the origin sees Fanout's own");

        let request = client().get(edge.url("/counters/2/recover")).header("Grip-Sig", &token);
        let answer = request.header("Grip-Last", "counter-2; last-id=e-1").answer().await;
        let told: Vec<_> =
            answer.headers().keys().filter(|name| name.as_str().starts_with("grip-")).collect();
        assert!(told.is_empty(), "{what}: {told:?}");
        let reached = origin.of_clients().pop().expect("a request");
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
    assert_eq!(origin.of_clients().pop().expect("a request").header("grip-sig"), token);
}

#[tokio::test]
async fn the_origin_sees_the_client_s_address_and_scheme_and_no_forged_ones() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let forged = [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("Cookie", "a=b"),
        ("If-None-Match", "x"),
    ];
    Listener::connect_with(edge.addr(), COUNTER, &forged).await.next(SOON).await;
    let held = origin.of_clients().pop().expect("a request");
    assert_eq!(held.header("x-forwarded-for"), "127.0.0.1", "also by way of Fanout");
    assert_eq!((held.header("cookie"), held.header("if-none-match")), ("", ""));
    // The emulator speaks no TLS.
    assert_eq!(held.header("x-forwarded-proto"), "http");
    let plain = client().get(edge.url(COUNTER)).header("X-Forwarded-For", "192.0.2.1");
    let plain = plain.header("X-Forwarded-Proto", "https").header("Forwarded", "proto=https");
    plain.header("X-Livecounter-Client", "192.0.2.1").answer().await;
    let read = origin.of_clients().pop().expect("a request");
    assert_eq!((read.header("x-forwarded-for"), read.header("x-forwarded-proto")), ("127.0.0.1", "http"));
    assert_eq!(read.header("forwarded"), "");
    assert_eq!((read.header("x-livecounter-client"), read.header("x-livecounter-scheme")), ("", ""));
    client().post(edge.url(COUNTER)).header("Cookie", "a=b").answer().await;
    let posted = origin.of_clients().pop().expect("a request");
    assert_eq!(posted.header("x-livecounter-client"), "");
    assert_eq!((posted.header("x-forwarded-for"), posted.header("cookie")), ("127.0.0.1", "a=b"));
}

#[tokio::test]
async fn all_spellings_of_a_path_are_one_resource() {
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
async fn purges_and_headers_of_a_client_s_connection_go_no_further() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let before = origin.requests().len();
    let (status, answer) = raw(edge.addr(), "PURGE /counters/2/ HTTP/1.1", &[]).await;
    assert_eq!((status, origin.requests().len()), (405, before));
    assert!(
        answer.to_ascii_lowercase().contains("\r\nallow: get, head, post, put, delete, options\r\n"),
        "{answer}"
    );

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
async fn of_past_and_badges_only_known_parameters_reach_the_origin() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    for (path, accept, sent) in [
        ("/counters/2/history?last=7&_=1&unit=day", "text/csv", "/counters/2/history?unit=day&last=7"),
        ("/counters/2/chart.svg?x", "image/*", "/counters/2/chart.svg"),
        ("/counters/history?unit=day", "*/*", "/counters/history"),
        (
            "/counters/2/badge.svg?labelColor=red&label=a%26b&color=blue&unit=day&of=day",
            "image/*",
            "/counters/2/badge.svg?of=day&label=a%26b&color=blue&labelColor=red",
        ),
        ("/counters/2/badge.json?v=2", "application/json;q=0.5", "/counters/2/badge.json"),
        (
            "/nocount/history?last=7&url=a&_=1&of=site&url=b",
            "text/csv",
            "/nocount/history?url=a&of=site&last=7",
        ),
        ("/nocount/chart.svg?theme=dark&x&url=a%26b", "image/*", "/nocount/chart.svg?url=a%26b&theme=dark"),
        ("/nocount/tag.json?label=x&of=day&url=a&unit=day", "*/*", "/nocount/tag.json?url=a&of=day&label=x"),
    ] {
        assert_eq!(client().get(edge.url(path)).header("Accept", accept).answer().await.status(), 200);
        let reached = origin.requests().pop().expect("a request");
        let expected = if accept == "text/csv" { accept } else { "*/*" };
        assert_eq!((reached.path.as_str(), reached.header("accept")), (sent, expected));
    }
}
