//! The home page when its connection is lost or refused, and beside another tab.

use crate::chromium::Chromium;
use crate::home::{LIVE, button, number_of};
use crate::relay::Relay;
use crate::support::app::TestApp;
use crate::support::server::Server;
use crate::support::wait::until;

#[tokio::test]
async fn the_page_shows_when_the_connection_is_lost_and_recovers() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    browser.open(&relay.address).await;
    browser.until(LIVE).await;

    relay.cut();
    browser.until_text("#state", "reconnecting").await;
    app.add_by("2", 7).await;
    relay.mend();

    browser.until_text("#state", "live").await;
    browser.until_text(&number_of("2"), "7").await;
    browser.until(LIVE).await;
}

#[tokio::test]
async fn a_refused_stream_says_why_and_is_tried_again() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    browser.open(&relay.address).await;
    browser.until(LIVE).await;

    // An EventSource gives up for good on such an answer: from here on the page itself tries again.
    relay.be_busy();
    browser.until("document.querySelector('#notice.bad').textContent.endsWith('the store is away')").await;
    assert_eq!(browser.value("document.querySelector('#state').textContent").await, "reconnecting");
    app.add_by("2", 7).await;
    relay.mend();

    browser.until_text(&number_of("2"), "7").await;
    browser.until(LIVE).await;
}

#[tokio::test]
async fn a_stream_that_is_never_answered_is_opened_anew() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    browser.open(&relay.address).await;
    browser.until(LIVE).await;

    let before = relay.traffic.requests().len();
    relay.be_silent();
    until("the page asks again", async || relay.traffic.requests().len() > before).await;
    // From here on this stream stays without an answer, and new ones get one.
    relay.freeze();
    app.add_by("2", 7).await;

    browser.until_text(&number_of("2"), "7").await;
    browser.until(LIVE).await;
    until("the request without an answer is given up", async || relay.traffic.streams() == 1).await;
}

#[tokio::test]
async fn a_press_whose_answer_is_lost_is_tried_again_and_counts_once() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let browser = Chromium::launch().await;
    browser.open(&relay.address).await;
    browser.until(LIVE).await;

    relay.forget_answers();
    browser.until(LIVE).await;
    browser.click(&button("2", "10")).await;
    browser.until_text(&number_of("2"), "10").await;
    assert_eq!(browser.value("document.querySelector('#notice').textContent").await, "", "no answer yet");
    relay.mend();

    browser.until_text("#notice", "Counter 2 is now 10.").await;
    assert_eq!(app.read("2").await, 10);
}

#[tokio::test]
async fn two_tabs_both_stay_live() {
    let app = TestApp::spawn().await;
    let browser = Chromium::launch().await;
    let first = browser.client.window().await.expect("a tab");
    browser.open(&app.address).await;
    browser.until(LIVE).await;
    let second = browser.client.new_window(true).await.expect("another tab").handle;
    browser.client.switch_to_window(second.clone()).await.expect("the other tab");
    browser.open(&app.address).await;
    browser.until(LIVE).await;

    browser.until_text("#views", "2").await;
    browser.click(&button("2", "1")).await;
    browser.until_text(&number_of("2"), "1").await;
    browser.client.switch_to_window(first).await.expect("the first tab");
    browser.until_text(&number_of("2"), "1").await;
    browser.until_text("#views", "2").await;

    // The tab that was opened first may be closed first.
    browser.client.close_window().await.expect("the first tab closes");
    browser.client.switch_to_window(second).await.expect("the other tab");
    app.add_by("2", 1).await;
    browser.until_text(&number_of("2"), "2").await;
    browser.until(LIVE).await;
}

#[tokio::test]
async fn without_shared_workers_the_page_listens_by_itself() {
    let app = TestApp::spawn().await;
    let browser = Chromium::launch().await;
    browser.before_each_page("delete globalThis.SharedWorker;").await;
    browser.open(&app.address).await;
    browser.until(LIVE).await;

    browser.click(&button("2", "1")).await;
    browser.until_text(&number_of("2"), "1").await;
    browser.until_text("#views", "1").await;
}
