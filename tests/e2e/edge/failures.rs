//! Missing and broken parts behind the program of the edge: each ends in an answer that browsers can read.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::{COUNTER, post, read};
use crate::origin::Origin;
use crate::support::edge::{Edge, Program};
use crate::support::http::{Ask, client, header};
use crate::support::raw::read_request;

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
async fn a_stream_with_an_address_that_fanout_does_not_read_is_414() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let stream = |filler: usize| {
        let url = edge.url(&format!("/counters/2/?_={}", "x".repeat(filler)));
        let filled = url.len();
        (client().get(url).header("Accept", "text/event-stream"), filled)
    };
    let beside = stream(0).1;
    let (longest, length) = stream(4096 - beside);
    assert_eq!((longest.answer().await.status().as_u16(), length), (200, 4096));
    let before = origin.of_clients().len();
    for filler in [4097 - beside, 10_000, 60_000] {
        let refused = stream(filler).0.header("Origin", "https://page.example").answer().await;
        assert_eq!(
            (refused.status().as_u16(), header(&refused, "content-type")),
            (414, "application/problem+json")
        );
        assert_eq!(header(&refused, "access-control-allow-origin"), "https://page.example");
        assert!(refused.text().await.expect("a text").contains("at most 4096 bytes"));
    }
    assert_eq!(origin.of_clients().len(), before);
}
