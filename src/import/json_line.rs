//! One line of JSON.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::line::{LATEST, PastEvent, Target};
use super::points::points;
use crate::domain::{
    CountApiName, CountApiWord, CounterId, Document, EntityKey, FieldChange, FieldChanges, JsonText, LIMIT,
    MAX_EVENT_BYTES, PageAddress, ParseAmountError, ParseCountApiWordError, ParseCounterIdError,
    ParseEntityKeyError, ParsePageAddressError, ParseRouteError, Past, Route, Topic, Unit,
};

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonLine {
    /// The first line of an export: the format and its version.
    First,
    /// The first line of another format or version, and which one this is.
    Unknown(String),
    /// The last line of an export: how many counters it has.
    Last(u64),
    /// A counter, a page, a site, an entity or an event, and its value; the name of the counter in the input if the id was made from it; the
    /// values in hours and days.
    Number(Target, i64, Option<String>, Past),
}

/// The members that a line may have. Other members are an error, because a mistyped name must not pass for a missing one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    format: Option<Value>,
    version: Option<Value>,
    end: Option<Value>,
    counters: Option<u64>,
    id: Option<String>,
    namespace: Option<String>,
    key: Option<String>,
    page: Option<String>,
    site: Option<String>,
    route: Option<String>,
    payload: Option<JsonText>,
    ends: Option<Value>,
    hours: Option<Value>,
    days: Option<Value>,
    at: Option<Value>,
    // `null` is an event, too.
    #[serde(default, deserialize_with = "present")]
    event: Option<JsonText>,
    value: Option<Value>,
    // What CountAPI's `/info` answers besides.
    #[serde(rename = "ttl")]
    _ttl: Option<IgnoredAny>,
    #[serde(rename = "created")]
    _created: Option<IgnoredAny>,
    #[serde(rename = "update_lowerbound")]
    _least: Option<IgnoredAny>,
    #[serde(rename = "update_upperbound")]
    _greatest: Option<IgnoredAny>,
    #[serde(rename = "enable_reset")]
    _reset: Option<IgnoredAny>,
}

/// Reads a line, or returns what is wrong with it.
pub(super) fn parse(text: &str) -> Result<JsonLine, String> {
    // A derived `Deserialize` would accept an array, too.
    if !text.trim_start().starts_with('{') {
        return Err("must be JSON like {\"id\":\"2\",\"value\":26}".to_owned());
    }
    let members: Members = serde_json::from_str(text)
        .map_err(|error| error.to_string().replace(" at line 1 column ", " at character "))?;
    if members.format.is_some() || members.version.is_some() {
        return Ok(first(&members));
    }
    if members.end.is_some() || members.counters.is_some() {
        return last(&members);
    }
    if members.at.is_some() || members.event.is_some() {
        return event(members);
    }
    if members.route.is_some() || members.payload.is_some() || members.ends.is_some() {
        return entity(members);
    }
    let value = number(members.value)?;
    let past = Past { hours: points(Unit::Hour, members.hours)?, days: points(Unit::Day, members.days)? };
    let line = |target, name| Ok(JsonLine::Number(target, value, name, past));
    match (members.id, members.page, members.site, members.namespace, members.key) {
        (Some(id), None, None, None, None) => line(Target::Counter(id_of(&id)?), None),
        (None, Some(page), None, None, None) => line(Target::Page(address_of(&page)?), None),
        (None, None, Some(site), None, None) => line(Target::Site(site_of(&site)?), None),
        (None, None, None, namespace, Some(key)) => {
            let name = CountApiName {
                namespace: match namespace {
                    Some(namespace) => word_of(&namespace)?,
                    None => CountApiWord::default_namespace(),
                },
                key: word_of(&key)?,
            };
            line(Target::Counter(name.counter_id()), Some(name.to_string()))
        }
        (None, None, None, _, None) => Err("has no id".to_owned()),
        _ => Err("has more than one of an id, a page, a site, and a key".to_owned()),
    }
}

/// An entity: `{"route":"analytics/daily","key":"2026-02-10","payload":{"views":7}}`.
fn entity(members: Members) -> Result<JsonLine, String> {
    let Members {
        id: None,
        namespace: None,
        page: None,
        site: None,
        value: None,
        hours: None,
        days: None,
        route,
        key,
        payload,
        ends,
        ..
    } = members
    else {
        return Err("an entity has a route, a key and a payload, and nothing else".to_owned());
    };
    let route = route_of(route)?;
    let key: EntityKey =
        key.ok_or("has no key")?.parse().map_err(|error: ParseEntityKeyError| error.to_string())?;
    let payload = payload.ok_or("has no payload")?;
    let ends = ends.map(|ends| time_of("ends", &ends)).transpose()?;
    let changes = FieldChanges::parse(payload.as_str().as_bytes()).map_err(|error| error.to_string())?;
    if changes.iter().any(|(_, change)| !matches!(change, FieldChange::Set(_))) {
        return Err(
            "the payload of an import sets fields; it neither adds to them nor removes them".to_owned()
        );
    }
    Document::default().merged(&changes).map_err(|error| error.to_string())?;
    Ok(JsonLine::Number(
        Target::Entity(Topic::entity(&route, &key), Arc::new(changes), ends),
        0,
        None,
        Past::default(),
    ))
}

/// An event of a feed: `{"route":"app/log","at":1796083200000,"event":{"user":7}}`.
fn event(members: Members) -> Result<JsonLine, String> {
    let Members {
        id: None,
        namespace: None,
        key: None,
        page: None,
        site: None,
        payload: None,
        value: None,
        ends: None,
        hours: None,
        days: None,
        route,
        at,
        event,
        ..
    } = members
    else {
        return Err("an event of a feed has a route, a time at and the event, and nothing else".to_owned());
    };
    let feed = Topic::feed(&route_of(route)?);
    let at = time_of("at", &at.ok_or("has no time at")?)?;
    let data = event.ok_or("has no event")?;
    let bytes = data.as_str().len();
    if bytes > MAX_EVENT_BYTES {
        return Err(format!("the event has {bytes} bytes; an event has at most {MAX_EVENT_BYTES}"));
    }
    Ok(JsonLine::Number(Target::Event(PastEvent { feed, at, data }), 0, None, Past::default()))
}

/// The time in the member of this name.
fn time_of(name: &str, value: &Value) -> Result<u64, String> {
    let time = value.as_u64().filter(|time| *time <= LATEST);
    time.ok_or_else(|| format!("{name} must be a time in milliseconds since 1970, in plain digits"))
}

/// The value of a member that stands in the line.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<JsonText>, D::Error> {
    JsonText::deserialize(value).map(Some)
}

fn first(members: &Members) -> JsonLine {
    match (&members.format, &members.version) {
        (Some(Value::String(format)), Some(version)) if format == "livecounter" => match version.as_u64() {
            Some(1) => JsonLine::First,
            _ => {
                JsonLine::Unknown(format!("an export of version {version}, which this program does not know"))
            }
        },
        _ => JsonLine::Unknown("of another format than livecounter".to_owned()),
    }
}

fn last(members: &Members) -> Result<JsonLine, String> {
    match (&members.end, members.counters) {
        (Some(Value::Bool(true)), Some(counters)) => Ok(JsonLine::Last(counters)),
        _ => Err("must be JSON like {\"end\":true,\"counters\":3}".to_owned()),
    }
}

fn route_of(text: Option<String>) -> Result<Route, String> {
    text.ok_or("has no route")?.parse().map_err(|error: ParseRouteError| error.to_string())
}

fn id_of(text: &str) -> Result<CounterId, String> {
    text.parse().map_err(|error: ParseCounterIdError| error.to_string())
}

fn word_of(text: &str) -> Result<CountApiWord, String> {
    text.parse().map_err(|error: ParseCountApiWordError| error.to_string())
}

fn address_of(text: &str) -> Result<PageAddress, String> {
    text.parse().map_err(|error: ParsePageAddressError| error.to_string())
}

fn site_of(text: &str) -> Result<PageAddress, String> {
    let address = address_of(text)?;
    if address.as_str() == address.site() {
        Ok(address)
    } else {
        Err("a site is a host without a path, such as www.example.com".to_owned())
    }
}

fn number(value: Option<Value>) -> Result<i64, String> {
    let number = match value {
        None => return Err("has no value".to_owned()),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(format!("value {}", ParseAmountError::NotWhole)),
    };
    let large = number.as_f64().is_none_or(|number| number.abs() > LIMIT as f64);
    match number.as_i64().filter(|number| (-LIMIT..=LIMIT).contains(number)) {
        Some(number) => Ok(number),
        None if large => Err(format!("value {}", ParseAmountError::TooLarge)),
        None => Err(format!("value {}", ParseAmountError::NotWhole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_an_id_a_page_or_a_namespace_and_key() {
        for (text, id, value) in [
            (r#"{"id":"2","value":26}"#, "counter 2", 26),
            (r#" {"value":-9007199254740991,"id":"\u0061"} "#, "counter a", -LIMIT),
            (r#"{"namespace":"site","key":"visits","value":0}"#, "counter site~visits", 0),
            (r#"{"namespace":"default","key":"visits","value":1}"#, "counter default~visits", 1),
            (r#"{"key":"visits","value":1}"#, "counter default~visits", 1),
            (
                r#"{"namespace":"abc","key":"bcd","ttl":1,"created":2,"update_lowerbound":-1,"update_upperbound":1,"enable_reset":false,"value":3}"#,
                "counter abc~bcd",
                3,
            ),
            (r#"{"page":"https://Example.com/a?b=c","value":4}"#, "page example.com/a", 4),
            (r#"{"site":"https://Example.com/","value":5}"#, "site example.com", 5),
            (
                r#"{"route":"app/daily","key":"2026-02-10","payload":{"a":"x"}}"#,
                "entity app/daily/2026-02-10",
                0,
            ),
            (r#"{"route":"app/log","at":0,"event":null}"#, "event of app/log", 0),
        ] {
            let read = parse(text).expect(text);
            assert!(
                matches!(&read, JsonLine::Number(found, number, ..) if found.to_string() == id && *number == value),
                "{text}: {read:?}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        let not_whole = "value must be a whole number in plain digits, like 5 or -3";
        let too_large = "value must be within ±9007199254740991";
        let like = "must be JSON like {\"id\":\"2\",\"value\":26}";
        for (text, expected) in [
            ("[\"a\",5]", like),
            ("2,26", like),
            ("{\"id\":\"2\"}", "has no value"),
            ("{\"value\":2}", "has no id"),
            (
                "{\"key\":\"a/b\",\"value\":2}",
                "a namespace or a key of CountAPI has 3 to 64 characters of A-Z a-z 0-9 _ - .",
            ),
            (
                "{\"id\":\"2\",\"key\":\"a\",\"value\":2}",
                "has more than one of an id, a page, a site, and a key",
            ),
            (
                "{\"site\":\"example.com/a\",\"value\":2}",
                "a site is a host without a path, such as www.example.com",
            ),
            ("{\"namespace\":\"a\",\"value\":2}", "has no id"),
            (
                "{\"id\":\"a/b\",\"value\":2}",
                "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another",
            ),
            (
                "{\"id\":\"\\u0007\",\"value\":2}",
                "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 1 is another",
            ),
            ("{\"id\":\"\",\"value\":2}", "a counter id must not be empty"),
            ("{\"id\":\"a\",\"value\":1e3}", not_whole),
            ("{\"id\":\"a\",\"value\":1.0}", not_whole),
            ("{\"id\":\"a\",\"value\":\"5\"}", not_whole),
            ("{\"id\":\"a\",\"value\":[5]}", not_whole),
            ("{\"id\":\"a\",\"value\":9007199254740992}", too_large),
            ("{\"id\":\"a\",\"value\":-9007199254740993}", too_large),
            ("{\"id\":\"a\",\"value\":99999999999999999999999}", too_large),
            (
                "{\"page\":\"mailto:a@example.com\",\"value\":2}",
                "an address is one of http or https, such as www.example.com/page",
            ),
            ("{\"route\":\"a\",\"payload\":{}}", "has no key"),
            ("{\"route\":\"a\",\"key\":\"b\"}", "has no payload"),
            (
                "{\"route\":\"a\",\"key\":\"b\",\"payload\":{\"+n\":1}}",
                "the payload of an import sets fields; it neither adds to them nor removes them",
            ),
            (
                "{\"route\":\"a\",\"key\":\"b\",\"payload\":{},\"value\":1}",
                "an entity has a route, a key and a payload, and nothing else",
            ),
            (
                "{\"route\":\"a\",\"key\":\"b\",\"payload\":{},\"ends\":\"1\"}",
                "ends must be a time in milliseconds since 1970, in plain digits",
            ),
            ("{\"route\":\"a\",\"at\":1}", "has no event"),
            ("{\"route\":\"a\",\"event\":1}", "has no time at"),
            ("{\"at\":1,\"event\":1}", "has no route"),
            (
                "{\"route\":\"a\",\"at\":1.5,\"event\":1}",
                "at must be a time in milliseconds since 1970, in plain digits",
            ),
            (
                "{\"route\":\"a\",\"at\":253402207200001,\"event\":1}",
                "at must be a time in milliseconds since 1970, in plain digits",
            ),
            (
                "{\"route\":\"a\",\"key\":\"b\",\"at\":1,\"event\":1}",
                "an event of a feed has a route, a time at and the event, and nothing else",
            ),
            ("{\"end\":true}", "must be JSON like {\"end\":true,\"counters\":3}"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
        for (text, expected) in [
            ("{\"id\":\"a\",\"vlaue\":5}", "unknown field `vlaue`"),
            ("{\"id\":\"a\",\"id\":\"b\",\"value\":5}", "duplicate field `id`"),
            ("{\"id\":5,\"value\":5}", "expected a"),
            ("{\"id\":\"a\",\"value\":5}}", "trailing characters at character 21"),
            ("{\"id\":\"a\",\"value\":1e999}", "number out of range"),
            ("{\"id\":\"\u{1}\",\"value\":5}", "control character"),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(expected) && !problem.contains("line 1"), "{text}: {problem}");
        }
    }
}
