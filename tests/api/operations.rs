//! Health, readiness, metrics, and the other resources for operators.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::deployment::PROXY_URL;
use crate::support::http::{Ask, client};
use crate::support::keys::{key_table, secret};
use crate::support::redis::RedisServer;
use crate::support::server::Server;

#[tokio::test]
async fn a_healthy_service_says_so() {
    let app = TestApp::spawn().await;
    let health = app.get("/healthz").await;
    assert_eq!(health.status(), 200);
    assert_eq!(health.text().await.expect("a text"), "ok\n");
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    let ready: Value = ready.json().await.expect("JSON");
    assert_eq!(ready, json!({"ready": true, "store": "ok", "announcements": "ok"}));
}

#[tokio::test]
async fn metrics_are_labelled_by_route_template_only() {
    let app = TestApp::spawn().await;
    for id in ["one", "two", "three"] {
        app.add(id).await;
        client().get(format!("{}/no/{id}", app.address)).answer().await;
    }
    client().patch(format!("{}/healthz", app.address)).answer().await;
    client().delete(app.counter("one")).answer().await;
    client().put(app.counter("one")).answer().await;
    let text = app.metrics().await;
    let posts = r#"livecounter_http_requests_total{route="/counters/{id}/",method="POST",status="200"} 3"#;
    assert!(text.contains(posts), "{text}");
    let missing = r#"livecounter_http_requests_total{route="",method="GET",status="404"} 3"#;
    assert!(text.contains(missing), "{text}");
    let others = r#"livecounter_http_requests_total{route="/healthz",method="other",status="405"} 1"#;
    assert!(text.contains(others), "{text}");
    for method in ["PUT", "DELETE"] {
        let refused = format!(
            r#"livecounter_http_requests_total{{route="/counters/{{id}}/",method="{method}",status="401"}} 1"#
        );
        assert!(text.contains(&refused), "{text}");
    }
    assert!(!text.contains("three"), "{text}");
    assert!(text.contains("livecounter_http_request_seconds_bucket"), "{text}");
    assert!(text.contains("livecounter_announcements_claimed_total"), "{text}");
    assert!(text.contains("livecounter_outbox_topics "), "{text}");
}

#[tokio::test]
async fn scraping_often_asks_the_store_once_a_second_at_most() {
    /// At each request for metrics, the store counts the marks of so many outboxes.
    const OUTBOXES: u64 = 1024;
    let redis = RedisServer::start();
    let app = TestApp::with(&[("REDIS_URL", &redis.url()), ("GRIP_URL", PROXY_URL.as_str())]).await;
    let begun = std::time::Instant::now();
    for _ in 0..40 {
        let metrics = app.metrics().await;
        assert!(metrics.contains("livecounter_outbox_topics 0.0"));
    }
    let most = (begun.elapsed().as_secs() + 1) * OUTBOXES;
    let stats = redis.cli(&["info", "commandstats"]);
    let counted = stats.lines().find_map(|line| line.strip_prefix("cmdstat_zcard:calls=")).expect("a count");
    let counted: u64 = counted.split(',').next().expect("a number").parse().expect("a number");
    assert!(
        (OUTBOXES..=most).contains(&counted),
        "{counted} looks, and {most} at most, in {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_request_id_comes_back_or_is_made() {
    let app = TestApp::spawn().await;
    let health = format!("{}/healthz", app.address);
    let given = client().get(&health).header("x-request-id", "abc.1").answer().await;
    assert_eq!(given.headers()["x-request-id"], "abc.1");
    let mut made = Vec::new();
    for odd in ["", "a b", &"x".repeat(65)] {
        let answer = client().get(&health).header("x-request-id", odd).answer().await;
        made.push(answer.headers()["x-request-id"].to_str().expect("a text").to_owned());
    }
    assert!(made.iter().all(|id| !id.is_empty() && id.len() < 40 && !id.contains(' ')), "{made:?}");
    assert_ne!(made[0], made[1]);
}

#[tokio::test]
async fn the_interface_describes_itself_and_every_path_in_it_exists() {
    let keys = key_table("a", &secret(), r#"["admin"]"#);
    let app = TestApp::with(&[("LIVECOUNTER__HITS__UNIQUES", "true"), ("LIVECOUNTER__KEYS", &keys)]).await;
    let answer = app.get("/openapi.json").await;
    let document: Value = answer.json().await.expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.contains_key("/counters/{id}/"));
    for path in paths.keys() {
        let url = format!(
            "{}{}",
            app.address,
            path.replace("{id}", "2")
                .replace("{name}", "home.css")
                .replace("{names}", "counter-2")
                .replace("{type}", "analytics")
                .replace("{route}", "analytics")
                .replace("{key}", "k")
        );
        // A picture is of the field that the query names.
        let url = if path.starts_with("/fields/") { url + "?type=analytics&field=n" } else { url };
        // A hit is of the page that the header names.
        let request = client().head(&url).header("referer", "https://example.com/");
        let status = request.answer().await.status();
        // Resources that always need a key exist: they answer 401.
        let read = &document["paths"][path]["get"];
        if read.is_null() {
            assert_eq!(status, 405, "{path}");
            continue;
        }
        let public = read["security"].as_array().is_none_or(|ways| ways.contains(&serde_json::json!({})));
        assert_eq!(status, if public { 200 } else { 401 }, "{path}");
    }
}

#[tokio::test]
async fn crawlers_are_kept_from_all_that_counts_or_streams() {
    let app = TestApp::spawn().await;
    let answer = app.get("/robots.txt").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let text = answer.text().await.expect("a text");
    let rules: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected =
        ["User-agent: *", "Allow: /$", "Allow: /assets/", "Allow: /live-counter.js", "Disallow: /"];
    assert_eq!(rules, expected);
}

#[tokio::test]
async fn every_error_of_an_id_is_described_in_the_interface() {
    let app = TestApp::with(&[("LIVECOUNTER__COUNTERS__KNOWN", "1")]).await;
    let answer = app.get("/openapi.json").await;
    let document: Value = answer.json().await.expect("JSON");
    for path in ["/counters/{id}/", "/counters/{id}/recover"] {
        for id in ["a!", "2"] {
            let answer = client().get(format!("{}{}", app.address, path.replace("{id}", id)));
            let status = answer.answer().await.status();
            assert!(status.is_client_error(), "{path} {id}: {status}");
            let described = &document["paths"][path]["get"]["responses"][status.as_str()];
            assert!(described.is_object(), "{path} {id}: {status}");
        }
    }
}

#[tokio::test]
async fn the_examples_of_the_home_page_have_the_address_that_was_asked_for() {
    let app = TestApp::spawn().await;
    let page = async |headers: &[(&str, &str)]| {
        let mut request = client().get(&app.address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.answer().await;
        // A page that names one client's address must not be cached for other clients.
        assert_eq!(answer.headers()["cache-control"], "private, no-cache");
        answer.text().await.expect("a page")
    };
    let shown = |page: &str, origin: &str| page.contains(&format!("curl <b>{origin}</b>/counters/2/"));
    assert!(shown(&page(&[]).await, &app.address));
    let behind = page(&[("host", "count.example"), ("x-forwarded-proto", "https")]).await;
    assert!(shown(&behind, "https://count.example"), "{behind}");
    let forged = page(&[("x-forwarded-host", "<script>alert(1)</script>")]).await;
    assert!(shown(&forged, "http://localhost") && !forged.contains("alert"), "{forged}");
}
