//! Pages of other sites that show our counters.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::chromium::Chromium;
use crate::npm::build_example;
use crate::relay::Relay;
use crate::site;
use crate::support::app::TestApp;
use crate::support::http::metric;
use crate::support::server::Server;
use crate::support::wait::until;

/// The page-view script as sites carry it that used the service before, with the counter's host filled in.
const ORIGINAL_SNIPPET: &str = r#"<!doctype html>
<script src="/jquery.js"></script>
<script src="/jquery-ui.js"></script>
<div id="overlay">overlay</div>
<span id="views-area">Views: <span id="views"></span></span>
<script>
  $(function() {
    var url = '//HOST/counters/1/';
    var firstValue = true;
    var es = new EventSource(url);
    es.addEventListener('message', function (e) {
      $('#views').text(e.data);
      if (firstValue) {
        firstValue = false;
        $('#overlay').hide();
        // after receiving initial value, increment counter
        $.post(url, function () {});
      } else {
        // highlight animation for updates after initial value
        $('#views-area').effect('highlight', {}, 1000);
      }
    }, false);
  });
</script>
"#;

#[tokio::test]
async fn the_original_page_view_script_works_from_another_site() {
    let app = TestApp::spawn().await;
    app.add_by("1", 41).await;
    let host = app.address.trim_start_matches("http://");
    let library = |path: &str| {
        std::fs::read(Path::new("/usr/share/javascript").join(path))
            .expect("jQuery is there: apt-get install libjs-jquery libjs-jquery-ui")
    };
    let files = HashMap::from([
        ("/".to_owned(), ORIGINAL_SNIPPET.replace("HOST", host).into_bytes()),
        ("/jquery.js".to_owned(), library("jquery/jquery.min.js")),
        ("/jquery-ui.js".to_owned(), library("jquery-ui/jquery-ui.min.js")),
    ]);
    let site = site::serve(files).await;
    let browser = Chromium::launch().await;

    // The highlight lasts for a second, so that the page itself keeps in mind that it was there.
    browser
        .before_each_page(
            "new MutationObserver(() => {
               if (window.$?.('#views').text() === '42' && $('#views-area').is(':animated'))
                 document.documentElement.dataset.highlighted ??= '';
             }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });",
        )
        .await;
    browser.open(&site).await;
    browser.until("$('#views').text() === '42' && 'highlighted' in document.documentElement.dataset").await;

    assert_eq!(browser.value("$('#overlay').is(':visible')").await, false);
    app.add_by("1", 1).await;
    browser.until_text("#views", "43").await;
    assert_eq!(app.read("1").await, 43);
}

#[tokio::test]
async fn the_page_view_script_of_the_home_page_works_from_another_site() {
    let app = TestApp::spawn().await;
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    let examples =
        browser.value("[...document.querySelectorAll('pre code')].map((one) => one.textContent)").await;
    let examples = examples.as_array().expect("a list").iter().filter_map(|one| one.as_str());
    let script = examples.into_iter().find(|one| one.contains("EventSource")).expect("the script").to_owned();

    let page = format!("<!doctype html><p>Views: <b id=views></b></p><script>{script}</script>");
    let site = site::serve(HashMap::from([("/".to_owned(), page.into_bytes())])).await;
    browser.open(&site).await;
    browser.until_text("#views", "1").await;
    app.add_by("my-page", 4).await;
    browser.until_text("#views", "5").await;
    assert_eq!(app.read("my-page").await, 5);
}

/// Requests of scripts on another site that are more than plain. Each result has the answer, and how much was counted.
const FOREIGN_SCRIPTS: &str = r#"
const base = "BASE", results = {};
let next = 0;
const fresh = () => `${base}/counters/cross-${next++}/`;
const value = async (url) => Number(await (await fetch(url, { cache: "no-store" })).text());
/** Waits for what a beacon has no answer to tell of. */
const counted = async (url, expected) => {
  const end = Date.now() + 10000;
  while ((await value(url)) !== expected && Date.now() < end);
  return value(url);
};
const attempt = async (name, init) => {
  const url = fresh();
  const told = await fetch(url, init).then((answer) => answer.text(), () => "refused");
  results[name] = `${told.trim()}, ${await value(url)}`;
};
await attempt("OpenTelemetry", { method: "POST", headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } });
await attempt("Sentry", { method: "POST", headers: { "sentry-trace": "x", baggage: "y" } });
await attempt("pragma", { method: "POST", headers: { Pragma: "no-cache" } });
await attempt("credentials", { method: "POST", credentials: "include" });
await attempt("credentials and headers", { method: "POST", credentials: "include", headers: { traceparent: "x", "Idempotency-Key": "k" } });
for (const [name, data, expected] of [
  ["beacon", undefined, 1],
  ["beacon of a form", new URLSearchParams({ by: 5 }), 5],
  ["beacon of a FormData", (() => { const form = new FormData(); form.append("by", "5"); return form; })(), 5],
  ["beacon of a text", '{"by":5}', 5],
  ["beacon of a typed Blob", new Blob(['{"by":5}'], { type: "application/json" }), 5],
  ["beacon of a Blob", new Blob(['{"by":5}']), 5],
]) {
  const url = fresh();
  results[name] = `${navigator.sendBeacon(url, data)}, ${await counted(url, expected)}`;
}
results.EventSource = await new Promise((resolve) => {
  const source = new EventSource(fresh(), { withCredentials: true });
  source.onmessage = ({ data, lastEventId }) => resolve(`${data}, ${lastEventId}`);
  source.onerror = () => resolve("refused");
});
document.title = JSON.stringify(results);
"#;

#[tokio::test]
async fn scripts_of_another_site_may_trace_sign_in_and_send_beacons() {
    let app = TestApp::spawn().await;
    let script = FOREIGN_SCRIPTS.replace("BASE", &app.address);
    let page = format!("<!doctype html><title></title><script type=module>{script}</script>");
    let site = site::serve(HashMap::from([("/".to_owned(), page.into_bytes())])).await;
    let browser = Chromium::launch().await;
    browser.open(&site).await;
    browser.until("document.title !== ''").await;
    let title = browser.value("document.title").await;
    let results: serde_json::Value = serde_json::from_str(title.as_str().expect("a title")).expect("JSON");
    assert_eq!(
        results,
        serde_json::json!({
            "OpenTelemetry": "1, 1",
            "Sentry": "1, 1",
            "pragma": "1, 1",
            "credentials": "1, 1",
            "credentials and headers": "1, 1",
            "beacon": "true, 1",
            "beacon of a form": "true, 5",
            "beacon of a FormData": "true, 5",
            "beacon of a text": "true, 5",
            "beacon of a typed Blob": "true, 5",
            "beacon of a Blob": "true, 5",
            "EventSource": "0, cross-11@0-0",
        })
    );
}

#[tokio::test]
async fn the_react_example_shows_a_live_count_and_comes_back_after_an_error() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    app.add_by("2", 26).await;
    let site = site::serve(build_example("react", &format!("{}/counters/2/", relay.address)).await).await;
    let browser = Chromium::launch().await;
    browser.open(&site).await;
    browser.until_text("strong", "26").await;
    app.add_by("2", 1).await;
    browser.until_text("strong", "27").await;
    browser.click("button").await;
    browser.until_text("strong", "28").await;
    assert_eq!(browser.console().await, Vec::<String>::new());

    // Two POSTs of the test, one for each press, and then at least one more.
    const POSTS: &str = r#"livecounter_http_requests_total{route="/counters/{id}/",method="POST""#;
    relay.forget_answers();
    browser.click("button").await;
    browser.until_text("strong", "29").await;
    relay.mend();
    let again = async || metric(&app.address, POSTS).await.is_some_and(|posts| posts >= 5.0);
    until("another try", again).await;
    assert_eq!(app.read("2").await, 29);
    assert_eq!(browser.value("document.querySelector('[role=status]').textContent").await, "");

    // Such an answer, as Pushpin's own without CORS, ends an EventSource for good.
    relay.be_busy();
    let refused = async {
        let mut poll = tokio::time::interval(Duration::from_millis(100));
        while !browser.console().await.iter().any(|entry| entry.contains("CORS policy")) {
            poll.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the browser to be refused");
    app.add_by("2", 1).await;
    relay.mend();
    browser.until_text("strong", "30").await;
    browser.until_text("small", "live").await;
}
