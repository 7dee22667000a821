//! The names of topics that every client may read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{CounterId, Kind, PageAddress, ParseCounterIdError, Topic};

/// Why a text is not the name of a topic that every client may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePublicTopicError {
    /// The text begins as the names of no kind, or of a kind that is not public.
    #[error("the name of a topic begins with counter-, page- or site-")]
    Kind,
    /// The text behind `counter-` is not the id of a counter.
    #[error("{0}")]
    Counter(ParseCounterIdError),
    /// The text behind `page-` is not the digest of an address.
    #[error("page- is followed by 22 characters, which /nocount tells as JSON")]
    Page,
    /// The text behind `site-` is not a host.
    #[error(
        "site- is followed by a host in small letters, with its port if it has one, as in site-www.example.com"
    )]
    Site,
}

/// The topic of this name, which must be that of a counter, a page or a site.
pub fn public_topic(name: &str) -> Result<Topic, ParsePublicTopicError> {
    use ParsePublicTopicError as Error;
    let kind = Kind::ALL.into_iter().find(|kind| name.starts_with(kind.prefix()));
    let kind = kind.ok_or(Error::Kind)?;
    let rest = &name[kind.prefix().len()..];
    match kind {
        Kind::Entity | Kind::Feed => Err(Error::Kind),
        Kind::Counter => Ok(Topic::counter(&rest.parse::<CounterId>().map_err(Error::Counter)?)),
        Kind::Page => {
            let is_digest = URL_SAFE_NO_PAD.decode(rest).is_ok_and(|digest| digest.len() == 16);
            let topic = is_digest.then(|| name.parse().ok()).flatten();
            topic.ok_or(Error::Page)
        }
        Kind::Site => {
            let address: PageAddress = rest.parse().map_err(|_| Error::Site)?;
            if address.as_str() == rest && address.site() == rest {
                Ok(Topic::site(&address))
            } else {
                Err(Error::Site)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_names_of_counters_pages_and_sites_are_public() {
        for name in [
            "counter-2",
            "counter-counter-",
            "page-JoDShKgqAQjUcOK_8rDqUg",
            "site-www.example.com",
            "site-[::1]:81",
            "site-localhost:3000",
        ] {
            assert_eq!(public_topic(name).expect(name).name(), name);
        }
    }

    #[test]
    fn what_is_wrong_with_a_name_is_named() {
        use ParsePublicTopicError as Error;
        for (name, expected) in [
            ("", Error::Kind),
            ("2", Error::Kind),
            ("import-0123456789abcdef0123456789abcdef", Error::Kind),
            ("entity-1", Error::Kind),
            ("entity-a/1", Error::Kind),
            ("feed-a", Error::Kind),
            ("Counter-2", Error::Kind),
            ("counter-", Error::Counter(ParseCounterIdError::Empty)),
            ("counter-a b", Error::Counter(ParseCounterIdError::BadCharacter(1))),
            ("page-", Error::Page),
            ("page-JoDShKgqAQjUcOK_8rDqU", Error::Page),
            // The last character has four bits that no digest sets.
            ("page-JoDShKgqAQjUcOK_8rDqUh", Error::Page),
            ("page-JoDShKgqAQjUcOK/8rDqUg", Error::Page),
            ("site-", Error::Site),
            ("site-WWW.example.com", Error::Site),
            ("site-example.com/", Error::Site),
            ("site-example.com:80", Error::Site),
            ("site-http://example.com", Error::Site),
            ("site-javascript:alert(1)", Error::Site),
            ("site-exam\0ple.com", Error::Site),
        ] {
            assert_eq!(public_topic(name), Err(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn each_public_topic_has_the_name_by_which_it_was_found(name in "(counter|page|site)-\\PC{0,30}") {
            if let Ok(topic) = public_topic(&name) {
                prop_assert_eq!(topic.name(), &name);
                prop_assert_eq!(name.parse(), Ok(topic));
            }
        }
    }
}
