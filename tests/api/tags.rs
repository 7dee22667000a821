//! `/count/tag.svg` and `/nocount/tag.svg`: the hits of a page as a badge.

use reqwest::RequestBuilder;

use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::wait::until_an_hour_has_time;

fn get(app: &TestApp, path_and_query: &str) -> RequestBuilder {
    client().get(format!("{}{path_and_query}", app.address))
}

/// The picture, which must have this status.
async fn picture(request: RequestBuilder, status: u16) -> String {
    let answer = request.answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (status, "image/svg+xml"));
    assert_eq!(header(&answer, "cross-origin-resource-policy"), "cross-origin");
    assert!(header(&answer, "cache-control").contains("no-store"));
    answer.text().await.expect("a picture")
}

fn shows(svg: &str, text: &str) -> bool {
    svg.starts_with("<svg ") && svg.contains(&format!("<title>{text}</title>"))
}

#[tokio::test]
async fn a_tag_counts_like_its_route_and_looks_like_the_text_s() {
    let app = TestApp::spawn().await;
    let page = "https://www.example.com/a";
    let drawn = picture(get(&app, "/count/tag.svg").header("referer", page), 200).await;
    assert!(shows(&drawn, "hits: 1") && drawn.contains("#4c1") && drawn.contains("#555"), "{drawn}");
    let drawn = picture(get(&app, "/count/tag.svg?url=www.example.com%2Fa"), 200).await;
    assert!(shows(&drawn, "hits: 2"), "{drawn}");
    for path in [
        "/nocount/tag.svg",
        "/nocount/tag.svg?url=www.example.com/a",
        "/nocount/tag.svg?url=www.example.com/a?x=1&y=2",
    ] {
        let drawn = picture(get(&app, path).header("referer", page), 200).await;
        assert!(shows(&drawn, "hits: 2"), "{path} {drawn}");
    }
    let answer = get(&app, "/count/tag.svg")
        .header("referer", page)
        .header("user-agent", "github-camo (876de43e)")
        .answer()
        .await;
    for (name, expected) in [
        ("cache-control", "max-age=0, no-cache, no-store, must-revalidate"),
        ("pragma", "no-cache"),
        ("expires", "0"),
        ("etag", ""),
        ("set-cookie", ""),
    ] {
        assert_eq!(header(&answer, name), expected, "{name}");
    }
    assert_eq!(get(&app, "/nocount").header("referer", page).text().await, "3");
    // The cookie of the picture is that of the page.
    let answer = get(&app, "/count/tag.svg").header("referer", page).answer().await;
    let cookie = header(&answer, "set-cookie").split(';').next().unwrap_or_default().to_owned();
    assert_eq!(get(&app, "/count").header("referer", page).header("cookie", cookie).text().await, "4");
}

/// GitHub's proxy for pictures takes a picture of at most 5 MiB without a redirection, and asks again with what it has of it.
#[tokio::test]
async fn the_pictures_of_a_readme_suit_the_proxy_of_github() {
    let app = TestApp::spawn().await;
    let asked = async |path: &str, known: &str| {
        let request = get(&app, path)
            .header("user-agent", "github-camo (876de43e)")
            .header("via", "1.1 github-camo (876de43e)")
            .header("accept", "image/*");
        match known {
            "" => request.answer().await,
            etag => request.header("if-none-match", etag).answer().await,
        }
    };
    let (visits, downloads) =
        ("/count/tag.svg?url=github.com%2Fyou%2Fproject", "/counters/downloads/badge.svg?label=downloads");
    for count in ["1", "2"] {
        let answer = asked(visits, "").await;
        assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "image/svg+xml"));
        let length: usize = header(&answer, "content-length").parse().expect("a length");
        assert_eq!((length < 5 << 20, header(&answer, "set-cookie")), (true, ""));
        assert!(shows(&answer.text().await.expect("a text"), &format!("hits: {count}")));
    }
    let answer = asked(downloads, "").await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "image/svg+xml"));
    assert!(header(&answer, "cache-control").contains("no-cache"), "{:?}", answer.headers());
    let etag = header(&answer, "etag").to_owned();
    assert_eq!(asked(downloads, &etag).await.status(), 304);
    app.add_by("downloads", 5).await;
    let answer = asked(downloads, &etag).await;
    assert!(shows(&answer.text().await.expect("a text"), "downloads: 5"));
}

#[tokio::test]
async fn a_tag_looks_as_the_query_says_or_counts_nothing() {
    let app = TestApp::spawn().await;
    let url = "url=example.com/a";
    let query = "label=%3C/svg%3E--%3E&color=red&format=commas&base=1233&style=flat";
    let drawn = picture(get(&app, &format!("/count/tag.svg?{url}&{query}")), 200).await;
    assert!(shows(&drawn, "&lt;/svg&gt;--&gt;: 1,234"), "{drawn}");
    for (query, status) in [
        ("url=example.com/a&color=nothing", 400),
        ("url=example.com/a&base=1e99", 400),
        ("url=example.com/a&style=flat&style=flat", 400),
        ("url=javascript:alert(1)", 400),
        ("", 404),
    ] {
        let drawn = picture(get(&app, &format!("/count/tag.svg?{query}")), status).await;
        assert!(drawn.contains(&format!("error {status}: ")), "{query} {drawn}");
    }
    assert_eq!(get(&app, &format!("/nocount?{url}")).text().await, "1");
    let denied =
        TestApp::with(&[("LIVECOUNTER__HITS__DENY", "example"), ("LIVECOUNTER__LIMITS__WRITES", "1/h")])
            .await;
    picture(get(&denied, &format!("/nocount/tag.svg?{url}")), 403).await;
    picture(get(&denied, "/count/tag.svg?url=a.org"), 200).await;
    picture(get(&denied, "/count/tag.svg?url=a.org"), 429).await;
}

#[tokio::test]
async fn a_tag_shows_the_page_the_site_or_the_page_s_day() {
    on_each_deployment(&[], async |service| {
        until_an_hour_has_time().await;
        let shown = async |path_and_query: &str, of: &str, expected: &str| {
            let url = format!("{}{path_and_query}&of={of}", service.address);
            let drawn = picture(client().get(url), 200).await;
            assert!(shows(&drawn, &format!("hits: {expected}")), "{path_and_query} {of} {drawn}");
        };
        shown("/nocount/tag.svg?url=example.com/a", "day", "0").await;
        shown("/nocount/tag.svg?url=example.com/a", "site", "0").await;
        // The hit that was just counted is a hit of today.
        shown("/count/tag.svg?url=example.com/a", "day", "1").await;
        shown("/count/tag.svg?url=example.com/b&base=100", "site", "102").await;
        shown("/count/tag.svg?url=example.com/a", "page", "2").await;
        shown("/nocount/tag.svg?url=example.com/a", "day", "2").await;
        shown("/nocount/tag.svg?url=example.com/a", "site", "3").await;
    })
    .await;
}

#[tokio::test]
async fn a_tag_of_what_is_not_kept_is_refused_and_counts_nothing() {
    let app = TestApp::with(&[("LIVECOUNTER__HISTORY__DAYS", "0")]).await;
    picture(get(&app, "/count/tag.svg?url=example.com/a&of=day"), 404).await;
    for of in ["total", "", "Page", "day&of=day"] {
        picture(get(&app, &format!("/count/tag.svg?url=example.com/a&of={of}")), 400).await;
    }
    assert_eq!(get(&app, "/nocount?url=example.com/a").text().await, "0");
}
