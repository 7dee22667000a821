//! The HTTP client that drives the browser, and the headers with which a page is served.

use crate::support::http::Ask;

/// A client for plain HTTP; each test runs its own reactor, so it is not shared.
pub(crate) fn client() -> reqwest::Client {
    // Without a provider of TLS reqwest makes no client; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// The content security policy of an answer.
pub(crate) async fn policy(url: &str) -> String {
    let answer = client().get(url).answer().await;
    let policy = answer.headers().get("content-security-policy").expect("a content security policy");
    policy.to_str().expect("a text").to_owned()
}
