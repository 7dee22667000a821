//! The badges of other services, on the host names that the settings give them.

use reqwest::RequestBuilder;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::wait::until;

/// Each service on a host of its own.
pub(super) const HOSTS: [(&str, &str); 5] = [
    ("LIVECOUNTER__COMPAT__SEEYOUFARM", "hits.seeyoufarm.com"),
    ("LIVECOUNTER__COMPAT__DWYL", "hits.dwyl.com"),
    ("LIVECOUNTER__COMPAT__BUSUANZI", "busuanzi.ibruce.info"),
    ("LIVECOUNTER__COMPAT__VISITOR_BADGE", "visitor-badge.glitch.me"),
    ("LIVECOUNTER__COMPAT__KOMAREV", "komarev.com"),
];

pub(super) const CAMO: &str = "github-camo (876de43e)";

/// A GET on a host of the service at this address.
pub(super) fn get(address: &str, url: &str) -> RequestBuilder {
    let (host, path) = url.split_once('/').expect("a path");
    client().get(format!("{address}/{path}")).header("host", host)
}

/// The picture's title. The picture must have this status.
pub(super) async fn title(request: RequestBuilder, status: u16) -> String {
    let answer = request.answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (status, "image/svg+xml"));
    assert_eq!(header(&answer, "cross-origin-resource-policy"), "cross-origin");
    assert!(header(&answer, "cache-control").contains("no-store"));
    assert!(header(&answer, "content-security-policy").contains("default-src 'none'"));
    let svg = answer.text().await.expect("a picture");
    let title = svg.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    title.unwrap_or_default().to_owned()
}

async fn shows(request: RequestBuilder, expected: &str) {
    assert_eq!(title(request, 200).await, expected);
}

/// How many hits the page has.
pub(super) async fn hits(address: &str, page: &str) -> String {
    client().get(format!("{address}/nocount?url={page}")).text().await
}

#[tokio::test]
async fn a_badge_of_seeyoufarm_shows_the_day_and_all_time() {
    on_each_deployment(&HOSTS, async |service| {
        let get = |url: &str| get(&service.address, &format!("hits.seeyoufarm.com/api/count/{url}"));
        let usual = "url=https%3A%2F%2Fgithub.com%2Fuser%2Frepo&count_bg=%2379C83D&title_bg=%23555555&icon=github.svg\
                     &icon_color=%23E7E7E7&title=hits&edge_flat=false";
        shows(get(&format!("keep/badge.svg?{usual}")), "hits: 0 / 0").await;
        shows(get(&format!("incr/badge.svg?{usual}")), "hits: 1 / 1").await;
        shows(get("incr/badge.svg?url=github.com/user/repo&title=%3Cb%3E&edge_flat=true"), "&lt;b&gt;: 2 / 2").await;
        shows(get(&format!("keep/badge.svg?{usual}")), "hits: 2 / 2").await;
        assert_eq!(hits(&service.address, "github.com/user/repo").await, "2");
        let chart = "graph/dailyhits.svg?url=github.com/user/repo";
        // The past knows what is announced.
        let drawn = async || get(chart).text().await;
        until("the chart knows both hits", async || {
            drawn().await.contains("Hits of github.com/user/repo: 2")
        })
        .await;
        assert!(drawn().await.contains("the last 60 days"));
        for (query, status) in [
            ("", 400),
            ("url=", 400),
            ("url=ftp://example.com/", 400),
            ("url=javascript:alert(1)", 400),
            ("url=example.com&title_bg=%22%3E%3Cscript%3E", 400),
            ("url=example.com&count_bg=url(a)", 400),
            ("url=example.com&url=example.org", 400),
        ] {
            for kind in ["incr", "keep"] {
                let error = title(get(&format!("{kind}/badge.svg?{query}")), status).await;
                assert!(error.starts_with(&format!("error {status}: ")), "{query} {error}");
            }
        }
        let long = format!("incr/badge.svg?url=example.com/{}", "a".repeat(10_000));
        title(get(&long), 400).await;
        let long = format!("incr/badge.svg?url=example.com&title={}", "a".repeat(10_000));
        title(get(&long), 400).await;
        title(get("graph/dailyhits.svg"), 400).await;
        assert_eq!(hits(&service.address, "example.com").await, "0");
    })
    .await;
}

#[tokio::test]
async fn without_days_a_badge_of_seeyoufarm_shows_all_time_only() {
    let app = TestApp::with(&[&HOSTS[..], &[("LIVECOUNTER__HISTORY__DAYS", "0")]].concat()).await;
    let badge = "hits.seeyoufarm.com/api/count/incr/badge.svg?url=example.com/a";
    shows(get(&app.address, badge), "hits: 1").await;
    let error =
        title(get(&app.address, "hits.seeyoufarm.com/api/count/graph/dailyhits.svg?url=a.org"), 404).await;
    assert!(error.contains("history.days is 0"), "{error}");
}

#[tokio::test]
async fn every_form_of_a_dwyl_badge_counts() {
    on_each_deployment(&HOSTS, async |service| {
        let get = |path: &str| get(&service.address, &format!("hits.dwyl.com/{path}"));
        shows(get("dwyl/hits.svg"), "hits: 1").await;
        shows(get("dwyl/hits.svg?style=flat-square&show=unique"), "hits: 2").await;
        shows(get("nested/dwyl/hits.svg"), "hits: 3").await;
        let json: Value = serde_json::from_str(&get("dwyl/hits.json?color=fc0").text().await).expect("JSON");
        let expected = serde_json::json!(
            {"schemaVersion": 1, "label": "hits", "style": "flat", "message": "4", "color": "fc0"}
        );
        assert_eq!(json, expected);
        let json = get("dwyl/hits").header("accept", "application/json").text().await;
        assert!(json.contains("\"message\":\"5\""), "{json}");
        let page = get("dwyl/hits").header("accept", "text/html,*/*;q=0.8").answer().await;
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        let page = page.text().await.expect("a page");
        assert!(page.contains("github.com/dwyl/hits: <strong>6</strong> hits"), "{page}");
        assert_eq!(hits(&service.address, "github.com/dwyl/hits").await, "6");
        for path in
            ["-a/b.svg", "a_b/c.svg", "a/...svg", "a/.svg", "a/%3Cb%3E.svg", "a/%2e%2e.svg", "%00/a.svg"]
        {
            assert_eq!(title(get(path), 404).await, "hits: invalid url", "{path}");
        }
        let invalid = get("a--b/c.json").answer().await;
        assert_eq!(invalid.status(), 404);
        let expected = "{\"schemaVersion\":1,\"label\":\"hits\",\"message\":\"invalid url\"}";
        assert_eq!(invalid.text().await.expect("JSON"), expected);
        assert_eq!(get("dwyl/hits.json?color=%3Cb%3E").answer().await.status(), 400);
        title(get(&format!("{}/b.svg", "a".repeat(10_000))), 404).await;
    })
    .await;
}

#[tokio::test]
async fn a_visitor_badge_counts_any_id() {
    on_each_deployment(&HOSTS, async |service| {
        let get = |query: &str| get(&service.address, &format!("visitor-badge.glitch.me/badge{query}"));
        shows(get("?page_id=user.repo"), "visitors: 1").await;
        let look = "?page_id=user.repo&left_color=red&right_color=green&left_text=Hello%20Visitors";
        shows(get(look), "Hello Visitors: 2").await;
        for id in ["user/repo", "user%2Frepo", "/user/repo"] {
            let expected = if id == "user%2Frepo" { "visitors: 2" } else { "visitors: 1" };
            shows(get(&format!("?page_id={id}")), expected).await;
        }
        for id in [
            "%E8%AE%BF%E5%AE%A2",
            "a%3Fb%23c",
            "https://example.com/a?b",
            "%3Cscript%3E",
            "javascript:alert(1)",
            "%252e%252e",
        ] {
            shows(get(&format!("?page_id={id}")), "visitors: 1").await;
            shows(get(&format!("?page_id={id}")), "visitors: 2").await;
        }
        assert_eq!(hits(&service.address, "visitor-badge/user.repo").await, "2");
        for query in [
            "",
            "?page_id=",
            "?page_id=..",
            "?page_id=a/../b",
            "?page_id=a%00",
            "?page_id=a%0d%0ab",
            "?page_id=a&left_color=%22onload=%22",
            "?page_id=a&left_text=%00",
            &format!("?page_id={}", "a".repeat(10_000)),
        ] {
            assert!(title(get(query), 400).await.starts_with("error 400: "), "{query:.40}");
        }
        assert_eq!(hits(&service.address, "visitor-badge/a").await, "0");
    })
    .await;
}

#[tokio::test]
async fn a_komarev_badge_counts_what_github_shows() {
    on_each_deployment(&HOSTS, async |service| {
        let get = |query: &str| get(&service.address, &format!("komarev.com/ghpvc/{query}"));
        let shown = |query: &str| get(query).header("user-agent", CAMO);
        shows(get("?username=user"), "Profile views: 0").await;
        shows(shown("?username=user"), "Profile views: 1").await;
        shows(get("?username=user").header("user-agent", "Mozilla/5.0 github-camo"), "Profile views: 1").await;
        let look = "?username=user&label=PROFILE+VIEWS&color=brightgreen&style=flat-square&base=12344&abbreviated=true";
        shows(get(look), "PROFILE VIEWS: 12.3k").await;
        let pixel = shown("?username=user&style=pixel").answer().await;
        assert_eq!((pixel.status().as_u16(), header(&pixel, "set-cookie")), (200, ""));
        let pixel = pixel.text().await.expect("a picture");
        assert!(pixel.contains("width=\"1\" height=\"1\""), "{pixel}");
        shows(super::badges::get(&service.address, "komarev.com/ghpvc?username=user"), "Profile views: 2").await;
        assert_eq!(hits(&service.address, "github.com/user").await, "2");
        for query in [
            "",
            "?username=",
            "?username=a/b",
            "?username=%3Cb%3E",
            "?username=user&base=1e99",
            "?username=user&base=99999999999999999999",
            "?username=user&color=%3C",
            &format!("?username={}", "a".repeat(10_000)),
        ] {
            assert!(title(shown(query), 400).await.starts_with("error 400: "), "{query:.40}");
        }
        assert_eq!(hits(&service.address, "github.com/user").await, "2");
    })
    .await;
}
