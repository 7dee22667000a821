//! The page behind the whole chain: Pushpin holds its streams, the cache answers for two origins.

use crate::chromium::Chromium;
use crate::support::chain::Chain;
use crate::support::server::Server;

#[tokio::test]
async fn the_home_page_is_live_behind_the_chain() {
    let chain = Chain::start(2).await;
    let browser = Chromium::launch().await;
    browser.open(&chain.pushpin.url("/")).await;
    browser.until("document.querySelectorAll('[data-state=live]').length === 4").await;
    browser.until_text("#views", "1").await;
    // A change at either origin, and a press in the page, which the chain takes to one of them.
    for (origin, expected) in chain.origins.iter().zip(["1", "2"]) {
        origin.add("2").await;
        browser.until_text("[data-counter=\"2\"] .value", expected).await;
    }
    browser.click("[data-counter=\"2\"] [data-by=\"10\"]").await;
    browser.until_text("[data-counter=\"2\"] .value", "12").await;
}

#[tokio::test]
async fn the_address_bar_shows_the_plain_value() {
    let chain = Chain::start(1).await;
    let browser = Chromium::launch().await;
    browser.open(&chain.pushpin.url("/counters/2/")).await;
    browser.until("document.body.textContent.trim() === '0'").await;
}
