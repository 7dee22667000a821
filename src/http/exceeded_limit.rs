//! The limit that a refused client has met, and the headers that name the limit.

use std::time::Duration;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{HeaderName, RETRY_AFTER};

use crate::limits::RateExceeded;

/// The fields of draft-ietf-httpapi-ratelimit-headers-11: the limit itself, and what the client has left of it.
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The time after which a client with as many streams as it may have should try again: one of its streams may have ended by then.
const STREAM_RETRY: Duration = Duration::from_secs(10);

/// Which limit a client has met, and when the client may go on.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ExceededLimit {
    detail: String,
    /// The value of `RateLimit-Policy`.
    policy: String,
    /// The value of `RateLimit`.
    left: String,
    /// The value of `Retry-After`, in seconds.
    retry_after: u64,
}

impl ExceededLimit {
    /// The client has used up its rate. `name` is the limit's name in the headers; `what` says what the rate counts.
    pub(super) fn rate(name: &str, what: &str, exceeded: RateExceeded) -> Self {
        let RateExceeded { number, window, wait } = exceeded;
        let retry_after = (wait.as_millis().div_ceil(1000) as u64).max(1);
        let window = window.as_secs();
        let unit = match window {
            1 => "a second",
            60 => "a minute",
            _ => "an hour",
        };
        ExceededLimit {
            detail: format!(
                "your address may send {number} {what} {unit}; try again in {retry_after} s; nothing was changed"
            ),
            policy: format!("\"{name}\";q={number};w={window}"),
            left: format!("\"{name}\";r=0;t={retry_after}"),
            retry_after,
        }
    }

    /// The client has `most` streams open and may have no more.
    pub(super) fn streams(most: u32) -> Self {
        ExceededLimit {
            detail: format!("your address has {most} streams open, which is as many as it may have"),
            policy: format!("\"streams\";q={most};qu=\"concurrent-requests\""),
            left: "\"streams\";r=0".to_owned(),
            retry_after: STREAM_RETRY.as_secs(),
        }
    }

    /// Adds the headers of the refusal.
    pub(super) fn insert_headers<'a>(
        &self,
        response: &'a mut HttpResponseBuilder,
    ) -> &'a mut HttpResponseBuilder {
        response
            .insert_header((RETRY_AFTER, self.retry_after))
            .insert_header((RATELIMIT_POLICY.clone(), self.policy.as_str()))
            .insert_header((RATELIMIT.clone(), self.left.as_str()))
    }
}
