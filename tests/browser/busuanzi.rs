//! Pages that were written for other services, unchanged, in a browser that looks for the service's host name here.

use std::collections::HashMap;

use crate::chromium::Chromium;
use crate::site;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};

const HOST: &str = "busuanzi.ibruce.info";

/// The snippet as themes of static sites carry it.
const SNIPPET: &str = r#"<!doctype html>
<script async src="//busuanzi.ibruce.info/busuanzi/2.3/busuanzi.pure.mini.js"></script>
<span id="busuanzi_container_site_pv" style="display:none">Views of this site: <span id="busuanzi_value_site_pv"></span></span>
<span id="busuanzi_container_site_uv">Visitors: <span id="busuanzi_value_site_uv"></span></span>
<span id="busuanzi_container_page_pv">Views of this page: <span id="busuanzi_value_page_pv"></span></span>
"#;

#[tokio::test]
async fn the_snippet_of_busuanzi_shows_the_page_and_the_site() {
    // The headless browser is a bot by its name, so another program is named here.
    let settings = [("LIVECOUNTER__COMPAT__BUSUANZI", HOST), ("LIVECOUNTER__HITS__BOTS", "crawler")];
    let app = TestApp::with(&settings).await;
    let page = SNIPPET.as_bytes().to_vec();
    let files = [("/a?x=1", page.clone()), ("/b", page), ("/favicon.ico", Vec::new())];
    let site = site::serve(files.map(|(path, file)| (path.to_owned(), file)).into()).await;
    let browser = Chromium::launch_with_hosts(&[(HOST, app.addr)]).await;
    let shown = async |page: &str, site: &str| {
        browser.until_text("#busuanzi_value_page_pv", page).await;
        browser.until_text("#busuanzi_value_site_pv", site).await;
        let styles = "['site_pv', 'page_pv', 'site_uv'].map((kind) => document.getElementById('busuanzi_container_' + kind).style.display)";
        browser.until(&format!("JSON.stringify({styles}) === '[\"inline\",\"inline\",\"none\"]'")).await;
    };
    browser.open(&format!("{site}/a?x=1#y")).await;
    shown("1", "1").await;
    browser.open(&format!("{site}/b")).await;
    shown("1", "2").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    let host = site.trim_start_matches("http://");
    let nocount = format!("{}/nocount?url={host}/a", app.address);
    assert_eq!(client().get(nocount).text().await, "1");
}

#[tokio::test]
async fn a_page_hides_what_busuanzi_cannot_tell() {
    let settings = [("LIVECOUNTER__COMPAT__BUSUANZI", HOST), ("LIVECOUNTER__HITS__DENY", "127")];
    let app = TestApp::with(&settings).await;
    let site = site::serve(HashMap::from([("/a".to_owned(), SNIPPET.as_bytes().to_vec())])).await;
    let browser = Chromium::launch_with_hosts(&[(HOST, app.addr)]).await;
    browser.open(&format!("{site}/a")).await;
    browser.until("document.getElementById('busuanzi_container_page_pv').style.display === 'none'").await;
}
