//! The answer to a drop.

use std::cell::RefCell;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use jiff::Timestamp;
use serde::Serialize;

use super::caching::NO_STORE;
use super::entity_path::EntityName;
use super::media::JSON;
use crate::domain::Route;
use crate::live::Stamped;

/// What was written, and when.
#[derive(Serialize)]
pub(super) struct WrittenDrop<'a> {
    /// The id of the change, which is unique within the route and key. The event of a feed has the same id.
    drop_id: String,
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    /// The number of the change: of an entity, the `rev` with which it is read.
    rev: u64,
    created_at: String,
}

impl<'a> WrittenDrop<'a> {
    /// The answer to a change of an entity.
    pub(super) fn of_entity(name: &'a EntityName, stamped: &Stamped) -> Self {
        WrittenDrop { key: Some(name.key.as_str()), ..WrittenDrop::of_event(&name.route, stamped) }
    }

    /// The answer to an event of a feed.
    pub(super) fn of_event(route: &'a Route, stamped: &Stamped) -> Self {
        let created_at = written_time(stamped.at);
        let (drop_id, rev) = (stamped.id.to_string(), stamped.id.revision);
        WrittenDrop { drop_id, route: route.as_str(), key: None, rev, created_at }
    }

    /// The answer, as JSON.
    pub(super) fn answer(&self) -> HttpResponse {
        answer(self.json())
    }

    /// The JSON of the answer.
    pub(super) fn json(&self) -> String {
        json(self)
    }
}

/// The answer to a drop that deletes an entity.
#[derive(Serialize)]
pub(super) struct DeletedDrop<'a> {
    route: &'a str,
    key: &'a str,
    /// Whether there was such an entity.
    deleted: bool,
}

impl<'a> DeletedDrop<'a> {
    pub(super) fn new(name: &'a EntityName, deleted: bool) -> Self {
        DeletedDrop { route: name.route.as_str(), key: name.key.as_str(), deleted }
    }

    /// The answer, as JSON.
    pub(super) fn answer(&self) -> HttpResponse {
        answer(self.json())
    }

    /// The JSON of the answer.
    pub(super) fn json(&self) -> String {
        json(self)
    }
}

thread_local! {
    /// The second that was written last, and how: a busy thread writes each second many times.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// A time in milliseconds since 1970, as `2026-02-10T00:00:00.125Z`; empty if it is beyond all years that have four digits.
fn written_time(millis: u64) -> String {
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != millis / 1000 || text.is_empty() {
            *second = millis / 1000;
            let at = i64::try_from(*second).ok().and_then(|second| Timestamp::from_second(second).ok());
            *text = at.map(|at| at.to_string()).unwrap_or_default();
        }
        match text.strip_suffix('Z') {
            Some(beginning) => format!("{beginning}.{:03}Z", millis % 1000),
            None => String::new(),
        }
    })
}

fn json(answer: &impl Serialize) -> String {
    // Writing texts and numbers as JSON cannot fail.
    serde_json::to_string(answer).unwrap_or_default()
}

fn answer(json: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, NO_STORE.clone()))
        .insert_header((CONTENT_TYPE, JSON.clone()))
        .body(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, EventId};

    #[test]
    fn the_answer_names_what_was_written() {
        let (route, key) = ("a/b".parse().expect("a route"), "k".parse().expect("a key"));
        let id = EventId { epoch: Epoch::new(31), revision: 7 };
        let stamped = Stamped { id, at: 1_770_681_600_000, created: true, replayed: false };
        let json = |drop: WrittenDrop<'_>| serde_json::to_string(&drop).expect("JSON");
        assert_eq!(
            json(WrittenDrop::of_event(&route, &stamped)),
            r#"{"drop_id":"1f-7","route":"a/b","rev":7,"created_at":"2026-02-10T00:00:00.000Z"}"#
        );
        let name = EntityName { route, key };
        let stamped = Stamped { at: 1_770_681_600_125, ..stamped };
        assert_eq!(
            json(WrittenDrop::of_entity(&name, &stamped)),
            r#"{"drop_id":"1f-7","route":"a/b","key":"k","rev":7,"created_at":"2026-02-10T00:00:00.125Z"}"#
        );
    }
}
