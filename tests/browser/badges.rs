//! The five styles of a badge, for docs/images: taken by every run, kept by one with LIVECOUNTER_SCREENSHOTS=1.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::chromium::Chromium;
use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::server::Server;

const STYLES: [&str; 5] = ["flat-square", "flat", "plastic", "for-the-badge", "social"];

#[tokio::test]
async fn a_page_of_another_origin_shows_badges_in_all_styles() {
    let (app, page) = (TestApp::with(&[ANY_AMOUNT]).await, TestApp::spawn().await);
    app.add_by("visits", 1_234_567).await;
    let browser = Chromium::launch().await;
    let screen = json!({ "width": 720, "height": 48, "deviceScaleFactor": 2, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    // Only this page has no policy that keeps pictures of other origins away.
    browser.open(&format!("{}/healthz", page.address)).await;
    let badge = format!("{}/counters/visits/badge.svg?label=visits", app.address);
    let pictures: String = STYLES
        .iter()
        .map(|style| format!("<img src=\"{badge}&format=commas&style={style}\" alt=\"visits: 1,234,567\"> "))
        .collect();
    let show = format!(
        "document.body.style = 'margin: 0; height: 48px; background: #fff; display: flex; align-items: center; \
         justify-content: space-evenly'; document.body.innerHTML = `{pictures}`"
    );
    browser.client.execute(&show, Vec::new()).await.expect("the page shows the badges");
    browser.until("[...document.images].every(image => image.complete && image.naturalWidth > 100)").await;
    let heights = browser.value("[...document.images].map(image => image.naturalHeight).join(' ')").await;
    assert_eq!(heights, "20 20 18 28 20");
    let picture = browser.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
    let picture = STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
    assert!(picture.starts_with(b"\x89PNG"));
    if std::env::var_os("LIVECOUNTER_SCREENSHOTS").is_some_and(|wanted| wanted == "1") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        std::fs::write(folder.join("badges.png"), picture).expect("a picture is written");
    }
    // An error is a picture, too, and a badge that is opened as a page is one.
    let wrong = format!("document.images[0].src = '{badge}&color=nothing'");
    browser.client.execute(&wrong, Vec::new()).await.expect("the page asks for another badge");
    browser.until("document.images[0].complete && document.images[0].naturalWidth > 400").await;
    browser.open(&format!("{badge}%3Cscript%3Edocument.title=%22ran%22%3C/script%3E")).await;
    let title = browser.value("document.querySelector('title').textContent").await;
    assert_eq!(title, "visits<script>document.title=\"ran\"</script>: 1234567");
}
