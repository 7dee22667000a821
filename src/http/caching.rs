//! Decides what each answer tells caches. No other file does.
//!
//! An answer is called fresh only to a cache that is purged when the value changes. The purged CDN learns from
//! `Surrogate-Control` how long it may keep an answer. Every other cache, in browsers and between, must ask again before each
//! use. Without a purged CDN, every cache must ask again before each use.

use std::time::Duration;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, PRAGMA,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use ring::digest::{SHA256, digest};
use smol_str::format_smolstr;

use super::media::Media;
use crate::domain::Topic;

/// For an answer that no cache may keep.
pub(super) static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// For an answer that only a new version of the program changes.
pub(super) static FIVE_MINUTES: HeaderValue = HeaderValue::from_static("max-age=300");
/// For the module that pages of other sites load, which only a new version of the program changes.
pub(super) static ONE_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// For an answer whose URL has a hash of its content.
pub(super) static FOR_EVER: HeaderValue = HeaderValue::from_static("max-age=31536000, immutable");
/// For an answer that a cache may keep, but must ask about before each use.
pub(super) static NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// For an answer to a request for hits. GitHub's image proxy keeps an answer for hours unless all of these words forbid it.
static NOT_KEPT: HeaderValue = HeaderValue::from_static("max-age=0, no-cache, no-store, must-revalidate");

/// For a stream that a proxy holds. `no-transform` keeps a proxy from compressing the stream, which would delay events.
static HELD: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
/// For a stream that this process holds.
static STREAMED: HeaderValue = HeaderValue::from_static("no-store, no-transform");

/// For an answer that is meant for one client, which has sent a key or a ticket. The cache of the client must ask about the
/// answer before each use.
pub(super) static PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// For an answer about something that is private.
pub(super) static PRIVATE_NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");

static SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
static SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What in a request names the topics that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// The URL, so a cache may repeat the answer to other requests for the same URL.
    Url,
    /// The header `Referer`. No cache looks at this header, so no cache may keep the answer.
    Referer,
}

/// The terms on which caches may keep the answers about topics.
pub struct CacheTerms {
    /// The value of `Surrogate-Control` for the purged CDN; `None` if no CDN is purged.
    surrogate_control: Option<HeaderValue>,
    /// How long the purged CDN may keep a value, and for how much longer if no origin answers, in seconds.
    times: (u64, u64),
}

impl CacheTerms {
    /// The terms without a purged CDN: no cache may use an answer without asking again.
    pub fn unpurged() -> Self {
        CacheTerms { surrogate_control: None, times: (0, 0) }
    }

    /// The terms with a purged CDN. It may keep a value for `max_age`, and for `stale_if_error` longer if no origin answers.
    pub fn purged(max_age: Duration, stale_if_error: Duration) -> Self {
        let (fresh, stale) = (max_age.as_secs(), stale_if_error.as_secs());
        CacheTerms { surrogate_control: surrogate_control(fresh, stale), times: (fresh, stale) }
    }

    /// Adds the headers of a value's representation, or of the 304 in its place.
    pub(super) fn value(&self, response: &mut HttpResponseBuilder, topics: &[Topic], etag: HeaderValue) {
        response.insert_header((CACHE_CONTROL, NO_CACHE.clone())).insert_header((ETAG, etag));
        self.shared(response, topics);
    }

    /// Adds the headers of a representation of the past, or of the 304 in its place. The representation changes when the next
    /// hour or day begins, in `changes_in` seconds, even if the value does not change.
    fn past(&self, response: &mut HttpResponseBuilder, topic: &Topic, etag: HeaderValue, changes_in: u64) {
        self.value(response, std::slice::from_ref(topic), etag);
        let (fresh, stale) = self.times;
        if self.surrogate_control.is_some()
            && let Some(control) = surrogate_control(fresh.min(changes_in), stale)
        {
            response.insert_header((SURROGATE_CONTROL.clone(), control));
        }
    }

    /// Answers a representation of a topic that depends on more than the value; 304 if the client has it already. It changes in
    /// `changes_in` seconds even if the value does not; `None` if it does not change.
    pub(super) fn representation(
        &self,
        request: &HttpRequest,
        topic: &Topic,
        media_type: &HeaderValue,
        body: String,
        changes_in: Option<u64>,
    ) -> HttpResponse {
        let etag = content_etag(&body);
        let (mut response, is_known) = begin(request, &etag);
        match changes_in {
            Some(seconds) => self.past(&mut response, topic, etag, seconds),
            None => self.value(&mut response, std::slice::from_ref(topic), etag),
        }
        if is_known {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, media_type.clone())).body(body)
    }

    /// Adds the headers of a stream that a proxy holds. Only the purged CDN may keep the instruction to hold. Any other cache
    /// would replay the stream from its beginning.
    pub(super) fn held(&self, response: &mut HttpResponseBuilder, topics: &[Topic]) {
        response
            .insert_header((CACHE_CONTROL, HELD.clone()))
            .insert_header((X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")));
        self.shared(response, topics);
    }

    /// Adds the headers of an answer with the hits of pages or sites. Caches in browsers and image proxies keep no such answer; the
    /// purged CDN may keep it if the URL names the pages.
    pub(super) fn hits(&self, response: &mut HttpResponseBuilder, topics: &[Topic], named_by: NamedBy) {
        never_kept(response);
        if named_by == NamedBy::Url {
            self.shared(response, topics);
        }
    }

    /// Lets the purged CDN keep a file that only a new version of the program changes, for five minutes and for as long as no origin answers.
    pub(super) fn file(&self, headers: &mut HeaderMap) {
        if self.surrogate_control.is_some()
            && let Some(control) = surrogate_control(300, self.times.1)
        {
            headers.insert(SURROGATE_CONTROL.clone(), control);
        }
    }

    /// Adds the headers of the answer that names the one spelling of an address. Only the purged CDN may keep it.
    pub(super) fn redirect(&self, response: &mut HttpResponseBuilder) {
        response.insert_header((CACHE_CONTROL, NO_STORE.clone()));
        if let Some(control) = &self.surrogate_control {
            response.insert_header((SURROGATE_CONTROL.clone(), control.clone()));
        }
    }

    /// Adds the headers of an answer that the purged CDN may repeat to all clients.
    fn shared(&self, response: &mut HttpResponseBuilder, topics: &[Topic]) {
        response.insert_header((VARY, HeaderValue::from_static("accept")));
        if let Some(control) = &self.surrogate_control {
            response.insert_header((SURROGATE_CONTROL.clone(), control.clone()));
            match topics {
                [topic] => response.insert_header((SURROGATE_KEY.clone(), topic.surrogate_key())),
                _ => {
                    let keys: Vec<_> = topics.iter().map(Topic::surrogate_key).collect();
                    response.insert_header((SURROGATE_KEY.clone(), keys.join(" ")))
                }
            };
        }
    }
}

/// The value of `Surrogate-Control` for an answer that is fresh for `fresh` seconds, and that the CDN may use for `stale` seconds
/// more if no origin answers.
fn surrogate_control(fresh: u64, stale: u64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("max-age={fresh}, stale-if-error={stale}")).ok()
}

/// Adds the headers of a stream that this process holds, or of the answer to a HEAD for a stream.
pub(super) fn streamed(response: &mut HttpResponseBuilder) {
    response
        .insert_header((CACHE_CONTROL, STREAMED.clone()))
        .insert_header((X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")));
}

/// Adds the headers of an answer that no cache may keep, in the words that also old caches and image proxies understand.
pub(super) fn never_kept(response: &mut HttpResponseBuilder) {
    response
        .insert_header((CACHE_CONTROL, NOT_KEPT.clone()))
        .insert_header((PRAGMA, HeaderValue::from_static("no-cache")))
        .insert_header((EXPIRES, HeaderValue::from_static("0")));
}

/// Adds the headers of an answer, or of the 304 in its place, that is the same for all clients but that no purge removes. Each cache
/// must ask about the answer before each use.
pub(super) fn unpurged(response: &mut HttpResponseBuilder, etag: HeaderValue) {
    response
        .insert_header((CACHE_CONTROL, NO_CACHE.clone()))
        .insert_header((ETAG, etag))
        .insert_header((VARY, HeaderValue::from_static("accept")));
}

/// Adds the headers of an answer, or of the 304 in its place, that only a client with a key gets. No shared cache may keep it.
pub(super) fn private(response: &mut HttpResponseBuilder, etag: HeaderValue) {
    response
        .insert_header((CACHE_CONTROL, PRIVATE.clone()))
        .insert_header((ETAG, etag))
        .insert_header((VARY, HeaderValue::from_static("accept, authorization, x-ocean-key")));
}

/// Adds the headers of an answer about something that is private, which no cache may keep.
pub(super) fn secret(response: &mut HttpResponseBuilder) {
    response.insert_header((CACHE_CONTROL, PRIVATE_NO_STORE.clone()));
}

/// Adds the headers of a stream of something that is private.
pub(super) fn private_stream(response: &mut HttpResponseBuilder) {
    response
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-store, no-transform")))
        .insert_header((X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")));
}

/// Whether the purged CDN may repeat this answer to other clients.
pub(super) fn is_shared(headers: &HeaderMap) -> bool {
    headers.contains_key(&SURROGATE_CONTROL)
}

/// The validator of a representation that depends on more than a value: a hash of its bytes.
pub(super) fn content_etag(body: &str) -> HeaderValue {
    let hash = digest(&SHA256, body.as_bytes());
    quoted_etag(&hash.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The validator of a value's representation. The value is enough: the same value has the same bytes at any time, after a
/// restart, and from any origin.
pub(super) fn value_etag(media: Media, value: i64) -> HeaderValue {
    let kind = if media == Media::Json { "j" } else { "" };
    // SmolStr keeps a text of this length without an allocation.
    etag(&format_smolstr!("\"{value}{kind}\""))
}

/// The validator of the representation of several values, in the order in which the address names their topics.
pub(super) fn values_etag(media: Media, values: impl Iterator<Item = i64>) -> HeaderValue {
    let kind = if media == Media::Json { "j" } else { "" };
    let values: Vec<_> = values.map(|value| value.to_string()).collect();
    quoted_etag(&format!("{}{kind}", values.join(".")))
}

/// A strong validator with this text, which must be visible ASCII without quotes.
pub(super) fn quoted_etag(text: &str) -> HeaderValue {
    etag(&format!("\"{text}\""))
}

fn etag(quoted: &str) -> HeaderValue {
    HeaderValue::from_str(quoted).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Begins the answer with this validator: a 304 if the client has the representation already. Returns whether it has, so that the answer needs no body.
pub(super) fn begin(request: &HttpRequest, etag: &HeaderValue) -> (HttpResponseBuilder, bool) {
    let is_known = client_has(request.headers(), etag);
    (if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() }, is_known)
}

/// Whether `If-None-Match` names this representation, so that the client has it already (RFC 9110, section 13.1.2). The
/// comparison is the weak one, because a proxy that compresses an answer makes its validator weak.
fn client_has(headers: &HeaderMap, etag: &HeaderValue) -> bool {
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
