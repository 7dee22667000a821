//! What the listeners of a recovery request have seen, from `Grip-Last: channel; last-id=X`.

/// The last id seen on each channel.
///
/// Parts that cannot be read are left out, and the listeners of a missing channel count as having seen nothing. At worst they
/// are sent the present value once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastSeen {
    /// There are few channels, so a list is enough.
    ids: Vec<(String, String)>,
}

impl LastSeen {
    /// Reads the values of all `Grip-Last` headers. Each value may list several channels, separated by commas.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let entries = values.into_iter().flat_map(|value| value.split(','));
        LastSeen { ids: entries.filter_map(entry).collect() }
    }

    /// The last id seen on `channel`. If the headers name a channel twice, the last one counts.
    pub fn on(&self, channel: &str) -> Option<&str> {
        self.ids.iter().rev().find(|(name, _)| name == channel).map(|(_, id)| id.as_str())
    }
}

fn entry(text: &str) -> Option<(String, String)> {
    let mut parts = text.split(';').map(str::trim);
    let channel = parts.next().filter(|channel| !channel.is_empty())?;
    let id = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("last-id").then(|| unquoted(value.trim()))
    })?;
    Some((channel.to_owned(), id.to_owned()))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_channel_has_the_id_its_listeners_saw_last() {
        let seen = LastSeen::parse(["counter-2; last-id=1f-7, b;x=y; Last-ID=\"2\"", "c;last-id=a=b"]);
        assert_eq!(seen.on("counter-2"), Some("1f-7"));
        assert_eq!(seen.on("b"), Some("2"));
        assert_eq!(seen.on("c"), Some("a=b"));
        assert_eq!(seen.on("counter"), None);
    }

    #[test]
    fn unreadable_parts_are_left_out() {
        let seen = LastSeen::parse(["; last-id=1", "a", "b; last-id", ",,;=,", "c; last-id="]);
        assert_eq!((seen.on("a"), seen.on("b"), seen.on("c")), (None, None, Some("")));
        assert!(LastSeen::parse([]).ids.is_empty() && LastSeen::parse([",;"]).ids.is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}|[a;,=\" ]{0,30}(last-id=)?[a;,=\" ]{0,30}") {
            let _ = LastSeen::parse([text.as_str()]).on(&text);
        }

        #[test]
        fn the_header_that_a_proxy_writes_is_read_back(channel in "[!#-+\\--:<-~]{1,20}", id in "[!#-+\\--:<-~]{1,20}") {
            let value = format!("{channel}; last-id={id}");
            let seen = LastSeen::parse([value.as_str()]);
            prop_assert_eq!(seen.on(&channel), Some(id.as_str()));
        }
    }
}
