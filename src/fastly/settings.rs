//! The settings of a purger, and the reasons why they make none.

use std::fmt;

use url::Url;

/// The settings of a [`Purger`](super::Purger).
#[derive(Clone)]
pub struct PurgerSettings {
    /// The id of the Fastly service.
    pub service_id: String,
    /// An API token that may purge (scope `purge_select`).
    pub api_key: String,
    /// The address of the API: [`PurgerSettings::API_URL`], unless another server replaces Fastly.
    pub api_url: String,
    /// Whether purges are soft: they mark answers as stale instead of removing them. The next request fetches the new answer in
    /// both cases, but if no origin answers, the cache can still give the old answer (`stale-if-error`).
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

    /// Reads an `api_url`. The only error is [`PurgerError::Url`].
    pub fn parse_api_url(text: &str) -> Result<Url, PurgerError> {
        let url: Url = text.parse().map_err(|_| PurgerError::Url)?;
        let plain = url.username().is_empty() && url.query().is_none();
        if matches!(url.scheme(), "http" | "https") && plain { Ok(url) } else { Err(PurgerError::Url) }
    }
}

/// Why settings make no [`Purger`](super::Purger). The message never quotes the API key.
#[derive(Debug, thiserror::Error)]
pub enum PurgerError {
    /// The address is no URL of http or https to which a path can be added.
    #[error("the API's address must be a URL of http or https, with neither a user nor a query")]
    Url,
    /// The service id is empty or has a character other than letters, digits, `-` and `_`.
    #[error("the service id consists of A-Z a-z 0-9 _ -")]
    ServiceId,
    /// The API key is empty, or has characters that no header can carry.
    #[error("the API key is empty or has characters that a header cannot carry")]
    ApiKey,
    /// The HTTP client cannot be made, for instance on a machine without certificates.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
}

impl fmt::Debug for PurgerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PurgerSettings { service_id, api_url, soft, .. } = self;
        write!(f, "PurgerSettings({service_id}, {api_url}, soft: {soft})")
    }
}
