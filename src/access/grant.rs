//! What a stream was opened with, so that the service can ask later whether the stream is still allowed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{HMAC_SHA256, Key, sign};
use subtle::ConstantTimeEq;

use super::needed::Needed;

/// What allowed a request. A stream keeps it, and is ended when it does not allow the stream any more.
#[derive(Clone, PartialEq, Eq)]
pub enum Grant {
    /// The setting `public` lets every client read.
    Public,
    /// The service has no keys, and the request came straight from its own machine.
    Local,
    /// A key of the settings.
    Key {
        /// The id of the key.
        id: String,
        /// The digest of its secret.
        sha256: [u8; 32],
    },
    /// A ticket.
    Ticket {
        /// The end of the minute in which the ticket expires, in seconds since 1970.
        until: u64,
    },
}

/// How many characters of a signature a pass has. They hold 132 bits.
const SIGNATURE_LEN: usize = 22;

impl Grant {
    /// The grant of a ticket that expires at this second. Streams of tickets that expire in the same minute share their passes.
    pub(super) fn of_ticket(exp: u64) -> Self {
        Grant::Ticket { until: exp.div_ceil(60).saturating_mul(60) }
    }
}

/// The text by which a proxy proves, when it asks for a recovery, that the stream was once allowed: it is in the path of the recovery, as
/// such a request carries no key. A client never sees the path.
///
/// The pass of a key is signed with the digest of its secret. So it is worth nothing once the key is withdrawn, all origins accept it, and
/// only a holder of the secret could make it, who may read what it opens anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass<'a> {
    /// The stream is public.
    Public,
    /// The stream was opened with the key of this id.
    Key(&'a str),
    /// The stream was opened with a ticket that is good until this second.
    Ticket(u64),
}

impl<'a> Pass<'a> {
    /// The parts of a pass with its signature, which is not checked here. `None` if the text is no pass.
    pub(super) fn parse(text: &'a str) -> Option<(Self, &'a str)> {
        let mut parts = text.split('.');
        let parts = (parts.next()?, parts.next(), parts.next(), parts.next());
        match parts {
            ("public", None, None, None) => Some((Pass::Public, "")),
            ("k", Some(id), Some(signature), None) => Some((Pass::Key(id), signature)),
            ("t", Some(until), Some(signature), None) => Some((Pass::Ticket(until.parse().ok()?), signature)),
            _ => None,
        }
    }

    /// The text of the pass, signed with `secret` for what the stream needs.
    pub(super) fn signed(&self, secret: &[u8], needed: &Needed<'_>) -> String {
        match self {
            Pass::Public => "public".to_owned(),
            Pass::Key(id) => format!("k.{id}.{}", self.signature(secret, needed)),
            Pass::Ticket(until) => format!("t.{until}.{}", self.signature(secret, needed)),
        }
    }

    /// Whether the signature was made with `secret` for what the stream needs.
    pub(super) fn is_signed(&self, signature: &str, secret: &[u8], needed: &Needed<'_>) -> bool {
        self.signature(secret, needed).as_bytes().ct_eq(signature.as_bytes()).into()
    }

    fn signature(&self, secret: &[u8], needed: &Needed<'_>) -> String {
        let minute = if let Pass::Ticket(until) = self { *until } else { 0 };
        let text = format!("livecounter recovery\n{needed}\n{minute}");
        let mut signature = URL_SAFE_NO_PAD.encode(sign(&Key::new(HMAC_SHA256, secret), text.as_bytes()));
        signature.truncate(SIGNATURE_LEN);
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Space, Verb};
    use proptest::prelude::*;

    const ONE: Needed<'static> = Needed::One(Verb::Read, Space::Routes, "a/b");

    #[test]
    fn a_pass_is_for_one_thing_one_secret_and_one_minute() {
        for pass in [Pass::Key("01234567"), Pass::Ticket(120)] {
            let text = pass.signed(b"secret", &ONE);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{text}");
            let (parsed, signature) = Pass::parse(&text).expect("a pass");
            assert_eq!((parsed, signature.len()), (pass, SIGNATURE_LEN));
            assert!(parsed.is_signed(signature, b"secret", &ONE));
            assert!(!parsed.is_signed(signature, b"other", &ONE));
            assert!(!parsed.is_signed(&signature[1..], b"secret", &ONE));
            let other = Needed::One(Verb::Read, Space::Routes, "a/c");
            assert!(!parsed.is_signed(signature, b"secret", &other));
        }
        let text = Pass::Ticket(120).signed(b"secret", &ONE).replace("120", "180");
        let (later, signature) = Pass::parse(&text).expect("a pass");
        assert!(!later.is_signed(signature, b"secret", &ONE));
        assert!(
            Grant::of_ticket(61) == Grant::of_ticket(120) && Grant::of_ticket(121) != Grant::of_ticket(120)
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[kt.0-9]{0,8}|\\PC{0,20}") {
            if let Some((pass, signature)) = Pass::parse(&text) {
                prop_assert!(!pass.is_signed(signature, b"secret", &ONE) || pass == Pass::Public);
            }
        }
    }
}
