//! Whether a request comes straight from the machine of the service. Without keys, such a request may do everything.
//!
//! A request that a proxy on the same machine passes on comes from a loopback address, too, and so does a request that a page of the web
//! makes a browser on this machine send. So the address alone proves nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::HttpRequest;
use actix_web::http::Version;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

/// Headers that proxies add. A request with one of them was sent by another client than its connection comes from.
const OF_PROXIES: [&str; 8] = [
    "forwarded",
    "grip-sig",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
];

/// Whether the request was sent to a loopback address, by a program or a page of this machine itself.
pub(super) fn is_local(request: &HttpRequest) -> bool {
    let peer = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    // Proxies that are not configured to do otherwise speak HTTP/1.0 (nginx before 1.29.7), no usual client does.
    peer && request.version() >= Version::HTTP_11 && are_local(request.headers())
}

fn are_local(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // A page whose name was made to lead to this machine still sends its own name.
    let to_this_machine = text(HOST).is_some_and(is_loopback_host);
    // `Origin: null` is a page of unknown origin.
    let of_this_machine = text(ORIGIN)
        .is_none_or(|origin| origin.split_once("://").is_some_and(|(_, host)| is_loopback_host(host)));
    let of_other_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    let forwarded = OF_PROXIES.iter().any(|name| headers.contains_key(*name));
    to_this_machine && of_this_machine && !of_other_site && !forwarded
}

/// Whether this host, with or without a port, can only be the machine of the client.
fn is_loopback_host(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => {
            return host.parse::<Ipv6Addr>().is_ok_and(|it| IpAddr::from(it).to_canonical().is_loopback())
                && is_port(port);
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let host = host.to_ascii_lowercase();
    let named = host == "localhost" || host.ends_with(".localhost");
    (named || host.parse::<Ipv4Addr>().is_ok_and(|it| it.is_loopback())) && is_port(port)
}

/// Whether the text is empty, or a colon with digits behind it.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn local(headers: &[(&str, &str)]) -> bool {
        let request = TestRequest::default().peer_addr("127.0.0.1:5000".parse().expect("an address"));
        let request = headers.iter().fold(request, |it, header| it.append_header(*header));
        is_local(&request.to_http_request())
    }

    #[test]
    fn programs_and_pages_of_the_machine_are_local() {
        for headers in [
            &[("host", "127.0.0.1:8000")][..],
            &[("host", "localhost")],
            &[("host", "app.localhost:8000")],
            &[("host", "[::1]:8000")],
            &[("host", "[::ffff:127.0.0.1]")],
            &[("host", "127.0.0.1:8000"), ("origin", "http://127.0.0.1:8000")],
            &[
                ("host", "localhost:8000"),
                ("origin", "http://localhost:3000"),
                ("sec-fetch-site", "same-site"),
            ],
        ] {
            assert!(local(headers), "{headers:?}");
        }
    }

    #[test]
    fn what_a_proxy_or_a_page_of_the_web_sends_is_not_local() {
        for headers in [
            &[][..],
            &[("host", "")],
            &[("host", "example.com")],
            &[("host", "localhost.example.com")],
            &[("host", "notlocalhost")],
            &[("host", "127.0.0.1.example.com")],
            &[("host", "127.0.0.1:80@example.com")],
            &[("host", "127.1")],
            &[("host", "[::2]")],
            &[("host", "[::1]x")],
            &[("host", "localhost"), ("origin", "https://example.com")],
            &[("host", "localhost"), ("origin", "null")],
            &[("host", "localhost"), ("origin", "http://localhost.example.com")],
            &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
            &[("host", "localhost"), ("x-forwarded-for", "192.0.2.1")],
            &[("host", "localhost"), ("forwarded", "for=192.0.2.1")],
            &[("host", "localhost"), ("via", "1.1 cache")],
            &[("host", "localhost"), ("grip-sig", "x")],
        ] {
            assert!(!local(headers), "{headers:?}");
        }
    }

    #[test]
    fn other_machines_and_old_proxies_are_not_local() {
        let request = |peer: &str, version| {
            let request = TestRequest::default().append_header(("host", "localhost")).version(version);
            is_local(&request.peer_addr(peer.parse().expect("an address")).to_http_request())
        };
        assert!(request("[::1]:1", Version::HTTP_11) && request("[::ffff:127.0.0.1]:1", Version::HTTP_11));
        assert!(!request("192.0.2.1:1", Version::HTTP_11) && !request("127.0.0.1:1", Version::HTTP_10));
    }
}
