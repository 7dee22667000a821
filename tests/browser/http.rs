//! Somebody else than the browser: changes and reads counters.

/// A client for plain HTTP; each test runs its own reactor, so it is not shared.
pub(crate) fn client() -> reqwest::Client {
    // Without a provider of TLS reqwest makes no client; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Adds to a counter from elsewhere, and returns its new value.
pub(crate) async fn add(address: &str, counter: &str, by: i64) -> i64 {
    let url = format!("{address}/counters/{counter}/?by={by}");
    number(client().post(url).send().await.expect("the app answers")).await
}

/// The value of a counter.
pub(crate) async fn read(address: &str, counter: &str) -> i64 {
    number(client().get(format!("{address}/counters/{counter}/")).send().await.expect("the app answers"))
        .await
}

/// The content security policy of an answer.
pub(crate) async fn policy(url: &str) -> String {
    let answer = client().get(url).send().await.expect("the app answers");
    let policy = answer.headers().get("content-security-policy").expect("a content security policy");
    policy.to_str().expect("a text").to_owned()
}

async fn number(answer: reqwest::Response) -> i64 {
    let answer = answer.error_for_status().expect("a success");
    answer.text().await.expect("a body").trim().parse().expect("a number")
}
