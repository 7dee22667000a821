//! A page behind the front, over TLS: HTTP/2 carries more streams than a browser opens connections.

use crate::chromium::Chromium;
use crate::support::certificates::certificates;
use crate::support::chain::Chain;
use crate::support::front::{Front, Options};
use crate::support::server::Server;

#[tokio::test]
async fn twenty_streams_of_one_page_are_live_over_http_2() {
    let chain = Chain::start(1).await;
    let place = certificates();
    let parts = ["server.crt", "server.key"].map(|name| std::fs::read(place.path().join(name)).expect(name));
    let certificate = place.path().join("both.pem");
    std::fs::write(&certificate, parts.concat()).expect("to write");
    let options = Options { certificate: Some(&certificate), ..Options::default() };
    let front = Front::with(chain.pushpin.addr(), chain.cache.addr(), options).await;
    let browser = Chromium::launch_trusting_all_certificates().await;
    browser.open(&format!("https://{}/", front.addr())).await;
    let protocol = browser.value("performance.getEntriesByType('navigation')[0].nextHopProtocol").await;
    assert_eq!(protocol, "h2");
    let open = "(() => {
      const values = {};
      for (let id = 1; id <= 20; id++) {
        const source = new EventSource(`/counters/stream-${id}/`);
        source.onmessage = (event) => {
          values[id] = event.data;
          document.body.dataset.values = Object.values(values).join();
        };
      }
    })()";
    browser.value(open).await;
    let shown = |value: &str| format!("document.body.dataset.values === '{}'", [value; 20].join(","));
    browser.until(&shown("0")).await;
    for id in 1..=20 {
        chain.origins[0].add(&format!("stream-{id}")).await;
    }
    browser.until(&shown("1")).await;
}
