//! Reads the text fields of `multipart/form-data` (RFC 7578), as `sendBeacon` and `fetch` send a `FormData`, and `curl -F`.

/// The names and values of the fields; `None` if the body is no such form or contains a file.
pub(super) fn fields(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let mut rest = std::str::from_utf8(body).ok()?.strip_prefix(&delimiter)?;
    let end_of_part = format!("\r\n{delimiter}");
    let mut fields = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix("--") {
            return end.trim().is_empty().then_some(fields);
        }
        let (part, next) = rest.strip_prefix("\r\n")?.split_once(&end_of_part)?;
        let (head, value) = part.split_once("\r\n\r\n")?;
        fields.push((head.split("\r\n").find_map(name)?, value.to_owned()));
        rest = next;
    }
}

/// The text that separates the parts; `None` if it is missing or has a length that the RFC does not allow.
fn boundary(content_type: &str) -> Option<&str> {
    let boundary = parameters(content_type).find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?.1;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// The name of the field, if this header line names one; `None` if the line is another header or describes a file.
fn name(line: &str) -> Option<String> {
    let (header, value) = line.split_once(':')?;
    let kind = value.split(';').next()?.trim();
    if !header.eq_ignore_ascii_case("content-disposition") || !kind.eq_ignore_ascii_case("form-data") {
        return None;
    }
    let is_file = parameters(value).any(|(name, _)| name.to_ascii_lowercase().starts_with("filename"));
    let name = parameters(value).find(|(name, _)| name.eq_ignore_ascii_case("name"))?.1;
    (!is_file).then(|| name.to_owned())
}

/// The parameters after the first `;` of a header's value. A quoted `;` is taken for a separator, because no field that the
/// service knows has one in its name.
fn parameters(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(';').skip(1).filter_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        Some((name, value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: &str = "multipart/form-data; boundary=----WebKitFormBoundaryx9";

    fn form(body: &str) -> Option<Vec<(String, String)>> {
        fields(KIND, body.replace('\n', "\r\n").replace("B", "------WebKitFormBoundaryx9").as_bytes())
    }

    #[test]
    fn text_fields_are_read_as_browsers_and_curl_send_them() {
        let by = |value: &str| ("by".to_owned(), value.to_owned());
        let one = "B\nContent-Disposition: form-data; name=\"by\"\n\n5\nB--\n";
        assert_eq!(form(one), Some(vec![by("5")]));
        let two = "B\nContent-Type: text/plain\ncontent-disposition: form-data; name=by\n\n5\nB\n\
                   Content-Disposition: form-data; name=\"by\"\n\n\nB--";
        assert_eq!(form(two), Some(vec![by("5"), by("")]));
        assert_eq!(form("B--\n"), Some(Vec::new()));
        assert_eq!(fields("multipart/form-data; boundary=\"a b\"", b"--a b--"), Some(Vec::new()));
    }

    #[test]
    fn files_and_bodies_that_are_no_form_are_refused() {
        for body in [
            "",
            "B",
            "B\n",
            "B-- more",
            "by=5",
            "B\nContent-Disposition: form-data; name=\"by\"\n\n5",
            "B\nContent-Disposition: form-data; name=\"by\"\n5\nB--",
            "B\nContent-Disposition: form-data\n\n5\nB--",
            "B\nContent-Disposition: attachment; name=\"by\"\n\n5\nB--",
            "B\nContent-Disposition: form-data; name=\"by\"; filename=\"by.txt\"\n\n5\nB--",
            "B\nContent-Disposition: form-data; name=\"by\"; filename*=UTF-8''by\n\n5\nB--",
        ] {
            assert_eq!(form(body), None, "{body:?}");
        }
        assert_eq!(fields("multipart/form-data", b"----"), None);
        assert_eq!(fields("multipart/form-data; boundary=", b"----"), None);
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "(B|\\n|--|[a-z:;=\"]|Content-Disposition: form-data; name=by\\n\\n){0,12}") {
            let _ = form(&body);
        }
    }
}
