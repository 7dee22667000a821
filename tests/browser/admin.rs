//! The pages for administrators, as a browser shows them.

use std::time::{Duration, Instant};

use fantoccini::Locator;
use livecounter::access::{AccessKey, Keys, NewSecret};
use serde_json::json;

use crate::chromium::Chromium;
use crate::screenshots::take;
use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::keys::owner;
use crate::support::server::Server;

/// The pages with the names of their pictures.
pub(crate) const PAGES: [(&str, &str); 4] = [
    ("/admin", "admin"),
    ("/admin/counters", "admin-counters"),
    ("/admin/console", "admin-console"),
    ("/admin/public", "admin-public"),
];
/// A statement for the console.
const STATEMENT: &str =
    "SELECT key AS hour, requests, failed FROM \"_admin/hourly\" ORDER BY key DESC LIMIT 24";

pub(crate) async fn with_a_key() -> (TestApp, NewSecret) {
    let (secret, keys) = owner();
    let (tally, public) = (("LIVECOUNTER__ADMIN__TALLY", "true"), ("LIVECOUNTER__ADMIN__PUBLIC", "true"));
    (TestApp::with(&[("LIVECOUNTER__KEYS", keys), ANY_AMOUNT, tally, public]).await, secret)
}

async fn fill_in(browser: &Chromium, css: &str, text: &str) {
    let field = browser.client.find(Locator::Css(css)).await.expect(css);
    field.clear().await.expect(css);
    field.send_keys(text).await.expect(css);
}

/// Returns as soon as the expression is true in the page that a form leads to. A script that waits in a page would end with it.
async fn leads_to(browser: &Chromium, expression: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let script = format!("try {{ return !!({expression}); }} catch {{ return false; }}");
    while browser.client.execute(&script, Vec::new()).await.ok() != Some(true.into()) {
        assert!(Instant::now() < deadline, "never true: {expression}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn log_in(browser: &Chromium, app: &TestApp, secret: &NewSecret) {
    browser.open(&format!("{}/admin", app.address)).await;
    fill_in(browser, "#key", secret.expose()).await;
    browser.click("main form button").await;
    leads_to(browser, "location.pathname === '/admin' && document.querySelector('[data-now=requests]')")
        .await;
}

#[tokio::test]
async fn an_administrator_logs_in_and_sees_numbers_change() {
    let (app, secret) = with_a_key().await;
    let browser = Chromium::launch().await;
    log_in(&browser, &app, &secret).await;
    browser.until_text("#state", "live").await;
    assert_eq!(browser.value("document.cookie").await, "", "no script can read the session");
    app.add("1").await;
    browser.until_text("[data-now=requests]", "1").await;
    browser.until("[...document.querySelectorAll('#latest tr')].some((row) => row.textContent.includes('POST /counters/1/200'))").await;
    browser.until_text("#minute [data-total]", "1").await;

    browser.open(&format!("{}/admin/counters", app.address)).await;
    fill_in(&browser, "#id", "shop").await;
    fill_in(&browser, "#value", "1234").await;
    browser.click(".forms [value=set]").await;
    leads_to(&browser, "document.querySelector('.notice').textContent === 'shop is now 1\u{202f}234.'").await;
    assert_eq!(app.read("shop").await, 1234);
    app.add("shop").await;
    browser.until_text("[data-topic=counter-shop]", "1\u{202f}235").await;

    browser.click("nav form button").await;
    leads_to(&browser, "document.querySelector('#key')").await;
    // The login page is a 401, which a browser logs as an error.
    let errors: Vec<_> = browser.console().await.into_iter().filter(|line| !line.contains("401")).collect();
    assert_eq!(errors, Vec::<String>::new());
    let own = format!("{}/", app.address);
    let requested = browser.requested().await;
    assert!(
        requested.iter().all(|url| url.starts_with(&own) && !url.contains(secret.expose())),
        "{requested:?}"
    );
}

#[tokio::test]
async fn the_console_keeps_the_results_of_before() {
    let (app, secret) = with_a_key().await;
    let browser = Chromium::launch().await;
    log_in(&browser, &app, &secret).await;
    browser.open(&format!("{}/admin/console", app.address)).await;
    for (statement, count) in [("SELECT 6 * 7 AS answer", 1), ("SELECT nothing", 2)] {
        fill_in(&browser, "#text", statement).await;
        browser.click("#console button").await;
        browser.until(&format!("document.querySelectorAll('.result').length === {count}")).await;
    }
    let results = browser.value("[...document.querySelectorAll('.result')].map((one) => one.querySelector('td')?.textContent ?? '')").await;
    assert_eq!(results, json!(["", "42"]));
    browser.until("document.querySelector('.result .problem').textContent.includes('nothing')").await;
    browser.click(".result:last-child .again").await;
    assert_eq!(browser.value("document.querySelector('#text').value").await, "SELECT 6 * 7 AS answer");
    assert_eq!(browser.value("location.pathname").await, "/admin/console");
}

#[tokio::test]
async fn the_longest_ids_and_addresses_fit_the_narrowest_phone() {
    let (app, secret) = with_a_key().await;
    let browser = Chromium::launch().await;
    browser.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    app.add_by(&"W".repeat(64), -999).await;
    log_in(&browser, &app, &secret).await;
    for width in [320, 768] {
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        for (path, least) in [("/admin/counters", 2), ("/admin", 5)] {
            browser.open(&format!("{}{path}", app.address)).await;
            browser.until(&format!("document.querySelectorAll('details').length >= {least}")).await;
            browser
                .value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
                .await;
            assert_eq!(browser.value("document.documentElement.scrollWidth").await, width, "{path}");
        }
        // The pictures of the numbers are there without a key in the browser.
        let loaded = "[...document.querySelectorAll('.share img')].every((one) => one.complete && one.naturalWidth > 0)";
        browser
            .value("document.querySelectorAll('.share img').forEach((one) => { one.loading = 'eager'; })")
            .await;
        browser.until(loaded).await;
    }
}

#[tokio::test]
async fn the_overview_leads_to_the_login_when_its_key_is_withdrawn() {
    let (app, secret) = with_a_key().await;
    let browser = Chromium::launch().await;
    log_in(&browser, &app, &secret).await;
    browser.until_text("#state", "live").await;
    let other = NewSecret::generate().expect("random numbers");
    let scopes = vec!["admin".parse().expect("a scope")];
    let key = AccessKey::new("other", other.id(), &other.sha256(), scopes).expect("a key");
    app.replace_keys(Keys::new(vec![key]).expect("keys"));
    leads_to(&browser, "document.querySelector('#key')").await;
    assert_eq!(browser.value("location.pathname").await, "/admin");
}

#[tokio::test]
async fn the_public_page_fills_the_screen_on_its_own_ground() {
    let (app, _) = with_a_key().await;
    let browser = Chromium::launch().await;
    browser.open(&format!("{}/admin/public", app.address)).await;
    let figures = "parseFloat(getComputedStyle(document.querySelector('[data-now=requests]')).fontSize)";
    let before = browser.value(figures).await.as_f64().expect("a size");
    browser.click("#full").await;
    // Behind any element but the document itself a browser shows black.
    browser.until("document.fullscreenElement === document.documentElement").await;
    browser.until_text("#full", "Leave full screen").await;
    let filled = browser.value(figures).await.as_f64().expect("a size");
    assert!(filled > before, "{filled} > {before}");
    browser.click("#full").await;
    browser.until("!document.fullscreenElement").await;
    browser.until_text("#full", "Full screen").await;
}

#[tokio::test]
async fn without_javascript_the_pages_do_not_speak_of_what_it_does() {
    let (app, secret) = with_a_key().await;
    let browser = Chromium::launch().await;
    log_in(&browser, &app, &secret).await;
    for (path, of_script) in [("/admin", "They change once a second"), ("/admin/console", "Ctrl and Enter")] {
        for is_off in [false, true] {
            browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": is_off })).await;
            browser.open(&format!("{}{path}", app.address)).await;
            let main = browser.client.find(Locator::Css("main")).await.expect("the page");
            let text = main.text().await.expect("its text");
            assert_eq!(text.contains(of_script), !is_off, "{path}: {text}");
        }
    }
}

#[tokio::test]
async fn the_pages_fit_a_phone_and_both_schemes() {
    let (app, secret) = with_a_key().await;
    let browser = Chromium::launch().await;
    browser.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    for (id, value) in [("1", 48_211), ("downloads", 1_093_430), ("shop-orders", 512), ("shop-returns", -7)] {
        app.add_by(id, value).await;
    }
    log_in(&browser, &app, &secret).await;
    for second in 0..6 {
        let before = browser.value("document.querySelector('#minute [data-total]').textContent").await;
        for _ in 0..(second * 5) % 11 + 2 {
            app.add("1").await;
        }
        browser
            .until(&format!("document.querySelector('#minute [data-total]').textContent !== {before}"))
            .await;
    }
    let mut grounds = Vec::new();
    for (scheme, width, suffix) in
        [("light", 1280, ""), ("dark", 1280, "-dark"), ("light", 360, "-phone"), ("dark", 360, "-phone-dark")]
    {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.devtools("Emulation.setEmulatedMedia", media).await;
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        for (path, name) in PAGES {
            browser.open(&format!("{}{path}", app.address)).await;
            match path {
                "/admin/counters" => browser.click("details:last-of-type summary").await,
                "/admin/console" => {
                    fill_in(&browser, "#text", STATEMENT).await;
                    browser.click("#console button").await;
                    browser.until("document.querySelector('.result tbody tr')").await;
                }
                _ => browser.until_text("#state", "live").await,
            }
            let width = "document.documentElement.scrollWidth - innerWidth";
            assert_eq!(browser.value(width).await, 0, "{path} {scheme} {suffix}");
            take(&browser, &format!("{name}{suffix}.png")).await;
        }
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor").await);
    }
    assert_ne!(grounds[0], grounds[1]);
}
