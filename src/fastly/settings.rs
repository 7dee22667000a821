//! What a purger is made of, and why it cannot be made.

use std::fmt;

use url::Url;

/// What a [`Purger`](super::Purger) needs to know.
#[derive(Clone)]
pub struct PurgerSettings {
    /// The service.
    pub service_id: String,
    /// An API token that may purge (scope `purge_select`).
    pub api_key: String,
    /// Where the API is; [`PurgerSettings::API_URL`] unless something stands in for it.
    pub api_url: String,
    /// Mark as stale instead of taking out: the next request fetches the new as well, but where no origin answers there
    /// is still the old (`stale-if-error`).
    pub soft: bool,
}

impl PurgerSettings {
    /// Fastly's own address.
    pub const API_URL: &str = "https://api.fastly.com";

    /// Settings for Fastly itself and hard purges.
    pub fn new(service_id: impl Into<String>, api_key: impl Into<String>) -> Self {
        let (service_id, api_key) = (service_id.into(), api_key.into());
        PurgerSettings { service_id, api_key, api_url: Self::API_URL.to_owned(), soft: false }
    }

    /// Reads an `api_url`; no other error than [`PurgerError::Url`].
    pub fn parse_api_url(text: &str) -> Result<Url, PurgerError> {
        let url: Url = text.parse().map_err(|_| PurgerError::Url)?;
        let plain = url.username().is_empty() && url.query().is_none();
        if matches!(url.scheme(), "http" | "https") && plain { Ok(url) } else { Err(PurgerError::Url) }
    }
}

/// Why settings make no [`Purger`](super::Purger). Never quotes the API key.
#[derive(Debug, thiserror::Error)]
pub enum PurgerError {
    /// No URL of http or https to which a path could be added.
    #[error("the API's address must be a URL of http or https, with neither a user nor a query")]
    Url,
    /// Something else than letters and digits, `-` and `_`.
    #[error("the service id consists of A-Z a-z 0-9 _ -")]
    ServiceId,
    /// Empty, or with characters that no header can carry.
    #[error("the API key is empty or has characters that a header cannot carry")]
    ApiKey,
    /// The HTTP client cannot be made: a machine without certificates, for instance.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
}

impl fmt::Debug for PurgerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PurgerSettings { service_id, api_url, soft, .. } = self;
        write!(f, "PurgerSettings({service_id}, {api_url}, soft: {soft})")
    }
}
