//! Reads Server-Sent Events (WHATWG HTML, section 9.2) from bytes as they come, with a bound on what is kept.

/// The longest line, and the most data of one event, in bytes. The service sends 2,049 spaces and then short lines.
const LONGEST: usize = 16 * 1024;

/// One event with data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadEvent {
    /// The id that a client has after this event.
    pub(super) id: String,
    /// The type: `message` where the stream names none.
    pub(super) kind: String,
    pub(super) data: String,
}

/// The bytes are no Server-Sent Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    #[error("a line or an event longer than 16 KiB")]
    TooLong,
    #[error("bytes that are not UTF-8")]
    Utf8,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    line: Vec<u8>,
    /// The last byte was a carriage return, so that a line feed does not end another line.
    after_return: bool,
    any_line: bool,
    id: String,
    kind: String,
    data: String,
    any_data: bool,
}

impl EventReader {
    /// Takes bytes, and appends the events that they complete.
    pub(super) fn read(&mut self, bytes: &[u8], events: &mut Vec<ReadEvent>) -> Result<(), ReadError> {
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ if self.line.len() == LONGEST => return Err(ReadError::TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<ReadEvent>, ReadError> {
        let line = String::from_utf8(std::mem::take(&mut self.line)).map_err(|_| ReadError::Utf8)?;
        let first = !std::mem::replace(&mut self.any_line, true);
        let line = if first { line.strip_prefix('\u{feff}').unwrap_or(&line) } else { &line };
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "event" => value.clone_into(&mut self.kind),
            "data" if self.data.len() + value.len() > LONGEST => return Err(ReadError::TooLong),
            "data" => {
                if self.any_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.any_data = true;
            }
            _ => {}
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Option<ReadEvent> {
        let kind = std::mem::take(&mut self.kind);
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.any_data).then(|| ReadEvent { id: self.id.clone(), kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(parts: &[&[u8]]) -> Result<Vec<ReadEvent>, ReadError> {
        let (mut reader, mut events) = (EventReader::default(), Vec::new());
        for part in parts {
            reader.read(part, &mut events)?;
        }
        Ok(events)
    }

    fn event(id: &str, kind: &str, data: &str) -> ReadEvent {
        ReadEvent { id: id.into(), kind: kind.into(), data: data.into() }
    }

    #[test]
    fn events_are_read_as_the_format_says() {
        for (text, expected) in [
            (
                ":   \nretry: 1789\nid: 2@a-1\nevent: message\ndata: 26\n\n",
                vec![event("2@a-1", "message", "26")],
            ),
            ("id: 1\ndata: 1\n\ndata: 2\n\n", vec![event("1", "message", "1"), event("1", "message", "2")]),
            ("data: 1\r\n\r\ndata: 2\r\r", vec![event("", "message", "1"), event("", "message", "2")]),
            ("\u{feff}data:1\ndata: 2\nevent: x\n\n", vec![event("", "x", "1\n2")]),
            ("event: x\nid: 7\n\ndata\n\n", vec![event("7", "message", "")]),
            ("data: never ended\n", vec![]),
            (":\n:\n", vec![]),
        ] {
            assert_eq!(all(&[text.as_bytes()]), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_never_ends_is_refused() {
        assert_eq!(all(&[&[b'x'; LONGEST], b"x"]), Err(ReadError::TooLong));
        let long = [b"data: ".as_slice(), &[b'x'; LONGEST / 2], b"\n"].concat();
        assert_eq!(all(&[&long, &long, &long]), Err(ReadError::TooLong));
        assert_eq!(all(&[b"data: \xff\n"]), Err(ReadError::Utf8));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_bytes_are_cut(
            text in "(id: 1|data: 1|event: x|:|x|\r|\n|\r\n|\n\n|\u{feff}|é){0,20}", at in 0usize..40,
        ) {
            let at = at.min(text.len());
            let (one, two) = text.as_bytes().split_at(at);
            prop_assert_eq!(all(&[one, two]), all(&[text.as_bytes()]));
        }
    }
}
