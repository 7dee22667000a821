//! `home.analytics`: the home page records its views with the template for the analytics of a site.

use std::collections::BTreeSet;

use livecounter::access::NewSecret;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};

/// A key that writes below the route `site`, as a table of the settings.
fn key() -> (NewSecret, String) {
    let secret = secret();
    let table = key_table("home", &secret, r#"["write:routes/site/"]"#);
    (secret, table)
}

/// The paths of the files that a page loads.
fn files(page: &str) -> BTreeSet<&str> {
    page.split('"').filter(|text| text.starts_with("/assets/")).collect()
}

async fn page(app: &TestApp) -> (String, String) {
    let answer = client().get(&app.address).answer().await;
    assert_eq!(answer.status(), 200);
    let policy = header(&answer, "content-security-policy").to_owned();
    (policy, answer.text().await.expect("a page"))
}

#[tokio::test]
async fn the_home_page_loads_the_script_of_the_template() {
    let (secret, table) = key();
    let usual = page(&TestApp::spawn().await).await;
    assert!(!usual.1.contains("collect-") && !usual.1.contains("data-key"), "{}", usual.1);
    let app =
        TestApp::with(&[("LIVECOUNTER__KEYS", &table), ("LIVECOUNTER__HOME__ANALYTICS", secret.expose())])
            .await;
    let (policy, page) = page(&app).await;
    assert_eq!(policy, usual.0);
    let attributes =
        format!("data-service=\"\" data-key=\"{}\" data-route=\"site\" defer></script>", secret.expose());
    assert_eq!(page.matches(&attributes).count(), 1, "{page}");
    let more: Vec<_> = files(&page).difference(&files(&usual.1)).copied().collect();
    let [script] = more[..] else { panic!("one more file, not {more:?}") };
    let answer = client().get(format!("{}{script}", app.address)).answer().await;
    assert_eq!(header(&answer, "cache-control"), "max-age=31536000, immutable");
    assert_eq!(header(&answer, "content-type"), "text/javascript; charset=utf-8");
    let text = answer.text().await.expect("a text");
    assert_eq!(text, include_str!("../../docs/examples/analytics/collect.js"));
    let mut total = page.len();
    for path in files(&page) {
        let request = client().get(format!("{}{path}", app.address)).header("accept-encoding", "gzip");
        total += request.answer().await.bytes().await.expect("a body").len();
    }
    assert!(total < 40_000, "{total} bytes");
}

#[tokio::test]
async fn what_the_key_of_the_home_page_can_do() {
    let (secret, table) = key();
    let app =
        TestApp::with(&[("LIVECOUNTER__KEYS", &table), ("LIVECOUNTER__HOME__ANALYTICS", secret.expose())])
            .await;
    let run = async |commands: &'static str| {
        let request = client().post(format!("{}/exec", app.address)).header("X-Ocean-Key", secret.expose());
        request.body(commands).answer().await.text().await.expect("a text")
    };
    let written = run("incr site/daily @2026-02-10 .views").await;
    assert!(written.contains("\"drop_id\""), "{written}");
    for refused in [
        "read site/daily @2026-02-10",
        "remove site/daily @2026-02-10",
        "incr shop/daily @2026-02-10 .views",
        "incr _admin/daily @2026-02-10 .requests",
        "sql `SELECT views FROM \"site/daily\"`",
    ] {
        let answer = run(refused).await;
        assert!(!answer.contains("\"result\"") && answer.contains("40"), "{refused}: {answer}");
    }
}
