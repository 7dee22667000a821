//! The pages for administrators by keyboard alone, and the public page on the whole screen.

use crate::admin::{PAGES, log_in, with_a_key};
use crate::chromium::Chromium;
use crate::support::server::Server;

/// What can be used on a page and is shown.
const CONTROLS: &str = "[...document.querySelectorAll('a[href], button, input, textarea, select, summary')].filter((one) => one.checkVisibility())";

#[tokio::test]
async fn everything_on_the_pages_can_be_reached_by_keyboard() {
    let (app, secret) = with_a_key().await;
    let browser = Chromium::launch().await;
    for id in ["1", "downloads"] {
        app.add_by(id, 5).await;
    }
    log_in(&browser, &app, &secret).await;
    for (path, _) in PAGES {
        browser.open(&format!("{}{path}", app.address)).await;
        let left = format!("{CONTROLS}.filter((one) => !('reached' in one.dataset)).length");
        let controls = browser.value(&left).await.as_u64().expect("a number");
        assert!(controls > 0, "{path}");
        // Parts that scroll are reached, too.
        for _ in 0..2 * controls {
            if browser.value(&left).await == 0 {
                break;
            }
            browser.press_tab().await;
        }
        assert_eq!(browser.value(&left).await, 0, "{path}");
    }
}

#[tokio::test]
async fn the_public_page_fills_the_screen_and_leaves_it() {
    let (app, _) = with_a_key().await;
    let browser = Chromium::launch().await;
    browser.open(&format!("{}/admin/public", app.address)).await;
    browser.until("!document.querySelector('#full').hidden").await;
    for (fills, words) in [(true, "Leave full screen"), (false, "Full screen")] {
        browser.click("#full").await;
        browser.until(&format!("!!document.fullscreenElement === {fills}")).await;
        browser.until_text("#full", words).await;
        let header = "getComputedStyle(document.querySelector('header')).display === 'none'";
        assert_eq!(browser.value(header).await, fills, "the numbers have the screen for themselves");
        browser.until_text("[data-now=requests]", "0").await;
    }
}
