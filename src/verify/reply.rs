//! An answer with its body, and what it says.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use super::report::quote;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct CheckReply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) took: Duration,
}

/// The problem document of an error (RFC 9457), as the service writes it.
#[derive(Debug, Deserialize)]
pub(super) struct ServiceProblem {
    #[serde(rename = "type")]
    kind: String,
    pub(super) detail: String,
}

/// A counter as JSON.
#[derive(Debug, Deserialize)]
struct CounterJson {
    id: String,
    value: i64,
}

impl CheckReply {
    /// A header's value, empty if there is none that can be read.
    pub(super) fn header(&self, name: impl reqwest::header::AsHeaderName) -> &str {
        header(&self.headers, name)
    }

    /// The media type, without parameters and in small letters.
    pub(super) fn media_type(&self) -> String {
        media_type(&self.headers)
    }

    /// The error that the service itself has answered, if this is one.
    pub(super) fn problem(&self) -> Option<ServiceProblem> {
        let problem: ServiceProblem = (self.media_type() == "application/problem+json")
            .then(|| serde_json::from_slice(&self.body).ok())??;
        problem.kind.starts_with("urn:livecounter:problem:").then_some(problem)
    }

    /// The value of this counter, if the answer is 200 with the counter as JSON.
    pub(super) fn counter(&self, id: &str) -> Option<i64> {
        if self.status != 200 || self.media_type() != "application/json" {
            return None;
        }
        let counter: CounterJson = serde_json::from_slice(&self.body).ok()?;
        (counter.id == id).then_some(counter.value)
    }

    /// What was answered, in a few words.
    pub(super) fn described(&self) -> String {
        let status = self.status;
        if let Some(problem) = self.problem() {
            return format!("{status}, {}", quote(&problem.detail));
        }
        let body = String::from_utf8_lossy(&self.body);
        match (self.media_type().as_str(), body.trim()) {
            ("", "") => format!("{status} without a body"),
            ("", body) => format!("{status} that begins {}", quote(body)),
            (kind, "") => format!("{status}, {} without a body", quote(kind)),
            (kind, body) => format!("{status}, {} that begins {}", quote(kind), quote(body)),
        }
    }
}

/// A header's value, empty if there is none that can be read.
pub(super) fn header(headers: &HeaderMap, name: impl reqwest::header::AsHeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The media type, without parameters and in small letters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    header(headers, CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a header that is a list of words has this word, compared without case.
pub(super) fn has_word(headers: &HeaderMap, name: &str, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}
