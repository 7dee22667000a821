//! The whole way of docs/your-site.md: its settings, its proxies, its tag and its policy, in a browser.

use std::net::SocketAddr;

use crate::chromium::Chromium;
use crate::http::client;
use crate::support::app::TestApp;
use crate::support::http::Ask;
use crate::support::port::Port;
use crate::support::process::repository;
use crate::support::site_proxy::SiteProxy;
use crate::{site, tls};

/// The first block of the document that begins with this text.
fn shown(begin: &str) -> String {
    let document = std::fs::read_to_string(repository("docs/your-site.md")).expect("the document");
    let (_, rest) = document.split_once(&format!("```{begin}")).expect("the block");
    format!("{begin}{}", rest.split("```").next().expect("its end"))
}

/// The site of the document, which sends its policy.
async fn site_with_the_tag() -> SocketAddr {
    let (tag, policy) = (shown("html\n<script type"), shown("\nscript-src"));
    let (tag, policy) = (tag.trim_start_matches("html\n"), policy.trim());
    let page = format!(
        "<!doctype html><html lang=en><link rel=icon href=data:,><title>a page</title>
         <meta http-equiv=content-security-policy content=\"default-src 'none'; {policy}\"><p>{tag}</p>"
    );
    let site = site::serve([("/".to_owned(), page.into_bytes())].into()).await;
    tls::in_front_of(site.trim_start_matches("http://").parse().expect("an address")).await
}

/// The service with the settings of the document.
async fn service(operators: &Port) -> TestApp {
    let settings = repository("docs/examples/site/livecounter.toml");
    let listen = operators.addr().to_string();
    // The headless browser is a bot by its name, so another program is named here.
    let environment = [("LIVECOUNTER__OPS__LISTEN", listen.as_str()), ("LIVECOUNTER__HITS__BOTS", "crawler")];
    TestApp::with_file(&settings, &environment).await
}

async fn a_visit_is_counted_and_the_next_is_shown(app: &TestApp, proxy: &SiteProxy) {
    let hosts =
        [("www.example.com:443", site_with_the_tag().await), ("counters.example.com:443", proxy.addr())];
    let browser = Chromium::launch_with_hosts(&hosts).await;
    browser.open("https://www.example.com/").await;
    browser.until_text("live-counter", "1").await;
    let other = client().get(format!("{}/count?url=www.example.com/", app.address));
    assert_eq!(other.header("x-forwarded-for", "192.0.2.2").text().await, "2");
    browser.until_text("live-counter", "2").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_tag_of_the_document_is_live_through_caddy() {
    let operators = Port::reserve();
    let app = service(&operators).await;
    a_visit_is_counted_and_the_next_is_shown(&app, &SiteProxy::caddy(app.addr).await).await;
}

#[tokio::test]
async fn the_tag_of_the_document_is_live_through_nginx() {
    let operators = Port::reserve();
    let app = service(&operators).await;
    a_visit_is_counted_and_the_next_is_shown(&app, &SiteProxy::nginx(app.addr).await).await;
}
