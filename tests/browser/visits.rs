//! Visits that the element counts: once each, whatever is lost, and none before a page is seen.

use crate::chromium::Chromium;
use crate::relay::Relay;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::tabs::{self, page};

const GRIP_URL: &str = "http://127.0.0.1:9";
/// The headless browser is a bot by its name, so another program is named here.
const NO_BOTS: (&str, &str) = ("LIVECOUNTER__HITS__BOTS", "crawler");
/// A site where visits count, unlike on the names of this machine.
const SITE: &str = "http://www.example.test";

fn body(service: &str) -> String {
    format!(
        "<live-counter id=a page count src={service}></live-counter>
         <live-counter id=b counter=visits count src={service}></live-counter>"
    )
}

/// A browser for which these pages are at [`SITE`].
async fn browser_at(pages: Vec<String>) -> Chromium {
    let pages = tabs::serve(pages).await;
    let site = tabs::addr(pages[0].trim_end_matches("/0"));
    Chromium::launch_with_hosts(&[("www.example.test:80", site)]).await
}

async fn hits(app: &TestApp, path: &str) -> String {
    client().get(format!("{}/nocount?url=www.example.test{path}", app.address)).text().await
}

/// Returns once the browser has kept for this session that so many visits have an answer.
async fn until_answered(browser: &Chromium, visits: usize) {
    let kept = format!("Object.values(sessionStorage).filter((value) => value === '1').length === {visits}");
    until("the answers", async || browser.value(&kept).await == true).await;
}

async fn a_visit_whose_answer_is_lost_counts_once(environment: &[(&str, &str)]) {
    let app = TestApp::with(&[environment, &[NO_BOTS]].concat()).await;
    let relay = Relay::to(&app.address).await;
    let browser = browser_at(vec![page(&app.address, &body(&relay.address))]).await;
    let asked = || ["GET /count?", "POST /counters/visits/"].map(|line| relay.traffic.asked(line));
    relay.forget_answers();
    browser.open(&format!("{SITE}/0")).await;
    until("both visits", async || hits(&app, "/0").await == "1" && app.read("visits").await == 1).await;
    // A second try on the page, and one of the page after the reload.
    until("other tries", async || asked().iter().all(|tries| *tries >= 2)).await;
    let before = asked();
    browser.client.refresh().await.expect("the page again");
    until("later tries", async || asked().iter().zip(before).all(|(tries, before)| *tries > before)).await;
    relay.mend();
    until_answered(&browser, 2).await;
    let tries = asked();
    browser.client.refresh().await.expect("the page again");
    // By then both elements would have sent theirs.
    browser.until_text("#a", "1").await;
    assert_eq!(asked(), tries, "no visit is sent after its answer");
    assert_eq!((hits(&app, "/0").await, app.read("visits").await), ("1".to_owned(), 1));
}

#[tokio::test]
async fn a_visit_whose_answer_is_lost_counts_once_in_one_process() {
    a_visit_whose_answer_is_lost_counts_once(&[]).await;
}

#[tokio::test]
async fn a_visit_whose_answer_is_lost_counts_once_in_redis() {
    let redis = RedisServer::start();
    let url = redis.url();
    // Streams would need a proxy then; the number of a page comes without one.
    a_visit_whose_answer_is_lost_counts_once(&[("REDIS_URL", &url), ("GRIP_URL", GRIP_URL)]).await;
}

#[tokio::test]
async fn visits_while_the_service_was_away_are_sent_by_a_later_page() {
    let app = TestApp::with(&[NO_BOTS]).await;
    let relay = Relay::to(&app.address).await;
    let element = page(&app.address, &body(&relay.address));
    let browser = browser_at(vec![element.clone(), element]).await;
    relay.cut();
    for path in ["/0", "/1"] {
        browser.open(&format!("{SITE}{path}")).await;
        let mut requested = Vec::new();
        until("a visit was sent in vain", async || {
            requested.extend(browser.requested().await);
            requested.iter().any(|url| url.contains("/count?"))
        })
        .await;
    }
    relay.mend();
    until_answered(&browser, 3).await;
    for path in ["/0", "/1"] {
        browser.open(&format!("{SITE}{path}")).await;
        browser.until_text("#a", "1").await;
        assert_eq!(hits(&app, path).await, "1");
    }
    assert_eq!(app.read("visits").await, 1, "a counter of the site counts one visit of a session");
}

#[tokio::test]
async fn a_refused_visit_is_warned_of_and_not_sent_again() {
    let app = TestApp::with(&[NO_BOTS, ("LIVECOUNTER__HITS__DENY", "www.example.test")]).await;
    let relay = Relay::to(&app.address).await;
    let body = format!("<live-counter id=a page count src={}>?</live-counter>", relay.address);
    let browser = browser_at(vec![page(&app.address, &body)]).await;
    browser.open(&format!("{SITE}/0")).await;
    until_answered(&browser, 1).await;
    assert!(browser.console().await.iter().any(|line| line.contains("/count?url=")), "a warning");
    browser.client.refresh().await.expect("the page again");
    until("the page has asked again", async || relay.traffic.asked("GET /nocount?") == 2).await;
    assert_eq!(relay.traffic.asked("GET /count?"), 1);
}

#[tokio::test]
async fn a_prerendered_page_counts_once_it_is_seen() {
    let app = TestApp::with(&[NO_BOTS]).await;
    let relay = Relay::to(&app.address).await;
    let rules = r#"{"prerender": [{"urls": ["/1"], "eagerness": "immediate"}]}"#;
    let first = format!("{}<script type=speculationrules>{rules}</script>", tabs::HEAD);
    let browser = browser_at(vec![first, page(&app.address, &body(&relay.address))]).await;
    browser.open(&format!("{SITE}/0")).await;
    // The page that is prepared reads the number of its hits, and then could count.
    until("the page is prepared", async || relay.traffic.asked("GET /nocount?") == 1).await;
    assert_eq!((hits(&app, "/1").await, app.read("visits").await), ("0".to_owned(), 0));
    assert_eq!(browser.value("location.pathname").await, "/0");

    browser.value("void (location.href = '/1')").await;
    until("the page is seen", async || browser.value("location.pathname").await == "/1").await;
    let prepared = "performance.getEntriesByType('navigation')[0].activationStart > 0";
    assert_eq!(browser.value(prepared).await, true, "the page was prerendered");
    for css in ["#a", "#b"] {
        browser.until_text(css, "1").await;
    }
    until_answered(&browser, 2).await;
    for line in ["GET /count?", "POST /counters/visits/"] {
        assert_eq!(relay.traffic.asked(line), 1, "{line}");
    }
    assert_eq!((hits(&app, "/1").await, app.read("visits").await), ("1".to_owned(), 1));
}
