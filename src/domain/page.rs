//! The address of a page whose hits are counted.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use smol_str::SmolStr;
use url::{Host, Url};

/// The most bytes of a text that is parsed as an address. A longer text is refused before it is read.
const LONGEST_TEXT: usize = 4096;
/// The most bytes of an address.
const LONGEST_ADDRESS: usize = 2048;
/// The most bytes of a host name (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// Schemes that have no `//` and no host. `javascript:81` would otherwise be taken for a host with a port. No page has such a host.
const NO_HOSTS: [&str; 13] = [
    "about",
    "blob",
    "cid",
    "data",
    "file",
    "geo",
    "javascript",
    "mailto",
    "news",
    "sms",
    "tel",
    "urn",
    "vbscript",
];

/// The address of a page: host, port and path. Two texts that a browser takes to the same page of a site give the same address:
/// the scheme, the query, the fragment, user info and a default port are left out, the host is in small letters and in Punycode,
/// and a path that is only a slash is left out, too.
///
/// An address consists of visible ASCII characters, and parsing it again gives the same address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageAddress {
    text: SmolStr,
    host_len: usize,
}

/// Why a text is not the address of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePageAddressError {
    /// The text is empty.
    #[error("the address is empty")]
    Empty,
    /// The text is too long.
    #[error("an address may have at most {LONGEST_TEXT} bytes, and {LONGEST_ADDRESS} without its query")]
    Long,
    /// The text has a character such as a line break.
    #[error("an address has no control characters")]
    Control,
    /// The text has a scheme other than `http` and `https`.
    #[error("an address is one of http or https, such as www.example.com/page")]
    Scheme,
    /// The text has no host, or a host that no web server has.
    #[error("an address begins with a host name or an IP address, such as www.example.com/page")]
    Host,
}

impl PageAddress {
    /// The host, with its port if that is not the default port of the scheme.
    pub fn site(&self) -> &str {
        &self.text[..self.host_len]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn of(url: &Url) -> Result<Self, ParsePageAddressError> {
        let mut host = match url.host() {
            Some(Host::Domain(name)) => domain(name)?.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => format!("[{address}]"),
            None => return Err(ParsePageAddressError::Host),
        };
        if let Some(port) = url.port() {
            host = format!("{host}:{port}");
        }
        let path = Some(url.path()).filter(|path| *path != "/").unwrap_or_default();
        if host.len() + path.len() > LONGEST_ADDRESS {
            return Err(ParsePageAddressError::Long);
        }
        Ok(PageAddress { host_len: host.len(), text: [host.as_str(), path].concat().into() })
    }
}

/// The name without the dot that may end it. A name must be one that DNS can have, so that it is safe in a header, and must not
/// be the name of a scheme.
fn domain(name: &str) -> Result<&str, ParsePageAddressError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    let is_name = (1..=LONGEST_HOST).contains(&name.len())
        && name.bytes().all(usual)
        && name.split('.').all(|label| !label.is_empty())
        && !NO_HOSTS.contains(&name);
    is_name.then_some(name).ok_or(ParsePageAddressError::Host)
}

impl FromStr for PageAddress {
    type Err = ParsePageAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LONGEST_TEXT {
            return Err(ParsePageAddressError::Long);
        }
        let text = decoded_once_more(text.trim());
        if text.is_empty() {
            return Err(ParsePageAddressError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(ParsePageAddressError::Control);
        }
        let (scheme, rest) = split_scheme(&text)?;
        // The parser of URLs skips any number of slashes here.
        if rest.starts_with(['/', '\\']) {
            return Err(ParsePageAddressError::Host);
        }
        if scheme.is_none() && user_info(rest) {
            // `mailto:someone@example.com` would otherwise count for `example.com`.
            return Err(ParsePageAddressError::Scheme);
        }
        let url = Url::parse(&[scheme.unwrap_or("http"), "://", rest].concat());
        PageAddress::of(&url.map_err(|_| ParsePageAddressError::Host)?)
    }
}

/// Decodes a text that was encoded twice: where its scheme, or the slash behind its host, is still encoded.
fn decoded_once_more(text: &str) -> Cow<'_, str> {
    let begins = |start: &str| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let has_slash = text.contains(['/', '\\', '?', '#']);
    let encoded_slash = || text.contains("%2f") || text.contains("%2F");
    if begins("http%3a") || begins("https%3a") || !has_slash && encoded_slash() {
        return Cow::Owned(percent_decode_str(text).decode_utf8_lossy().trim().to_owned());
    }
    Cow::Borrowed(text)
}

/// The scheme if the text has one, and the text behind the `//` that begins the host.
fn split_scheme(text: &str) -> Result<(Option<&str>, &str), ParsePageAddressError> {
    if let Some(rest) = text.strip_prefix("//") {
        return Ok((Some("http"), rest));
    }
    let end = text.find(['/', '\\', '?', '#']).unwrap_or(text.len());
    match text[..end].strip_suffix(':') {
        Some(scheme) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            let rest = text[end..].strip_prefix("//").ok_or(ParsePageAddressError::Host)?;
            Ok((Some(scheme), rest))
        }
        Some(_) => Err(ParsePageAddressError::Scheme),
        None => Ok((None, text)),
    }
}

/// Whether the text, which begins with the host, has user info before the host.
fn user_info(text: &str) -> bool {
    let end = text.find(['/', '\\', '?', '#']).unwrap_or(text.len());
    text[..end].contains('@')
}

impl fmt::Display for PageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<String, ParsePageAddressError> {
        text.parse::<PageAddress>().map(|address| address.text.to_string())
    }

    #[test]
    fn one_page_has_one_address() {
        for (text, expected) in [
            ("http://www.example.com", "www.example.com"),
            ("https://www.example.com/", "www.example.com"),
            ("HTTPS://WWW.Example.COM:443/?a=b#c", "www.example.com"),
            ("http://example.com:80/A/", "example.com/A/"),
            ("https://example.com:80/A", "example.com:80/A"),
            ("www.example.com/a;b=c?d", "www.example.com/a;b=c"),
            ("//user@www.example.com/a", "www.example.com/a"),
            ("www.example.com:8080/a", "www.example.com:8080/a"),
            ("localhost:3000", "localhost:3000"),
            ("wiki:81/a", "wiki:81/a"),
            ("http://user:pw@example.com/a", "example.com/a"),
            ("http%3A%2F%2Fexample.com%2Fa", "example.com/a"),
            ("HTTPS%3a//example.com/a%20b", "example.com/a%20b"),
            ("example.com%2Fa", "example.com/a"),
            (" example.com. ", "example.com"),
            ("http://example.com/a/../b/./c", "example.com/b/c"),
            ("http://example.com/\u{e9} \"<>", "example.com/%C3%A9%20%22%3C%3E"),
            ("http://B\u{fc}cher.example/", "xn--bcher-kva.example"),
            ("http://\u{430}pple.com/", "xn--pple-43d.com"),
            ("http://[::0001]:8080/a", "[::1]:8080/a"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("example.com/?http://other.example/", "example.com"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(expected), "{text}");
        }
        let address: PageAddress = "https://example.com:8443/a/b".parse().expect("an address");
        assert_eq!((address.site(), address.as_str()), ("example.com:8443", "example.com:8443/a/b"));
    }

    #[test]
    fn what_is_no_page_of_the_web_is_refused() {
        use ParsePageAddressError as E;
        let long = format!("http://example.com/{}", "a".repeat(10_000));
        let long_path = format!("http://example.com/{}", "a".repeat(3_000));
        let long_host = format!("http://{}example.com/", "a.".repeat(130));
        for (text, expected) in [
            ("", E::Empty),
            (" ", E::Empty),
            (long.as_str(), E::Long),
            (&long_path, E::Long),
            (&long_host, E::Host),
            ("javascript:alert(1)", E::Host),
            ("javascript:81", E::Host),
            ("javascript://example.com/%0aalert(1)", E::Scheme),
            ("data:text/html,x", E::Host),
            ("mailto:someone@example.com", E::Scheme),
            ("user@example.com/a", E::Scheme),
            ("ftp://example.com/", E::Scheme),
            ("android-app://com.example/", E::Scheme),
            ("file:///etc/passwd", E::Scheme),
            ("http:example.com", E::Host),
            ("http:///a", E::Host),
            ("http:\\\\example.com\\a", E::Host),
            ("http://", E::Host),
            ("///a", E::Host),
            ("/a", E::Host),
            ("?a", E::Host),
            ("http://[fe80::1%25eth0]/", E::Host),
            ("http://exa mple.com/", E::Host),
            ("http://a,b/", E::Host),
            ("http://a;b\"c/", E::Host),
            ("http://example..com/", E::Host),
            ("http://./", E::Host),
            ("http://example.com:99999/", E::Host),
            ("http://xn--zz--/", E::Host),
            ("http://256.1.1.1/", E::Host),
            ("http://exam\0ple.com/", E::Control),
            ("http://example.com/a\r\nX: y", E::Control),
            ("http%3A%2F%2Fexample.com%2F%0d%0aX", E::Control),
        ] {
            assert_eq!(parsed(text), Err(expected), "{text:.60}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_short_visible_and_its_own_address(text in "(https?:)?(//)?\\PC{0,40}") {
            if let Ok(address) = text.parse::<PageAddress>() {
                prop_assert!(address.as_str().len() <= LONGEST_ADDRESS);
                prop_assert!(address.as_str().bytes().all(|b| b.is_ascii_graphic()));
                prop_assert_eq!(address.as_str().parse::<PageAddress>(), Ok(address.clone()));
                prop_assert_eq!(format!("https://{address}").parse::<PageAddress>(), Ok(address));
            }
        }

        #[test]
        fn no_web_address_makes_the_parser_panic(
            host in "[a-zA-Z0-9.:@%\\[\\]\\\\_-]{0,20}", path in "[ -~\u{e9}]{0,40}",
        ) {
            for text in [format!("http://{host}/{path}"), format!("{host}/{path}"), format!("{host}{path}")] {
                if let Ok(address) = text.parse::<PageAddress>() {
                    prop_assert_eq!(address.as_str().parse::<PageAddress>(), Ok(address.clone()), "{}", text);
                }
            }
        }
    }
}
