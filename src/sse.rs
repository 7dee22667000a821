//! The only encoder of Server-Sent Events (WHATWG HTML, section 9.2).

use std::fmt::{Display, Write};
use std::sync::LazyLock;
use std::time::Duration;

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
    if out[start..].contains(['\r', '\n', '\0']) {
        let clean = out[start..].replace(['\r', '\n', '\0'], "");
        out.truncate(start);
        out.push_str(&clean);
    }
    out.push_str("\nevent: message\n");
    for line in data.split('\n') {
        out.push_str("data: ");
        out.extend(line.chars().filter(|c| !matches!(c, '\r' | '\0')));
        out.push('\n');
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
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
