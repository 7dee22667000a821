//! Sends requests, with a bound on the time and the size of each answer.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use tokio::time::{Instant, timeout};

use super::reply::{CheckReply, header};
use super::report::quote;

/// The longest body that is read, in bytes. The answers that are asked for have a few.
const LONGEST_BODY: usize = 64 * 1024;

/// A key or a ticket, which is sent with each addition. It is never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey(HeaderValue);

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a key or a ticket: one line of visible ASCII characters")]
pub struct ParseClientKeyError;

impl FromStr for ClientKey {
    type Err = ParseClientKeyError;

    fn from_str(text: &str) -> Result<Self, ParseClientKeyError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ParseClientKeyError);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| ParseClientKeyError)?;
        value.set_sensitive(true);
        Ok(ClientKey(value))
    }
}

/// Why there is no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// No connection, or one that broke.
    #[error("no answer: {0}")]
    Broken(String),
    #[error("no complete answer within {0:?}")]
    Late(Duration),
    #[error("an answer of more than 64 KiB")]
    TooLong,
    /// A redirect, which is not followed here.
    #[error("a redirect ({0}) to {to}", to = quote(.1))]
    Redirect(u16, String),
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Trouble::Broken(quote(&text))
    }
}

/// The HTTP clients of a run.
#[derive(Debug)]
pub(super) struct Probe {
    /// Each has connections of its own.
    clients: [Client; 2],
    key: Option<ClientKey>,
    /// How long one step may take.
    pub(super) timeout: Duration,
}

impl Probe {
    pub(super) fn new(key: Option<ClientKey>, timeout: Duration) -> Result<Self, reqwest::Error> {
        // The provider belongs to the process. If another part has installed one before, that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = || {
            let builder = Client::builder()
                .user_agent(concat!(env!("CARGO_PKG_NAME"), "-verify/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(timeout)
                .redirect(redirect::Policy::none());
            builder.build()
        };
        Ok(Probe { clients: [client()?, client()?], key, timeout })
    }

    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    pub(super) fn get(&self, url: Url, accept: &str) -> RequestBuilder {
        self.clients[0].get(url).header("accept", accept)
    }

    pub(super) fn head(&self, url: Url) -> RequestBuilder {
        self.clients[0].head(url)
    }

    /// A preflight of a browser.
    pub(super) fn options(&self, url: Url) -> RequestBuilder {
        self.clients[0].request(reqwest::Method::OPTIONS, url)
    }

    /// An addition of 1, answered as JSON.
    pub(super) fn post(&self, url: Url, idempotency_key: &str) -> RequestBuilder {
        let request = self.clients[0].post(url).header("accept", "application/json");
        let request = request.header("idempotency-key", idempotency_key).body("");
        match &self.key {
            Some(ClientKey(key)) => request.header(AUTHORIZATION, key.clone()),
            None => request,
        }
    }

    /// A stream, asked for over the connections of one of the clients.
    pub(super) fn listen(&self, client: usize, url: Url) -> RequestBuilder {
        let request = self.clients[client % self.clients.len()].get(url);
        request.header("accept", "text/event-stream")
    }

    /// Sends a request, and reads the answer to its end.
    pub(super) async fn reply(&self, request: RequestBuilder) -> Result<CheckReply, Trouble> {
        let started = Instant::now();
        let reading = async {
            let mut response = request.send().await?;
            no_redirect(&response)?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = body(&mut response).await?;
            Ok(CheckReply { status, headers, body, took: started.elapsed() })
        };
        timeout(self.timeout, reading).await.unwrap_or(Err(Trouble::Late(self.timeout)))
    }
}

/// Refuses an answer that leads elsewhere.
pub(super) fn no_redirect(response: &Response) -> Result<(), Trouble> {
    let location = header(response.headers(), LOCATION);
    if response.status().is_redirection() && !location.is_empty() {
        return Err(Trouble::Redirect(response.status().as_u16(), location.to_owned()));
    }
    Ok(())
}

/// Reads a body to its end, unless that is too far away.
pub(super) async fn body(response: &mut Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        if body.len() + bytes.len() > LONGEST_BODY {
            return Err(Trouble::TooLong);
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_and_never_shown() {
        let key: ClientKey = "lc_abc".parse().expect("a key");
        assert!(!format!("{key:?}").contains("lc_abc"));
        for text in ["", "a b", "a\nb", "é"] {
            assert_eq!(text.parse::<ClientKey>(), Err(ParseClientKeyError), "{text:?}");
        }
    }
}
