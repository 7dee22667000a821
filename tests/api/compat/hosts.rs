//! On which hosts the routes of other services are answered.

use super::{get, text};
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::raw::raw_head;

const HOSTS: (&str, &str) = ("LIVECOUNTER__COMPAT__COUNTAPI", "Api.Example.com, zähler.example");

#[tokio::test]
async fn without_the_setting_no_path_of_another_service_is_known() {
    let app = TestApp::spawn().await;
    for path in ["/hit/example.com/visits", "/get/visits", "/stats", "/create"] {
        let (status, body) = text(get(&app.address, "api.countapi.xyz", path)).await;
        assert_eq!(status, 404, "{path}");
        assert!(body.contains("there is nothing here"), "{body}");
    }
}

#[tokio::test]
async fn routes_are_answered_on_their_hosts_without_case_and_port() {
    let app = TestApp::with(&[HOSTS]).await;
    let hosts = ["api.example.com", "API.example.com:8000", "api.example.com.", "xn--zhler-gra.example:1"];
    for (host, value) in hosts.iter().zip(1..) {
        let (status, body) = text(get(&app.address, host, "/hit/example.com/visits")).await;
        assert_eq!((status, body), (200, format!("{{\"value\":{value}}}")), "{host}");
    }
    for host in
        ["example.com", "api.example.com.evil.example", "127.0.0.1", "api.example.com:80:80", "*", "[::1]"]
    {
        assert_eq!(text(get(&app.address, host, "/hit/example.com/visits")).await.0, 404, "{host}");
    }
    assert_eq!(client().get(app.counter("example.com~visits")).text().await, "4\n");
}

#[tokio::test]
async fn a_request_without_one_host_is_for_no_host_but_for_all() {
    let (named, all) =
        (TestApp::with(&[HOSTS]).await, TestApp::with(&[("LIVECOUNTER__COMPAT__COUNTAPI", "*")]).await);
    let host = "Host: api.example.com\r\n";
    for (head, expected) in [
        ("GET /hit/a.b/visits HTTP/1.0\r\n\r\n".to_owned(), (404, 200)),
        (format!("GET /hit/a.b/visits HTTP/1.0\r\n{host}\r\n"), (200, 200)),
        (format!("GET /hit/a.b/visits HTTP/1.1\r\n{host}\r\n"), (200, 200)),
        (format!("GET /hit/a.b/visits HTTP/1.1\r\n{host}Host: b.example\r\n\r\n"), (400, 400)),
        (format!("GET /hit/a.b/visits HTTP/1.1\r\n{host}{host}\r\n"), (400, 400)),
        ("GET /hit/a.b/visits HTTP/1.1\r\nHost: api.example.com\\\r\n\r\n".to_owned(), (404, 200)),
        ("GET /hit/a.b/visits HTTP/1.1\r\nHost: <api.example.com>\r\n\r\n".to_owned(), (404, 200)),
        ("GET /hit/a.b/visits HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), (404, 200)),
        (
            "GET http://api.example.com/hit/a.b/visits HTTP/1.1\r\nHost: b.example\r\n\r\n".to_owned(),
            (200, 200),
        ),
    ] {
        let statuses =
            (raw_head(named.addr, head.as_bytes()).await.0, raw_head(all.addr, head.as_bytes()).await.0);
        assert_eq!(statuses, expected, "{head:?}");
    }
    assert_eq!(client().get(named.counter("a.b~visits")).text().await, "3\n");
}

#[tokio::test]
async fn our_own_routes_win_on_every_host() {
    let app = TestApp::with(&[("LIVECOUNTER__COMPAT__COUNTAPI", "*")]).await;
    for path in ["/", "/healthz", "/counters/1/", "/metrics", "/openapi.json", "/nocount?url=example.com"] {
        assert_eq!(text(get(&app.address, "api.countapi.xyz", path)).await.0, 200, "{path}");
    }
    let post = client().post(format!("{}/hit/a.b/visits", app.address)).answer().await;
    assert_eq!(post.status().as_u16(), 405);
}
