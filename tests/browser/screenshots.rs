//! The pictures of the home page in docs/images: taken by every run, kept by one with LIVECOUNTER_SCREENSHOTS=1.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::chromium::Chromium;
use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::server::Server;

#[tokio::test]
async fn the_home_page_has_a_light_and_a_dark_face() {
    let browser = Chromium::launch().await;
    let screen = json!({ "width": 1280, "height": 1130, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    browser.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;

    let mut grounds = Vec::new();
    for (scheme, file) in [("light", "home.png"), ("dark", "home-dark.png")] {
        let app = TestApp::with(&[ANY_AMOUNT]).await;
        set_the_scene(&browser, &app, scheme).await;
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor").await);
        let picture = browser.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
        let picture = STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
        assert!(picture.starts_with(b"\x89PNG"));
        if std::env::var_os("LIVECOUNTER_SCREENSHOTS").is_some_and(|wanted| wanted == "1") {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
            std::fs::create_dir_all(&folder).expect("docs/images");
            std::fs::write(folder.join(file), picture).expect("a picture is written");
        }
    }
    assert_ne!(grounds[0], grounds[1]);
}

/// A page in use: the view counter has just changed, the other counters have some tally marks.
async fn set_the_scene(browser: &Chromium, app: &TestApp, scheme: &str) {
    for (counter, value) in [("1", 48_211), ("2", 19), ("3", -7), ("4", 1_093_430)] {
        app.add_by(counter, value).await;
    }
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.devtools("Emulation.setEmulatedMedia", media).await;
    browser.open(&app.address).await;
    browser.until_text("#views", "48\u{202f}212").await;
    for (counter, changes) in [("2", 7), ("3", 3), ("4", 12), ("1", 2)] {
        for change in 1..=changes {
            app.add_by(counter, 1).await;
            // One by one, since changes in quick succession may come as one.
            let strokes = change + i32::from(counter == "1");
            let drawn =
                format!("document.querySelectorAll('[data-counter=\"{counter}\"] .tally path').length");
            browser.until(&format!("{drawn} >= {strokes}")).await;
        }
    }
    // The highlight of the views stands still in its middle, all others are over.
    browser
        .client
        .execute(
            "for (const one of document.getAnimations()) {
               if (one.effect.target.id === 'views') { one.pause(); one.currentTime = 500; }
               else if (one.effect.getComputedTiming().endTime < Infinity) one.finish();
             }",
            Vec::new(),
        )
        .await
        .expect("the scene stands still");
}
