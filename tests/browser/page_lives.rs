//! The element while its page is left, restored, hidden, reloaded or offline.

use serde_json::json;

use crate::chromium::Chromium;
use crate::relay::Relay;
use crate::support::app::TestApp;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::tabs::{self, HIDING, Tabs, page};

const ONE: &str = r#"<live-counter counter="1"></live-counter>"#;
const ELEMENT: &str = "live-counter";

#[tokio::test]
async fn a_page_from_the_back_forward_cache_is_live_again() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let watch = "<script>addEventListener('pageshow', (event) => window.restored = event.persisted)</script>";
    let body = format!("{ONE}{watch}");
    let pages = tabs::serve(vec![page(&relay.address, &body), "<title>away</title>".to_owned()]).await;
    let browser = Chromium::launch().await;
    // First alone, then while another tab has taken the stream over.
    for other_tabs in [0, 1] {
        let mut tabs = Tabs::open(&browser, &pages[..1]).await;
        browser.until_text(ELEMENT, &app.read("1").await.to_string()).await;
        for _ in 0..other_tabs {
            tabs.add(&pages[0]).await;
            browser.until_text(ELEMENT, &app.read("1").await.to_string()).await;
        }
        tabs.reach(0).await;
        browser.open(&pages[1]).await;
        until("the page has left", async || relay.traffic.streams() == other_tabs).await;
        let missed = app.add("1").await.to_string();
        if other_tabs > 0 {
            tabs.reach(1).await;
            browser.until_text(ELEMENT, &missed).await;
            tabs.reach(0).await;
        }

        browser.client.back().await.expect("the page before");
        let kept = format!("the page is restored beside {other_tabs} tabs");
        until(&kept, async || browser.value("restored").await == true).await;
        browser.until_text(ELEMENT, &missed).await;
        let next = app.add("1").await.to_string();
        tabs.all_show(ELEMENT, &next).await;
        until("one stream", async || relay.traffic.streams() == 1).await;
    }
}

#[tokio::test]
async fn a_reload_counts_no_visit_again_and_a_new_tab_does() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let body = r#"<live-counter counter="visits" count></live-counter>"#;
    let pages = tabs::serve(vec![page(&relay.address, body)]).await;
    let site = tabs::addr(pages[0].trim_end_matches("/0"));
    let browser = Chromium::launch_with_hosts(&[("blog.example", site)]).await;
    let mut tabs = Tabs::open(&browser, &["http://blog.example/0".to_owned()]).await;
    browser.until_text(ELEMENT, "1").await;
    for _ in 0..2 {
        browser.client.refresh().await.expect("the page again");
        browser.until_text(ELEMENT, "1").await;
    }
    tabs.add("http://blog.example/0").await;
    tabs.all_show(ELEMENT, "2").await;
    assert_eq!(relay.traffic.asked("POST /counters/visits/"), 2);

    // The name of the machine itself is where the owner of a site works on it.
    tabs.add(&pages[0]).await;
    browser.until_text(ELEMENT, "2").await;
    app.add("visits").await;
    browser.until_text(ELEMENT, "3").await;
    assert_eq!(relay.traffic.asked("POST /counters/visits/"), 2);
}

#[tokio::test]
async fn hidden_tabs_end_the_stream_and_ask_again_when_shown() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    browser.before_each_page(HIDING).await;
    let pages = tabs::serve(vec![page(&relay.address, ONE)]).await;
    let tabs = Tabs::open(&browser, &pages).await;
    tabs.all_show(ELEMENT, "0").await;
    until("one stream", async || relay.traffic.streams() == 1).await;

    browser.value("hide(true)").await;
    until("no stream", async || relay.traffic.streams() == 0).await;
    app.add("1").await;
    assert_eq!(browser.value("document.querySelector('live-counter').textContent").await, "0");
    browser.value("hide(false)").await;
    browser.until_text(ELEMENT, "1").await;
    app.add("1").await;
    browser.until_text(ELEMENT, "2").await;
}

#[tokio::test]
async fn a_hidden_tab_stays_quiet_when_its_page_or_the_network_changes() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    browser.before_each_page(HIDING).await;
    let pages = tabs::serve(vec![page(&relay.address, ONE)]).await;
    let tabs = Tabs::open(&browser, &pages).await;
    tabs.all_show(ELEMENT, "0").await;
    browser.value("hide(true)").await;
    until("no stream", async || relay.traffic.streams() == 0).await;

    let asked = relay.traffic.asked("GET /topics/");
    // The element starts 20 ms after a change, and a stream 30 ms after that.
    let change = "new Promise((done) => {
        dispatchEvent(new Event('online'));
        document.body.insertAdjacentHTML('beforeend', '<live-counter id=more counter=2></live-counter>');
        setTimeout(done, 500);
    })";
    browser.promised(change).await;
    assert_eq!(relay.traffic.asked("GET /topics/"), asked);
    browser.value("hide(false)").await;
    browser.until_text("#more", "0").await;
    app.add("1").await;
    browser.until_text(ELEMENT, "1").await;
}

#[tokio::test]
async fn a_browser_that_was_offline_shows_the_present_value() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    let pages = tabs::serve(vec![page(&relay.address, ONE)]).await;
    let tabs = Tabs::open(&browser, &[pages[0].clone(), pages[0].clone()]).await;
    tabs.all_show(ELEMENT, "0").await;
    let network = async |offline: bool| {
        for tab in 0..tabs.len() {
            tabs.reach(tab).await;
            browser.devtools("Network.enable", json!({})).await;
            let conditions =
                json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
            browser.devtools("Network.emulateNetworkConditions", conditions).await;
        }
    };
    network(true).await;
    browser.until("!navigator.onLine").await;
    // The browser keeps the connections that it has.
    relay.cut();
    until("no stream", async || relay.traffic.streams() == 0).await;
    app.add_by("1", 5).await;
    relay.mend();
    network(false).await;
    tabs.all_show(ELEMENT, "5").await;
    app.add("1").await;
    tabs.all_show(ELEMENT, "6").await;
}

#[tokio::test]
async fn a_stream_that_died_while_the_browser_was_offline_is_replaced() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    let pages = tabs::serve(vec![page(&relay.address, ONE)]).await;
    let tabs = Tabs::open(&browser, &pages).await;
    tabs.all_show(ELEMENT, "0").await;
    // As after a change of the network: the browser does not learn that the other end is gone.
    relay.freeze();
    app.add_by("1", 5).await;
    browser.devtools("Network.enable", json!({})).await;
    for offline in [true, false] {
        let conditions =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        browser.devtools("Network.emulateNetworkConditions", conditions).await;
        until("the browser knows", async || browser.value("navigator.onLine").await == !offline).await;
    }
    browser.until_text(ELEMENT, "5").await;
}
