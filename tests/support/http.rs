//! The HTTP client of the tests.

use std::time::Duration;

/// A client that asks no proxy, follows nothing and waits ten seconds at most.
pub fn client() -> reqwest::Client {
    // An error only says that another test of this process has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
        .expect("an HTTP client")
}

/// The value of a response header, empty when there is none.
pub fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a readable header"))
}
