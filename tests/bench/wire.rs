//! The part of HTTP/1.1 and SSE that a load generator needs: heads, chunked bodies, and `data:` lines with a number.

/// Where the head at the beginning of `bytes` ends; `None` if the head is incomplete.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|position| position + 4)
}

/// The head of a response.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    /// Parses a complete head; `None` if the bytes are no head.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields =
            fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Some(Head { status, fields })
    }

    /// The value of a field. Its name must be in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn content_length(&self) -> Option<usize> {
        self.field("content-length")?.parse().ok()
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }
}

/// The decoder of a body's transfer coding.
#[derive(Debug)]
pub(crate) enum Body {
    /// The body is not coded.
    Plain,
    /// The decoder is in the line with the size of a chunk: the size by its digits so far, and whether the digits have ended.
    Size(usize, bool),
    /// The decoder is in a chunk: the number of bytes to come, with the line end behind the chunk.
    Chunk(usize),
    /// The last chunk has been decoded.
    End,
}

impl Body {
    pub(crate) fn of(head: &Head) -> Self {
        if head.is_chunked() { Body::Size(0, false) } else { Body::Plain }
    }

    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Body::End)
    }

    /// Decodes the received bytes and appends them to `decoded`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], decoded: &mut Vec<u8>) {
        while !bytes.is_empty() {
            match self {
                Body::Plain => {
                    decoded.extend_from_slice(bytes);
                    return;
                }
                Body::End => return,
                Body::Size(size, ended) => {
                    let (&byte, rest) = (&bytes[0], &bytes[1..]);
                    bytes = rest;
                    match (byte, (byte as char).to_digit(16)) {
                        (b'\n', _) if *size == 0 => *self = Body::End,
                        (b'\n', _) => *self = Body::Chunk(*size + 2),
                        (_, Some(digit)) if !*ended => *size = *size * 16 + digit as usize,
                        _ => *ended = true,
                    }
                }
                Body::Chunk(left) => {
                    let taken = bytes.len().min(*left);
                    // The last two bytes are the line end.
                    let content = left.saturating_sub(2).min(taken);
                    decoded.extend_from_slice(&bytes[..content]);
                    bytes = &bytes[taken..];
                    *left -= taken;
                    if *left == 0 {
                        *self = Body::Size(0, false);
                    }
                }
            }
        }
    }
}

/// Takes the complete lines out of `decoded` and calls the closure with each number in a `data:` line.
pub(crate) fn take_values(decoded: &mut Vec<u8>, mut value: impl FnMut(i64)) {
    take_fields(decoded, |field| {
        if let Field::Data(number) = field {
            value(number);
        }
    });
}

/// A field of an event that a listener looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Id(&'a str),
    /// The number in a `data:` line.
    Data(i64),
}

/// Takes the complete lines out of `decoded` and calls the closure with each field that a listener looks at.
pub(crate) fn take_fields(decoded: &mut Vec<u8>, mut take: impl FnMut(Field<'_>)) {
    let Some(end) = decoded.iter().rposition(|&byte| byte == b'\n').map(|position| position + 1) else {
        return;
    };
    let text = |bytes| std::str::from_utf8(bytes).ok().map(str::trim);
    for line in decoded[..end].split(|&byte| byte == b'\n') {
        if let Some(data) = line.strip_prefix(b"data:") {
            text(data).and_then(|text| text.parse().ok()).map(Field::Data).into_iter().for_each(&mut take);
        } else if let Some(id) = line.strip_prefix(b"id:") {
            text(id).map(Field::Id).into_iter().for_each(&mut take);
        }
    }
    decoded.drain(..end);
}
