//! The element `<live-counter>` on pages of other sites.

use std::net::SocketAddr;

use fantoccini::Locator;

use crate::chromium::Chromium;
use crate::relay::Relay;
use crate::site;
use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::http::{Ask, client, metric};
use crate::support::server::Server;
use crate::support::wait::until;

/// The headless browser is a bot by its name, so another program is named here.
const NO_BOTS: (&str, &str) = ("LIVECOUNTER__HITS__BOTS", "crawler");

/// A page that loads the module from the service and has this body.
fn page(app: &TestApp, body: &str) -> Vec<u8> {
    let module = format!("<script type=module src={}/live-counter.js></script>", app.address);
    format!("<!doctype html><html lang=en><link rel=icon href=data:,><title>a page</title>{module}{body}")
        .into_bytes()
}

async fn site(pages: &[(&str, Vec<u8>)]) -> String {
    site::serve(pages.iter().map(|(path, page)| ((*path).to_owned(), page.clone())).collect()).await
}

/// A browser for which the site is at `www.example.test`, where visits count.
async fn browser_at(site: &str) -> Chromium {
    let address: SocketAddr = site.trim_start_matches("http://").parse().expect("an address");
    Chromium::launch_with_hosts(&[("www.example.test:80", address)]).await
}

async fn hits(app: &TestApp, page: &str) -> String {
    client().get(format!("{}/nocount?url={page}", app.address)).text().await
}

/// Returns once the streams that the service holds have so many topics together.
async fn until_listened_to(app: &TestApp, topics: f64) {
    let held = async || metric(&app.address, "livecounter_listeners").await == Some(topics);
    until(&format!("{topics} topics are listened to"), held).await;
}

#[tokio::test]
async fn all_elements_of_a_page_are_live_over_one_stream() {
    let app = TestApp::with(&[ANY_AMOUNT]).await;
    app.add_by("2", 1233).await;
    let body = "<live-counter id=a counter=2>1,000</live-counter> <live-counter id=b counter=2 format=plain></live-counter>
         <live-counter id=c counter=3></live-counter> <live-counter id=d counter=2 format=short></live-counter>
         <live-counter id=e page=www.example.com/a></live-counter>";
    let browser = Chromium::launch().await;
    browser.open(&site(&[("/", page(&app, body))]).await).await;
    for (css, text) in [("#a", "1,233"), ("#b", "1,233"), ("#c", "0"), ("#d", "1.2K"), ("#e", "0")] {
        browser.until_text(css, text).await;
    }
    until_listened_to(&app, 3.0).await;
    browser.requested().await;
    app.add_by("2", 1).await;
    app.add_by("3", 7).await;
    client().get(format!("{}/count?url=www.example.com/a", app.address)).text().await;
    for (css, text) in [("#a", "1,234"), ("#b", "1,234"), ("#c", "7"), ("#e", "1")] {
        browser.until_text(css, text).await;
    }
    assert_eq!(
        browser.requested().await,
        Vec::<String>::new(),
        "the stream that was there brings the changes"
    );
    assert_eq!(browser.value("document.querySelector('#a').getAttribute('aria-live')").await, "polite");
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn many_elements_of_one_address_ask_for_its_name_once() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    let elements = |from: usize, address: &str| {
        (from..from + 30)
            .map(|id| format!("<live-counter id=n{id} {address}></live-counter>"))
            .collect::<String>()
    };
    let body = elements(0, "page=www.example.com/a") + &elements(30, "site=www.example.com");
    let body = body.replace("<live-counter", &format!("<live-counter src={}", relay.address));
    let browser = Chromium::launch().await;
    browser.open(&site(&[("/", page(&app, &body))]).await).await;
    for css in ["#n0", "#n29", "#n30", "#n59"] {
        browser.until_text(css, "0").await;
    }
    client().get(format!("{}/count?url=www.example.com/a", app.address)).text().await;
    for css in ["#n0", "#n29", "#n30", "#n59"] {
        browser.until_text(css, "1").await;
    }
    for path in ["GET /nocount?url=", "GET /nocount/site?url="] {
        assert_eq!(relay.traffic.asked(path), 1, "{path}: {:?}", relay.traffic.requests());
    }
}

#[tokio::test]
async fn what_is_wrong_is_warned_of_and_the_text_of_the_page_stays() {
    let known = ("LIVECOUNTER__COUNTERS__KNOWN", "2");
    let app = TestApp::with(&[known]).await;
    let body =
        "<live-counter id=a counter=2>?</live-counter> <live-counter id=b counter='a b'>b</live-counter>
         <live-counter id=c>c</live-counter> <live-counter id=d counter=3>d</live-counter>
         <live-counter id=e counter=2 format=long lang=no-such-language-at-all-x>?</live-counter>
         <live-counter id=f counter=2 src='http://['>f</live-counter>";
    let browser = Chromium::launch().await;
    browser
        .before_each_page(
            "window.warned = []; console.warn = (line) => { warned.push(line); document.body.append(''); };",
        )
        .await;
    browser.open(&site(&[("/", page(&app, body))]).await).await;
    browser.until_text("#a", "0").await;
    browser.until_text("#e", "0").await;
    for told in
        ["counter=\"a b\"", "counter=\"\"", "counter=\"3\"", "format=\"long\"", "lang=", "src=\"http://[\""]
    {
        browser.until(&format!("warned.filter((line) => line.includes('{told}')).length === 1")).await;
    }
    app.add_by("2", 1).await;
    browser.until_text("#a", "1").await;
    for css in ["#b", "#c", "#d", "#f"] {
        browser.until_text(css, &css[1..]).await;
    }
}

#[tokio::test]
async fn a_visit_counts_once_in_a_session() {
    let app = TestApp::with(&[NO_BOTS]).await;
    let body =
        "<live-counter id=a page count></live-counter> <live-counter id=b counter=2 count></live-counter>";
    let site = site(&[("/a", page(&app, body)), ("/b", page(&app, body))]).await;
    let browser = browser_at(&site).await;
    for _ in 0..2 {
        browser.open("http://www.example.test/a").await;
        browser.until_text("#a", "1").await;
        browser.until_text("#b", "1").await;
    }
    browser.open("http://www.example.test/b").await;
    browser.until_text("#a", "1").await;
    app.add_by("2", 1).await;
    browser.until_text("#b", "2").await;
    assert_eq!(hits(&app, "www.example.test/a").await, "1");
    assert_eq!(app.read("2").await, 2);
}

#[tokio::test]
async fn own_visits_frames_and_local_pages_do_not_count() {
    let app = TestApp::with(&[NO_BOTS]).await;
    let element =
        "<live-counter id=a page count></live-counter> <live-counter id=b counter=2 count></live-counter>";
    let framed = "<iframe src=/inner></iframe>".as_bytes().to_vec();
    let pages = [
        ("/inner", page(&app, element)),
        ("/frame", framed),
        ("/own", page(&app, element)),
        ("/other", page(&app, element)),
    ];
    let site = site(&pages).await;
    let browser = browser_at(&site).await;
    let shows = |text: &str| {
        format!(
            "document.querySelector('#a').textContent === '{text}' && document.querySelector('#b').textContent === '{text}'"
        )
    };

    browser.open("http://www.example.test/frame").await;
    let frame = browser.client.find(Locator::Css("iframe")).await.expect("the frame");
    frame.enter_frame().await.expect("a page in the frame");
    browser.until(&shows("0")).await;
    browser.open(&format!("{site}/own")).await;
    browser.until(&shows("0")).await;
    browser.open("http://www.example.test/own#live-counter-off").await;
    browser.until(&shows("0")).await;
    browser.open("http://www.example.test/own").await;
    browser.until(&shows("0")).await;
    // The first visit that counts shows that the elements would have counted.
    browser.open("http://www.example.test/other#live-counter-on").await;
    browser.until(&shows("1")).await;
    assert_eq!(app.read("2").await, 1);
}

#[tokio::test]
async fn tabs_share_one_stream_and_the_next_tab_takes_it_over() {
    let app = TestApp::spawn().await;
    let body = |id: &str| {
        format!("<live-counter id=a counter={id}></live-counter><live-counter id=b counter=2></live-counter>")
    };
    let pages = [("/3", page(&app, &body("3"))), ("/4", page(&app, &body("4")))];
    let site = site(&pages).await;
    let browser = Chromium::launch().await;
    let first = browser.client.window().await.expect("a tab");
    browser.open(&format!("{site}/3")).await;
    browser.until_text("#b", "0").await;
    let second = browser.client.new_window(true).await.expect("another tab").handle;
    browser.client.switch_to_window(second.clone()).await.expect("the other tab");
    browser.open(&format!("{site}/4")).await;
    browser.until_text("#a", "0").await;
    browser.until_text("#b", "0").await;
    until_listened_to(&app, 3.0).await;
    for id in ["2", "3", "4"] {
        app.add_by(id, 1).await;
    }
    browser.until_text("#a", "1").await;
    browser.until_text("#b", "1").await;
    browser.client.switch_to_window(first).await.expect("the first tab");
    browser.until_text("#a", "1").await;
    browser.until_text("#b", "1").await;

    browser.client.close_window().await.expect("the first tab closes");
    browser.client.switch_to_window(second).await.expect("the other tab");
    app.add_by("4", 1).await;
    browser.until_text("#a", "2").await;
    until_listened_to(&app, 2.0).await;
}

#[tokio::test]
async fn elements_of_a_page_opened_while_the_service_was_away_come_alive() {
    let app = TestApp::spawn().await;
    let relay = Relay::to(&app.address).await;
    relay.be_busy();
    let body = "<live-counter id=a page=www.example.com/a src=RELAY>…</live-counter>
         <live-counter id=b counter=2 src=RELAY/>…</live-counter>";
    let body = body.replace("RELAY", &relay.address);
    let browser = Chromium::launch().await;
    browser.open(&site(&[("/", page(&app, &body))]).await).await;
    let mut requested = Vec::new();
    until("both have asked in vain", async || {
        requested.extend(browser.requested().await);
        ["/nocount?", "/topics/"].iter().all(|path| requested.iter().any(|url| url.contains(path)))
    })
    .await;
    relay.mend();
    for css in ["#a", "#b"] {
        browser.until_text(css, "0").await;
    }
}
