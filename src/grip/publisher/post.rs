//! One publish request, and the meaning of its answer.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use url::Url;

use crate::grip::Endpoint;
use crate::grip::credential::Authorizer;
use crate::log::with_causes;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest pause that a server may ask for: a longer one would be an outage by itself.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Posts bodies to one endpoint.
pub(super) struct Poster {
    client: Client,
    url: Url,
    authorizer: Authorizer,
}

/// The outcome of a request.
pub(super) enum Outcome {
    /// The endpoint has accepted all items.
    Accepted,
    /// The endpoint has accepted no item, because of one of them or of their size (400, 413).
    Refused(StatusCode),
    /// The request has failed, because of the endpoint or the network.
    Failed(Failure),
}

pub(super) struct Failure {
    /// The reason for the log, without secrets.
    pub(super) reason: String,
    /// Whether the endpoint may have accepted the items all the same.
    pub(super) doubtful: bool,
    /// The pause that the server asks for.
    pub(super) retry_after: Option<Duration>,
}

impl Poster {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, reqwest::Error> {
        let url = endpoint.publish_url().clone();
        // The provider belongs to the process. If another part has installed one before, that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy();
        let builder = match url.scheme() {
            "https" => builder.pool_idle_timeout(Duration::from_secs(20)),
            // Pushpin's control server closes each connection after its answer, so the client keeps none. Without TLS, the client
            // must also work on a machine without certificates.
            _ => builder.pool_max_idle_per_host(0).tls_certs_only([]),
        };
        let authorizer = Authorizer::new(endpoint.credential().clone());
        Ok(Poster { client: builder.build()?, url, authorizer })
    }

    pub(super) async fn post(&mut self, body: Vec<u8>) -> Outcome {
        // A body of known size is sent with Content-Length. Pushpin answers 411 to a chunked body.
        let mut request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(value) = self.authorizer.authorization() {
            request = request.header(AUTHORIZATION, value);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(Failure::from(error)),
        };
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        if status == StatusCode::UNAUTHORIZED {
            self.authorizer.renew();
        }
        match status {
            status if status.is_success() => {
                // The body is read to its end, so that the connection can be used again. An error here does not change the outcome.
                let _ = response.bytes().await;
                Outcome::Accepted
            }
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Outcome::Refused(status),
            status => Outcome::Failed(Failure {
                reason: format!("answered {status}"),
                // A gateway's 502 or 504 does not tell whether the endpoint has accepted the request.
                doubtful: status.is_server_error(),
                retry_after,
            }),
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let doubtful = !(error.is_connect() || error.is_builder());
        // The URL may have secret parameters.
        Failure { reason: with_causes(&error.without_url()), doubtful, retry_after: None }
    }
}

/// Reads seconds only, as no GRIP server is known to send a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
