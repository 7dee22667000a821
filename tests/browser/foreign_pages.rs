//! The element on pages of other sites, whatever those pages forbid, contain or lack.

use std::collections::HashMap;

use crate::chromium::Chromium;
use crate::http;
use crate::relay::Relay;
use crate::site;
use crate::support::app::TestApp;
use crate::support::http::Ask;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::tabs::{self, HEAD, HIDING, Tabs, page};

const ONE: &str = r#"<live-counter counter="1"></live-counter>"#;
const ELEMENT: &str = "live-counter";

#[tokio::test]
async fn more_than_twenty_numbers_need_a_second_stream() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let element = |number: usize| format!("<live-counter counter=\"n-{number}\"></live-counter>");
    let body = |numbers: std::ops::Range<usize>| numbers.map(element).collect::<String>();
    let pages = vec![page(&relay.address, &body(0..15)), page(&relay.address, &body(10..30))];
    let pages = tabs::serve(pages).await;
    let browser = Chromium::launch().await;
    let tabs = Tabs::open(&browser, &pages).await;
    let streams = async |expected| until("the streams", async || relay.traffic.streams() == expected).await;
    streams(2).await;
    for number in [0, 12, 29] {
        app.add_by(&format!("n-{number}"), 100 + number).await;
    }
    for (tab, numbers) in [(0, [0, 12]), (1, [12, 29])] {
        tabs.reach(tab).await;
        for number in numbers {
            let css = format!("[counter=n-{number}]");
            browser.until_text(&css, &(100 + number).to_string()).await;
        }
        let still = "[...document.querySelectorAll('live-counter')].every((one) => one.textContent !== '')";
        browser.until(still).await;
    }
    // All numbers have come, so no stream is about to be opened or closed.
    streams(2).await;
    // Elements that are gone free their streams.
    browser.value("document.querySelectorAll('[counter]').forEach((one) => one.remove())").await;
    app.add("n-0").await;
    tabs.reach(0).await;
    browser.until_text("[counter=n-0]", "101").await;
    browser.value("document.querySelectorAll('[counter]').forEach((one) => one.remove())").await;
    streams(0).await;
}

#[tokio::test]
async fn numbers_beyond_eighty_leave_connections_for_requests() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let element = |number: usize| format!("<live-counter counter=\"n-{number:03}\">?</live-counter>");
    let body = (0..125).map(element).collect::<String>();
    let pages = tabs::serve(vec![page(&relay.address, &body)]).await;
    let browser = Chromium::launch().await;
    browser.open(&pages[0]).await;
    let shown = |text: &str| {
        format!(
            "[...document.querySelectorAll('live-counter')].filter((one) => one.textContent {text}).length"
        )
    };
    browser.until(&format!("{} === 80", shown("=== '0'"))).await;
    assert_eq!(relay.traffic.streams(), 4);
    let add = format!("(await import('{0}/live-counter.js')).add('{0}/counters/n-001/')", relay.address);
    assert_eq!(browser.promised(&add).await, 1);
    browser.until_text("[counter=n-001]", "1").await;
    let told = browser.console().await;
    assert_eq!(told.iter().filter(|line| line.contains("only 80 numbers")).count(), 1, "{told:?}");
    assert_eq!(browser.value(&shown("=== '?'")).await, 45);
    // Numbers that go make room for others.
    browser
        .value("[...document.querySelectorAll('live-counter')].slice(0, 45).forEach((one) => one.remove())")
        .await;
    browser.until(&format!("{} === 0", shown("=== '?'"))).await;
    until("four streams", async || relay.traffic.streams() == 4).await;
}

#[tokio::test]
async fn a_strict_content_security_policy_needs_two_sources() {
    let app = TestApp::spawn().await;
    let service = &app.address;
    let policy = format!(
        "content-security-policy: default-src 'none'; img-src data:; script-src {service}; connect-src {service}\r\n"
    );
    let page = page(service, r#"<live-counter counter="1" badge label="visits"></live-counter>"#);
    let site = site::serve_with(HashMap::from([("/".to_owned(), page.into_bytes())]), policy).await;
    let browser = Chromium::launch().await;
    browser.open(&site).await;
    browser.until_text(ELEMENT, "0").await;
    app.add("1").await;
    browser.until_text(ELEMENT, "1").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn tabs_of_a_site_without_tls_are_live() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let service = "http://counters.example";
    let pages = tabs::serve(vec![page(service, &format!("{ONE}<script>{HIDING}</script>"))]).await;
    let site = tabs::addr(pages[0].trim_end_matches("/0"));
    let hosts = [("blog.example", site), ("counters.example", tabs::addr(&relay.address))];
    let browser = Chromium::launch_with_hosts(&hosts).await;
    let address = "http://blog.example/0".to_owned();
    let tabs = Tabs::open(&browser, &[address.clone(), address]).await;
    tabs.all_show(ELEMENT, "0").await;
    assert_eq!(browser.value("isSecureContext || 'locks' in navigator").await, false);
    app.add("1").await;
    tabs.all_show(ELEMENT, "1").await;
    // Each tab has its own stream, and only while it is not hidden.
    let streams = async |expected| until("the streams", async || relay.traffic.streams() == expected).await;
    streams(2).await;
    for tab in [0, 1] {
        tabs.reach(tab).await;
        browser.value("hide(true)").await;
        streams(1 - tab).await;
    }
    app.add("1").await;
    browser.value("hide(false)").await;
    browser.until_text(ELEMENT, "2").await;
    streams(1).await;
    tabs.reach(0).await;
    assert_eq!(browser.value("document.querySelector('live-counter').textContent").await, "1");
}

#[tokio::test]
async fn two_versions_of_the_module_are_live_beside_each_other() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let module = http::client().get(format!("{}/live-counter.js", app.address)).text().await;
    let next =
        module.replace("live-counter/1", "live-counter/2").replace("import.meta.url", "globalThis.service");
    assert_ne!(module, next, "the name of the protocol is in the module");
    let address = &relay.address;
    let own = format!(
        "{HEAD}<script>service = '{address}/'</script><script type=module src=/next.js></script>{ONE}"
    );
    let both =
        format!("{}<script type=module src=\"{address}/live-counter.js?v=2\"></script>", page(address, ONE));
    let files = [("/one", page(address, ONE)), ("/next", own), ("/both", both), ("/next.js", next)];
    let files = files.map(|(path, text)| (path.to_owned(), text.into_bytes()));
    let site = site::serve(HashMap::from(files)).await;
    let browser = Chromium::launch().await;
    let pages = ["/one", "/next", "/both", "/next"].map(|path| format!("{site}{path}"));
    let mut tabs = Tabs::open(&browser, &pages).await;
    tabs.all_show(ELEMENT, "0").await;
    app.add("1").await;
    tabs.all_show(ELEMENT, "1").await;
    until("a stream for each version", async || relay.traffic.streams() == 2).await;
    tabs.close(0).await;
    app.add("1").await;
    tabs.all_show(ELEMENT, "2").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn text_of_the_server_stays_until_the_first_value() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    app.add_by("1", 234).await;
    let pages = tabs::serve(vec![page(&relay.address, "")]).await;
    let browser = Chromium::launch().await;
    browser.open(&pages[0]).await;
    browser.until("customElements.get('live-counter')").await;
    relay.be_busy();
    browser.value(r#"document.body.innerHTML = '<live-counter counter="1">about 200</live-counter>'"#).await;
    let refused = async || relay.traffic.requests().iter().filter(|request| request.is_refused).count() >= 2;
    until("two refusals", refused).await;
    assert_eq!(browser.value("document.querySelector('live-counter').textContent").await, "about 200");
    relay.mend();
    browser.until_text(ELEMENT, "234").await;
}

#[tokio::test]
async fn an_addition_whose_answer_is_lost_counts_once() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let pages = tabs::serve(vec![page(&relay.address, ONE)]).await;
    let browser = Chromium::launch().await;
    browser.open(&pages[0]).await;
    browser.until_text(ELEMENT, "0").await;
    relay.forget_answers();
    let add =
        format!("import('{0}/live-counter.js').then(({{ add }}) => add('{0}/counters/1/'))", relay.address);
    browser.value(&format!("void (added = {add})")).await;
    until("a change", async || app.read("1").await == 1).await;
    relay.mend();
    assert_eq!(browser.promised("await added").await, 1);
    until("two POSTs", async || relay.traffic.asked("POST /counters/1/") >= 2).await;
    browser.until_text(ELEMENT, "1").await;
    assert_eq!(app.read("1").await, 1);
}
