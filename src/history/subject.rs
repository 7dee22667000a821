//! What a past belongs to.

use std::fmt;

use serde::Serialize;

/// What a past belongs to, with its name. As JSON it is one member, such as `"id":"2"`.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Subject<'a> {
    /// A counter, with its id.
    #[serde(rename = "id")]
    Counter(&'a str),
    /// The hits of a page, with its address.
    #[serde(rename = "page")]
    Page(&'a str),
    /// The hits of a site, with its host.
    #[serde(rename = "site")]
    Site(&'a str),
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Counter(id) => write!(f, "Counter {id}"),
            Subject::Page(address) => write!(f, "Hits of {address}"),
            Subject::Site(host) => write!(f, "Hits of {host}"),
        }
    }
}
