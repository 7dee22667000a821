//! Pages of other sites that count their hits, with the snippets of the hit-counter's text.

use std::collections::HashMap;

use crate::chromium::Chromium;
use crate::site;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};

/// The snippets as the text has them, with the service's address filled in and the lines that send the requests.
const SNIPPETS: &str = r#"<!doctype html>
<img src="HOST/count/tag.svg" alt="Hits">
<img src="HOST/nocount/tag.svg" alt="Hits">
<img src="HOST/nocount/tag.svg?url=www.example.com" alt="Hits">
<p id="own"></p><p id="other"></p>
<script>
{
let xmlHttp = new XMLHttpRequest();
xmlHttp.open('GET', 'HOST/count', false);
xmlHttp.send(null);
count = xmlHttp.responseText;
document.getElementById('own').textContent = count;
}
{
let targetUrl = 'www.example.com';
let query = '?url=' + encodeURIComponent(targetUrl);
let xmlHttp = new XMLHttpRequest();
xmlHttp.open('GET', 'HOST/nocount' + query, false);
xmlHttp.send(null);
count = xmlHttp.responseText;
document.getElementById('other').textContent = count;
}
</script>
"#;

/// The page of the text about Server-Sent Events, without the library that it draws with.
const STREAM: &str = r#"<!doctype html>
<div id="count">0</div>
<script>
const source = new EventSource("HOST/count");
source.addEventListener("open", () => {
  console.log("EventSource connection opened");
});
source.addEventListener("message", message => {
  document.getElementById('count').textContent = JSON.parse(message.data);
});
source.addEventListener("error", error => {
  console.error("Error: ", error);
});
</script>
"#;

/// The headless browser is a bot by its name, so another program is named here.
const NO_BOTS: (&str, &str) = ("LIVECOUNTER__HITS__BOTS", "crawler");

#[tokio::test]
async fn the_snippets_of_the_text_count_and_read_from_another_site() {
    let app = TestApp::with(&[NO_BOTS]).await;
    let count = |url: &str| client().get(format!("{}/count?url={url}", app.address)).text();
    for expected in ["1", "2", "3"] {
        assert_eq!(count("www.example.com").await, expected);
    }
    let page = SNIPPETS.replace("HOST", &app.address).into_bytes();
    let site = site::serve(HashMap::from([("/page.html".to_owned(), page)])).await;
    let browser = Chromium::launch().await;
    for visits in ["1", "2"] {
        browser.open(&format!("{site}/page.html")).await;
        browser.until_text("#other", "3").await;
        browser
            .until("[...document.images].every((image) => image.complete && image.naturalWidth > 30)")
            .await;
        // A script of another site sends no cookies, so each of its requests counts; the picture does, and counts once.
        let told = browser.value("Number(document.getElementById('own').textContent)").await;
        assert!(
            told.as_i64().is_some_and(|told| told >= visits.parse().expect("a number")),
            "{visits} {told}"
        );
    }
    // A browser tells another origin which site asks, not which page. Two visits: one picture and two scripts.
    let nocount = format!("{}/nocount?url={}", app.address, site.trim_start_matches("http://"));
    assert_eq!(client().get(nocount).text().await, "3");
}

#[tokio::test]
async fn a_page_that_streams_its_count_counts_its_visit_and_shows_the_next() {
    let app = TestApp::with(&[NO_BOTS]).await;
    let page = STREAM.replace("HOST", &app.address).into_bytes();
    let site = site::serve(HashMap::from([("/".to_owned(), page)])).await;
    let browser = Chromium::launch().await;
    browser.open(&site).await;
    browser.until_text("#count", "1").await;
    let next = format!("{}/count?url={}", app.address, site.trim_start_matches("http://"));
    assert_eq!(client().get(next).text().await, "2");
    browser.until_text("#count", "2").await;
}
