//! `/nocount/history`, `/nocount/chart.svg` and `/nocount/tag.json`: the past of pages and sites, and their badges for shields.io.

use std::time::{SystemTime, UNIX_EPOCH};

use livecounter::domain::Topic;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::history::until_value;
use crate::support::app::TestApp;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client, header};
use crate::support::wait::until_an_hour_has_time;

fn hits(app: &Deployment, path_and_query: &str) -> String {
    format!("{}/nocount/{path_and_query}", app.address)
}

async fn visit(address: &str, page: &str) {
    assert_eq!(client().get(format!("{address}/count?url={page}")).answer().await.status(), 200);
}

#[tokio::test]
async fn pages_and_sites_have_a_past_as_counters_do() {
    on_each_deployment(&[], async |app| {
        let zeros = client().get(hits(app, "history?url=example.com/a&last=1")).text().await;
        assert!(zeros.contains("\"value\":0,\"added\":0}]"), "{zeros}");
        for page in ["example.com/a", "example.com/a", "example.com/b"] {
            visit(&app.address, page).await;
        }
        let (page, site) = ("history?url=https://Example.com/a?x=1", "history?of=site&url=example.com/a");
        until_value(&hits(app, page), 2).await;
        until_value(&hits(app, site), 3).await;
        until_value(&hits(app, &format!("{site}&unit=day&tz=Asia/Tokyo")), 3).await;
        let json = client().get(hits(app, &format!("{page}&last=1"))).text().await;
        let begin =
            "{\"page\":\"example.com/a\",\"unit\":\"hour\",\"tz\":\"UTC\",\"entries\":[{\"start\":\"20";
        assert!(json.starts_with(begin), "{json}");
        let json = client().get(hits(app, &format!("{site}&last=1&unit=day"))).text().await;
        assert!(json.starts_with("{\"site\":\"example.com\",\"unit\":\"day\""), "{json}");
        let table = client().get(hits(app, &format!("{site}&last=1"))).header("accept", "text/csv");
        assert!(table.text().await.ends_with(",3,3\r\n"));
        let referer = client().get(hits(app, "history?of=site")).header("referer", "https://example.com/");
        let answer = referer.answer().await;
        assert!(header(&answer, "cache-control").contains("no-store"), "a cache knows no Referer");
        let json: Value = answer.json().await.expect("JSON");
        assert_eq!(json["entries"].as_array().expect("entries").last().expect("one")["value"], 3);
        assert_eq!(client().get(hits(app, "?url=example.com/a").replace("/?", "?")).text().await, "2");
    })
    .await;
}

#[tokio::test]
async fn the_chart_of_a_page_names_the_page() {
    on_each_deployment(&[], async |app| {
        visit(&app.address, "example.com/a%26b").await;
        until_value(&hits(app, "history?url=example.com/a%26b"), 1).await;
        let answer =
            client().get(hits(app, "chart.svg?url=example.com/a%26b&theme=dark&last=7")).answer().await;
        for (name, expected) in [
            ("content-type", "image/svg+xml"),
            ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(header(&answer, name), expected, "{name}");
        }
        let svg = answer.text().await.expect("a picture");
        assert!(svg.contains("<title id=\"t\">Hits of example.com/a&amp;b: 1</title>"), "{svg}");
        assert!(svg.contains("the last 7 hours") && svg.contains("#58a6ff"), "{svg}");
        let site = client().get(hits(app, "chart.svg?url=example.com&of=site&form=bars")).text().await;
        assert!(site.contains("Hits of example.com: 1</title>") && site.contains("added in"), "{site}");
    })
    .await;
}

#[tokio::test]
async fn the_json_of_a_tag_is_what_an_endpoint_badge_reads() {
    on_each_deployment(&[], async |app| {
        until_an_hour_has_time().await;
        for page in ["example.com/a", "example.com/a", "example.com/b"] {
            visit(&app.address, page).await;
        }
        let url = "tag.json?url=example.com/a";
        assert_eq!(
            client().get(hits(app, &format!("{url}&label=visits&format=commas&base=1000"))).text().await,
            "{\"schemaVersion\":1,\"label\":\"visits\",\"message\":\"1,002\",\"color\":\"#4c1\",\
             \"labelColor\":\"#555\",\"style\":\"flat-square\"}"
        );
        for (query, expected) in [("&of=site", "3"), ("&of=day", "2"), ("&of=day&tz=America/New_York", "2")] {
            let badge: Value =
                client().get(hits(app, &format!("{url}{query}"))).answer().await.json().await.expect("JSON");
            assert_eq!(badge["message"], expected, "{query}");
        }
        let first = client().get(hits(app, url)).answer().await;
        assert_eq!(header(&first, "cross-origin-resource-policy"), "cross-origin");
        let etag = header(&first, "etag");
        let again = client().get(hits(app, url)).header("if-none-match", etag).answer().await;
        assert_eq!(again.status(), 304);
    })
    .await;
}

#[tokio::test]
async fn a_purged_cache_keeps_what_the_query_names_until_it_changes() {
    let settings = [
        ("FASTLY_SERVICE_ID", "service"),
        ("FASTLY_API_KEY", "hush"),
        ("LIVECOUNTER__FASTLY__API_URL", "http://127.0.0.1:9"),
    ];
    on_each_deployment(&settings, async |app| {
        let page = Topic::page(&"example.com/a".parse().expect("an address"));
        for path in ["history", "chart.svg", "tag.json"] {
            for (of, key) in [("page", page.name()), ("site", "site-example.com")] {
                let answer =
                    client().get(hits(app, &format!("{path}?url=example.com/a&of={of}"))).answer().await;
                assert_eq!(header(&answer, "surrogate-key"), key, "{path}");
                assert!(header(&answer, "surrogate-control").starts_with("max-age="), "{path}");
            }
            let by_referer = client().get(hits(app, path)).header("referer", "https://example.com/a");
            let answer = by_referer.answer().await;
            assert_eq!((header(&answer, "surrogate-control"), header(&answer, "etag")), ("", ""), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_for_the_past_of_a_page_is_named() {
    let settings = [("LIVECOUNTER__HITS__DENY", "^denied\\."), ("LIVECOUNTER__HISTORY__HOURS", "0")];
    on_each_deployment(&settings, async |app| {
        let long = format!("url=example.com/{}", "a".repeat(10_000));
        for (query, status, expected) in [
            ("url=example.com&unit=", 400, "unit must be hour or day"),
            (
                "url=example.com&unit=day&last=1e9",
                400,
                "last must be a whole number from 1 to 60, in plain digits",
            ),
            (
                "url=example.com&unit=day&last=-1",
                400,
                "last must be a whole number from 1 to 60, in plain digits",
            ),
            ("url=example.com&tz=../../etc", 400, "tz is no time zone"),
            ("url=example.com&of=x", 400, "of must be page or site"),
            ("url=example.com&of=day", 400, "of must be page or site"),
            ("url=example.com&of=page&of=page", 400, "of is given twice in the query"),
            (&long, 400, "an address may have at most 4096 bytes"),
            ("url=javascript:alert(1)", 400, "an address begins with a host name"),
            ("", 404, "which page is meant?"),
            ("url=", 404, "which page is meant?"),
            ("url=denied.example/a&unit=day", 403, "hits.deny covers it"),
            ("url=example.com", 404, "no hours of the past are kept here: history.hours is 0"),
            ("url=example.com&unit=day&tz=Asia/Tokyo", 404, "history.hours is 0"),
        ] {
            let answer = client().get(hits(app, &format!("history?{query}"))).answer().await;
            assert_eq!(answer.status(), status, "{query:.60}");
            let problem: Value = answer.json().await.expect("a problem");
            assert!(
                problem["detail"].as_str().expect("a detail").contains(expected),
                "{query:.60} {problem}"
            );
            let answer = client().get(hits(app, &format!("chart.svg?{query}"))).answer().await;
            assert_eq!(
                (answer.status().as_u16(), header(&answer, "content-type")),
                (status, "image/svg+xml")
            );
            let picture = answer.text().await.expect("a picture");
            assert!(picture.contains(&format!("<title>error {status}: ")), "{query:.60} {picture}");
        }
        for (query, status) in [
            ("url=example.com&of=day&tz=Asia/Tokyo", 404),
            ("url=example.com&tz=../../etc", 400),
            ("url=example.com&of=total", 400),
            ("url=example.com&color=none", 400),
            ("url=denied.example", 403),
            ("", 404),
        ] {
            for path in ["tag.json", "tag.svg"] {
                let answer = client().get(hits(app, &format!("{path}?{query}"))).answer().await;
                assert_eq!(answer.status(), status, "{path} {query}");
            }
        }
        let refused =
            client().get(hits(app, "history?url=example.com&unit=day")).header("accept", "image/png");
        assert_eq!(refused.answer().await.status(), 406);
        assert_eq!(client().get(hits(app, "top")).text().await, "[]", "nothing was counted");
    })
    .await;
}

/// The name of the time zone in which it is now this hour.
fn zone_with(hour: i64, now_in_utc: i64) -> String {
    // The signs of these names are those of POSIX: `Etc/GMT-5` is five hours ahead of UTC.
    match (hour - now_in_utc + 12).rem_euclid(24) - 12 {
        0 => "Etc/UTC".to_owned(),
        ahead @ 1.. => format!("Etc/GMT-{ahead}"),
        behind => format!("Etc/GMT+{}", -behind),
    }
}

#[tokio::test]
async fn a_badge_of_the_day_may_be_of_a_day_in_a_time_zone() {
    let directory = tempfile::tempdir().expect("a directory");
    let app = TestApp::in_directory(directory.path(), &[]).await;
    for _ in 0..3 {
        visit(&app.address, "example.com/a").await;
    }
    let counter = format!("{}/counters/2/", app.address);
    assert_eq!(client().post(&counter).body("{\"by\":3}").answer().await.status(), 200);
    assert!(app.stop().await);
    // Twenty hours ago there was 1, and six hours ago 2.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let hour = i64::try_from(since_1970.as_secs() / 3600).expect("an hour");
    let page = Topic::page(&"example.com/a".parse().expect("an address"));
    let file = Connection::open(directory.path().join("livecounter.db")).expect("the file");
    file.execute("UPDATE topic SET is_new = 0", []).expect("topics that have a history");
    for topic in [page.name(), "counter-2"] {
        for (ago, value) in [(20, 1), (6, 2)] {
            let insert = "INSERT OR REPLACE INTO history (topic, unit, number, value) VALUES (?1, 0, ?2, ?3)";
            file.execute(insert, params![topic, hour - ago, value]).expect("an entry");
        }
    }
    drop(file);
    let app = TestApp::in_directory(directory.path(), &[]).await;
    for (local_hour, expected) in [(3, "1"), (12, "2")] {
        let zone = zone_with(local_hour, hour.rem_euclid(24));
        for path in ["nocount/tag.json?url=example.com/a&", "counters/2/badge.json?"] {
            let url = format!("{}/{path}of=day&tz={}", app.address, zone.replace('+', "%2B"));
            let badge: Value = client().get(&url).answer().await.json().await.expect("JSON");
            assert_eq!(badge["message"], expected, "{url}");
        }
    }
    for tz in ["../../etc", "", "europe/berlin"] {
        let svg = client().get(format!("{}/counters/2/badge.svg?tz={tz}", app.address)).answer().await;
        assert_eq!((svg.status().as_u16(), header(&svg, "content-type")), (400, "image/svg+xml"), "{tz}");
    }
}
