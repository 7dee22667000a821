//! Removes secrets from texts that go into the log or to a client.

use std::borrow::Cow;

use super::secret::MARK;

/// The text that replaces a secret.
const REDACTED: &str = "[redacted]";
/// The parameters whose values are secrets, in small letters and decoded.
const PARAMETERS: [&str; 2] = ["_key", "_ticket"];
/// The beginning of a ticket: `{"` in base64.
const TICKET_MARK: &str = "eyJ";

/// Replaces the values of `_key=` and `_ticket=`, and every part of the text that has the form of a key or of a ticket. Borrows a text in
/// which there is nothing to replace.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let (mut kept, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        match secret(rest, at == 0 || !is_word(text.as_bytes()[at - 1])) {
            Some((visible, hidden)) => {
                clean.push_str(&text[kept..at + visible]);
                clean.push_str(REDACTED);
                at += visible + hidden;
                kept = at;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[kept..]);
    Cow::Owned(clean)
}

/// If `rest` begins with a secret, returns the number of bytes before it that stay, and the number of bytes to hide.
fn secret(rest: &str, begins_word: bool) -> Option<(usize, usize)> {
    if let Some(visible) = parameter(rest) {
        let hidden = rest[visible..].find(ends_value).unwrap_or(rest.len() - visible);
        return (hidden > 0).then_some((visible, hidden));
    }
    if !begins_word {
        return None;
    }
    let long = |mark: &str, least: usize| {
        let hidden =
            rest.strip_prefix(mark)?.bytes().position(|b| !is_token(b)).unwrap_or(rest.len() - mark.len());
        (hidden >= least).then_some((mark.len(), hidden))
    };
    // A text with fewer characters behind its mark may be an ordinary word.
    long(MARK, 12).or_else(|| long(TICKET_MARK, 20))
}

/// Returns the length of `_key=` or `_ticket=` at the beginning of the text, even if the name is percent-encoded or in capitals; `None` if
/// the text begins with neither.
fn parameter(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    if !matches!(bytes.first(), Some(b'_' | b'%')) {
        return None;
    }
    PARAMETERS.iter().find_map(|name| {
        let mut at = 0;
        for expected in name.bytes() {
            let (found, length) = decoded(bytes.get(at..)?)?;
            if !found.eq_ignore_ascii_case(&expected) {
                return None;
            }
            at += length;
        }
        (bytes.get(at) == Some(&b'=')).then_some(at + 1)
    })
}

/// Returns the first character of a query, percent-decoded, and the number of bytes that encode it.
fn decoded(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [b'%', high, low, ..] => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            Some((u8::try_from(digit(high)? * 16 + digit(low)?).ok()?, 3))
        }
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}

/// Returns whether this character ends the value of a parameter in a query, or in a sentence that quotes a query.
fn ends_value(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '&' | '#' | '"' | '\'' | '<' | '>')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Returns whether a key or a ticket can contain this byte.
fn is_token(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::NewSecret;
    use proptest::prelude::*;

    const SECRET: &str = "lc_01234567_89abcdefghjkmnpqrstvwxyz01234567";
    const TICKET: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZXMiOltdfQ.c2lnbmF0dXJl-_";

    #[test]
    fn values_of_keys_and_tickets_are_left_out() {
        for (text, expected) in [
            ("/counters/1/?_key=hush", "/counters/1/?_key=[redacted]"),
            ("/counters/1/?_key=hush&by=5", "/counters/1/?_key=[redacted]&by=5"),
            ("?by=5&_ticket=a.b.c#x", "?by=5&_ticket=[redacted]#x"),
            ("?%5Fkey=hush", "?%5Fkey=[redacted]"),
            ("?_%6bey=hush", "?_%6bey=[redacted]"),
            ("?_KEY=hush", "?_KEY=[redacted]"),
            ("GET \"/?_key=hush\" failed", "GET \"/?_key=[redacted]\" failed"),
            ("?_key=a&_key=b", "?_key=[redacted]&_key=[redacted]"),
            ("?_key=caf\u{e9}\u{202e}x y", "?_key=[redacted] y"),
            ("?_key=", "?_key="),
            ("?by=5", "?by=5"),
            ("_key is a parameter", "_key is a parameter"),
            ("50 % of _keys=5", "50 % of _keys=5"),
            ("%", "%"),
            ("", ""),
        ] {
            assert_eq!(redacted(text), expected, "{text}");
        }
        assert!(matches!(redacted("nothing to hide"), Cow::Borrowed(_)));
    }

    #[test]
    fn keys_and_tickets_are_left_out_wherever_they_stand() {
        for (text, expected) in [
            (
                format!("the query has the parameter \"{SECRET}\""),
                "the query has the parameter \"lc_[redacted]\"",
            ),
            (format!("Bearer {TICKET} is another"), "Bearer eyJ[redacted] is another"),
            (format!("key={SECRET},{SECRET}"), "key=lc_[redacted],lc_[redacted]"),
            (SECRET[..30].to_owned(), "lc_[redacted]"),
        ] {
            assert_eq!(redacted(&text), expected, "{text}");
        }
        for text in ["lc_1", "calc_of_a_long_word_here", "eyJ", "the key lc_ is cut"] {
            assert_eq!(redacted(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_secret_stays_wherever_it_is_put(before in "\\PC{0,20}[ /?&=\"]", behind in "[ &\"#]\\PC{0,20}") {
            let secret = NewSecret::generate().expect("random numbers");
            let text = format!("{before}{}{behind}", secret.expose());
            let clean = redacted(&text).into_owned();
            prop_assert!(!clean.contains(&secret.expose()[12..]), "{}", clean);
            prop_assert_eq!(redacted(&clean).into_owned(), clean.clone());
        }
    }
}
