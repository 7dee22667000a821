//! The counters of the input, one after the other.

use std::io::BufRead;

use ring::digest::Digest;

use super::json_line::{self, JsonLine};
use super::line::{BadLine, ImportLine, ReadError};
use super::text_lines::TextLines;

/// Reads the counters of an input, and skips empty lines. In an export the last line must be there, so that a file that was cut does not
/// pass for a complete one.
pub struct CounterLines<R> {
    text: TextLines<R>,
    /// How many counters were read, bad lines included.
    counters: u64,
    place: Position,
}

/// Where in an input the next line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Nothing but empty lines was read.
    Beginning,
    /// Behind the first line of an export.
    Export,
    /// Behind the last line of an export.
    End,
    /// Among lines that are no export.
    Lines,
}

impl<R: BufRead> CounterLines<R> {
    /// Begins to read an input.
    pub fn new(input: R) -> Self {
        CounterLines { text: TextLines::new(input), counters: 0, place: Position::Beginning }
    }

    /// The next counter, or the next line that cannot be used; `None` at the end.
    pub fn read_next(&mut self) -> Result<Option<Result<ImportLine, BadLine>>, ReadError> {
        loop {
            let read = match self.text.next()? {
                None => return self.end(),
                Some(Ok(text)) if text.trim().is_empty() => continue,
                Some(Ok(text)) => json_line::parse(text),
                Some(Err(bad)) => Err(bad.reason),
            };
            let line = self.text.number();
            let bad = |reason: &str| Ok(Some(Err(BadLine { line, reason: reason.to_owned() })));
            let place = self.place;
            if place == Position::Beginning {
                self.place = Position::Lines;
            }
            match (read, place) {
                (_, Position::End) => return bad("stands behind the last line of the export"),
                (Ok(JsonLine::First), Position::Beginning) => self.place = Position::Export,
                (Ok(JsonLine::Unknown(which)), Position::Beginning) => {
                    return Err(ReadError::Form(format!("the input is {which}")));
                }
                (Ok(JsonLine::First | JsonLine::Unknown(_)), _) => {
                    return bad("is the first line of an export, and stands behind others");
                }
                (Ok(JsonLine::Last(counters)), Position::Export) => {
                    self.place = Position::End;
                    if counters != self.counters {
                        let counted = self.counters;
                        return bad(&format!("names {counters} counters, but {counted} stand before it"));
                    }
                }
                (Ok(JsonLine::Last(_)), _) => {
                    return bad("is the last line of an export without its first line");
                }
                (Ok(JsonLine::Number(target, value, name, past)), _) => {
                    self.counters += 1;
                    return Ok(Some(Ok(ImportLine { line, target, value, past, name })));
                }
                (Err(reason), _) => {
                    self.counters += 1;
                    return bad(&reason);
                }
            }
        }
    }

    /// The SHA-256 digest of the bytes that were read.
    pub fn digest(&self) -> Digest {
        self.text.digest()
    }

    fn end(&mut self) -> Result<Option<Result<ImportLine, BadLine>>, ReadError> {
        match self.place {
            Position::Beginning => Err(ReadError::Form("the input is empty".to_owned())),
            Position::Export => {
                self.place = Position::End;
                let reason = "the last line of the export is missing: the file was cut".to_owned();
                Ok(Some(Err(BadLine { line: self.text.number() + 1, reason })))
            }
            Position::End | Position::Lines => Ok(None),
        }
    }
}
