//! The tool of the home page for badges, and its lists of sites and pages.

use serde_json::json;

use crate::chromium::Chromium;
use crate::home::LIVE;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};

/// Each hit counts.
const NO_WINDOW: (&str, &str) = ("LIVECOUNTER__HITS__WINDOW", "0s");
const PAGE: &str = "www.example.com/a";

async fn visit(app: &TestApp, page: &str, hits: usize) {
    for _ in 0..hits {
        let answer = client().get(format!("{}/count?url={page}", app.address)).answer().await;
        assert_eq!(answer.status(), 200, "{page}");
    }
}

/// Fills in a field as a visitor does: the browser tells the page of each change.
async fn fill(browser: &Chromium, field: &str, value: &str, event: &str) {
    let script = format!(
        "const field = document.querySelector('#{field}'); field.value = '{value}';
         field.dispatchEvent(new Event('{event}', {{ bubbles: true }}));"
    );
    browser.client.execute(&script, Vec::new()).await.expect("the field is filled in");
}

/// The texts of the code that the tool offers.
const CODE: &str = "[...document.querySelectorAll('#result code')].map((code) => code.textContent)";
const PREVIEW: &str = "document.querySelector('.preview img')";

#[tokio::test]
async fn the_tool_shows_code_and_numbers_while_a_visitor_types() {
    let app = TestApp::with(&[NO_WINDOW]).await;
    visit(&app, PAGE, 3).await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;
    fill(&browser, "url", "https://www.example.com/a?b=c", "input").await;
    browser.until(&format!("{PREVIEW}.getAttribute('src') === '/nocount/tag.svg?url={PAGE}'")).await;
    browser.until(&format!("{PREVIEW}.complete && {PREVIEW}.naturalWidth > 30")).await;
    browser.until_text("#result .number", "3").await;
    browser.until_text("#said", "www.example.com/a: 3 views. www.example.com: 3 views.").await;
    // The numbers of a page that was not there when the stream began are live, too.
    visit(&app, PAGE, 2).await;
    browser.until_text("#result .number", "5").await;
    browser.until_text("#result div:last-child > dd .number", "5").await;

    fill(&browser, "style", "flat", "change").await;
    let image = format!("<img src=\"{}/count/tag.svg?url={PAGE}&style=flat\" alt=\"Hits\">", app.address);
    browser.until(&format!("{CODE}[0] === '{image}'")).await;
    let with_script = browser.value(CODE).await;
    let address = browser.value("location.search").await;
    assert_eq!(address.as_str().expect("a query").matches("www.example.com").count(), 1);

    browser
        .devtools(
            "Browser.grantPermissions",
            json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] }),
        )
        .await;
    // The button says so for a moment only.
    let told = "void new MutationObserver(([{ target }]) => target.ownerDocument.body.dataset.told ??= target.textContent)
        .observe(document.querySelector('#result pre button'), { childList: true })";
    browser.value(told).await;
    browser.click("#result pre button").await;
    browser.until("document.body.dataset.told === 'Copied'").await;
    browser
        .client
        .execute("navigator.clipboard.readText().then((text) => document.body.dataset.copied = text)", vec![])
        .await
        .expect("the clipboard is read");
    browser.until(&format!("document.body.dataset.copied === '{image}'")).await;

    // The address that the page has by now brings the same without the script.
    let url = format!("{}/{}", app.address, address.as_str().expect("a query"));
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&url).await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
    assert_eq!(browser.value(CODE).await, with_script);
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_when_it_is_complete() {
    let app = TestApp::spawn().await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;
    fill(&browser, "url", "http:", "change").await;
    browser.until("document.querySelector('#problem').textContent.startsWith('An address ')").await;
    browser.until("document.querySelector('#url[aria-invalid=true]:invalid, #url[aria-invalid=true]')").await;
    fill(&browser, "url", "http://example.com", "input").await;
    browser.until_text("#problem", "").await;
    browser.until_text("#result .number", "0").await;
}

#[tokio::test]
async fn an_entry_of_a_list_is_live_and_moves_up() {
    let app = TestApp::with(&[NO_WINDOW]).await;
    visit(&app, "a.example/x", 2).await;
    visit(&app, "b.example/y", 1).await;
    let browser = Chromium::launch().await;
    browser
        .before_each_page(
            "delete globalThis.SharedWorker;
             window.streams = [];
             const Source = EventSource;
             window.EventSource = class extends Source { constructor(url) { super(url); streams.push(url); } };
             Object.assign(window.EventSource, { CLOSED: Source.CLOSED });",
        )
        .await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;
    let sites = "[...document.querySelectorAll('[aria-labelledby=top-sites] li')].map((one) => one.textContent).join()";
    assert_eq!(browser.value(sites).await, "a.example 2,b.example 1");
    visit(&app, "b.example/y", 2).await;
    browser.until(&format!("{sites} === 'b.example 3,a.example 2'")).await;
    browser
        .until("document.querySelector('[aria-labelledby=top-pages] li').textContent === 'b.example/y 3'")
        .await;
    let streams = browser.value("streams").await;
    let streams = streams.as_array().expect("a list");
    assert_eq!(streams.len(), 1, "{streams:?}");
    assert_eq!(streams[0].as_str().expect("an address").matches(',').count(), 7, "{streams:?}");
}

#[tokio::test]
async fn the_form_works_without_javascript() {
    let app = TestApp::with(&[NO_WINDOW]).await;
    visit(&app, PAGE, 3).await;
    let browser = Chromium::launch().await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&app.address).await;
    let field = browser.client.find(fantoccini::Locator::Css("#url")).await.expect("the field");
    // The key at the end sends the form.
    field.send_keys(&format!("{PAGE}\u{e007}")).await.expect("typed");
    let result = browser.client.wait().for_element(fantoccini::Locator::Css("#result dd")).await;
    assert_eq!(result.expect("an answer").text().await.expect("its text"), "3");
    let url = browser.client.current_url().await.expect("an address");
    assert!(url.as_str().ends_with("#tag") && url.as_str().contains("url=www.example.com%2Fa"), "{url}");
}

#[tokio::test]
async fn everything_can_be_reached_by_keyboard_and_fits_a_phone() {
    let app = TestApp::with(&[NO_WINDOW]).await;
    visit(&app, &format!("long.example.com/{}", "a".repeat(1000)), 2).await;
    let browser = Chromium::launch().await;
    let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
    browser.devtools("Emulation.setDeviceMetricsOverride", phone).await;
    let long = format!("long.example.com/{}&label={}", "a".repeat(900), "W".repeat(100));
    browser.open(&format!("{}/?url={long}", app.address)).await;
    browser.until(LIVE).await;
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 360);
    // A button is on the first screen.
    let bottom =
        browser.value("document.querySelector('[data-by=\"1\"]').getBoundingClientRect().bottom").await;
    assert!(bottom.as_f64().is_some_and(|bottom| bottom <= 740.0), "{bottom}");

    let unnamed = "[...document.querySelectorAll('input, select, button')].filter((one) =>
        !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim())).length";
    assert_eq!(browser.value(unnamed).await, 0);
    let last = "document.activeElement.getAttribute('href') === '/healthz'";
    let mut reached = 0;
    while browser.value(last).await != true {
        reached += 1;
        assert!(reached < 200, "the last link is out of reach");
        browser.press_tab().await;
    }
    let controls = browser.value("document.querySelectorAll('a, input, select, button').length").await;
    assert!(controls.as_i64().is_some_and(|controls| reached >= controls), "{reached} of {controls}");
}

#[tokio::test]
async fn without_hits_the_counters_are_live_and_the_tool_is_absent() {
    let app = TestApp::with(&[("LIVECOUNTER__HITS__ENABLED", "false")]).await;
    let browser = Chromium::launch().await;
    browser.open(&format!("{}/?url={PAGE}", app.address)).await;
    browser.until(LIVE).await;
    assert_eq!(browser.value("document.querySelector('#tag, #top, #result')").await, json!(null));
    browser.until_text("#views", "1").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}
