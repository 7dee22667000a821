//! The pictures of the home page in docs/images: taken by every run, kept by one with LIVECOUNTER_SCREENSHOTS=1.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::chromium::Chromium;
use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::http::{Ask, client};
use crate::support::server::Server;

#[tokio::test]
async fn the_home_page_has_a_light_and_a_dark_face() {
    let browser = Chromium::launch().await;
    let screen = json!({ "width": 1280, "height": 780, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", screen.clone()).await;
    browser.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;

    let mut grounds = Vec::new();
    for (scheme, files) in
        [("light", ["home.png", "home-tool.png"]), ("dark", ["home-dark.png", "home-tool-dark.png"])]
    {
        let app = TestApp::with(&[ANY_AMOUNT, ("LIVECOUNTER__HITS__WINDOW", "0s")]).await;
        set_the_scene(&browser, &app, scheme).await;
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor").await);
        take(&browser, files[0]).await;
        show_the_tool(&browser).await;
        take(&browser, files[1]).await;
        browser.devtools("Emulation.setDeviceMetricsOverride", screen.clone()).await;
    }
    assert_ne!(grounds[0], grounds[1]);
}

/// Takes a picture of the window, and keeps it if that is wanted.
pub(crate) async fn take(browser: &Chromium, file: &str) {
    let picture = browser.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
    let picture = STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
    assert!(picture.starts_with(b"\x89PNG"));
    if std::env::var_os("LIVECOUNTER_SCREENSHOTS").is_some_and(|wanted| wanted == "1") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        std::fs::create_dir_all(&folder).expect("docs/images");
        std::fs::write(folder.join(file), picture).expect("a picture is written");
    }
}

/// The pages whose hits are counted, with how many there are.
const VISITED: [(&str, usize); 8] = [
    ("www.example.com/blog/a-post", 34),
    ("www.example.com", 21),
    ("docs.example.org/start", 17),
    ("code.example.net/a/project", 12),
    ("xn--bcher-kva.example/neu", 9),
    ("wiki.example.net/Main_Page", 7),
    ("shop.example/cart", 4),
    ("photos.example/2026/11", 3),
];

/// The tool, with the address that a service has.
async fn show_the_tool(browser: &Chromium) {
    let script = "for (const place of document.querySelectorAll('pre b')) place.textContent = 'https://counters.example.com';
         const place = (id) => document.querySelector(id).getBoundingClientRect().top + scrollY;
         return place('#top') - place('#tag');";
    let height = browser.client.execute(script, Vec::new()).await.expect("the height of both");
    let height = height.as_f64().expect("a number").floor();
    let screen = json!({ "width": 1280, "height": height, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    let scroll = "document.querySelector('#tag').scrollIntoView()";
    browser.client.execute(scroll, Vec::new()).await.expect("the tool is in view");
    browser.until("document.images[0].complete && document.images[0].naturalWidth > 30").await;
}

/// A page in use: the view counter has just changed, the other counters have some tally marks.
async fn set_the_scene(browser: &Chromium, app: &TestApp, scheme: &str) {
    for (counter, value) in [("1", 48_211), ("2", 19), ("3", -7), ("4", 1_093_430)] {
        app.add_by(counter, value).await;
    }
    for (page, hits) in VISITED {
        for _ in 0..hits {
            let answer = client().get(format!("{}/count?url={page}", app.address)).answer().await;
            assert_eq!(answer.status(), 200);
        }
    }
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.devtools("Emulation.setEmulatedMedia", media).await;
    let tool = "?url=www.example.com/blog/a-post&style=flat&label=views&color=007ec6";
    browser.open(&format!("{}/{tool}", app.address)).await;
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
