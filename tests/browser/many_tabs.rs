//! The elements of several tabs of one browser share their streams, whatever happens to the tabs.

use std::time::Duration;

use crate::chromium::Chromium;
use crate::relay::Relay;
use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::port::Port;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::tabs::{self, Tabs, page};

const TABS: usize = 10;

/// Pages with three elements each: a counter of all pages, one of this page and one of the next.
async fn ten_pages(service: &str) -> Vec<String> {
    let body = |tab: usize| {
        let counters = ["all".to_owned(), format!("tab-{tab}"), format!("tab-{}", tab + 1)];
        let ids = ["all", "own", "next"];
        let element =
            |(id, counter)| format!("<p><live-counter id={id} counter=\"{counter}\"></live-counter>");
        ids.iter().zip(&counters).map(element).collect::<String>()
    };
    tabs::serve((0..TABS).map(|tab| page(service, &body(tab))).collect()).await
}

/// Opens the pages through the relay, and checks that all is live over one stream, also when a tab is closed.
async fn thirty_elements<'a>(relay: &Relay, browser: &'a Chromium, server: &impl Server) -> Tabs<'a> {
    let mut tabs = Tabs::open(browser, &ten_pages(&relay.address).await).await;
    for css in ["#all", "#own", "#next"] {
        tabs.all_show(css, "0").await;
    }
    one_stream(relay).await;

    // A POST from each tab is answered, and shows in the tabs that ask for its counter.
    for tab in 0..TABS {
        tabs.reach(tab).await;
        let add =
            format!("(await import('{0}/live-counter.js')).add('{0}/counters/tab-{tab}/')", relay.address);
        assert_eq!(browser.promised(&add).await, 1, "tab {tab}");
    }
    tabs.all_show("#own", "1").await;
    server.add_by("all", 26).await;
    tabs.all_show("#all", "26").await;
    one_stream(relay).await;

    // Whichever tab listens for all of them, it may be closed.
    for left in [9, 8, 7] {
        tabs.close(0).await;
        let expected = server.add("all").await.to_string();
        tabs.all_show("#all", &expected).await;
        one_stream(relay).await;
        assert_eq!(tabs.len(), left);
    }
    assert_eq!(browser.console().await, Vec::<String>::new());
    tabs
}

/// Waits until there is one stream; a stream that another replaces may last for a moment longer.
async fn one_stream(relay: &Relay) {
    until("one stream", async || relay.traffic.streams() == 1).await;
}

#[tokio::test]
async fn thirty_elements_in_ten_tabs_share_one_stream_in_process() {
    let port = Port::reserve();
    let listen = port.addr().to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let app = async || TestApp::in_directory(directory.path(), &[("LIVECOUNTER__LISTEN", &listen)]).await;
    let first = app().await;
    let relay = Relay::to(&first.address).await;
    let browser = Chromium::launch().await;
    let tabs = thirty_elements(&relay, &browser, &first).await;

    first.stop().await;
    until("no stream", async || relay.traffic.streams() == 0).await;
    let second = app().await;
    let expected = second.add("all").await.to_string();
    tabs.all_show("#all", &expected).await;
    one_stream(&relay).await;
}

#[tokio::test]
async fn thirty_elements_in_ten_tabs_share_one_stream_of_the_chain() {
    let mut chain = Chain::start(1).await;
    let relay = Relay::to(chain.pushpin.url("").trim_end_matches('/')).await;
    let browser = Chromium::launch().await;
    let tabs = thirty_elements(&relay, &browser, &chain.origins[0]).await;

    chain.pushpin.kill().await;
    until("no stream", async || relay.traffic.streams() == 0).await;
    let expected = chain.origins[0].add("all").await.to_string();
    chain.pushpin.start_again().await;
    tabs.all_show("#all", &expected).await;
    one_stream(&relay).await;
}

#[tokio::test]
async fn tabs_are_live_again_after_a_cut_and_refusals() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    let tabs = Tabs::open(&browser, &ten_pages(&relay.address).await[..3]).await;
    tabs.all_show("#all", "0").await;

    relay.cut();
    app.add_by("all", 7).await;
    relay.mend();
    tabs.all_show("#all", "7").await;
    one_stream(&relay).await;

    // An EventSource gives up for good on such an answer.
    relay.be_busy();
    let before = relay.traffic.requests().len();
    until("two refusals", async || relay.traffic.requests().len() >= before + 2).await;
    app.add_by("all", 7).await;
    relay.mend();
    tabs.all_show("#all", "14").await;
    one_stream(&relay).await;
    app.add_by("all", 7).await;
    tabs.all_show("#all", "21").await;
}

#[tokio::test]
async fn a_stream_that_is_never_answered_is_opened_anew() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    let tabs = Tabs::open(&browser, &ten_pages(&relay.address).await[..2]).await;
    tabs.all_show("#all", "0").await;

    let before = relay.traffic.requests().len();
    relay.be_silent();
    until("the pages ask again", async || relay.traffic.requests().len() > before).await;
    // From here on this stream stays without an answer, and new ones get one.
    relay.freeze();
    app.add_by("all", 7).await;
    tabs.all_show("#all", "7").await;
    one_stream(&relay).await;
}

#[tokio::test]
async fn a_tab_that_keeps_the_stream_and_says_nothing_is_replaced() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    let pages = ten_pages(&relay.address).await;
    let mut tabs = Tabs::open(&browser, &pages[..1]).await;
    browser.until_text("#all", "0").await;

    // As a tab whose script hangs: it has the lock and the stream, and answers no other tab.
    browser.value("[post = BroadcastChannel.prototype.postMessage, BroadcastChannel.prototype.postMessage = () => 0]").await;
    tabs.add(&pages[1]).await;
    app.add("all").await;
    browser.until_text("#all", "1").await;
    tabs.reach(0).await;
    browser.value("BroadcastChannel.prototype.postMessage = post").await;
    tabs.all_show("#all", "1").await;
    one_stream(&relay).await;
    app.add("all").await;
    tabs.all_show("#all", "2").await;
}

#[tokio::test]
async fn refused_tabs_do_not_ask_again_at_once() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    let tabs = Tabs::open(&browser, &ten_pages(&relay.address).await).await;
    tabs.all_show("#all", "0").await;

    relay.be_busy();
    let before = relay.traffic.requests().len();
    until("three refusals", async || relay.traffic.requests().len() >= before + 3).await;
    let began = std::time::Instant::now();
    until("two more", async || relay.traffic.requests().len() >= before + 5).await;
    assert!(began.elapsed() > Duration::from_millis(500), "a pause behind each refusal");
    relay.mend();
    tabs.all_show("#all", "0").await;
}
