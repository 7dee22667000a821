//! The pictures of a counter's past in docs/images: taken by every run, kept by one with LIVECOUNTER_SCREENSHOTS=1.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use livecounter::domain::Unit;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::chromium::Chromium;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::server::Server;

/// A service with a counter that many people have used for two days.
async fn with_a_past(directory: &Path) -> TestApp {
    let app = TestApp::in_directory(directory, &[]).await;
    app.add("views").await;
    assert!(app.stop().await);
    let file = Connection::open(directory.join("livecounter.db")).expect("the file");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis() as i64;
    let hour = Unit::Hour.number(now);
    let mut value = 1000;
    for number in hour - 48..=hour {
        // More people are awake in some hours than in others.
        value += [3, 2, 1, 1, 2, 6, 14, 25, 31, 36, 40, 38][(number % 24 / 2) as usize] + number * 7 % 5;
        let sql = "INSERT OR REPLACE INTO history VALUES ('counter-views', 0, ?1, ?2)";
        file.execute(sql, params![number, value]).expect("inserted");
    }
    drop(file);
    TestApp::in_directory(directory, &[]).await
}

#[tokio::test]
async fn a_page_shows_the_past_in_the_colours_that_its_reader_prefers() {
    let directory = tempfile::tempdir().expect("a directory");
    let app = with_a_past(directory.path()).await;
    let chart = format!("{}/counters/views/chart.svg?form=bars", app.address);
    let browser = Chromium::launch().await;
    browser.open(&app.address).await;
    let mut pictures = Vec::new();
    for theme in ["light", "dark"] {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        browser.devtools("Emulation.setEmulatedMedia", media).await;
        // As docs/http-api.md shows it.
        let page = format!(
            "document.body.innerHTML = `<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"{chart}&theme=dark\">\
             <img id=\"past\" alt=\"\" src=\"{chart}&theme=light\" width=\"360\" height=\"120\"></picture>`"
        );
        browser.client.execute(&page, Vec::new()).await.expect("the page shows the picture");
        browser.until("document.querySelector('#past').complete").await;
        let shown = browser.value("`${past.naturalWidth} ${past.naturalHeight} ${past.currentSrc}`").await;
        assert_eq!(shown, format!("360 120 {chart}&theme={theme}"));
        pictures.push(client().get(format!("{chart}&theme={theme}")).text().await);
    }
    assert_ne!(pictures[0], pictures[1]);
    if std::env::var_os("LIVECOUNTER_SCREENSHOTS").is_some_and(|wanted| wanted == "1") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        for (file, picture) in ["chart.svg", "chart-dark.svg"].iter().zip(pictures) {
            std::fs::write(folder.join(file), picture).expect("a picture is written");
        }
    }
}
