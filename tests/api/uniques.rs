//! How many different visitors a site had.

use futures_util::future::join_all;
use livecounter::domain::Topic;
use serde_json::{Value, json};

use crate::cookieless::TRUSTED;
use crate::support::app::TestApp;
use crate::support::deployment::PROXY_URL;
use crate::support::http::{Ask, client, header};
use crate::support::redis::RedisServer;
use crate::support::wait::until_an_hour_has_time;
use crate::visitors::{count, counted};

const UNIQUES: (&str, &str) = ("LIVECOUNTER__HITS__UNIQUES", "true");

async fn visit(app: &TestApp, page: &str, address: &str, agent: &str) -> String {
    let request = count(app, page).header("x-forwarded-for", address).header("user-agent", agent);
    counted(request).await.0
}

async fn uniques(app: &TestApp, url: &str) -> Value {
    let answer = client().get(format!("{}/nocount/uniques?url={url}", app.address)).answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "application/json"));
    assert_eq!(header(&answer, "cache-control"), "max-age=0, no-cache, no-store, must-revalidate");
    answer.json().await.expect("JSON")
}

/// Sends the visits to one site after the other until a site counts `visitors` visitors, and returns that site. By chance the salt of the day lets two
/// visitors of a site share one of the 16,384 registers of its sketch, 20 visitors in one of a hundred sites; they count as one then. Where the
/// number is less, all visits are sent again: they change nothing if no visit was lost.
pub(crate) async fn site_that_tells_apart(
    app: &TestApp,
    visitors: i64,
    visits: impl AsyncFn(&str),
) -> String {
    let today = async |site: &str| uniques(app, site).await["today"].as_i64().expect("a number");
    for number in 0..8 {
        let site = format!("{number}-of-{visitors}.example.com");
        visits(&site).await;
        let told = today(&site).await;
        if told == visitors {
            return site;
        }
        visits(&site).await;
        let again = today(&site).await;
        assert!(told == again && told < visitors, "{told} of {visitors} visitors, then {again}");
    }
    panic!("no site counts {visitors} visitors");
}

/// Tests with new sites, and returns one that has had ten visitors.
async fn different_visitors_are_counted(environment: &[(&str, &str)]) -> String {
    until_an_hour_has_time().await;
    let app = TestApp::with(&[environment, &[UNIQUES, TRUSTED]].concat()).await;
    let none = uniques(&app, "example.com").await;
    let day = none["day"].as_str().expect("a date").to_owned();
    assert_eq!(none, json!({"site": "example.com", "day": day, "today": 0, "all": 0, "days": []}));
    assert!(day.len() == 10 && day.starts_with("20"), "{day}");
    let visits = async |site: &str| {
        for (path, address, agent) in [
            ("/a", "192.0.2.1", "a"),
            ("/b", "192.0.2.1", "a"),
            ("/a", "192.0.2.1", "b"),
            ("/a", "192.0.2.2", "a"),
            (":8080/a", "192.0.2.3", "a"),
            ("/c", "192.0.2.1", "github-camo (876de43e)"),
            ("/c", "192.0.2.4", "Googlebot"),
        ] {
            visit(&app, &format!("{site}{path}"), address, agent).await;
        }
    };
    let site = site_that_tells_apart(&app, 3, visits).await;
    let told = uniques(&app, &format!("https://{site}/a?b=c")).await;
    assert_eq!(told, json!({"site": site, "day": day, "today": 3, "all": 3, "days": []}));
    assert_eq!(uniques(&app, &format!("{site}:8080")).await["today"], 1);
    // Visitors that are recognised on a page by their cookie are visitors, too, and the hits of a site are more than its visitors.
    let together = async |site: &str| {
        let (app, page) = (&app, &format!("{site}/a"));
        join_all((0..40).map(async |n| visit(app, page, &format!("198.51.100.{}", n % 10), "a").await)).await;
    };
    let site = site_that_tells_apart(&app, 10, together).await;
    assert_eq!(uniques(&app, &site).await["all"], 10);
    let badge = |of: &str| client().get(format!("{}/nocount/tag.svg?url={site}/a&of={of}", app.address));
    for (of, expected) in
        [("site", "hits: 40"), ("visitors", "visitors: 10"), ("visitors&label=people", "people: 10")]
    {
        let svg = badge(of).answer().await.text().await.expect("a picture");
        assert!(svg.contains(expected), "{svg}");
    }
    let json = client().get(format!("{}/nocount/tag.json?url={site}/a&of=visitors", app.address));
    let told: Value = json.answer().await.json().await.expect("JSON");
    assert_eq!((&told["label"], &told["message"]), (&json!("visitors"), &json!("10")));
    site
}

#[tokio::test]
async fn different_visitors_are_counted_in_one_process() {
    different_visitors_are_counted(&[]).await;
}

#[tokio::test]
async fn different_visitors_are_counted_in_redis_and_yesterday_is_kept() {
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())];
    let site = different_visitors_are_counted(&environment).await;
    let app = TestApp::with(&[&environment[..], &[UNIQUES]].concat()).await;
    let topic = Topic::site(&site.parse().expect("an address"));
    let key = format!("lc:{{b{}}}:v:{}", topic.bucket(), topic.name());
    let today: i64 = redis.cli(&["HGET", &key, "d"]).trim().parse().expect("a day");
    redis.cli(&["HSET", &key, "d", &(today - 1).to_string()]);
    let told = uniques(&app, &site).await;
    assert_eq!((&told["today"], &told["all"]), (&json!(0), &json!(10)));
    assert_eq!(told["days"][0]["visitors"], 10);
    let date: jiff::civil::Date = told["day"].as_str().expect("a date").parse().expect("a date");
    let before = date.yesterday().expect("a day before").to_string();
    assert_eq!(told["days"], json!([{"day": before, "visitors": 10}]));
}

#[tokio::test]
async fn visits_of_a_site_that_combines_its_hits_are_all_counted() {
    until_an_hour_has_time().await;
    let app = TestApp::with(&[UNIQUES, TRUSTED, ("LIVECOUNTER__HITS__WINDOW", "0s")]).await;
    let visits = async |site: &str| {
        let app = &app;
        let hits = (0..60).map(async |n| visit(app, site, &format!("198.51.100.{}", n % 20), "a").await);
        let mut told: Vec<i64> = join_all(hits).await.iter().map(|n| n.parse().expect("a number")).collect();
        told.sort_unstable();
        assert_eq!(told, (told[0]..told[0] + 60).collect::<Vec<_>>());
        assert_eq!(told[0] % 60, 1);
    };
    site_that_tells_apart(&app, 20, visits).await;
}

#[tokio::test]
async fn where_visitors_are_not_counted_the_answer_names_the_setting() {
    let app = TestApp::spawn().await;
    counted(count(&app, "example.com")).await;
    let answer = client().get(format!("{}/nocount/uniques?url=example.com", app.address)).answer().await;
    assert_eq!(answer.status(), 404);
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["detail"], "different visitors are not counted here: hits.uniques is false");
    let badge = client().get(format!("{}/count/tag.svg?url=example.com&of=visitors", app.address));
    let answer = badge.answer().await;
    assert_eq!(answer.status(), 404);
    assert!(answer.text().await.expect("a picture").contains("hits.uniques is false"));
    let value = client().get(format!("{}/nocount?url=example.com", app.address)).answer().await;
    assert_eq!(value.text().await.expect("a number"), "1", "a badge that cannot be drawn does not count");

    let on = TestApp::with(&[UNIQUES, ("LIVECOUNTER__HITS__DENY", "denied")]).await;
    for (query, status) in
        [("", 404), ("?url=", 404), ("?url=javascript:alert(1)", 400), ("?url=denied.example.com", 403)]
    {
        let answer = client().get(format!("{}/nocount/uniques{query}", on.address)).answer().await;
        assert_eq!(answer.status(), status, "{query}");
    }
    let head = client().head(format!("{}/nocount/uniques?url=example.com", on.address)).answer().await;
    assert_eq!(head.status(), 200);
    let posted = client().post(format!("{}/nocount/uniques?url=example.com", on.address)).answer().await;
    assert_eq!(posted.status(), 405);
}
