//! Why a text names no endpoint.

use crate::jwt::ParseKeyError;

/// Why a text is no [`Endpoint`](super::Endpoint). The message never quotes the text, which may contain secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseEndpointError {
    /// The text is no URL.
    #[error("is not a URL: {0}")]
    Url(#[from] url::ParseError),
    /// The scheme is neither http nor https.
    #[error("is not a URL of http or https")]
    Scheme,
    /// The URL has a fragment. Most likely a key has a `#`, and would lose the characters behind it.
    #[error("has a \"#\": write it %23")]
    Fragment,
    /// A parameter is spelled like `verify_key` or `Verify-Key`, and would be taken for a parameter of the control URI.
    #[error("has the parameter {0} in another spelling")]
    Misspelt(&'static str),
    /// The URL has one of the parameters twice.
    #[error("has the parameter {0} twice")]
    Twice(&'static str),
    /// A parameter is not UTF-8 after decoding.
    #[error("has a parameter {0} that is not text")]
    NotText(&'static str),
    /// A parameter must be a key and is none.
    #[error("has a parameter {0} that {1}")]
    Key(&'static str, #[source] ParseKeyError),
    /// No header can carry the bearer.
    #[error("has a parameter key with characters that a bearer cannot have")]
    Bearer,
    /// The URL has an issuer, but no key that can sign.
    #[error("has the parameter iss but no key")]
    IssWithoutKey,
    /// The URL has user info and a key, and only one of them can be sent.
    #[error("has both user info and a key")]
    TwoCredentials,
}

/// The error for a word of a list that is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address {position} {source}")]
pub struct ParseEndpointsError {
    /// The position of the word in the list, counted from 1.
    pub position: usize,
    /// Why the word is no endpoint.
    pub source: ParseEndpointError,
}
