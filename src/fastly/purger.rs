//! Sends the request `POST /service/{id}/purge` and reads its answer.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use url::Url;

use super::batches::batches;
use super::error::PurgeError;
use super::pause::Pause;
use super::settings::{PurgerError, PurgerSettings};

const FASTLY_KEY: HeaderName = HeaderName::from_static("fastly-key");
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const SOFT_PURGE: HeaderName = HeaderName::from_static("fastly-soft-purge");
/// The header of a 429 in which Fastly says when the present window of the rate limit ends, in seconds since 1970.
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("fastly-ratelimit-reset");

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How many characters of a refusal's body are kept for the log.
const BODY_BEGINS: usize = 120;

/// Purges a Fastly service by surrogate key.
///
/// The keys are in the request header `Surrogate-Key`, separated by spaces, and the body is empty. Fastly's reference names this
/// form and another with a JSON body (<https://www.fastly.com/documentation/reference/api/purging/>, `bulk-purge-tag`). The purger
/// uses this form only, as Varnish, which replaces Fastly in tests, can read headers and no bodies: the tests then use the same
/// requests as production. A request names at most 256 keys in at most 7 KiB.
///
/// After a 429 the purger sends no request for as long as the answer says, but at most for 30 s. If the answer says nothing, the
/// pause is 1 s, and doubles with each further 429.
pub struct Purger {
    client: Client,
    url: Url,
    api_key: HeaderValue,
    soft: bool,
    pause: Pause,
}

impl Purger {
    /// A purger for this service.
    pub fn new(settings: PurgerSettings) -> Result<Self, PurgerError> {
        let PurgerSettings { service_id, api_key, api_url, soft } = settings;
        let mut url = PurgerSettings::parse_api_url(&api_url)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if service_id.is_empty() || !service_id.bytes().all(allowed) {
            return Err(PurgerError::ServiceId);
        }
        url.set_path(&format!("{}/service/{service_id}/purge", url.path().trim_end_matches('/')));
        let api_key =
            Some(api_key).filter(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic()));
        let mut api_key =
            api_key.and_then(|key| HeaderValue::try_from(key).ok()).ok_or(PurgerError::ApiKey)?;
        api_key.set_sensitive(true);
        let client = client(url.scheme()).map_err(PurgerError::Client)?;
        Ok(Purger { client, url, api_key, soft, pause: Pause::default() })
    }

    /// Returns when Fastly has confirmed the purge of all keys. On an error, the keys of some requests may have been purged.
    pub async fn purge<K: AsRef<str>>(&self, keys: &[K]) -> Result<(), PurgeError> {
        for value in batches(keys)? {
            if let Some(left) = self.pause.left() {
                return Err(PurgeError::Paused { url: self.url.to_string(), left });
            }
            match self.post(&value).await {
                // The server had closed the kept connection. The request is sent once more, on a new connection.
                Err(PurgeError::Unreachable { source, .. }) if !source.is_timeout() => {
                    self.post(&value).await?
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    async fn post(&self, keys: &HeaderValue) -> Result<(), PurgeError> {
        let mut request = self.client.post(self.url.clone()).header(FASTLY_KEY, self.api_key.clone());
        request = request.header(SURROGATE_KEY, keys).header(CONTENT_LENGTH, "0");
        if self.soft {
            request = request.header(SOFT_PURGE, "1");
        }
        let url = || self.url.to_string();
        let unreachable =
            |source: reqwest::Error| PurgeError::Unreachable { url: url(), source: source.without_url() };
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, retry_after) = (response.status(), retry_after(response.headers(), SystemTime::now()));
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.pause.begin(retry_after);
        }
        if status != StatusCode::OK {
            let body = response.chunk().await.ok().flatten().unwrap_or_default();
            let body = self.begin(&body);
            return Err(PurgeError::Status { url: url(), status: status.as_u16(), retry_after, body });
        }
        self.pause.end();
        // The body is read to its end, as otherwise the connection could not be used again. An error does not change the outcome.
        let _ = response.bytes().await;
        Ok(())
    }

    /// The beginning of a body, for the log. Empty if the body contains the key.
    fn begin(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        if self.api_key.to_str().is_ok_and(|key| text.contains(key)) {
            return String::new();
        }
        let line = text.replace(|c: char| c.is_control(), " ");
        line.trim().chars().take(BODY_BEGINS).collect()
    }
}

impl fmt::Debug for Purger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Purger({})", self.url)
    }
}

fn client(scheme: &str) -> Result<Client, reqwest::Error> {
    // The provider belongs to the process. If another part has installed one before, that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(redirect::Policy::none())
        .no_proxy();
    // Without TLS, the client must also work on a machine without certificates.
    if scheme == "https" { builder.build() } else { builder.tls_certs_only([]).build() }
}

/// How long an answer asks to wait: `Retry-After` in seconds, otherwise until the end of the rate limit's window.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs);
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    number(RETRY_AFTER).or_else(|| Some(number(RATE_LIMIT_RESET)?.saturating_sub(since_1970)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::super::batches::{MAX_HEADER_BYTES, MAX_KEYS};
    use super::*;
    use crate::test_server::{Answer, FreeAddress, TestServer};
    use proptest::prelude::*;

    const OK: Answer = Answer::Status(200, "", r#"{"a":"108-1391560174-974124"}"#);

    fn settings(server: &TestServer) -> PurgerSettings {
        let api_url = format!("http://{}/", server.address);
        PurgerSettings { api_url, ..PurgerSettings::new("SID", "hunter2") }
    }

    fn purger(server: &TestServer) -> Purger {
        Purger::new(settings(server)).expect("a purger")
    }

    #[tokio::test]
    async fn a_purge_is_this_request() {
        let server = TestServer::start(|_| OK).await;
        purger(&server).purge(&["counter-1", "counter-2"]).await.expect("purged");
        let request = &server.requests()[0];
        assert_eq!(request.line, "POST /service/SID/purge HTTP/1.1");
        assert_eq!(request.header("fastly-key"), Some("hunter2"));
        assert_eq!(request.header("surrogate-key"), Some("counter-1 counter-2"));
        assert_eq!(request.header("fastly-soft-purge"), None);
        let lengths = request.headers.iter().filter(|(name, _)| name == "content-length");
        assert_eq!(lengths.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["0"]);
        assert_eq!(request.body, "");
    }

    #[tokio::test]
    async fn a_soft_purge_says_so() {
        let server = TestServer::start(|_| OK).await;
        let soft = Purger::new(PurgerSettings { soft: true, ..settings(&server) }).expect("a purger");
        soft.purge(&["a"]).await.expect("purged");
        assert_eq!(server.requests()[0].header("fastly-soft-purge"), Some("1"));
    }

    #[tokio::test]
    async fn many_keys_are_spread_over_requests_and_none_needs_no_request() {
        let server = TestServer::start(|_| OK).await;
        let keys: Vec<String> = (0..600).map(|n| format!("counter-{n}")).collect();
        purger(&server).purge(&keys).await.expect("purged");
        purger(&server).purge::<String>(&[]).await.expect("nothing to purge");
        let named: Vec<Vec<String>> = server
            .requests()
            .iter()
            .map(|request| {
                request.header("surrogate-key").expect("keys").split(' ').map(String::from).collect()
            })
            .collect();
        assert_eq!(named.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 88]);
        assert_eq!(named.concat(), keys);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_200_is_an_error_with_all_but_the_key() {
        for (status, headers, retry_after) in [
            (401, "", None),
            (429, "Retry-After: 7\r\n", Some(7)),
            (429, "Fastly-RateLimit-Remaining: 0\r\nFastly-RateLimit-Reset: 1452032384\r\n", Some(0)),
            (503, "Retry-After: soon\r\n", None),
            (301, "", None),
        ] {
            let server = TestServer::start(move |_| Answer::Status(status, headers, "")).await;
            let error = purger(&server).purge(&["a"]).await.expect_err("refused");
            let text = format!("{error} {error:?} {:?} {:?}", purger(&server), settings(&server));
            assert_eq!(
                error.to_string(),
                format!("http://{}/service/SID/purge answered {status}", server.address)
            );
            assert!(!text.contains("hunter2"), "{text}");
            let PurgeError::Status { retry_after: requested, .. } = error else { panic!("{error}") };
            assert_eq!(requested, retry_after.map(Duration::from_secs));
            assert_eq!(server.requests().len(), 1, "the caller decides about another try");
        }
    }

    #[tokio::test]
    async fn a_refusal_s_body_is_kept_in_one_short_line_and_never_with_the_key() {
        const LONG: &str = "0123456789012345678901234567890123456789012345678901234567890123456789";
        for (body, expected) in [
            (r#"{"msg":"Provided credentials are missing or invalid"}"#, None),
            ("<html>\r\n\x1b[31mno\r\n", Some("<html>   [31mno")),
            (r#"{"msg":"hunter2 is no key"}"#, Some("")),
            ("", None),
        ] {
            let server = TestServer::start(move |_| Answer::Status(401, "", body)).await;
            let error = purger(&server).purge(&["a"]).await.expect_err("refused");
            assert_eq!(error.body(), expected.unwrap_or(body));
        }
        let long = [LONG, LONG].concat();
        let server = TestServer::start(|_| OK).await;
        assert_eq!(purger(&server).begin(long.as_bytes()), long[..BODY_BEGINS]);
    }

    #[test]
    fn the_end_of_a_rate_limit_s_window_says_how_long_to_wait() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut headers = HeaderMap::new();
        headers.insert(RATE_LIMIT_RESET, HeaderValue::from_static("1452032384"));
        assert_eq!(retry_after(&headers, at(1_452_032_374)), Some(Duration::from_secs(10)));
        assert_eq!(retry_after(&headers, at(1_452_032_385)), Some(Duration::ZERO));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
        assert_eq!(retry_after(&headers, at(1_452_032_374)), Some(Duration::from_secs(3)));
    }

    #[tokio::test]
    async fn after_a_429_nothing_is_sent_until_the_time_is_over() {
        let calls = AtomicUsize::new(0);
        let server = TestServer::start(move |_| match calls.fetch_add(1, SeqCst) {
            0 => Answer::Status(429, "Retry-After: 1\r\n", r#"{"msg":"Too many requests"}"#),
            _ => OK,
        })
        .await;
        let purger = purger(&server);
        let refused = purger.purge(&["a"]).await.expect_err("refused");
        assert!(matches!(refused, PurgeError::Status { status: 429, .. }));
        let left = loop {
            match purger.purge(&["a"]).await {
                Err(PurgeError::Paused { left, .. }) => tokio::time::sleep(left).await,
                outcome => break outcome,
            }
        };
        left.expect("purged");
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_tried_once_more_and_silence_is_not() {
        let calls = AtomicUsize::new(0);
        let flaky = TestServer::start(move |_| match calls.fetch_add(1, SeqCst) {
            0 => Answer::Hangup,
            _ => OK,
        })
        .await;
        purger(&flaky).purge(&["a"]).await.expect("purged");
        assert_eq!(flaky.requests().len(), 2);

        let silent = TestServer::start(|_| Answer::Silence).await;
        let start = std::time::Instant::now();
        let error = purger(&silent).purge(&["a"]).await.expect_err("no answer");
        assert!(matches!(error, PurgeError::Unreachable { .. }) && start.elapsed() < Duration::from_secs(3));
        assert_eq!(silent.requests().len(), 1);
    }

    #[tokio::test]
    async fn an_address_without_a_server_is_an_error_that_names_the_address() {
        let free = FreeAddress::reserve();
        let address = free.address;
        let settings =
            PurgerSettings { api_url: format!("http://{address}"), ..PurgerSettings::new("S", "hunter2") };
        let error = Purger::new(settings).expect("a purger").purge(&["a"]).await.expect_err("no server");
        assert_eq!(error.to_string(), format!("no answer from http://{address}/service/S/purge"));
        assert!(std::error::Error::source(&error).is_some());
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_key_that_would_break_the_header_purges_nothing() {
        let server = TestServer::start(|_| OK).await;
        for key in ["", "a b", "a\r\nX: y", "é", "\0", &"x".repeat(1025)] {
            let error = purger(&server).purge(&["fine", key]).await.expect_err("a bad key");
            assert!(matches!(error, PurgeError::Key(bad) if bad == key));
        }
        assert_eq!(server.requests().len(), 0);
    }

    #[test]
    fn settings_that_cannot_work_are_refused_without_the_key() {
        let bad = |service: &str, key: &str, url: &str| {
            let settings = PurgerSettings { api_url: url.into(), ..PurgerSettings::new(service, key) };
            Purger::new(settings).expect_err("an error")
        };
        let fine = PurgerSettings::API_URL;
        assert!(matches!(bad("S", "k", "api.fastly.com"), PurgerError::Url));
        assert!(matches!(bad("S", "k", "https://u@api.fastly.com"), PurgerError::Url));
        assert!(matches!(bad("S", "k", "ftp://api.fastly.com"), PurgerError::Url));
        assert!(matches!(bad("a/../b", "k", fine), PurgerError::ServiceId));
        assert!(matches!(bad("", "k", fine), PurgerError::ServiceId));
        assert!(matches!(bad("S", "", fine), PurgerError::ApiKey));
        assert!(!format!("{0} {0:?}", bad("S", "hunter2\n", fine)).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn every_batch_is_within_both_limits(lengths in prop::collection::vec(1..1024_usize, 0..300)) {
            let keys: Vec<String> = lengths.iter().map(|length| "k".repeat(*length)).collect();
            let batches = batches(&keys).expect("good keys");
            let texts: Vec<&str> = batches.iter().map(|value| value.to_str().expect("text")).collect();
            for text in &texts {
                prop_assert!(text.len() <= MAX_HEADER_BYTES && text.split(' ').count() <= MAX_KEYS);
            }
            let named: Vec<&str> = texts.iter().flat_map(|text| text.split(' ')).collect();
            prop_assert_eq!(named, keys);
        }
    }
}
