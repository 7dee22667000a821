//! The HTTP client of the tests.

use std::net::IpAddr;
use std::time::Duration;

/// A client that asks no proxy, follows nothing and waits ten seconds at most.
pub fn client() -> reqwest::Client {
    builder().build().expect("an HTTP client")
}

/// One with this address of the machine, 127.0.0.`last`: the servers of a test have 127.0.0.1 among themselves.
pub fn client_at(last: u8) -> reqwest::Client {
    builder().local_address(IpAddr::from([127, 0, 0, last])).build().expect("an HTTP client")
}

fn builder() -> reqwest::ClientBuilder {
    // An error only says that another test of this process has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
}

/// The value of a response header, empty when there is none.
pub fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a readable header"))
}

/// The sum of the lines that contain `part` in the metrics of the origin at this address (`http://...`); `None` where there
/// are none.
pub async fn metric(address: &str, part: &str) -> Option<f64> {
    let answer = client().get(format!("{address}/metrics")).send().await.expect("metrics");
    let text = answer.text().await.expect("a text");
    let lines = text.lines().filter(|line| !line.starts_with('#') && line.contains(part));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).reduce(|sum, value| sum + value)
}
