//! The headers of a response by which the proxy holds it open as a stream.

use std::time::Duration;

/// Instructions for one held response, as header lines.
///
/// Every part is checked when it is added, so that no part can end its header or be read as another parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The channels with their parameters, as the header lists them.
    channels: String,
    count: usize,
    keep_alive: Option<String>,
    link: Option<String>,
}

/// Why a part cannot be in the headers of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// The text is empty, or has a character other than visible ASCII, or one with a meaning in the header.
    #[error("the {0} of a hold is empty or has a character that its header cannot carry")]
    Unsafe(&'static str),
    /// Pushpin takes a timeout of 0 for "at once, for ever".
    #[error("the timeout of a hold must not be 0")]
    ZeroTimeout,
    /// There are more channels than Pushpin's `connection_subscription_max`: Pushpin would silently leave the rest out.
    #[error("a hold has at most 20 channels")]
    TooManyChannels,
}

impl Hold {
    /// The most channels of one held response.
    pub const MAX_CHANNELS: usize = 20;

    /// A response that stays open and gets the items of `channel`. With `prev_id`, the id of the last item that the response
    /// contains, the proxy notices missed items, and needs a [`Hold::next`] to ask for them.
    pub fn stream(channel: &str, prev_id: Option<&str>) -> Result<Self, HoldError> {
        Hold { channels: String::new(), count: 0, keep_alive: None, link: None }.and(channel, prev_id)
    }

    /// The response also gets the items of this channel.
    pub fn and(mut self, channel: &str, prev_id: Option<&str>) -> Result<Self, HoldError> {
        if self.count == Self::MAX_CHANNELS {
            return Err(HoldError::TooManyChannels);
        }
        let between = if self.count == 0 { "" } else { ", " };
        self.channels.extend([between, plain("channel", channel, ",;\"")?]);
        if let Some(id) = prev_id {
            self.channels.extend(["; prev-id=", plain("prev-id", id, ",;\"")?]);
        }
        self.count += 1;
        Ok(self)
    }

    /// Tells the proxy to send `content` whenever the stream was silent for `timeout`, rounded up to whole seconds.
    pub fn keep_alive(mut self, content: &str, timeout: Duration) -> Result<Self, HoldError> {
        let content = cstring(content);
        plain("keep-alive", &content, ",;\"")?;
        self.keep_alive = Some(format!("{content}; format=cstring; timeout={}", seconds(timeout)?));
        Ok(self)
    }

    /// The address at which the proxy asks for missed items. The proxy also asks after a silence of `timeout`, rounded up to whole
    /// seconds. Proxies share the request between clients whose `uri` is the same to the byte.
    pub fn next(mut self, uri: &str, timeout: Duration) -> Result<Self, HoldError> {
        let uri = plain("link", uri, ",;\"<>")?;
        self.link = Some(format!("<{uri}>; rel=next; timeout={}", seconds(timeout)?));
        Ok(self)
    }

    /// The header lines, with names in small letters. Only held responses may have them, as any of these headers makes Pushpin
    /// buffer a whole response before it sends the beginning.
    pub fn into_headers(self) -> impl Iterator<Item = (&'static str, String)> {
        let always = [("grip-hold", "stream".to_owned()), ("grip-channel", self.channels)];
        let keep_alive = self.keep_alive.map(|value| ("grip-keep-alive", value));
        let link = self.link.map(|value| ("grip-link", value));
        always.into_iter().chain(keep_alive).chain(link)
    }
}

fn plain<'a>(what: &'static str, text: &'a str, reserved: &str) -> Result<&'a str, HoldError> {
    // Only a keep-alive may have a space, which is content there.
    let space = what == "keep-alive";
    let safe = |b: u8| (b.is_ascii_graphic() || b == b' ' && space) && !reserved.as_bytes().contains(&b);
    let trimmed = text.trim() == text;
    if !text.is_empty() && trimmed && text.bytes().all(safe) {
        Ok(text)
    } else {
        Err(HoldError::Unsafe(what))
    }
}

/// The text as `format=cstring`: a backslash and a letter for each character that a header cannot have.
fn cstring(content: &str) -> String {
    let mut escaped = String::with_capacity(2 * content.len());
    for c in content.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn seconds(timeout: Duration) -> Result<u64, HoldError> {
    match timeout.as_millis().div_ceil(1000) {
        0 => Err(HoldError::ZeroTimeout),
        whole => Ok(u64::try_from(whole).unwrap_or(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn lines(hold: &Hold) -> Vec<String> {
        hold.clone().into_headers().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_hold_is_these_lines() {
        let hold = Hold::stream("counter-2", Some("1f-7"))
            .and_then(|hold| hold.keep_alive(":\n", Duration::from_secs(20)))
            .and_then(|hold| hold.next("/counters/2/events", MINUTE))
            .expect("a hold");
        assert_eq!(
            lines(&hold),
            [
                "grip-hold: stream",
                "grip-channel: counter-2; prev-id=1f-7",
                "grip-keep-alive: :\\n; format=cstring; timeout=20",
                "grip-link: </counters/2/events>; rel=next; timeout=60",
            ]
        );
    }

    #[test]
    fn several_channels_share_a_line_and_more_than_twenty_are_refused() {
        let two = Hold::stream("a", None).and_then(|hold| hold.and("b", Some("1"))).expect("a hold");
        assert_eq!(lines(&two), ["grip-hold: stream", "grip-channel: a, b; prev-id=1"]);
        let full = (1..20)
            .try_fold(Hold::stream("c0", None).expect("a hold"), |hold, n| hold.and(&format!("c{n}"), None));
        assert_eq!(full.expect("twenty").and("one-more", None), Err(HoldError::TooManyChannels));
    }

    #[test]
    fn a_timeout_is_never_zero_and_never_shorter_than_asked() {
        let hold = || Hold::stream("a", None).expect("a hold");
        assert_eq!(hold().next("/", Duration::ZERO), Err(HoldError::ZeroTimeout));
        assert_eq!(hold().keep_alive(":", Duration::ZERO), Err(HoldError::ZeroTimeout));
        let short = hold().next("/", Duration::from_millis(1001)).expect("a hold");
        assert_eq!(lines(&short)[2], "grip-link: </>; rel=next; timeout=2");
    }

    #[test]
    fn nothing_that_could_start_another_header_or_parameter_gets_in() {
        let hold = || Hold::stream("a", None).expect("a hold");
        for text in ["", "a\r\nX: y", "a\nb", "a;b", "a,b", "a\"b", "a b", "é", "\0"] {
            assert_eq!(Hold::stream(text, None), Err(HoldError::Unsafe("channel")), "{text:?}");
            assert_eq!(hold().and("b", Some(text)), Err(HoldError::Unsafe("prev-id")), "{text:?}");
            assert_eq!(hold().next(text, MINUTE), Err(HoldError::Unsafe("link")), "{text:?}");
        }
        assert_eq!(hold().next("/>; rel=gone", MINUTE), Err(HoldError::Unsafe("link")));
        for text in ["", "a;b", "a,b", "\0", " "] {
            assert_eq!(hold().keep_alive(text, MINUTE), Err(HoldError::Unsafe("keep-alive")), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_line_of_visible_ascii(a in "\\PC{0,10}|[ -~\r\n]{0,10}", b in "[ -~\r\n]{0,10}") {
            let hold = Hold::stream(&a, Some(&b)).and_then(|h| h.next(&a, MINUTE)).and_then(|h| h.keep_alive(&b, MINUTE));
            if let Ok(hold) = hold {
                prop_assert_eq!(hold.clone().into_headers().count(), 4);
                for (_, value) in hold.into_headers() {
                    prop_assert!(value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{}", value);
                }
            }
        }
    }
}
