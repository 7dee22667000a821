//! The only encoder of Server-Sent Events (WHATWG HTML, section 9.2). Knows the domain, and what topics of a store hold.

use std::fmt::{Display, Write};
use std::sync::LazyLock;
use std::time::Duration;

use crate::domain::{EventId, GapReason, Kind, Topic};
use crate::store::Body;

/// The media type of a stream.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// The keep-alive comment, which keeps proxies and browsers from closing a quiet stream. No blank line follows the comment, as
/// many clients take every blank line for the end of an event and would show an empty event.
pub const KEEP_ALIVE: &str = ":\n";

/// The comment at the beginning of a stream. Clients that buffer the first kilobytes then show the first event at once. The
/// comment is rendered once, as the formatter pads character by character.
static PADDING: LazyLock<String> = LazyLock::new(|| format!(":{:2048}\n", ""));

/// A `message` event with an id. Only the first event of a stream has `retry`, the delay before a client reconnects. That event
/// begins with the comment of spaces and the delay, in the same block: many clients take a block without data for an empty event.
///
/// Each line of `data` becomes a `data:` field, as the format demands. NUL and CR are left out, as no field can carry them.
pub fn render(retry: Option<Duration>, id: impl Display, data: &str) -> String {
    let padding = if retry.is_some() { PADDING.as_str() } else { "" };
    let mut out = String::with_capacity(padding.len() + 128 + data.len());
    out.push_str(padding);
    // Writing to a String cannot fail.
    if let Some(retry) = retry {
        let _ = writeln!(out, "retry: {}", retry.as_millis());
    }
    out.push_str("id: ");
    let start = out.len();
    let _ = write!(out, "{id}");
    if out[start..].bytes().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')) {
        let clean = out[start..].replace(['\r', '\n', '\0'], "");
        out.truncate(start);
        out.push_str(&clean);
    }
    out.push_str("\nevent: message\n");
    // Nearly no data has such a character: JSON escapes all of them.
    if data.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')) {
        for line in data.split('\n') {
            out.push_str("data: ");
            out.extend(line.chars().filter(|c| !matches!(c, '\r' | '\0')));
            out.push('\n');
        }
    } else {
        out.push_str("data: ");
        out.push_str(data);
        out.push('\n');
    }
    out.push('\n');
    out
}

/// The beginning of a stream without an event: the comment of spaces and the delay before a client reconnects. The next event ends the block.
pub fn opening(retry: Duration) -> String {
    format!("{}retry: {}\n", *PADDING, retry.as_millis())
}

/// An event `gap`: a listener may have missed events between `from` and `to` that it will not get. `from` is `None` if it is unknown what the listener has
/// seen. With `retry`, see [`render`].
pub fn gap(
    retry: Option<Duration>,
    feed: &Topic,
    from: Option<EventId>,
    to: EventId,
    reason: GapReason,
) -> String {
    // No name of a topic has a character that JSON escapes.
    let quoted = |id| format!("\"{}\"", feed.stream_id(id));
    let from = from.map_or("null".to_owned(), quoted);
    let id = format!("id: {}\n", feed.stream_id(to));
    gap_event(retry, &id, &from, &quoted(to), reason)
}

/// An event `gap` of a stream whose events have no order, so that it is unknown from where and to where the gap goes. Clients keep the id that they have.
pub fn gap_without_id(retry: Option<Duration>, reason: GapReason) -> String {
    gap_event(retry, "", "null", "null", reason)
}

fn gap_event(retry: Option<Duration>, id: &str, from: &str, to: &str, reason: GapReason) -> String {
    let (beginning, reason) = (retry.map(opening).unwrap_or_default(), reason.word());
    format!("{beginning}{id}event: gap\ndata: {{\"from\":{from},\"to\":{to},\"reason\":\"{reason}\"}}\n\n")
}

/// What listeners of a topic get of a body that the topic has at `id`: one event, and for a feed one event for each of the feed's events.
/// The first event has `retry`, see [`render`]. A topic that is gone shows 0, an entity `null`, and a feed nothing.
pub fn render_body(retry: Option<Duration>, topic: &Topic, body: &Body, id: EventId) -> String {
    let one = |data: &str| render(retry, topic.stream_id(id), data);
    match body {
        Body::Number(number) => one(&number.to_string()),
        Body::Document(document) => one(&document.to_json()),
        Body::Events(events) => {
            let mut retry = retry;
            let events = events.iter();
            events.map(|event| render(retry.take(), topic.stream_id(event.id), event.data.as_str())).collect()
        }
        Body::Gone => match topic.kind() {
            Some(Kind::Entity) => one("null"),
            Some(Kind::Feed) => String::new(),
            _ => one("0"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Document, Epoch, FeedEvent, JsonText};
    use proptest::prelude::*;

    #[test]
    fn an_event_is_these_bytes() {
        assert_eq!(render(None, "2@a1-7", "26"), "id: 2@a1-7\nevent: message\ndata: 26\n\n");
    }

    #[test]
    fn a_stream_begins_with_one_block() {
        let text = render(Some(Duration::from_millis(1789)), "2@a1-7", "26");
        let padding = " ".repeat(2048);
        assert_eq!(text, format!(":{padding}\nretry: 1789\nid: 2@a1-7\nevent: message\ndata: 26\n\n"));
    }

    #[test]
    fn each_kind_of_body_has_its_events() {
        let topic = |name: &str| name.parse::<Topic>().expect("a topic");
        let id = |revision| EventId { epoch: Epoch::new(9), revision };
        let rendered = |name: &str, body: Body| render_body(None, &topic(name), &body, id(7));
        let event = |id: String, data: &str| format!("id: {id}\nevent: message\ndata: {data}\n\n");
        let one = |name: &str, data: &str| event(topic(name).stream_id(id(7)).to_string(), data);
        assert_eq!(rendered("counter-2", Body::Number(26)), one("counter-2", "26"));
        assert_eq!(rendered("counter-2", Body::Gone), one("counter-2", "0"));
        let document = Document::of(vec![("a".into(), JsonText::number(1))]);
        assert_eq!(rendered("entity-r/k", Body::Document(document.into())), one("entity-r/k", "{\"a\":1}"));
        assert_eq!(rendered("entity-r/k", Body::Gone), one("entity-r/k", "null"));
        let feed = |revision| FeedEvent { id: id(revision), at: 0, data: JsonText::number(5) };
        let events: String =
            [6, 7].map(|at| event(topic("feed-r").stream_id(id(at)).to_string(), "5")).concat();
        assert_eq!(rendered("feed-r", Body::Events([feed(6), feed(7)].into())), events);
        assert_eq!(rendered("feed-r", Body::Gone), "");
    }

    #[test]
    fn a_gap_is_these_bytes() {
        let feed: Topic = "feed-app/chat".parse().expect("a topic");
        let id = |revision| EventId { epoch: Epoch::new(9), revision };
        let gap = gap(None, &feed, Some(id(3)), id(7), GapReason::Expired);
        let data = r#"{"from":"feed-app/chat@9-3","to":"feed-app/chat@9-7","reason":"expired"}"#;
        assert_eq!(gap, format!("id: feed-app/chat@9-7\nevent: gap\ndata: {data}\n\n"));
        let begun = gap_without_id(Some(Duration::from_millis(1789)), GapReason::Prefix);
        let data = r#"{"from":null,"to":null,"reason":"prefix"}"#;
        assert_eq!(begun, format!("{}event: gap\ndata: {data}\n\n", opening(Duration::from_millis(1789))));
        assert_eq!(opening(Duration::from_millis(1789)), format!(":{}\nretry: 1789\n", " ".repeat(2048)));
    }

    #[test]
    fn every_line_of_the_data_is_a_field() {
        assert_eq!(render(None, "1", "a\r\nb\0c"), "id: 1\nevent: message\ndata: a\ndata: bc\n\n");
    }

    proptest! {
        #[test]
        fn no_id_and_no_data_can_forge_a_field(id in "\\PC{0,20}|[\\r\\n\\x00a]{0,9}", data in "(?s).{0,60}") {
            let event = render(None, &id, &data);
            let lines: Vec<&str> = event.split_terminator('\n').collect();
            prop_assert!(!event.contains(['\r', '\0']));
            prop_assert!(lines[0].starts_with("id: "));
            prop_assert_eq!(lines[1], "event: message");
            prop_assert!(lines[2..lines.len() - 1].iter().all(|l| l.starts_with("data: ")));
            prop_assert_eq!(lines[lines.len() - 1], "");
        }
    }
}
