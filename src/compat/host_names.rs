//! A list of host names, with which the host of a request is compared.

use std::sync::Arc;

use url::Host;

/// The text that stands for all hosts.
const ALL: &str = "*";

/// Host names; or all hosts. The default is no host at all. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// The request may be for any host, and may name no host at all.
    All,
    /// The request must be for one of these hosts. The names are in lower case, in the form in which clients send them.
    Named(Arc<[String]>),
}

/// The error for a list that holds a text which is no host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHostNamesError {
    /// This text is no host name.
    #[error(
        "{0:?} is no host name: write it without scheme, port and path, as in counts.example.com, or * for all hosts"
    )]
    NoName(String),
    /// `*` stands beside other names.
    #[error("* is for all hosts, so there must be no other name beside it")]
    AllAndOthers,
}

impl HostNames {
    /// Parses the items of a list. `*` stands for all hosts; an empty list for none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ParseHostNamesError> {
        let names: Vec<&str> = names.into_iter().collect();
        match names[..] {
            [ALL] => Ok(HostNames::All),
            _ if names.contains(&ALL) => Err(ParseHostNamesError::AllAndOthers),
            _ => names.into_iter().map(parse_name).collect::<Result<_, _>>().map(HostNames::Named),
        }
    }

    /// Whether there is no host on this list.
    pub fn is_empty(&self) -> bool {
        *self == HostNames::default()
    }

    /// Whether a request for this host is meant. `authority` is the host as the request names it, with or without a port; `None`
    /// if the request names no host, or several.
    pub fn contain(&self, authority: Option<&str>) -> bool {
        let HostNames::Named(names) = self else { return true };
        let Some(host) = authority.map(without_port) else { return false };
        names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

impl Default for HostNames {
    fn default() -> Self {
        HostNames::Named(Arc::default())
    }
}

/// The name as clients send it: in lower case, and a name with other letters in its form for the network (IDNA).
fn parse_name(text: &str) -> Result<String, ParseHostNamesError> {
    let bad = || ParseHostNamesError::NoName(text.to_owned());
    let name = text.strip_suffix('.').unwrap_or(text);
    // A star is allowed in the name of a host, but whoever writes one means a pattern.
    if name.is_empty() || name.contains(['*', '%']) {
        return Err(bad());
    }
    Host::parse(name).map(|host| host.to_string()).map_err(|_| bad())
}

/// The host of an authority: without the port, and without the dot at the end that says that the name is a whole one.
fn without_port(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(list: &[&str]) -> HostNames {
        HostNames::parse(list.iter().copied()).expect("host names")
    }

    #[test]
    fn hosts_are_compared_without_case_and_port() {
        let hosts =
            names(&["Counts.Example.com", "zähler.example", "127.0.0.1", "[2001:DB8::1]", "a_b.example."]);
        for host in [
            "counts.example.com",
            "COUNTS.example.com:8000",
            "counts.example.com.",
            "counts.example.com.:80",
            "counts.example.com:",
            "xn--zhler-gra.example",
            "127.0.0.1:8000",
            "[2001:db8::1]",
            "[2001:db8::1]:8000",
            "a_b.example",
        ] {
            assert!(hosts.contain(Some(host)), "{host}");
        }
        for host in [
            "",
            ":",
            ":80",
            ".",
            "example.com",
            "xcounts.example.com",
            "counts.example.com.evil.example",
            "counts.example.com:80:80",
            "counts.example.com:http",
            "user@counts.example.com",
            "counts.example.com/",
            "counts.example.com, counts.example.com",
            " counts.example.com",
            "counts\0.example.com",
            "2001:db8::1",
        ] {
            assert!(!hosts.contain(Some(host)), "{host:?}");
        }
        assert!(!hosts.contain(None));
        assert!(HostNames::All.contain(None) && HostNames::All.contain(Some("anything")));
    }

    #[test]
    fn an_empty_list_is_for_no_host() {
        assert!(names(&[]).is_empty() && !names(&[]).contain(Some("")) && !names(&[]).contain(None));
        assert!(!names(&["*"]).is_empty() && !names(&["a.example"]).is_empty());
    }

    #[test]
    fn a_text_that_is_no_host_name_is_named() {
        for text in [
            "",
            ".",
            "https://counts.example.com",
            "counts.example.com:8000",
            "counts.example.com/",
            "*.example.com",
            "counts example.com",
            "user@example.com",
            "%65xample.com",
            "2001:db8::1",
            "256.256.256.256",
            "a\0b",
        ] {
            let expected = Err(ParseHostNamesError::NoName(text.to_owned()));
            assert_eq!(HostNames::parse(["a.example", text]), expected, "{text:?}");
        }
        assert_eq!(HostNames::parse(["*", "a.example"]), Err(ParseHostNamesError::AllAndOthers));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_comparison_panic(name in "\\PC{0,20}", host in "\\PC{0,20}") {
            if let Ok(hosts) = HostNames::parse([&*name]) {
                let _ = hosts.contain(Some(&host));
            }
        }
    }
}
