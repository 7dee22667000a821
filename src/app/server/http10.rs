//! A POST over HTTP/1.0 without `Content-Length` has no body (RFC 9112, section 6.3), but actix-http answers it with an empty
//! 400. nginx sends HTTP/1.0 to the servers behind it unless it is told otherwise.

/// The line that such a head lacks.
pub(super) const NO_BODY: &[u8] = b"Content-Length: 0\r\n";

/// Where [`NO_BODY`] belongs in the first bytes of a connection; `None` unless they hold the whole head of a POST over HTTP/1.0
/// without a length.
pub(super) fn lacks_length_at(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(b"POST ") {
        return None;
    }
    let line_end = bytes.windows(2).position(|window| window == b"\r\n")? + 2;
    if !bytes[..line_end].ends_with(b" HTTP/1.0\r\n") {
        return None;
    }
    let fields = &bytes[line_end..];
    // The search begins at the end of the request line: in a head without fields the empty line follows it.
    let whole = bytes[line_end - 2..].windows(4).any(|window| window == b"\r\n\r\n");
    let names =
        |line: &[u8], name: &[u8]| line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name);
    let framed = fields
        .split(|byte| *byte == b'\n')
        .any(|line| names(line, b"content-length") || names(line, b"transfer-encoding"));
    (whole && !framed).then_some(line_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_head_of_a_post_without_a_length_lacks_one() {
        for (head, expected) in [
            ("POST / HTTP/1.0\r\n\r\n", Some(17)),
            ("POST /counters/2/ HTTP/1.0\r\nHost: x\r\n\r\n", Some(28)),
            ("POST / HTTP/1.0\r\nHost: x\r\n", None),
            ("POST / HTTP/1.0\r\nContent-Length: 8\r\n\r\n", None),
            ("POST / HTTP/1.0\r\nHost: x\r\ncontent-LENGTH : 8\r\n\r\n", None),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", None),
            ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", None),
            ("GET / HTTP/1.0\r\n\r\n", None),
            ("POST", None),
            ("", None),
        ] {
            assert_eq!(lacks_length_at(head.as_bytes()), expected, "{head:?}");
        }
    }
}
