//! What each answer says to caches: the one place that decides it.
//!
//! Freshness is promised only where it can be kept. The CDN that we purge is told by `Surrogate-Control` how long it may
//! keep an answer; every other cache, in browsers and between, must ask again before each use. Where nothing is purged,
//! that holds for all caches.

use std::time::Duration;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY};
use smol_str::format_smolstr;

use super::media::Media;
use crate::domain::Topic;

/// For answers that no cache may keep.
pub(super) static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// For what changes with a new version of the program alone.
pub(super) static FIVE_MINUTES: HeaderValue = HeaderValue::from_static("max-age=300");
/// The same for what is one client's.
pub(super) static PRIVATE_FIVE_MINUTES: HeaderValue = HeaderValue::from_static("private, max-age=300");

/// For what is named after its content.
pub(super) static FOR_EVER: HeaderValue = HeaderValue::from_static("max-age=31536000, immutable");
/// For what a cache may keep but must ask about before each use.
pub(super) static NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// `no-transform`: a proxy that compresses what it passes on would hold events back.
static HELD: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
static STREAMED: HeaderValue = HeaderValue::from_static("no-store, no-transform");

static SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
static SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What caches may keep of the answers about a topic.
pub struct CacheTerms {
    /// What the CDN that we purge is told; `None` where nothing is purged.
    surrogate_control: Option<HeaderValue>,
}

impl CacheTerms {
    /// Where nothing is purged: nobody may use an answer without asking again.
    pub fn unpurged() -> Self {
        CacheTerms { surrogate_control: None }
    }

    /// How long the CDN that we purge may keep a value, and for how much longer where the origin is away.
    pub fn purged(max_age: Duration, stale_if_error: Duration) -> Self {
        let (fresh, stale) = (max_age.as_secs(), stale_if_error.as_secs());
        let control = format!("max-age={fresh}, stale-if-error={stale}");
        CacheTerms { surrogate_control: HeaderValue::try_from(control).ok() }
    }

    /// The headers of a value's representation, and of the 304 in its place.
    pub(super) fn value(&self, response: &mut HttpResponseBuilder, topic: &Topic, etag: HeaderValue) {
        response.insert_header((CACHE_CONTROL, NO_CACHE.clone())).insert_header((ETAG, etag));
        self.shared(response, topic);
    }

    /// The headers of a stream that a proxy holds. The CDN that we purge keeps the instruction to hold; any other cache
    /// would replay the stream from its beginning.
    pub(super) fn held(&self, response: &mut HttpResponseBuilder, topic: &Topic) {
        response
            .insert_header((CACHE_CONTROL, HELD.clone()))
            .insert_header((X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")));
        self.shared(response, topic);
    }

    fn shared(&self, response: &mut HttpResponseBuilder, topic: &Topic) {
        response.insert_header((VARY, HeaderValue::from_static("accept")));
        if let Some(control) = &self.surrogate_control {
            response
                .insert_header((SURROGATE_CONTROL.clone(), control.clone()))
                .insert_header((SURROGATE_KEY.clone(), topic.surrogate_key()));
        }
    }
}

/// The headers of a stream that this process writes, or of the head of a stream.
pub(super) fn streamed(response: &mut HttpResponseBuilder) {
    response
        .insert_header((CACHE_CONTROL, STREAMED.clone()))
        .insert_header((X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")));
}

/// Whether the CDN that we purge may repeat this answer to others.
pub(super) fn is_shared(headers: &HeaderMap) -> bool {
    headers.contains_key(&SURROGATE_CONTROL)
}

/// The validator of a value's representation. The value says all of it: a value that comes back has the same bytes as
/// before, also behind a restart and from another origin.
pub(super) fn value_etag(media: Media, value: i64) -> HeaderValue {
    let kind = if media == Media::Json { "j" } else { "" };
    // SmolStr keeps a text of this length without an allocation.
    etag(&format_smolstr!("\"{value}{kind}\""))
}

/// A strong validator with this text, which must be visible ASCII without quotes.
pub(super) fn quoted_etag(text: &str) -> HeaderValue {
    etag(&format!("\"{text}\""))
}

fn etag(quoted: &str) -> HeaderValue {
    HeaderValue::from_str(quoted).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client has this representation already (RFC 9110, section 13.1.2). A proxy that compresses makes a strong
/// validator weak; the comparison is the weak one.
pub(super) fn client_has(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok()).any(|text| {
        text.split(',').map(str::trim).any(|listed| {
            listed == "*" || listed.strip_prefix("W/").unwrap_or(listed).as_bytes() == etag.as_bytes()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_representation_of_each_value_has_a_validator_of_its_own() {
        let tags = [value_etag(Media::Plain, 26), value_etag(Media::Json, 26), value_etag(Media::Plain, -26)];
        assert_eq!(tags, ["\"26\"", "\"26j\"", "\"-26\""]);
    }

    #[test]
    fn a_validator_is_found_in_a_list_and_where_a_proxy_has_weakened_it() {
        for (sent, expected) in [
            ("\"26\"", true),
            ("W/\"26\"", true),
            ("\"1\", \"26\"", true),
            ("\"1\" ,W/\"26\"", true),
            ("*", true),
            ("\"26j\"", false),
            ("\"2\", \"6\"", false),
            ("26", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(sent));
            assert_eq!(client_has(&headers, &value_etag(Media::Plain, 26)), expected, "{sent}");
        }
        assert!(!client_has(&HeaderMap::new(), &value_etag(Media::Plain, 26)));
    }
}
