//! The HTTP client of the tests, and functions that read answers.

use std::net::IpAddr;
use std::panic::Location;
use std::time::Duration;

use reqwest::{RequestBuilder, Response};

/// Sends a request; a failure panics with the place in the test that sent it.
pub trait Ask {
    /// The answer, whatever its status.
    #[track_caller]
    fn answer(self) -> impl Future<Output = Response> + Send;

    /// The body of the answer, whatever its status.
    #[track_caller]
    fn text(self) -> impl Future<Output = String> + Send;
}

impl Ask for RequestBuilder {
    #[track_caller]
    fn answer(self) -> impl Future<Output = Response> + Send {
        answered(self, Location::caller())
    }

    #[track_caller]
    fn text(self) -> impl Future<Output = String> + Send {
        let asked_at = Location::caller();
        async move {
            let body = answered(self, asked_at).await.text().await;
            body.unwrap_or_else(|error| panic!("{asked_at}: the answer is cut off: {error:?}"))
        }
    }
}

/// The answer to a request that this place in a test sends.
pub async fn answered(request: RequestBuilder, asked_at: &'static Location<'static>) -> Response {
    request.send().await.unwrap_or_else(|error| panic!("{asked_at}: no answer: {error:?}"))
}

/// A client that uses no proxy, follows no redirect and waits ten seconds at most.
pub fn client() -> reqwest::Client {
    builder().build().expect("an HTTP client")
}

/// A client with this address of the machine, 127.0.0.`last`: the servers of a test have 127.0.0.1 among themselves.
pub fn client_at(last: u8) -> reqwest::Client {
    builder().local_address(IpAddr::from([127, 0, 0, last])).build().expect("an HTTP client")
}

fn builder() -> reqwest::ClientBuilder {
    // An error only says that another test of this process has installed the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        // The tests speak TLS with clients of their own, and reading the certificates of the system takes a while for each client.
        .tls_certs_only([])
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
    let text = client().get(format!("{address}/metrics")).text().await;
    let lines = text.lines().filter(|line| !line.starts_with('#') && line.contains(part));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).reduce(|sum, value| sum + value)
}
