//! Chooses the representation that a request accepts (RFC 9110, section 12.5.1).

use std::cmp::Reverse;

use actix_web::http::header::{ACCEPT, HeaderMap};

use super::error::ApiError;
use super::media::Media;

/// The best of the `offered` media for the request's `Accept`; 406 if the request accepts none of them. A request without
/// `Accept` gets the first. The highest `q` wins, then the most specific range, then the range that the request names first,
/// then the medium that is offered first.
pub(super) fn negotiate(headers: &HeaderMap, offered: &[Media]) -> Result<Media, ApiError> {
    let (mut ranges, mut has_text) = (Vec::new(), false);
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str().map_err(|_| ApiError::BadRequest("Accept must be ASCII".into()))?;
        has_text |= !text.trim().is_empty();
        ranges.extend(text.split(',').filter_map(MediaRange::parse));
    }
    if !has_text {
        return offered.first().copied().ok_or_else(|| ApiError::NotAcceptable(listed(offered)));
    }
    let rank = |media: Media| {
        let (index, range) = ranges
            .iter()
            .enumerate()
            .filter(|(_, range)| range.matches(media))
            .max_by_key(|(index, range)| (range.specificity(), Reverse(*index)))?;
        (range.quality > 0).then_some((range.quality, range.specificity(), Reverse(index)))
    };
    // `max_by_key` returns the last of equal elements, so the offers are compared in reverse order.
    let best =
        offered.iter().rev().filter_map(|&media| Some((rank(media)?, media))).max_by_key(|(rank, _)| *rank);
    best.map(|(_, media)| media).ok_or_else(|| ApiError::NotAcceptable(listed(offered)))
}

/// Whether the request names `text/html`, as browsers do for pages. `*/*` alone, which other programs send, does not count.
pub(super) fn accepts_pages(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).filter_map(MediaRange::parse).any(|range| {
        range.kind.eq_ignore_ascii_case("text")
            && range.subtype.eq_ignore_ascii_case("html")
            && range.quality > 0
    })
}

/// The form of a number that the request accepts best. A request that accepts none of the forms gets plain text: that suits more
/// clients than a refusal, and is what the cache and the edge program make of such a request.
pub(super) fn form_of_number(headers: &HeaderMap) -> Media {
    negotiate(headers, &[Media::Plain, Media::Json, Media::Stream]).unwrap_or(Media::Plain)
}

/// The names of the media as a text, as in `application/json and text/plain`.
fn listed(offered: &[Media]) -> String {
    let order = [Media::Stream, Media::Json, Media::Plain, Media::Csv];
    let names = order.iter().filter(|media| offered.contains(media)).map(|media| {
        let (kind, subtype) = media.names();
        format!("{kind}/{subtype}")
    });
    let names: Vec<String> = names.collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// One media range of an `Accept` header.
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// The `q` parameter in thousandths.
    quality: u16,
}

impl<'a> MediaRange<'a> {
    /// `None` if the text is no media range. Such a text matches nothing, like a media type that is not offered.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1000;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                let number: f32 = value.trim().parse().ok()?;
                quality = (number.clamp(0.0, 1.0) * 1000.0) as u16;
            }
        }
        Some(MediaRange { kind, subtype, quality })
    }

    fn matches(&self, media: Media) -> bool {
        let (kind, subtype) = media.names();
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn specificity(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    const ALL: [Media; 3] = [Media::Plain, Media::Json, Media::Stream];

    fn best(accept: &str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).expect("a header value"));
        negotiate(&headers, &ALL).ok()
    }

    #[test]
    fn every_client_gets_what_it_means() {
        for (accept, expected) in [
            ("*/*", Some(Media::Plain)),
            ("text/event-stream", Some(Media::Stream)),
            ("text/event-stream, */*", Some(Media::Stream)),
            ("application/json, text/plain, */*", Some(Media::Json)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Media::Plain)),
            ("text/*", Some(Media::Plain)),
            ("TEXT/Event-Stream", Some(Media::Stream)),
            ("application/json;q=0.2, text/plain;q=0.9", Some(Media::Plain)),
            ("text/plain;q=0, */*", Some(Media::Json)),
            ("application/json; charset=utf-8", Some(Media::Json)),
            ("image/png", None),
            ("application/json;q=0", None),
            ("text/html", None),
            ("text/html, */*;q=0.1", Some(Media::Plain)),
            ("json", None),
            ("", Some(Media::Plain)),
        ] {
            assert_eq!(best(accept), expected, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new(), &ALL).ok(), Some(Media::Plain));
    }

    #[test]
    fn only_offered_types_are_chosen() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        assert!(negotiate(&headers, &ALL[..2]).is_err());
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(accept in "[ -~]{0,60}") {
            let _ = best(&accept);
        }
    }
}
