//! Divides what a client sends into pieces, so that actix-http never parses a request before the one before it is answered.
//!
//! actix-http writes an answer by what it knows of the request that it has parsed last. If that is a HEAD, the answer to a POST before it
//! has a length and no body. And it serves what it has parsed, even behind an answer that says that the connection ends.

use memchr::memchr_iter;

/// How many bytes the shortest head has: `A / HTTP/1.0` with two line breaks. Without this bound a body of empty lines would come byte by byte, so that
/// it would cost more than requests of the same length.
const SHORTEST_HEAD: usize = 14;

/// What a client has sent.
#[derive(Default)]
pub(super) struct Pieces {
    /// The line that the next byte goes on with is empty so far.
    is_line_empty: bool,
    /// How many bytes have come behind the last empty line that can be the end of a head.
    since_head: usize,
    /// actix-http has got bytes that it has not parsed.
    has_unparsed: bool,
    /// How many empty lines end in these bytes.
    unparsed_heads: u32,
    /// What comes behind the last piece.
    behind: Vec<u8>,
}

/// What actix-http waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The rest of a body.
    Body,
    /// A request.
    Request,
}

impl Pieces {
    /// Whether there is another piece without reading.
    pub(super) fn has_next(&self) -> bool {
        !self.behind.is_empty()
    }

    /// actix-http has parsed all pieces.
    pub(super) fn parsed(&mut self) {
        (self.has_unparsed, self.unparsed_heads) = (false, 0);
    }

    /// Takes the next piece of at most `size` bytes of what was kept. It is empty if actix-http must parse first.
    pub(super) fn next(&mut self, size: usize, awaited: Awaited) -> Vec<u8> {
        let mut piece = std::mem::take(&mut self.behind);
        self.behind = piece.split_off(size.min(piece.len()));
        let length = self.keep_behind(&piece, awaited);
        piece.truncate(length);
        piece
    }

    /// How long the piece is with which these bytes begin; 0 if actix-http must parse first. Keeps the bytes behind it.
    pub(super) fn keep_behind(&mut self, bytes: &[u8], awaited: Awaited) -> usize {
        let length = self.length(bytes, awaited);
        self.has_unparsed |= length > 0;
        if length < bytes.len() {
            self.behind.splice(..0, bytes[length..].iter().copied());
        }
        length
    }

    /// Each head ends with an empty line. So a piece ends before the last byte of an empty line if it has the end of a head, or perhaps that of
    /// a body. A body may have empty lines, too: then the same request goes on with the next piece.
    fn length(&mut self, bytes: &[u8], awaited: Awaited) -> usize {
        let most = u32::from(awaited == Awaited::Request);
        let (mut begin, mut is_empty) = (0, self.is_line_empty);
        let mut head_begin = 0;
        for end in memchr_iter(b'\n', bytes) {
            let is_empty_line = is_empty && is_empty_so_far(&bytes[begin..end]);
            if is_empty_line && self.since_head + end + 1 - head_begin >= SHORTEST_HEAD {
                // actix-http waits for this byte if it has parsed all before it.
                let is_awaited = end == 0 && !self.has_unparsed;
                if self.unparsed_heads >= most && !is_awaited {
                    self.since_head += end - head_begin;
                    self.is_line_empty = true;
                    return end;
                }
                self.unparsed_heads += 1;
                (self.since_head, head_begin) = (0, end + 1);
            }
            (begin, is_empty) = (end + 1, true);
        }
        self.since_head = self.since_head.saturating_add(bytes.len() - head_begin);
        self.is_line_empty = is_empty && is_empty_so_far(&bytes[begin..]);
        bytes.len()
    }
}

/// Whether a line that begins with these bytes can be empty.
fn is_empty_so_far(line: &[u8]) -> bool {
    matches!(line, b"" | b"\r")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Awaited::{Body, Request};
    use super::*;

    /// The pieces of a text of which `read` bytes come at a time. Each is parsed before the next one.
    fn pieces(text: &str, read: usize, size: usize, awaited: Awaited) -> Vec<String> {
        let (mut pieces, mut found) = (Pieces::default(), Vec::new());
        for bytes in text.as_bytes().chunks(read) {
            let length = pieces.keep_behind(bytes, awaited);
            found.push(bytes[..length].to_vec());
            while pieces.has_next() {
                pieces.parsed();
                found.push(pieces.next(size, awaited));
            }
            pieces.parsed();
        }
        found.into_iter().map(|piece| String::from_utf8(piece).expect("a text")).collect()
    }

    const GET: &str = "GET / HTTP/1.0\r\n\r\n";
    const HEAD: &str = "HEAD / HTTP/1.0\n\n";

    #[test]
    fn a_piece_has_the_end_of_one_head_at_most() {
        let without_end = |head: &str| head[..head.len() - 1].to_owned();
        let (get, head) = (without_end(GET), without_end(HEAD));
        let line = |text: &str| format!("\n{text}");
        let chunks = "POST / HTTP/1.1\r\n\r\n5\r\n{   }\r\n0\r\n\r\n";
        for (texts, expected) in [
            (&[GET][..], vec![GET.to_owned()]),
            (&[GET, HEAD], vec![format!("{GET}{head}"), line("")]),
            (&[HEAD, GET, HEAD], vec![format!("{HEAD}{get}"), line(&head), line("")]),
            (&[GET, "{}", HEAD], vec![format!("{GET}{{}}{head}"), line("")]),
            (&[GET, "{}", &get], vec![format!("{GET}{{}}{get}")]),
            (&[chunks], vec![without_end(chunks), line("")]),
            (&[""], vec![]),
        ] {
            assert_eq!(pieces(&texts.concat(), 1024, 1024, Request), expected, "{texts:?}");
        }
        assert_eq!(pieces("{}", 1024, 1024, Body), ["{}"]);
        assert_eq!(pieces(&format!("{{}}{GET}"), 1024, 1024, Body), [format!("{{}}{get}"), line("")]);
    }

    #[test]
    fn what_is_not_parsed_counts() {
        let mut pieces = Pieces::default();
        let (get, line) = GET.as_bytes().split_at(GET.len() - 1);
        assert_eq!(pieces.keep_behind(get, Request), get.len());
        assert_eq!(pieces.keep_behind(&[line, get].concat(), Request), GET.len());
        assert_eq!(pieces.keep_behind(line, Request), 0);
        assert_eq!(pieces.next(9, Request), b"");
        pieces.parsed();
        assert_eq!(pieces.next(9, Request), line);
        assert!(!pieces.has_next());
    }

    #[test]
    fn lines_that_are_no_heads_make_few_pieces() {
        for part in ["\n", "\r\n", "a\n\n", "abcdefgh\r\n\r\n"] {
            let text = part.repeat(1000);
            for awaited in [Request, Body] {
                let count = pieces(&text, text.len(), text.len(), awaited).len();
                assert!(count <= text.len() / SHORTEST_HEAD + 1, "{part:?}: {count} pieces");
            }
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_however_they_come(
            text in "([\r\n\nax]|GET / HTTP/1[.]0\r\n\r\n){0,60}", read in 1_usize..30, size in 1_usize..30, is_body: bool
        ) {
            let awaited = if is_body { Body } else { Request };
            prop_assert_eq!(pieces(&text, read, size, awaited).concat(), text);
        }
    }
}
