//! The template for the analytics of a site, in docs/examples/analytics.

use std::collections::HashMap;
use std::path::Path;

use fantoccini::Locator;
use livecounter::access::NewSecret;

use crate::chromium::Chromium;
use crate::site;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::keys::{key_table, secret};
use crate::support::wait::until;

fn key(name: &str, scopes: &str) -> (NewSecret, String) {
    let secret = secret();
    let table = key_table(name, &secret, &format!("[{scopes}]"));
    (secret, table)
}

/// The files of the template, for this service.
fn template(app: &TestApp) -> HashMap<String, Vec<u8>> {
    let files = site::files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/analytics"));
    let here = |file: Vec<u8>| {
        String::from_utf8_lossy(&file).replace("https://counters.example.com", &app.address).into_bytes()
    };
    files.into_iter().map(|(path, file)| (path, here(file))).collect()
}

#[tokio::test]
async fn the_template_for_analytics_says_that_there_are_no_views_yet() {
    let (collect, first) = key("collect", "\"write:routes/site/\"");
    let (dashboard, second) = key("dashboard", "\"read:routes/site/\", \"sql\"");
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &(first + &second))]).await;
    let site = site::serve(template(&app)).await;
    let browser = Chromium::launch().await;
    browser.open(&format!("{site}/index.html")).await;
    let field = browser.client.find(Locator::Css("input")).await.expect("a field");
    field.send_keys(dashboard.expose()).await.expect("a text");
    browser.click("button").await;
    let said = async |id: &str, text: &str| {
        browser
            .until(&format!(
                "getComputedStyle(document.getElementById('{id}'), '::after').content === '{text}'"
            ))
            .await;
    };
    said("days", "\"No views yet.\"").await;
    said("pages", "\"No views today yet.\"").await;
    said("referrers", "\"No visitor has come from another site today yet.\"").await;
    said("events", "\"No views yet.\"").await;
    browser.until_text("#today", "0").await;

    let today = browser.value("new Date().toISOString().slice(0, 10)").await;
    let commands = format!(
        "incr site/pages @{} .\"/a\"\nwrite site/events {{\"path\":\"/a\",\"from\":\"\"}}",
        today.as_str().expect("a day")
    );
    let request = client().post(format!("{}/exec", app.address)).bearer_auth(collect.expose());
    assert_eq!(request.body(commands).answer().await.status(), 200);
    browser.until_text("#pages tr", "/a1").await;
    browser.until_text("#events li", "/a").await;
    for id in ["pages", "events"] {
        said(id, "none").await;
    }
}

#[tokio::test]
async fn the_template_for_analytics_counts_views_and_shows_them() {
    let (collect, first) = key("collect", "\"write:routes/site/\"");
    let (dashboard, second) = key("dashboard", "\"read:routes/site/\", \"sql\"");
    let app = TestApp::with(&[("LIVECOUNTER__KEYS", &(first + &second))]).await;
    let mut files = template(&app);
    let page = format!(
        "<!doctype html><p>A page</p><script src=\"/collect.js\" data-service=\"{}\" data-key=\"{}\" defer></script>",
        app.address,
        collect.expose()
    );
    for path in ["/a", "/a \"b\" {c}"] {
        files.insert(
            path.replace(' ', "%20").replace('"', "%22").replace('{', "%7B").replace('}', "%7D"),
            page.clone().into(),
        );
    }
    let site = site::serve(files).await;
    let browser = Chromium::launch().await;
    let views = async || {
        let events = client().get(format!("{}/feed/site/events", app.address));
        let text = events.bearer_auth(dashboard.expose()).answer().await.text().await.expect("a text");
        text.matches("drop_id").count()
    };
    for (path, count) in [("/a", 1), ("/a%20%22b%22%20%7Bc%7D", 2), ("/a", 3)] {
        browser.open(&format!("{site}{path}")).await;
        until("the view to be counted", async || views().await == count).await;
    }

    browser.open(&format!("{site}/index.html")).await;
    let field = browser.client.find(Locator::Css("input")).await.expect("a field");
    field.send_keys(collect.expose()).await.expect("a text");
    browser.click("button").await;
    browser.until("document.getElementById('problem').textContent.includes('sql')").await;
    field.clear().await.expect("an empty field");
    field.send_keys(dashboard.expose()).await.expect("a text");
    browser.click("button").await;
    browser.until_text("#today", "3").await;
    browser.until("document.getElementById('problem').textContent === ''").await;
    browser.until_text("#days td", "3").await;
    browser.until_text("#pages tr", "/a2").await;
    browser.until("document.querySelectorAll('#events li').length === 3").await;

    let incr =
        "incr site/daily @TODAY .views\nwrite site/events {\"path\":\"/new\",\"from\":\"example.org\"}";
    let today = browser.value("new Date().toISOString().slice(0, 10)").await;
    let commands = incr.replace("TODAY", today.as_str().expect("a day"));
    let request = client().post(format!("{}/exec", app.address)).bearer_auth(collect.expose());
    assert_eq!(request.body(commands).answer().await.status(), 200);
    browser.until_text("#today", "4").await;
    browser.until_text("#events li", "/new, from example.org").await;
}

#[tokio::test]
async fn the_home_page_records_its_views_with_the_template() {
    let (home, first) = key("home", "\"write:routes/site/\"");
    let (dashboard, second) = key("dashboard", "\"read:routes/site/\"");
    let keys = first + &second;
    let app =
        TestApp::with(&[("LIVECOUNTER__KEYS", &keys), ("LIVECOUNTER__HOME__ANALYTICS", home.expose())]).await;
    let browser = Chromium::launch().await;
    let events = async || {
        let events = client().get(format!("{}/feed/site/events", app.address));
        events.bearer_auth(dashboard.expose()).answer().await.text().await.expect("a text")
    };
    for (path, count) in [("/", 1), ("/?url=www.example.com/page", 2)] {
        browser.open(&format!("{}{path}", app.address)).await;
        until("the view to be recorded", async || events().await.matches("drop_id").count() == count).await;
    }
    let recorded = events().await;
    assert_eq!(recorded.matches(r#""payload":{"path":"/","from":""}"#).count(), 2, "{recorded}");
    let today = browser.value("new Date().toISOString().slice(0, 10)").await;
    let today = today.as_str().expect("a day");
    for (route, field) in [("daily", "views"), ("pages", "/")] {
        let entity = client().get(format!("{}/entity/site/{route}/{today}", app.address));
        let entity = entity.bearer_auth(dashboard.expose()).answer().await.text().await.expect("a text");
        assert!(entity.contains(&format!("\"payload\":{{\"{field}\":2}}")), "{entity}");
    }
    // No address names the key, and the policy of the page has refused nothing.
    assert!(browser.requested().await.iter().all(|address| !address.contains(home.expose())));
    assert_eq!(browser.console().await, Vec::<String>::new());
}
