//! Recognises a visitor who was counted on a page a short while ago: by a cookie with a value that the store keeps, too, and where
//! `hits.window_without_cookies` is set, a visitor who sends no cookie by the digest of address and `User-Agent`, which is that value.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::context::WorkerContext;
use super::cookies::cookies;
use super::limit_checks::client;
use super::visitor_digest::VisitorDigest;
use crate::domain::{Kind, PageAddress, Topic};
use crate::hits::HitRules;
use crate::store::{HitKey, KeySource, NEW_KEY_LEN, Visit};

/// The beginning of the names of all cookies.
const PREFIX: &str = "lc_";
/// How many characters of a page's digest are in the name of its cookie.
const NAME_LEN: usize = 8;
/// A client that sends this many of our cookies gets no further one. A browser keeps a bounded number of cookies for each host, and would
/// drop others.
const MOST_COOKIES: usize = 50;

static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What a hit has to do with its visitor.
pub(super) struct Recognition {
    /// The visitor of the page; `None` if no visitor is recognised here.
    pub(super) visitor: Option<Visitor>,
    /// The visit of the site; `None` if different visitors are not counted.
    pub(super) visit: Option<Visit>,
}

impl Recognition {
    /// Recognises who has sent the request, as far as the settings ask for it. An image proxy is no visitor, because all readers of a picture
    /// stand behind it.
    pub(super) async fn of(
        request: &HttpRequest,
        context: &WorkerContext,
        rules: &HitRules,
        address: &PageAddress,
    ) -> Self {
        let agent = request.headers().get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        if rules.bots.is_image_proxy(agent) {
            return Recognition { visitor: None, visit: None };
        }
        let without_cookies = rules.window_without_cookies && !rules.window.is_zero();
        let salt = match without_cookies || rules.uniques {
            true => context.live.daily_salt().await,
            false => None,
        };
        let digest = salt.map(|salt| VisitorDigest::new(&salt, client(request, context), agent));
        let by_digest = digest.as_ref().filter(|_| without_cookies);
        let visitor = Visitor::of(request, rules.window, Topic::page(address), by_digest);
        let visit = digest.as_ref().filter(|_| rules.uniques);
        Recognition { visitor, visit: visit.map(|digest| digest.visit(&Topic::site(address))) }
    }
}

/// A visitor of a page, as a cookie or a digest tells it.
pub(super) struct Visitor {
    page: Topic,
    /// What counts the visitor once within the window: the value of the cookie.
    pub(super) key: HitKey,
}

impl Visitor {
    /// The visitor of the page that has sent the request. `None` if no visitor is recognised here. Without any of our cookies, the visitor is
    /// recognised by the digest, if it is given.
    fn of(
        request: &HttpRequest,
        window: Duration,
        page: Topic,
        digest: Option<&VisitorDigest<'_>>,
    ) -> Option<Self> {
        if window.is_zero() {
            return None;
        }
        let name = cookie_name(&page);
        // A value with other characters than ours is no cookie of ours, whatever its name is.
        let ours = cookies(request.headers())
            .filter(|(_, value)| value.is_ascii())
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)));
        let (mut sent, mut returned) = (0, None);
        for (cookie, value) in ours {
            sent += 1;
            if cookie == name && returned.is_none() && is_value(value) {
                returned = Some(value.parse().ok()?);
            }
        }
        let known = |key, source| HitKey { key, lifetime: window, source };
        let key = match returned {
            Some(key) => known(key, KeySource::Returned),
            None if sent >= MOST_COOKIES => return None,
            None => match digest.filter(|_| sent == 0) {
                Some(digest) => {
                    let key = URL_SAFE_NO_PAD.encode(digest.on_page(&page)).parse().ok()?;
                    known(key, KeySource::Client)
                }
                None => HitKey::new(window)?,
            },
        };
        Some(Visitor { page, key })
    }

    /// Whether a cookie or the digest tells the visitor from others.
    pub(super) fn is_recognised(&self) -> bool {
        self.key.source != KeySource::New
    }

    /// The value of `Set-Cookie` for a visitor who was just counted. Browsers send the cookie with requests below `path`.
    pub(super) fn cookie(&self, request: &HttpRequest, path: &str) -> String {
        let HitKey { key, lifetime, .. } = &self.key;
        // A picture is mostly shown by a page of another site. Browsers send cookies to other sites only if these are `Secure`, and
        // keep such cookies only over https.
        let rest = if is_https(request) { "SameSite=None; Secure; Partitioned" } else { "SameSite=Lax" };
        let seconds = lifetime.as_secs().to_string();
        let parts = [
            PREFIX,
            cookie_name(&self.page),
            "=",
            key.as_str(),
            "; Max-Age=",
            &seconds,
            "; Path=",
            path,
            "; HttpOnly; ",
            rest,
        ];
        parts.concat()
    }
}

/// What follows [`PREFIX`] in the name of a page's cookie.
fn cookie_name(page: &Topic) -> &str {
    let digest = page.name().strip_prefix(Kind::Page.prefix()).unwrap_or_default();
    digest.get(..NAME_LEN).unwrap_or(digest)
}

fn is_value(text: &str) -> bool {
    text.len() == NEW_KEY_LEN && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Whether the visitor uses https. A proxy in front says so in `X-Forwarded-Proto`. Where no proxy says anything, only a service
/// on the visitor's own machine counts as one without https. A client that lies about it only gets a cookie that it cannot use.
fn is_https(request: &HttpRequest) -> bool {
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(scheme) = text(&FORWARDED_PROTO).and_then(|schemes| schemes.split(',').next()) {
        return scheme.trim().eq_ignore_ascii_case("https");
    }
    let host = text(&HOST).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |it| it.0);
    !(name == "localhost" || name.ends_with(".localhost") || name.starts_with("127.") || name == "[::1]")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::COOKIE;
    use actix_web::test::TestRequest;

    use std::collections::HashSet;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::store::{DailySalt, SALT_LEN};

    const VALUE: &str = "abcdefghijklmnopqrstu_";

    fn page() -> Topic {
        Topic::page(&"www.example.com/a".parse().expect("an address"))
    }

    fn name(visitor: &Visitor) -> String {
        format!("{PREFIX}{}", cookie_name(&visitor.page))
    }

    fn value(visitor: &Visitor) -> &str {
        visitor.key.key.as_str()
    }

    fn visitor(cookies: &[&str]) -> Option<Visitor> {
        visitor_with(cookies, None)
    }

    fn visitor_with(cookies: &[&str], digest: Option<&VisitorDigest<'_>>) -> Option<Visitor> {
        let request =
            cookies.iter().fold(TestRequest::get(), |request, text| request.append_header((COOKIE, *text)));
        Visitor::of(&request.to_http_request(), Duration::from_secs(60), page(), digest)
    }

    #[test]
    fn a_visitor_is_known_by_the_first_whole_value_of_the_page_s_cookie() {
        let name = name(&visitor(&[]).expect("a new visitor"));
        let other = VALUE.replace('a', "b");
        for cookies in [
            vec![format!("{name}={VALUE}")],
            vec![format!("a=b; {name}={VALUE};c=d")],
            vec!["a=b".to_owned(), format!("{name}={VALUE}; {name}={other}")],
            vec![format!("{name}=; {name}=short; {name}={VALUE}x; lc_other={other}; {name}={VALUE}")],
        ] {
            let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
            assert_eq!(value(&visitor(&cookies).expect("a visitor")), VALUE, "{cookies:?}");
        }
        for cookie in ["", "=", ";;;", &format!("x{name}={VALUE}"), &name, &format!("{name}=\"{VALUE}\"")] {
            let new = visitor(&[cookie]).expect("a new visitor");
            assert!(is_value(value(&new)) && value(&new) != VALUE, "{cookie}");
        }
    }

    #[test]
    fn no_two_new_visitors_get_the_same_value() {
        let visitors = (0..200).map(|_| visitor(&[]).expect("a new visitor"));
        let values: HashSet<_> = visitors.map(|visitor| value(&visitor).to_owned()).collect();
        assert_eq!(values.len(), 200);
        assert!(values.iter().all(|value| is_value(value)));
    }

    #[test]
    fn only_a_client_without_any_of_our_cookies_is_known_by_its_digest() {
        let salt = DailySalt { day: 7, secret: [3; SALT_LEN], left: Duration::from_secs(9) };
        let client = IpAddr::from(Ipv4Addr::LOCALHOST).into();
        let digest = VisitorDigest::new(&salt, client, b"agent");
        let known = visitor_with(&[], Some(&digest)).expect("a visitor");
        assert!(is_value(value(&known)));
        let of = |cookie: &str| value(&visitor_with(&[cookie], Some(&digest)).expect("a visitor")).to_owned();
        assert_eq!(of("a=b; xlc_c=d"), value(&known));
        assert_eq!(of(&format!("{}={VALUE}", name(&known))), VALUE);
        let other = of("lc_other=x");
        assert!(is_value(&other) && other != value(&known));
    }

    #[test]
    fn a_client_with_many_cookies_gets_no_further_one_but_keeps_those_it_has() {
        let name = name(&visitor(&[]).expect("a new visitor"));
        let many = "lc_aaaaaaaa=1; ".repeat(MOST_COOKIES);
        assert!(visitor(&[&many]).is_none());
        let again = visitor(&[&many, &format!("{name}={VALUE}")]).expect("a visitor");
        assert_eq!(value(&again), VALUE);
    }

    #[test]
    fn cookies_are_for_other_sites_over_https_and_for_this_one_without() {
        let cookie = |headers: &[(&str, &str)]| {
            let request =
                headers.iter().fold(TestRequest::get(), |request, header| request.append_header(*header));
            let key = VALUE.parse().expect("a key");
            let key = HitKey { key, lifetime: Duration::from_secs(60), source: KeySource::New };
            let visitor = Visitor { page: "page-a".parse().expect("a topic"), key };
            visitor.cookie(&request.to_http_request(), "/count")
        };
        let secure =
            format!("lc_a={VALUE}; Max-Age=60; Path=/count; HttpOnly; SameSite=None; Secure; Partitioned");
        let plain = format!("lc_a={VALUE}; Max-Age=60; Path=/count; HttpOnly; SameSite=Lax");
        for (headers, expected) in [
            ([("host", "counters.example.com")].as_slice(), &secure),
            (&[("host", "127.0.0.1:8000"), ("x-forwarded-proto", "https")], &secure),
            (&[("host", "counters.example.com"), ("x-forwarded-proto", "http, https")], &plain),
            (&[("host", "127.0.0.1:8000")], &plain),
            (&[("host", "localhost")], &plain),
            (&[("host", "[::1]:8000")], &plain),
            (&[], &secure),
        ] {
            assert_eq!(cookie(headers), *expected, "{headers:?}");
        }
    }
}
