//! The texts of the home page, and the effects of its buttons.

use serde_json::json;

use crate::chromium::Chromium;
use crate::http;
use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::server::Server;

pub(crate) const LIVE: &str = "document.querySelectorAll('[data-state=live]').length === 4";

/// The selector of the number of one of the counters to play with.
pub(crate) fn number_of(counter: &str) -> String {
    format!("[data-counter=\"{counter}\"] .value")
}

pub(crate) fn button(counter: &str, by: &str) -> String {
    format!("[data-counter=\"{counter}\"] [data-by=\"{by}\"]")
}

#[tokio::test]
async fn the_home_page_counts_the_visit_after_the_first_value() {
    let app = TestApp::with(&[ANY_AMOUNT]).await;
    app.add_by("1", 1233).await;
    let browser = Chromium::launch().await;
    browser
        .before_each_page(
            "window.shown = [];
             new MutationObserver(() => {
               const text = document.querySelector('#views')?.textContent;
               if (/[0-9]/.test(text) && shown.at(-1) !== text) shown.push(text);
             }).observe(document, { subtree: true, childList: true, characterData: true });",
        )
        .await;

    browser.open(&app.address).await;
    browser.until_text("#views", "1\u{202f}234").await;
    browser.until("document.querySelector('#visit').textContent.includes('number 1\\u202f234')").await;

    assert_eq!(browser.value("shown").await, json!(["1\u{202f}233", "1\u{202f}234"]));
    assert_eq!(app.read("1").await, 1234);
}

#[tokio::test]
async fn a_change_from_elsewhere_shows_up_and_is_highlighted() {
    let app = TestApp::spawn().await;
    let browser = Chromium::launch().await;
    // The highlight lasts for a second, so that the page itself keeps in mind that it was there.
    browser
        .before_each_page(
            "addEventListener('animationstart', (event) => {
               if (event.animationName === 'mark' && event.target.matches('[data-counter=\"2\"] .value'))
                 document.body.dataset.marked = '';
             });",
        )
        .await;
    browser.open(&app.address).await;
    browser.until_text(&number_of("2"), "0").await;
    let marked = "document.getAnimations().some((one) =>
        one.animationName === 'mark' && one.effect.target.matches('[data-counter=\"2\"] .value'))";
    assert_eq!(browser.value(marked).await, false, "a first value is no change");

    app.add_by("2", 26).await;

    browser
        .until("document.querySelector('[data-counter=\"2\"] .value').textContent === '26' && 'marked' in document.body.dataset")
        .await;
    assert_eq!(
        browser.value("document.querySelectorAll('[data-counter=\"2\"] .tally path').length").await,
        1
    );
}

#[tokio::test]
async fn the_buttons_add_and_subtract() {
    let app = TestApp::spawn().await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;

    for (by, text, status) in [
        ("1", "1", "Counter 2 is now 1."),
        ("10", "11", "Counter 2 is now 11."),
        ("-1", "10", "Counter 2 is now 10."),
    ] {
        browser.click(&button("2", by)).await;
        browser.until_text(&number_of("2"), text).await;
        browser.until_text("#notice", status).await;
    }
    browser.click(&button("3", "-1")).await;
    browser.until_text(&number_of("3"), "\u{2212}1").await;

    assert_eq!(app.read("2").await, 10);
    assert_eq!(app.read("3").await, -1);
    browser.until("!document.querySelector('[aria-busy=true]')").await;
}

#[tokio::test]
async fn a_refused_press_says_why() {
    let app = TestApp::with(&[ANY_AMOUNT]).await;
    app.add_by("4", 9_007_199_254_740_991).await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    browser.until_text(&number_of("4"), "9\u{202f}007\u{202f}199\u{202f}254\u{202f}740\u{202f}991").await;

    browser.click(&button("4", "1")).await;

    browser.until("document.querySelector('#notice.bad').textContent.length > 'Counter 4: '.length").await;
    assert_eq!(app.read("4").await, 9_007_199_254_740_991);
}

#[tokio::test]
async fn no_request_leaves_the_site_and_the_console_is_clean() {
    let app = TestApp::spawn().await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;
    browser.until_text("#views", "1").await;
    browser.click(&button("2", "1")).await;
    browser.until_text(&number_of("2"), "1").await;

    // A breach of the policy is an error in the console.
    assert_eq!(browser.console().await, Vec::<String>::new());
    let requested = browser.requested().await;
    assert!(
        requested.iter().any(|url| url.contains("/assets/home-") && url.ends_with(".js")),
        "{requested:?}"
    );
    let own = format!("{}/", app.address);
    assert!(requested.iter().all(|url| url.starts_with(&own)), "{requested:?}");
    // The log does not reach into the shared worker; the policy of its script does.
    for path in ["/", "/assets/home.js"] {
        let policy = http::policy(&[&app.address, path].concat()).await;
        assert!(
            policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn the_longest_number_fits_the_narrowest_phone() {
    let app = TestApp::with(&[ANY_AMOUNT]).await;
    for counter in ["1", "2"] {
        app.add_by(counter, -9_007_199_254_740_991).await;
    }
    let browser = Chromium::launch().await;
    let phone = json!({ "width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": true });
    browser.devtools("Emulation.setDeviceMetricsOverride", phone).await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;
    browser.until("document.querySelector('#views').textContent.endsWith('990')").await;

    let widest = "Math.max(...[...document.querySelectorAll('.value')].map((one) => one.getBoundingClientRect().right))";
    // The machine's own font, and one whose digits are a quarter wider.
    for font in ["var(--sans)", "DejaVu Sans"] {
        browser.value(&format!("document.body.style.fontFamily = '{font}'")).await;
        assert_eq!(browser.value("document.documentElement.scrollWidth").await, 320, "{font}");
        let right = browser.value(widest).await.as_f64().expect("a number");
        assert!(right <= 320.0 - 16.0, "{font}: {right}");
    }
}

#[tokio::test]
async fn the_page_shows_the_known_counters_and_its_view_counts_nothing() {
    let known = ("LIVECOUNTER__COUNTERS__KNOWN", "likes,downloads,a,b,c");
    let app = TestApp::with(&[known, ANY_AMOUNT]).await;
    app.add_by("likes", 41).await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;

    let shown = "[...document.querySelectorAll('[data-counter]')].map((one) => one.dataset.counter)";
    assert_eq!(browser.value(shown).await, json!(["likes", "downloads", "a", "b"]));
    assert_eq!(browser.value("document.querySelector('.others').textContent").await, "Also: c.");
    browser.click(&button("downloads", "10")).await;
    browser.until_text(&number_of("downloads"), "10").await;
    browser.until_text("#views", "41").await;
    assert_eq!(app.read("likes").await, 41, "the page does not change it");
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_only_known_counter_is_shown_and_can_be_played_with() {
    let app = TestApp::with(&[("LIVECOUNTER__COUNTERS__KNOWN", "likes")]).await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    browser.until("document.querySelectorAll('[data-state=live]').length === 2").await;
    browser.click(&button("likes", "1")).await;
    browser.until_text(&format!("article{}", number_of("likes")), "1").await;
    browser.until_text("#views", "1").await;
}

#[tokio::test]
async fn without_javascript_the_page_shows_its_numbers_and_buttons_work() {
    let app = TestApp::spawn().await;
    app.add_by("2", 26).await;
    let browser = Chromium::launch().await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&app.address).await;
    let text = browser.client.find(fantoccini::Locator::Css("main")).await.expect("the page").text().await;
    let text = text.expect("its text");
    assert!(!text.contains("connecting"), "{text}");
    assert!(text.contains("Without JavaScript the numbers stand still"), "{text}");
    assert!(text.contains("/counters/2/\n26\n"), "{text}");
    assert!(text.contains(&format!("curl {}/counters/2/\n", app.address)), "{text}");
    browser.click(&button("2", "10")).await;
    let answer: url::Url = app.counter("2").parse().expect("an address");
    browser.client.wait().for_url(&answer).await.expect("the answer to the form");
    assert_eq!(app.read("2").await, 36);
}
