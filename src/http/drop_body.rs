//! The body of a drop.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::entities::keep_of;
use super::error::ApiError;
use crate::domain::{EntityKey, FieldChanges, JsonText, MAX_EVENT_BYTES, Route};
use crate::nearest::nearest;
use crate::store::Merge;

/// The members of a drop. `type` is another name of `route`.
const MEMBERS: [&str; 5] = ["route", "type", "key", "payload", "keep"];

/// What a drop is to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DropChange {
    /// Changes fields of an entity.
    Merge(EntityKey, Merge),
    /// Deletes an entity.
    Delete(EntityKey),
    /// Appends an event to the feed of the route.
    Append(JsonText),
}

/// A drop: `{"route":"analytics/daily","key":"2026-02-10","payload":{"+page_views":1}}`, without `key` for an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DropBody {
    pub(super) route: Route,
    pub(super) change: DropChange,
}

impl DropBody {
    /// The drop in this body; 400 with what is wrong, 413 if its event is too long.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let bad = |text: String| ApiError::BadRequest(text);
        let mut parser = serde_json::Deserializer::from_slice(body);
        let members = parser.deserialize_map(MembersVisitor);
        let members = members.and_then(|members| parser.end().map(|()| members)).map_err(|error| {
            bad(format!(
                "the body must be JSON like {{\"route\":\"analytics/events\",\"payload\":{{}}}}: {error}"
            ))
        })?;
        let route = members.route.ok_or_else(|| bad("route is missing".into()))?;
        let route = route.parse().map_err(|error| bad(format!("route: {error}")))?;
        let payload = members.payload.ok_or_else(|| bad("payload is missing".into()))?;
        let key = members.key.map(|key| key.parse().map_err(|error| bad(format!("{error}")))).transpose()?;
        let change = match (key, members.keep) {
            (Some(key), keep) if payload.is_null() && keep.is_none() => DropChange::Delete(key),
            (Some(_), Some(_)) if payload.is_null() => {
                return Err(bad(
                    "keep has no meaning where the payload is null, which deletes the entity".into()
                ));
            }
            (Some(key), keep) => {
                let fields = FieldChanges::parse(payload.as_str().as_bytes());
                let fields = fields.map_err(|error| bad(error.to_string()))?;
                let keep = keep.map(|keep| keep_of(keep.as_u64())).transpose()?;
                DropChange::Merge(key, Merge { fields, keep })
            }
            (None, Some(_)) => {
                return Err(bad(
                    "keep needs a key: it is the life of an entity, and feeds.age that of events".into(),
                ));
            }
            (None, None) if payload.is_null() => {
                return Err(bad("a payload of null needs a key: it deletes the entity".into()));
            }
            (None, None) if payload.as_str().len() > MAX_EVENT_BYTES => {
                return Err(ApiError::EventTooLarge(payload.as_str().len()));
            }
            (None, None) => DropChange::Append(payload),
        };
        Ok(DropBody { route, change })
    }
}

/// The members of a drop as they were given.
#[derive(Default)]
struct Members {
    route: Option<String>,
    key: Option<String>,
    payload: Option<JsonText>,
    keep: Option<Value>,
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key::<String>()? {
            let is_second = match name.as_str() {
                "route" | "type" => members.route.replace(text(&name, map.next_value()?)?).is_some(),
                "key" => members.key.replace(text(&name, map.next_value()?)?).is_some(),
                "payload" => members.payload.replace(map.next_value()?).is_some(),
                "keep" => members.keep.replace(map.next_value()?).is_some(),
                _ => return Err(unknown(&name)),
            };
            if is_second {
                let name = if name == "type" { "route" } else { &name };
                return Err(A::Error::custom(format_args!("{name} is given twice")));
            }
        }
        Ok(members)
    }
}

fn text<E: Error>(name: &str, value: Value) -> Result<String, E> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(E::custom(format_args!("{name} must be a text"))),
    }
}

fn unknown<E: Error>(name: &str) -> E {
    let shown: String = name.chars().take(40).collect();
    match nearest(name, MEMBERS) {
        Some(known) => E::custom(format_args!("unknown member {shown:?}; did you mean {known}?")),
        None => E::custom(format_args!("unknown member {shown:?}; there are route, key, payload and keep")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(body: &str) -> Result<DropBody, String> {
        DropBody::parse(body.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_drop_changes_or_deletes_an_entity_or_is_an_event() {
        let route: Route = "a/b".parse().expect("a route");
        let key = || "k".parse::<EntityKey>().expect("a key");
        let fields = || FieldChanges::parse(b"{\"+n\":1}").expect("fields");
        let week = Some(Duration::from_secs(604_800));
        for (body, change) in [
            (r#"{"route":"a/b","key":"k","payload":{"+n":1}}"#, DropChange::Merge(key(), fields().into())),
            (
                r#"{"payload":{"+n":1},"keep":604800,"key":"k","type":"a/b"}"#,
                DropChange::Merge(key(), Merge { fields: fields(), keep: week }),
            ),
            (r#"{"route":"a/b","key":"k","payload":null}"#, DropChange::Delete(key())),
            (r#"{"route":"a/b","payload":{"+n": 1}}"#, DropChange::Append(JsonText::of_stored("{\"+n\":1}"))),
            (r#"{"route":"a/b","payload":"x"}"#, DropChange::Append(JsonText::of_stored("\"x\""))),
        ] {
            assert_eq!(parse(body), Ok(DropBody { route: route.clone(), change }), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_drop_is_named() {
        let long = format!("{{\"route\":\"a\",\"payload\":\"{}\"}}", "x".repeat(MAX_EVENT_BYTES));
        let deep = format!("{{\"route\":\"a\",\"payload\":{}{}}}", "[".repeat(6_000), "]".repeat(6_000));
        for (body, expected) in [
            ("", "EOF while parsing"),
            ("[]", "expected an object"),
            ("{}", "route is missing"),
            (r#"{"route":"a"}"#, "payload is missing"),
            (r#"{"route":"","payload":1}"#, "route: a route must not be empty"),
            (r#"{"route":"a b","payload":1}"#, "route: a route consists of"),
            (r#"{"route":5,"payload":1}"#, "route must be a text"),
            (r#"{"route":"a","type":"a","payload":1}"#, "route is given twice"),
            (r#"{"route":"a","payload":1,"payload":1}"#, "payload is given twice"),
            (r#"{"route":"a","payload":null}"#, "a payload of null needs a key"),
            (r#"{"route":"a","key":"","payload":{}}"#, "a key must not be empty"),
            (r#"{"route":"a","key":"b/c","payload":{}}"#, "a key consists of"),
            (r#"{"route":"a","key":"b","payload":[]}"#, "must be a JSON object"),
            (r#"{"route":"a","key":"b","payload":{"+a":1.5}}"#, "the field \"+a\" must be a whole number"),
            (r#"{"route":"a","key":"b","payload":{},"keep":0}"#, "keep must be a whole number of seconds"),
            (r#"{"route":"a","key":"b","payload":{},"keep":"1"}"#, "keep must be a whole number of seconds"),
            (r#"{"route":"a","key":"b","payload":null,"keep":1}"#, "keep has no meaning"),
            (r#"{"route":"a","payload":{},"keep":1}"#, "keep needs a key"),
            (r#"{"route":"a","payloda":{}}"#, "unknown member \"payloda\"; did you mean payload?"),
            (r#"{"route":"a","payload":1e400}"#, "number out of range"),
            (r#"{"route":"a","payload":{"b":1,"b":2}}"#, "comes twice"),
            (r#"{"route":"\ud800","payload":1}"#, "unexpected end of hex escape"),
            (r#"{"route":"a","payload":1} x"#, "trailing characters"),
            (r#"{"route":"a","key":"é","payload":{}}"#, "a key consists of"),
            (r#"{"route":"é","payload":{}}"#, "route: a route consists of"),
            (r#"{"route":"a","payload":"\ud800"}"#, "unexpected end of hex escape"),
            (&deep, "recursion limit exceeded"),
            (&long, "an event has at most"),
        ] {
            let problem = parse(body).expect_err(body);
            assert!(problem.contains(expected), "{body}: {problem}");
        }
    }
}
