//! The items that are published: bytes for the streams that are held on a channel.

use serde::{Serialize, Serializer};

/// One message for one channel, in the format `http-stream`: `content` goes to every held response as it is.
///
/// With `prev_id` the items of a channel form a chain, by which a proxy notices a missing item. The proxy waits for it, and asks
/// the origin if the item does not come. A proxy drops an item whose id it has seen on the channel a short while ago, so
/// publishing an item twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The channel, by its name in `Grip-Channel`.
    pub channel: String,
    /// The name of this state of the channel. Callers must never use an id again with another content.
    pub id: String,
    /// The id of the item before this one. With `None`, the item begins a chain.
    pub prev_id: Option<String>,
    /// The bytes that the listeners get.
    pub content: String,
    /// Whether this is the first item of the channel. If an endpoint is too slow for all items, first items wait for the items of
    /// other channels.
    pub first: bool,
    /// What becomes of the item if a newer one of its channel comes before an endpoint has got it.
    pub retain: Retain,
}

/// Which items of a channel wait for an endpoint that is busy or down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retain {
    /// Only the newest: its content replaces that of the items before it.
    #[default]
    Latest,
    /// All of them, in order, as far as the publisher has room. If an item is dropped, the `prev_id` of the next one tells the proxy so.
    All,
}

/// An item as it is posted, with the `prev-id` of the item that the receiver has got before.
#[derive(Clone, Copy)]
pub(super) struct Posted<'a> {
    pub(super) item: &'a Item,
    pub(super) prev_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Wire<'a> {
    channel: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_id: Option<&'a str>,
    formats: Formats<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Formats<'a> {
    http_stream: HttpStream<'a>,
}

#[derive(Serialize)]
struct HttpStream<'a> {
    content: &'a str,
}

impl Serialize for Posted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Item { channel, id, content, .. } = self.item;
        let formats = Formats { http_stream: HttpStream { content } };
        Wire { channel, id, prev_id: self.prev_id, formats }.serialize(serializer)
    }
}

/// A publish request's body, filled until it is full.
pub(super) struct PublishBody {
    bytes: Vec<u8>,
    items: usize,
}

impl PublishBody {
    const HEAD: &[u8] = b"{\"items\":[";
    const TAIL: &[u8] = b"]}";

    pub(super) fn new() -> Self {
        PublishBody { bytes: Self::HEAD.to_vec(), items: 0 }
    }

    /// Adds the item, unless the body would then have more than `max_bytes`. The first item is always added, as only the server
    /// knows whether it must refuse an item of this size. Returns whether the item was added.
    pub(super) fn push(&mut self, posted: Posted<'_>, max_bytes: usize) -> bool {
        let before = self.bytes.len();
        if self.items > 0 {
            self.bytes.push(b',');
        }
        // Writing strings to memory as JSON cannot fail.
        let written = serde_json::to_writer(&mut self.bytes, &posted).is_ok();
        let fits = self.items == 0 || self.bytes.len() + Self::TAIL.len() <= max_bytes;
        if written && fits {
            self.items += 1;
        } else {
            self.bytes.truncate(before);
        }
        written && fits
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(Self::TAIL);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, prev_id: Option<&str>, content: &str) -> Item {
        let (id, prev_id) = (id.to_owned(), prev_id.map(str::to_owned));
        Item {
            channel: "counter-2".into(),
            id,
            prev_id,
            content: content.into(),
            first: false,
            retain: Retain::Latest,
        }
    }

    fn posted(item: &Item) -> Posted<'_> {
        Posted { item, prev_id: item.prev_id.as_deref() }
    }

    #[test]
    fn a_batch_is_these_bytes() {
        let (first, second) = (item("1", None, "data: \"1\"\n\n"), item("2", Some("1"), "é"));
        let mut body = PublishBody::new();
        assert!(body.push(posted(&first), 1000) && body.push(posted(&second), 1000));
        let expected = concat!(
            r#"{"items":[{"channel":"counter-2","id":"1","formats":{"http-stream":{"content":"data: \"1\"\n\n"}}},"#,
            r#"{"channel":"counter-2","id":"2","prev-id":"1","formats":{"http-stream":{"content":"é"}}}]}"#
        );
        assert_eq!(String::from_utf8(body.finish()), Ok(expected.to_owned()));
    }

    #[test]
    fn a_full_body_takes_no_more_but_always_one() {
        let large = item("1", None, &"x".repeat(500));
        let mut body = PublishBody::new();
        assert!(body.push(posted(&large), 100));
        assert!(!body.push(posted(&large), 100));
        let bytes = body.finish();
        let parsed: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(parsed["items"].as_array().map(Vec::len), Some(1));

        let mut exact = PublishBody::new();
        assert!(exact.push(posted(&large), 0) && exact.push(posted(&large), 2 * bytes.len() - 11));
        assert_eq!(exact.finish().len(), 2 * bytes.len() - 11);
    }
}
