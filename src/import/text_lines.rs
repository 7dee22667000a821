//! The lines of the input as text, and the digest of all its bytes.

use std::io::{self, BufRead};

use ring::digest::{Context, Digest, SHA256};

use super::line::{BadLine, ReadError};

/// The longest line, in bytes. Longer lines are skipped without being kept in memory.
const LONGEST: usize = 4096;
/// The longest line of an entity, which has room for the names and values of all its fields in any spelling.
const LONGEST_OF_ENTITY: usize = 128 * 1024;
/// The longest line of a counter, a page or a site with its past, which has room for all hours and days.
const LONGEST_OF_PAST: usize = 16 * 1024;
/// What stands in a line that may be longer than [`LONGEST`] because of its past.
const OF_PAST: [&[u8]; 2] = [br#""hours":"#, br#""days":"#];
/// How the line of an entity begins if it may be longer than [`LONGEST`].
const OF_ENTITY: &[u8] = br#"{"route":"#;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads lines that end with LF or CR LF; the last line may end without one of them. A byte order mark at the beginning is skipped.
pub(super) struct TextLines<R> {
    input: R,
    digest: Context,
    /// The present line without its LF, up to [`LONGEST_OF_ENTITY`] bytes and a few more.
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> TextLines<R> {
    pub(super) fn new(input: R) -> Self {
        TextLines { input, digest: Context::new(&SHA256), line: Vec::new(), number: 0 }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Result<&str, BadLine>>, ReadError> {
        let Some(length) = self.read()? else { return Ok(None) };
        self.number += 1;
        if self.number == 1 {
            refuse_other_forms(&self.line)?;
        }
        let line = match self.line.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if self.number == 1 => rest,
            _ => &self.line,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let bad = |reason: String| BadLine { line: self.number, reason };
        let longest = match line {
            line if line.starts_with(OF_ENTITY) => LONGEST_OF_ENTITY,
            line if length > LONGEST && has_past(line) => LONGEST_OF_PAST,
            _ => LONGEST,
        };
        let text = if length > longest {
            Err(bad(format!("has {length} bytes; a line has at most {longest}")))
        } else {
            str::from_utf8(line)
                .map_err(|error| bad(format!("byte {} is not UTF-8", error.valid_up_to() + 1)))
        };
        Ok(Some(text))
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The SHA-256 digest of the bytes that were read.
    pub(super) fn digest(&self) -> Digest {
        self.digest.clone().finish()
    }

    /// Reads a line; returns its length, or `None` at the end.
    fn read(&mut self) -> io::Result<Option<usize>> {
        self.line.clear();
        let (mut length, mut any) = (0, false);
        loop {
            let bytes = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            if bytes.is_empty() {
                return Ok(any.then_some(length));
            }
            any = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let room = (LONGEST_OF_ENTITY + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            length += part.len();
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.digest.update(&bytes[..used]);
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(length));
            }
        }
    }
}

/// Whether a line names hours or days.
fn has_past(line: &[u8]) -> bool {
    let line = &line[..line.len().min(LONGEST_OF_PAST)];
    OF_PAST.iter().any(|name| line.windows(name.len()).any(|part| part == *name))
}

/// Refuses an input whose first bytes show that it is not text.
fn refuse_other_forms(first: &[u8]) -> Result<(), ReadError> {
    let forms: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "the input is compressed with gzip: unpack it first, as gunzip -c does"),
        (b"\x28\xb5\x2f\xfd", "the input is compressed with zstd: unpack it first, as zstd -dc does"),
        (b"PK\x03\x04", "the input is a ZIP file: unpack it first"),
        (
            b"SQLite format 3\0",
            "the input is an SQLite database, which cannot be read from standard input: name its file",
        ),
        (b"\xff\xfe", "the input is UTF-16; it must be UTF-8"),
        (b"\xfe\xff", "the input is UTF-16; it must be UTF-8"),
    ];
    match forms.iter().find(|(beginning, _)| first.starts_with(beginning)) {
        Some((_, problem)) => Err(ReadError::Form((*problem).to_owned())),
        None => Ok(()),
    }
}
