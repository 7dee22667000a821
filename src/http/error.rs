//! The table of all errors and the answers that clients get for them, as `application/problem+json` (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};

use serde::Serialize;

use super::caching::NO_STORE;
use super::exceeded_limit::ExceededLimit;
use crate::access::{Denied, redacted};
use crate::domain::{MAX_EVENT_BYTES, MergeError};
use crate::exec::{Position, SyntaxError};
use crate::grip::HoldError;
use crate::sql::SqlError;
use crate::store::{KeyUse, StoreError, WriteError};

/// Why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is not valid; the text names what is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The client may not do this; the text says what the client may do.
    #[error("{0}")]
    Forbidden(String),
    /// The request needs a key or a ticket that covers what the request asks for.
    #[error(transparent)]
    Denied(Box<Denied>),
    /// There is no resource under this path.
    #[error("{0}")]
    NotFound(String),
    /// The resource does not have the method of the request; it has these methods.
    #[error("this resource answers {0}")]
    MethodNotAllowed(&'static str),
    /// No resource has this method; the text says why.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// The client accepts none of these media types, and the resource has no others.
    #[error("this resource is available as {0}")]
    NotAcceptable(String),
    /// The value would leave ±(2^53-1).
    #[error("the value would leave ±9007199254740991; nothing was changed")]
    OutOfRange,
    /// The fields of the entity do not allow the change.
    #[error("{0}; nothing was changed")]
    Conflict(MergeError),
    /// The body is longer than this many bytes.
    #[error("the body may have at most {0} bytes")]
    BodyTooLarge(usize),
    /// The event has this many bytes, which are too many.
    #[error("an event has at most {MAX_EVENT_BYTES} bytes of data, this one has {0}")]
    EventTooLarge(usize),
    /// The body has not arrived within this many seconds.
    #[error("the body has not arrived within {0} seconds; nothing was changed")]
    BodyTooSlow(u64),
    /// The body has a media type that the resource does not read.
    #[error(
        "the body must be JSON (application/json or text/plain) or a form (application/x-www-form-urlencoded or multipart/form-data)"
    )]
    UnsupportedMediaType,
    /// The body has a media type other than JSON.
    #[error("the body must be JSON (Content-Type: application/json)")]
    NoJson,
    /// The body has a media type in which no commands can be.
    #[error(
        "the body must be commands (text/plain), or JSON like {{\"query\":\"read a @b\"}} (application/json)"
    )]
    NoCommands,
    /// The body is compressed. The service does not decompress, because a number is short enough.
    #[error("the body must come without a Content-Encoding")]
    UnsupportedEncoding,
    /// The idempotency key was used before, for this other change.
    #[error("this Idempotency-Key was used with {0}; nothing was changed")]
    KeyReused(KeyUse),
    /// The client asks for a stream, but neither a proxy nor this process can hold it.
    #[error(
        "this origin holds no streams itself: ask through its GRIP proxy (Pushpin or Fastly Fanout), or, if you did, \
         check that the proxy's sig_key is the origin's key (GRIP_URL's key or verify-key, GRIP_VERIFY_KEY), and both clocks"
    )]
    NoProxy,
    /// The client has met one of its limits.
    #[error(transparent)]
    TooManyRequests(Box<ExceededLimit>),
    /// The store has as many topics as it may, and the request would create another one.
    #[error("there is no room for a new counter; those there are can be used as before; nothing was changed")]
    TooManyTopics,
    /// Something that the answer needs is not available now, in most cases the store.
    #[error("{detail}")]
    Unavailable {
        /// The text for the client.
        detail: &'static str,
        /// The store's own error, if there is one. Only the log gets it.
        source: Option<StoreError>,
    },
    /// This process holds as many streams as it can. The answer ends the connection, which another client may need.
    #[error("this server holds as many streams as it can; try again later")]
    TooManyStreams,
    /// The statement in SQL is refused, or was stopped.
    #[error(transparent)]
    Statement(Box<SqlError>),
    /// The text of commands cannot be read.
    #[error(transparent)]
    Syntax(Box<SyntaxError>),
    /// A command of a text has failed.
    #[error("line {}, column {}: {error}", .at.line, .at.column)]
    Command {
        /// Where the command begins.
        at: Position,
        /// Why the command failed.
        error: Box<ApiError>,
        /// The answers to the commands before it, as a JSON array. What they have changed stays changed.
        results: String,
    },
    /// The service has a fault.
    #[error("the server has made a mistake; its log says more")]
    Internal,
}

/// How long a client should wait before it asks again, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

impl ApiError {
    /// The store did not answer a read.
    pub(super) fn unread(source: StoreError) -> Self {
        ApiError::Unavailable { detail: "the store does not answer; try again", source: Some(source) }
    }

    /// The same error, with the position in a list, from 1, of the text that causes it.
    pub(super) fn in_list(self, position: usize) -> Self {
        let numbered = |text: String| format!("{text} (number {position} of the list)");
        match self {
            ApiError::BadRequest(text) => ApiError::BadRequest(numbered(text)),
            ApiError::Forbidden(text) => ApiError::Forbidden(numbered(text)),
            ApiError::NotFound(text) => ApiError::NotFound(numbered(text)),
            other => other,
        }
    }

    /// A few words for this kind of error.
    pub(super) fn title(&self) -> &'static str {
        self.table().2
    }

    /// The error itself, without the command that it is about.
    pub(super) fn cause(&self) -> &ApiError {
        match self {
            ApiError::Command { error, .. } => error.cause(),
            other => other,
        }
    }

    /// Where in a text of commands the problem is.
    fn place(&self) -> Option<Position> {
        match self {
            ApiError::Command { at, .. } => Some(*at),
            ApiError::Syntax(error) => Some(error.at),
            _ => None,
        }
    }

    /// The status of each error, the end of its type URN, and its title.
    fn table(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            ApiError::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request", "Bad request"),
            ApiError::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            ApiError::Denied(denied) => match **denied {
                Denied::Lacking { .. } | Denied::NotLocal { .. } => {
                    (StatusCode::FORBIDDEN, "forbidden", "Forbidden")
                }
                Denied::Missing { .. } | Denied::NoKeys { .. } | Denied::Unknown { .. } => {
                    (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized")
                }
            },
            ApiError::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            ApiError::MethodNotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            ApiError::NotImplemented(_) => {
                (StatusCode::NOT_IMPLEMENTED, "not-implemented", "Not implemented")
            }
            ApiError::NotAcceptable(_) => (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not acceptable"),
            ApiError::OutOfRange => (StatusCode::CONFLICT, "out-of-range", "Value out of range"),
            ApiError::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Change does not fit"),
            ApiError::BodyTooLarge(_) | ApiError::EventTooLarge(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large")
            }
            ApiError::BodyTooSlow(_) => (StatusCode::REQUEST_TIMEOUT, "body-too-slow", "Body too slow"),
            ApiError::UnsupportedMediaType
            | ApiError::NoJson
            | ApiError::NoCommands
            | ApiError::UnsupportedEncoding => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type")
            }
            ApiError::Syntax(_) => (StatusCode::BAD_REQUEST, "bad-command", "Commands cannot be read"),
            ApiError::Command { error, .. } => error.table(),
            ApiError::KeyReused(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused")
            }
            ApiError::TooManyRequests(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests")
            }
            ApiError::TooManyTopics => {
                (StatusCode::INSUFFICIENT_STORAGE, "too-many-topics", "Too many topics")
            }
            ApiError::NoProxy => (StatusCode::NOT_IMPLEMENTED, "no-proxy", "No GRIP proxy"),
            ApiError::Statement(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "statement-refused", "Statement refused")
            }
            ApiError::Unavailable { .. } | ApiError::TooManyStreams => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable")
            }
            ApiError::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }
}

/// The body of an error, in the order of RFC 9457.
#[derive(Serialize)]
struct ProblemBody {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    /// Where in a text of commands the problem is.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl From<SyntaxError> for ApiError {
    fn from(error: SyntaxError) -> Self {
        ApiError::Syntax(Box::new(error))
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::OutOfRange => ApiError::OutOfRange,
            WriteError::Merge(error) => ApiError::Conflict(error),
            WriteError::KeyReused(first) => ApiError::KeyReused(first),
            // The store answers this only to a change that must not create a topic; `limit_checks` handles it.
            WriteError::WouldBeNew => ApiError::Internal,
            WriteError::Unavailable(source) if source.is_refusal() => ApiError::Unavailable {
                detail: "the store refuses changes at present, so this has not been counted; try again later",
                source: Some(source),
            },
            WriteError::Unavailable(source) => ApiError::Unavailable {
                detail: "the store did not answer, so this may or may not have been counted; \
                         with an Idempotency-Key it is safe to try again",
                source: Some(source),
            },
        }
    }
}

impl From<SqlError> for ApiError {
    fn from(error: SqlError) -> Self {
        if !error.is_of_the_service() {
            return ApiError::Statement(Box::new(error));
        }
        tracing::warn!("a statement in SQL failed: {error}");
        ApiError::Unavailable { detail: "the statement could not be run now; try again", source: None }
    }
}

impl From<HoldError> for ApiError {
    fn from(error: HoldError) -> Self {
        // This cannot happen: the characters of topics, ids and paths are all allowed in headers.
        tracing::error!("a hold could not be written: {error}");
        ApiError::Internal
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.table().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, slug, title) = self.table();
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        response.insert_header((CACHE_CONTROL, NO_STORE.clone()));
        match self.cause() {
            // This header tells clients which of the two 415 errors they have got (RFC 9110, section 15.5.16).
            ApiError::UnsupportedEncoding => response.insert_header((ACCEPT_ENCODING, "identity")),
            ApiError::Denied(denied) => response.insert_header((WWW_AUTHENTICATE, denied.challenge())),
            ApiError::MethodNotAllowed(methods) => response.insert_header((ALLOW, *methods)),
            ApiError::TooManyRequests(limit) => limit.insert_headers(&mut response),
            ApiError::Unavailable { .. } => response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS)),
            ApiError::TooManyStreams => {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS)).force_close()
            }
            _ => &mut response,
        };
        let place = self.place();
        let problem = ProblemBody {
            kind: format!("urn:livecounter:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: redacted(&self.to_string()).into_owned(),
            line: place.map(|at| at.line),
            column: place.map(|at| at.column),
        };
        let mut body = serde_json::to_string(&problem).unwrap_or_default();
        if let ApiError::Command { results, .. } = self {
            // The results are JSON already.
            body.truncate(body.len().saturating_sub(1));
            body.push_str(&format!(",\"results\":{results}}}"));
        }
        response.body(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_s_own_words_never_reach_a_client() {
        let error = StoreError::new("redis://user:hush@host refused");
        for error in [ApiError::unread(error.clone()), ApiError::from(WriteError::Unavailable(error))] {
            assert_eq!(error.status_code(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(!error.to_string().contains("hush"));
        }
    }
}
