//! The files of the home page: their names, what caches may keep, and how they are compressed.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::{Method, Response};

use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};

const FOR_EVER: &str = "max-age=31536000, immutable";

async fn ask(method: Method, url: &str, headers: &[(&str, &str)]) -> Response {
    let request = client().request(method, url);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.answer().await
}

async fn get(url: &str, headers: &[(&str, &str)]) -> Response {
    ask(Method::GET, url, headers).await
}

/// The addresses of the files that the page names.
async fn named(app: &TestApp) -> Vec<String> {
    let page = get(&app.address, &[]).await.text().await.expect("a page");
    let paths = page.split('"').filter(|text| text.starts_with("/assets/"));
    paths.map(|path| format!("{}{path}", app.address)).collect()
}

/// The address without the hash in its name.
fn plain(url: &str) -> String {
    let (stem, rest) = url.rsplit_once('-').expect("a hash in the name");
    let (_, extension) = rest.split_once('.').expect("an extension");
    format!("{stem}.{extension}")
}

fn unpacked(compressed: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(compressed).read_to_string(&mut text).expect("gzip");
    text
}

#[tokio::test]
async fn the_page_names_each_file_by_its_content_and_caches_keep_it() {
    let app = TestApp::spawn().await;
    let named = named(&app).await;
    assert_eq!(named.len(), 3, "{named:?}");
    for url in named {
        let hashed = get(&url, &[]).await;
        assert_eq!((hashed.status().as_u16(), header(&hashed, "cache-control")), (200, FOR_EVER), "{url}");
        assert!(header(&hashed, "content-security-policy").contains("default-src 'none'"), "{url}");
        let short = get(&plain(&url), &[]).await;
        assert_eq!((short.status().as_u16(), header(&short, "cache-control")), (200, "max-age=300"), "{url}");
        assert_eq!(header(&short, "etag"), header(&hashed, "etag"));
        assert_eq!(header(&short, "content-type"), header(&hashed, "content-type"));
        assert_eq!(short.text().await.expect("a text"), hashed.text().await.expect("a text"));
    }
}

#[tokio::test]
async fn another_version_s_file_is_replaced_by_the_present_one_but_not_kept() {
    let app = TestApp::spawn().await;
    let other = get(&format!("{}/assets/home-0123456789abcdef.js", app.address), &[]).await;
    assert_eq!((other.status().as_u16(), header(&other, "cache-control")), (200, "no-cache"));
    for name in ["home-0123.js", "home-0123456789abcdef.svg", "other.js"] {
        let answer = get(&format!("{}/assets/{name}", app.address), &[]).await;
        assert_eq!(answer.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn files_are_compressed_for_clients_that_accept_it() {
    let app = TestApp::spawn().await;
    let url = format!("{}/assets/home.js", app.address);
    let text = get(&url, &[]).await.text().await.expect("a text");
    for (accepted, encoding) in [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("br;q=1.0, gzip;q=0.5", "gzip"),
        ("gzip;q=0", ""),
        ("identity", ""),
        ("br", ""),
        ("", ""),
        ("=;q=x", ""),
    ] {
        let answer = get(&url, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.status(), 200, "{accepted}");
        assert_eq!(header(&answer, "content-encoding"), encoding, "{accepted}");
        assert_eq!(header(&answer, "vary"), "accept-encoding", "{accepted}");
        let body = answer.bytes().await.expect("a body");
        if encoding == "gzip" {
            assert!(body.len() * 2 < text.len(), "{} of {} bytes", body.len(), text.len());
            assert_eq!(unpacked(&body), text);
        } else {
            assert_eq!(body, text);
        }
    }
}

#[tokio::test]
async fn a_client_that_has_a_file_gets_304_for_the_representation_it_has() {
    let app = TestApp::spawn().await;
    for url in named(&app).await {
        let etag = async |accepted| {
            let answer = get(&url, &[("accept-encoding", accepted)]).await;
            header(&answer, "etag").to_owned()
        };
        let (plain, compressed) = (etag("identity").await, etag("gzip").await);
        assert_ne!(plain, compressed, "{url}");
        let weak = format!("W/{compressed}");
        for (accepted, sent, status) in [
            ("identity", &plain, 304),
            ("gzip", &compressed, 304),
            ("gzip", &weak, 304),
            ("identity", &compressed, 200),
            ("gzip", &plain, 200),
        ] {
            let answer = get(&url, &[("accept-encoding", accepted), ("if-none-match", sent)]).await;
            assert_eq!(answer.status(), status, "{url} {accepted} {sent}");
            assert_eq!(header(&answer, "cache-control"), FOR_EVER);
            assert_eq!(header(&answer, "vary"), "accept-encoding");
            if status == 304 {
                assert_eq!(header(&answer, "etag"), sent.trim_start_matches("W/"));
                assert!(answer.bytes().await.expect("no body").is_empty());
            }
        }
    }
}

#[tokio::test]
async fn the_head_of_a_file_has_the_headers_of_its_get() {
    let app = TestApp::spawn().await;
    let url = format!("{}/assets/home.css", app.address);
    for accepted in ["identity", "gzip"] {
        let encoding = [("accept-encoding", accepted)];
        let (head, get) = (ask(Method::HEAD, &url, &encoding).await, get(&url, &encoding).await);
        for name in ["content-type", "content-length", "content-encoding", "etag", "vary", "cache-control"] {
            assert_eq!(header(&head, name), header(&get, name), "{accepted} {name}");
        }
        assert_ne!(header(&head, "content-length"), "", "{accepted}");
        let known = [("accept-encoding", accepted), ("if-none-match", header(&get, "etag"))];
        assert_eq!(ask(Method::HEAD, &url, &known).await.status(), 304, "{accepted}");
    }
}

#[tokio::test]
async fn pages_of_all_sites_may_load_the_module_with_the_element() {
    let app = TestApp::spawn().await;
    let url = format!("{}/live-counter.js", app.address);
    let source = include_str!("../../clients/js/live-counter.js");
    let served = get(&url, &[]).await.text().await.expect("a text");
    let mut lines = source.lines().map(str::trim);
    assert!(served.lines().all(|line| lines.any(|written| written == line)), "nothing but lines is left out");
    for (accepted, encoding) in [("identity", ""), ("gzip, br", "gzip")] {
        let headers = [("accept-encoding", accepted), ("origin", "https://www.example.com")];
        let answer = get(&url, &headers).await;
        assert_eq!(answer.status(), 200);
        for (name, value) in [
            ("content-type", "text/javascript; charset=utf-8"),
            ("content-encoding", encoding),
            ("cache-control", "public, max-age=3600"),
            ("vary", "accept-encoding"),
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(&answer, name), value, "{name}");
        }
        let etag = header(&answer, "etag").to_owned();
        let body = answer.bytes().await.expect("a body");
        if encoding == "gzip" {
            assert!(body.len() < 4000, "the module has {} bytes compressed", body.len());
            assert_eq!(unpacked(&body), served);
        } else {
            assert_eq!(body, served);
        }
        let known = get(&url, &[("accept-encoding", accepted), ("if-none-match", &etag)]).await;
        assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, &*etag));
        assert_eq!(header(&known, "cross-origin-resource-policy"), "cross-origin");
        let head = ask(Method::HEAD, &url, &headers).await;
        assert_eq!((head.status().as_u16(), header(&head, "etag")), (200, &*etag));
    }
    assert_eq!(ask(Method::POST, &url, &[]).await.status(), 405);
}

#[tokio::test]
async fn the_home_page_is_compressed_for_clients_that_accept_it() {
    let app = TestApp::spawn().await;
    let page = async |path: &str, accepted: &str| {
        let request = client().get(format!("{}{path}", app.address)).header("accept-encoding", accepted);
        let answer = request.answer().await;
        assert_eq!(header(&answer, "vary"), "accept-encoding");
        let encoding = header(&answer, "content-encoding").to_owned();
        (encoding, answer.bytes().await.expect("a body"))
    };
    let (encoding, plain) = page("/", "br").await;
    assert_eq!(encoding, "");
    let (encoding, compressed) = page("/", "gzip, br").await;
    assert_eq!(encoding, "gzip");
    assert!(compressed.len() < plain.len() / 2, "{} of {}", compressed.len(), plain.len());
    assert_eq!(unpacked(&compressed), String::from_utf8_lossy(&plain));
    assert_eq!(page("/?url=www.example.com", "gzip").await.0, "", "a page for one client");
}

#[tokio::test]
async fn a_browser_that_shows_no_page_finds_the_icon() {
    let app = TestApp::spawn().await;
    let icon = get(&format!("{}/favicon.ico", app.address), &[]).await;
    assert_eq!((icon.status().as_u16(), header(&icon, "cache-control")), (200, "max-age=300"));
    assert_eq!(header(&icon, "content-type"), "image/svg+xml");
    let named = get(&format!("{}/assets/favicon.svg", app.address), &[]).await;
    assert_eq!(header(&icon, "etag"), header(&named, "etag"));
    assert_eq!(icon.text().await.expect("a picture"), named.text().await.expect("a picture"));
}
