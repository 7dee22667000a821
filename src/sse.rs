//! The only encoder of Server-Sent Events (WHATWG HTML, section 9.2).

use std::fmt::{Display, Write};
use std::sync::LazyLock;

use bytes::Bytes;

/// The media type of a stream.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// A comment: keeps proxies and browsers from closing a quiet stream; clients ignore it.
pub const KEEP_ALIVE: &str = ":\n\n";

/// How long a browser waits before it reconnects, in milliseconds.
const RETRY_MS: u32 = 2000;

/// What every stream begins with: a comment of 2,048 spaces, which moves clients that buffer the first kilobytes to
/// show what follows at once, and the reconnect delay.
static PREAMBLE: LazyLock<String> = LazyLock::new(|| format!(":{:2048}\n\nretry: {RETRY_MS}\n\n", ""));

/// A `message` event with an id. Line breaks in `data` become several `data:` fields, as the format demands; NUL and
/// lone CR, which no field can carry, are left out.
pub fn message(id: impl Display, data: &str) -> String {
    let mut event = String::with_capacity(64 + data.len());
    write_message(&mut event, id, data);
    event
}

/// The first bytes of a stream: the preamble and the present value.
pub fn opening(id: impl Display, data: &str) -> Bytes {
    let mut stream = String::with_capacity(PREAMBLE.len() + 64 + data.len());
    stream.push_str(&PREAMBLE);
    write_message(&mut stream, id, data);
    stream.into()
}

fn write_message(out: &mut String, id: impl Display, data: &str) {
    out.push_str("id: ");
    let start = out.len();
    let _ = write!(out, "{id}"); // writing to a String cannot fail
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_these_bytes() {
        assert_eq!(message("a1-7", "26"), "id: a1-7\nevent: message\ndata: 26\n\n");
    }

    #[test]
    fn a_stream_opens_with_padding_retry_and_the_value() {
        let bytes = opening("a1-7", "26");
        let text = std::str::from_utf8(&bytes).expect("text");
        let (padding, rest) = text.split_once("\n\n").expect("a first block");
        assert_eq!(padding, format!(":{}", " ".repeat(2048)));
        assert_eq!(rest, "retry: 2000\n\nid: a1-7\nevent: message\ndata: 26\n\n");
    }

    #[test]
    fn every_line_of_the_data_is_a_field() {
        assert_eq!(message("1", "a\r\nb\0c"), "id: 1\nevent: message\ndata: a\ndata: bc\n\n");
    }

    proptest! {
        #[test]
        fn no_id_and_no_data_can_forge_a_field(id in "\\PC{0,20}|[\\r\\n\\x00a]{0,9}", data in "(?s).{0,60}") {
            let event = message(&id, &data);
            let lines: Vec<&str> = event.split_terminator('\n').collect();
            prop_assert!(!event.contains(['\r', '\0']));
            prop_assert!(lines[0].starts_with("id: "));
            prop_assert_eq!(lines[1], "event: message");
            prop_assert!(lines[2..lines.len() - 1].iter().all(|l| l.starts_with("data: ")));
            prop_assert_eq!(lines[lines.len() - 1], "");
        }
    }
}
