//! Digests of visitors, by which they are recognised for a day: see [`DailySalt`]. They follow from the address of the client and its
//! `User-Agent`, neither of which can be found out from them once the salt is forgotten.

use ring::hmac::{Context, HMAC_SHA256, Key};

use crate::domain::Topic;
use crate::limits::Client;
use crate::store::{DailySalt, Visit};

/// How many bytes of a digest tell a visitor of a page.
pub(super) const PAGE_BYTES: usize = 16;

/// A visitor of the present day.
pub(super) struct VisitorDigest<'a> {
    day: i64,
    key: Key,
    client: Client,
    agent: &'a [u8],
}

impl<'a> VisitorDigest<'a> {
    /// The visitor who sends requests from this client with this `User-Agent`.
    pub(super) fn new(salt: &DailySalt, client: Client, agent: &'a [u8]) -> Self {
        VisitorDigest { day: salt.day, key: Key::new(HMAC_SHA256, &salt.secret), client, agent }
    }

    /// What tells the visitor from others on this page.
    pub(super) fn on_page(&self, page: &Topic) -> [u8; PAGE_BYTES] {
        self.of(b"window", page)
    }

    /// The visit of this site.
    pub(super) fn visit(&self, site: &Topic) -> Visit {
        Visit { day: self.day, visitor: u64::from_be_bytes(self.of(b"uniques", site)) }
    }

    /// The first bytes of the digest of the visitor. Digests for other topics or purposes have nothing in common with it. No part but the last one
    /// can have a NUL byte before its end, and all addresses have the same length, so no two visitors have the same text.
    fn of<const N: usize>(&self, purpose: &[u8], topic: &Topic) -> [u8; N] {
        let mut context = Context::with_key(&self.key);
        for part in [purpose, b"\0", topic.name().as_bytes(), b"\0", &self.client.to_bytes(), self.agent] {
            context.update(part);
        }
        let mut first = [0; N];
        first.copy_from_slice(&context.sign().as_ref()[..N]);
        first
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;
    use crate::store::SALT_LEN;

    fn client(address: &str) -> Client {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn a_visitor_has_another_digest_for_each_page_site_and_day() {
        let page = |address: &str| Topic::page(&address.parse().expect("an address"));
        let site = |address: &str| Topic::site(&address.parse().expect("an address"));
        let mut seen = HashSet::new();
        for secret in [1, 2].map(|byte| [byte; SALT_LEN]) {
            let salt = DailySalt { day: 7, secret, left: Duration::from_secs(9) };
            for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] {
                for agent in ["", "a", "Mozilla/5.0 (X11)"] {
                    let digest = VisitorDigest::new(&salt, client(address), agent.as_bytes());
                    for topic in [page("a.example.com"), page("a.example.com/a"), site("a.example.com")] {
                        assert!(seen.insert(u128::from_be_bytes(digest.on_page(&topic))));
                    }
                    for topic in [site("a.example.com"), site("b.example.com")] {
                        let visit = digest.visit(&topic);
                        assert!(visit.day == 7 && seen.insert(visit.visitor.into()));
                    }
                }
            }
        }
        assert_eq!(seen.len(), 2 * 4 * 3 * 5);
    }

    #[test]
    fn the_addresses_of_one_network_are_one_visitor() {
        let salt = DailySalt { day: 7, secret: [9; SALT_LEN], left: Duration::from_secs(9) };
        let of = |address: &str| {
            let site = Topic::site(&"example.com".parse().expect("an address"));
            VisitorDigest::new(&salt, client(address), b"a").visit(&site).visitor
        };
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
