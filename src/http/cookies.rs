//! Reads the cookies that a request sends.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};

/// The names and values of the cookies. A cookie that is no UTF-8 is left out and hides no other: other programs on the same host set
/// cookies, too, and browsers send their bytes as they are.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let pairs =
        headers.get_all(COOKIE).map(HeaderValue::as_bytes).flat_map(|text| text.split(|b| *b == b';'));
    let texts = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
    texts.filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_cookie_beyond_ascii_hides_no_other() {
        let header = |bytes| (COOKIE, HeaderValue::from_bytes(bytes).expect("a header"));
        let request = TestRequest::get().append_header(header("user=Zo\u{eb}; a=1".as_bytes()));
        let request = request.append_header(header(b"x=\xe9 ;b = 2=3; ;none")).to_http_request();
        let found: Vec<_> = cookies(request.headers()).collect();
        assert_eq!(found, [("user", "Zo\u{eb}"), ("a", "1"), ("b ", " 2=3")]);
    }
}
