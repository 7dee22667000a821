//! The JavaScript package in `clients/js`.

use std::collections::HashMap;

use crate::chromium::Chromium;
use crate::npm::{copy, npm, package};
use crate::site;
use crate::support::app::TestApp;
use crate::support::server::Server;

#[tokio::test]
async fn the_javascript_package_passes_its_own_tests() {
    let work = tempfile::tempdir().expect("a directory");
    copy(&package(), work.path());
    npm(work.path(), &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], &[]).await;
    npm(work.path(), &["test"], &[("LIVECOUNTER_BIN", env!("CARGO_BIN_EXE_livecounter"))]).await;
}

/// Uses the package on a page of another site. The title says what came of it.
const PAGE: &str = r#"<!doctype html><title></title><script type="module">
import { add, get, watch } from "/core.js";
const base = "BASE", values = [];
for await (const { id, value } of watch({ base, id: ["1", "2"] })) {
  values.push(`${id}: ${value}`);
  if (values.length === 2) await add({ base, id: "2" }, { by: 5 });
  if (values.length === 3) break;
}
const unknown = await get(`${base}/nowhere`).catch((error) => error);
document.title = `${values.join(", ")}; ${await get({ base, id: "2" })}; ${unknown.name} ${unknown.status}`;
</script>"#;

#[tokio::test]
async fn the_package_works_on_a_page_of_another_site() {
    let app = TestApp::spawn().await;
    app.add_by("1", 26).await;
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    for entry in std::fs::read_dir(package()).expect("the package") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "js") {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            files.insert(format!("/{name}"), std::fs::read(&path).expect("a file"));
        }
    }
    files.insert("/".to_owned(), PAGE.replace("BASE", &app.address).into_bytes());
    let site = site::serve(files).await;
    let browser = Chromium::launch().await;
    browser.open(&site).await;
    browser.until("document.title !== ''").await;
    assert_eq!(browser.value("document.title").await, "1: 26, 2: 0, 2: 5; 5; CounterError 404");
}
