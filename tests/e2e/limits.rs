//! Limits behind the whole chain: the origin counts by the client's address, and refusals reach the client unchanged.

use reqwest::{Client, Response};

use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::foreign::Foreign;
use crate::support::http::{Ask, client_at, header};
use crate::support::pushpin::Options;

async fn post(client: &Client, url: &str) -> Response {
    // A header that the client itself has written must not count.
    let post =
        client.post(url).header("x-forwarded-for", "192.0.2.1").header("origin", "https://page.example");
    post.answer().await
}

#[tokio::test]
async fn a_client_of_the_chain_is_limited_by_its_own_address() {
    let settings = [("LIVECOUNTER__LIMITS__WRITES", "3/h"), ("LIVECOUNTER__TRUSTED_PROXIES", "127.0.0.1")];
    let chain = Chain::with(1, &settings, Options::default()).await;
    let url = chain.pushpin.url("/counters/2/");
    let (one, other) = (client_at(2), client_at(3));
    for expected in ["1\n", "2\n", "3\n"] {
        assert_eq!(post(&one, &url).await.text().await.expect("a text"), expected);
    }
    let answer = post(&one, &url).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert_eq!(header(&answer, "ratelimit-policy"), "\"writes\";q=3;w=3600");
    assert!(header(&answer, "ratelimit").starts_with("\"writes\";r=0;t="));
    assert!(header(&answer, "retry-after").parse::<u32>().is_ok_and(|wait| wait > 1000));
    assert!(header(&answer, "access-control-expose-headers").contains("ratelimit-policy"));
    assert_eq!(post(&other, &url).await.text().await.expect("a text"), "4\n");
}

#[tokio::test]
async fn a_chain_that_is_full_says_so_and_counts_on() {
    let settings = [("LIVECOUNTER__LIMITS__TOPICS", "3")];
    let chain = Chain::with(1, &settings, Options::default()).await;
    let client = client_at(1);
    for counter in ["a", "b", "c"] {
        let answer = post(&client, &chain.pushpin.url(&format!("/counters/{counter}/"))).await;
        assert_eq!(answer.status(), 200, "{counter}");
    }
    let answer = post(&client, &chain.pushpin.url("/counters/d/")).await;
    assert_eq!(answer.status(), 507);
    let problem: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:livecounter:problem:too-many-topics");
    for counter in ["a", "b", "c"] {
        let answer = post(&client, &chain.pushpin.url(&format!("/counters/{counter}/"))).await;
        assert_eq!(answer.text().await.expect("a text"), "2\n", "{counter}");
    }
}

#[tokio::test]
async fn behind_nginx_each_client_and_its_streams_are_counted() {
    let settings = [
        ("LIVECOUNTER__LIMITS__WRITES", "1/h"),
        ("LIVECOUNTER__LIMITS__STREAMS", "1"),
        ("LIVECOUNTER__TRUSTED_PROXIES", "127.0.0.1, ::1"),
    ];
    let app = TestApp::with(&settings).await;
    // These settings are those of docs/limits.md and docs/deploy.md.
    let directives = "proxy_http_version 1.1;\nproxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    let nginx = Foreign::nginx(app.addr, directives).await;
    let url = nginx.counter("2");
    for address in [2, 3] {
        let client = client_at(address);
        assert_eq!(post(&client, &url).await.status(), 200, "{address}");
        assert_eq!(post(&client, &url).await.status(), 429, "{address}");
        let stream = async || {
            let request = client.get(&url).header("accept", "text/event-stream");
            request.header("x-forwarded-for", "192.0.2.1").answer().await
        };
        let first = stream().await;
        assert_eq!((first.status().as_u16(), stream().await.status().as_u16()), (200, 429), "{address}");
    }
}
