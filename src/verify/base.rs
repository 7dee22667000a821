//! The address of a service, as its users write it.

use std::str::FromStr;

use reqwest::Url;
use url::Host;

use crate::domain::CounterId;

/// The address of a service: `http` or `https`, and perhaps a path that stands before the service's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Url);

/// The text is no address of a service. The message does not repeat the text, which may have a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseBaseError {
    /// No URL at all.
    #[error("URL must be the address of a service, such as https://counters.example.com/")]
    NoUrl,
    /// A URL of another kind.
    #[error("URL must begin with http:// or https://")]
    Scheme,
    /// A user or a password, which other users of the machine could read.
    #[error(
        "URL must have no user and no password: other users of this machine can read the words of a command"
    )]
    Login,
    /// A query or a fragment.
    #[error("URL must end with the path: it has a ? or a # with something behind it")]
    Query,
}

impl Base {
    /// The URL of a path below this address. `path` has no slash at its beginning.
    pub(super) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        url
    }

    /// The URL of a counter.
    pub(super) fn counter(&self, id: &CounterId) -> Url {
        self.join(&format!("counters/{id}/"))
    }

    /// Whether a path stands before the service's own.
    pub(super) fn has_path(&self) -> bool {
        self.0.path() != "/"
    }

    /// Whether the address is one of this machine alone.
    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            None => false,
        }
    }

    /// The host and the port to connect to, if this is `https`.
    pub(super) fn https(&self) -> Option<(String, u16)> {
        let host = self.0.host_str()?.trim_matches(['[', ']']).to_owned();
        (self.0.scheme() == "https").then_some((host, self.0.port_or_known_default()?))
    }

    /// The address to which a redirect of the counter leads, or `None` if that is on another host, less safe or not the counter.
    pub(super) fn redirected(&self, location: &Url, counter: &CounterId) -> Option<Base> {
        let safe = location.scheme() == "https" || location.scheme() == self.0.scheme();
        let path = location.path().trim_end_matches('/');
        let prefix = path.strip_suffix(&format!("/counters/{counter}"))?;
        let text = format!("{}{prefix}", location.as_str().get(..location.as_str().find(location.path())?)?);
        let base: Base = text.parse().ok()?;
        (safe && location.host_str() == self.0.host_str()).then_some(base)
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Base {
    type Err = ParseBaseError;

    fn from_str(text: &str) -> Result<Self, ParseBaseError> {
        let mut url: Url = text.parse().map_err(|_| ParseBaseError::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ParseBaseError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ParseBaseError::Login);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ParseBaseError::Query);
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Base(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Base {
        text.parse().expect("an address")
    }

    fn id(text: &str) -> CounterId {
        text.parse().expect("an id")
    }

    #[test]
    fn an_address_may_have_a_path_before_the_services_own() {
        for (text, expected) in [
            ("http://h", "http://h/counters/2/"),
            ("https://h:8443/", "https://h:8443/counters/2/"),
            ("https://h/a/b", "https://h/a/b/counters/2/"),
            ("http://[::1]:8000/a//", "http://[::1]:8000/a/counters/2/"),
        ] {
            assert_eq!(base(text).counter(&id("2")).as_str(), expected, "{text}");
        }
        assert_eq!(base("https://[::1]/").https(), Some(("::1".to_owned(), 443)));
        assert_eq!(base("http://h/").https(), None);
    }

    #[test]
    fn an_address_of_this_machine_alone_is_known() {
        for text in ["http://127.0.0.1:8000", "https://localhost", "http://a.LOCALHOST/b", "http://[::1]/"] {
            assert!(base(text).is_loopback(), "{text}");
        }
        for text in
            ["http://0.0.0.0:8000", "http://localhost.example.com", "http://192.0.2.1", "http://[::2]/"]
        {
            assert!(!base(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, expected) in [
            ("", ParseBaseError::NoUrl),
            ("counters.example.com", ParseBaseError::NoUrl),
            ("http://", ParseBaseError::NoUrl),
            ("localhost:8000", ParseBaseError::Scheme),
            ("ftp://h/", ParseBaseError::Scheme),
            ("file:///etc/passwd", ParseBaseError::Scheme),
            ("https://u:p@h/", ParseBaseError::Login),
            ("https://u@h/", ParseBaseError::Login),
            ("https://h/?a", ParseBaseError::Query),
            ("https://h/#a", ParseBaseError::Query),
        ] {
            assert_eq!(text.parse::<Base>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_redirect_is_followed_to_the_same_host_and_counter_only() {
        let to = |from: &str, to: &str| base(from).redirected(&to.parse().expect("a URL"), &id("2"));
        assert_eq!(to("http://h/", "https://h/counters/2/"), Some(base("https://h/")));
        assert_eq!(to("http://h/", "http://h/a/counters/2"), Some(base("http://h/a/")));
        assert_eq!(to("http://h/", "https://h:8443/counters/2/"), Some(base("https://h:8443/")));
        for other in [
            "https://other/counters/2/",
            "https://h/",
            "https://h/counters/3/",
            "ftp://h/counters/2/",
            "https://u:p@h/counters/2/",
        ] {
            assert_eq!(to("http://h/", other), None, "{other}");
        }
        assert_eq!(to("https://h/", "http://h/counters/2/"), None);
    }
}
