//! Which client has sent a request: the address that limits are counted by.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

/// The key that limits are counted by: an IPv4 address, or the first 64 bits of an IPv6 address, because a provider usually gives
/// each customer all addresses that share these 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Client(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Client(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

impl Client {
    /// The address as an IPv6 address, which an IPv4 address can be written as.
    pub fn to_bytes(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        }
    }
}

/// The addresses of the proxies whose `X-Forwarded-For` is believed. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is
/// treated as that IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Why a text names no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRangeError {
    /// The text is neither an address nor a range.
    #[error(
        "{0:?} is neither an address, such as 10.0.0.1 or fd00::1, nor a range, such as 10.0.0.0/8 or fd00::/8"
    )]
    NoRange(String),
    /// The address has bits beyond its prefix, so either the address or the prefix may be wrong.
    #[error("{given} names an address within the range {range}: write the one or the other")]
    HostBits {
        /// The text as it was written.
        given: String,
        /// The range that the address and its prefix denote.
        range: String,
    },
}

impl TrustedProxies {
    /// Parses addresses and ranges in CIDR notation.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ParseRangeError> {
        texts.into_iter().map(range).collect::<Result<_, _>>().map(TrustedProxies)
    }

    /// Whether no proxy is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a range has all addresses of IPv4 or IPv6.
    pub fn trust_all(&self) -> bool {
        self.0.iter().any(|range| range.prefix_len() == 0)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(&address))
    }

    /// The client that sent a request which came from `peer` with these `X-Forwarded-For` headers, in their order.
    ///
    /// Each trusted proxy appends the address of its own peer to the entries that it received. So the entries are read from
    /// the last to the first while the address found so far is a trusted proxy. The client is the first address that is no
    /// trusted proxy, or the last address that was read. Entries before the client's are not believed, and an entry that is
    /// no address ends the reading.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Client {
        let mut found = peer.to_canonical();
        if self.is_empty() {
            return found.into();
        }
        let mut entries = forwarded_for.rev().flat_map(|header| header.rsplit(|byte| *byte == b','));
        while self.contains(found) {
            let Some(address) = entries.next().and_then(forwarded_address) else { break };
            found = address;
        }
        found.into()
    }
}

/// Parses one entry of `X-Forwarded-For`. Some proxies append the port to the address; the port is dropped.
fn forwarded_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || SocketAddr::from_str(text).ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

fn range(text: &str) -> Result<IpNet, ParseRangeError> {
    let no_range = || ParseRangeError::NoRange(text.to_owned());
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    // The standard library parses the address because ipnet accepts 010.0.0.0, which other programs read as octal.
    let address: IpAddr = address.parse().map_err(|_| no_range())?;
    let range = match prefix {
        Some(prefix) => prefix.parse().ok().and_then(|prefix| IpNet::new(address, prefix).ok()),
        None => Some(address.into()),
    };
    let range = range.filter(|_| !text.contains('+')).ok_or_else(no_range)?;
    if range != range.trunc() {
        let (given, range) = (text.to_owned(), range.trunc().to_string());
        return Err(ParseRangeError::HostBits { given, range });
    }
    Ok(canonical(range))
}

/// Turns a range within `::ffff:0:0/96` into the range of IPv4 addresses that it stands for.
fn canonical(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else { return range };
    let prefix = mapped.prefix_len().checked_sub(96);
    match (mapped.network().to_ipv4_mapped(), prefix) {
        (Some(network), Some(prefix)) => Ipv4Net::new(network, prefix).map_or(range, IpNet::V4),
        _ => range,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn trusted(ranges: &[&str]) -> TrustedProxies {
        TrustedProxies::parse(ranges.iter().copied()).expect("ranges")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn client(ranges: &[&str], peer: &str, headers: &[&str]) -> Client {
        trusted(ranges).client(address(peer), headers.iter().map(|header| header.as_bytes()))
    }

    #[test]
    fn only_addresses_that_trusted_proxies_have_written_are_believed() {
        let chain = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"];
        for (ranges, peer, headers, expected) in [
            // No proxy is trusted, or the peer is not a trusted proxy.
            (&[][..], "127.0.0.1", &["1.1.1.1"][..], "127.0.0.1"),
            (&chain, "192.0.2.1", &["1.1.1.1"], "192.0.2.1"),
            (&["10.0.0.2"], "10.0.0.1", &["1.1.1.1"], "10.0.0.1"),
            // The request has passed one proxy or two; the client may have sent entries of its own.
            (&chain, "10.0.0.1", &["1.1.1.1"], "1.1.1.1"),
            (&chain, "10.0.0.1", &["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
            (&chain, "10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
            (&chain, "10.0.0.1", &["10.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
            // Several headers count as one list.
            (&chain, "10.0.0.1", &["6.6.6.6", "1.1.1.1", "10.0.0.2"], "1.1.1.1"),
            (&chain, "10.0.0.1", &["1.1.1.1", "10.0.0.2,10.0.0.3"], "1.1.1.1"),
            // If all addresses are trusted, the first entry is the client. Without a header, the peer is.
            (&chain, "10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&chain, "10.0.0.1", &[], "10.0.0.1"),
            // An entry that is no address ends the reading; so does an empty entry.
            (&chain, "10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1"),
            (&chain, "10.0.0.1", &["1.1.1.1, unix:, 10.0.0.2"], "10.0.0.2"),
            (&chain, "10.0.0.1", &["1.1.1.1, 01.2.3.4"], "10.0.0.1"),
            (&chain, "10.0.0.1", &["1.1.1.1", ""], "10.0.0.1"),
            (&chain, "10.0.0.1", &["1.1.1.1,"], "10.0.0.1"),
            (&chain, "10.0.0.1", &["1.1.1.1, 2.2.2.2 3.3.3.3"], "10.0.0.1"),
            (&chain, "10.0.0.1", &["1.1.1.1, _hidden"], "10.0.0.1"),
            // Some proxies write the port.
            (&chain, "10.0.0.1", &["1.1.1.1:4711"], "1.1.1.1"),
            (&chain, "10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::"),
            (&chain, "10.0.0.1", &["[2001:db8::1]"], "2001:db8::"),
            (&chain, "10.0.0.1", &["[1.1.1.1]"], "10.0.0.1"),
            // Addresses of IPv6, and of IPv4 written as IPv6.
            (&chain, "fd00::1", &["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::"),
            (&chain, "::ffff:10.0.0.1", &["::ffff:1.1.1.1"], "1.1.1.1"),
            (&["::ffff:10.0.0.0/104"], "10.0.0.1", &["1.1.1.1"], "1.1.1.1"),
        ] {
            let found = client(ranges, peer, headers);
            assert_eq!(found, Client(address(expected)), "{ranges:?} {peer} {headers:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_end_the_walk() {
        let headers = [&b"1.1.1.1, \xff2.2.2.2"[..]];
        let found = trusted(&["10.0.0.1"]).client(address("10.0.0.1"), headers.into_iter());
        assert_eq!(found, Client(address("10.0.0.1")));
    }

    #[test]
    fn an_invalid_range_is_refused_by_name() {
        for (text, named) in [
            ("localhost", "\"localhost\" is neither an address"),
            ("10.0.0.0/33", "\"10.0.0.0/33\" is neither"),
            ("10.0.0.0/", "is neither"),
            ("10/8", "is neither"),
            ("010.0.0.0/8", "is neither"),
            ("10.0.0.0/+8", "is neither"),
            ("fe80::1%eth0", "is neither"),
            ("", "is neither"),
            ("10.0.0.1/8", "10.0.0.1/8 names an address within the range 10.0.0.0/8"),
            ("fd00::1/8", "fd00::1/8 names an address within the range fd00::/8"),
        ] {
            let error = TrustedProxies::parse([text]).expect_err(text).to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
        assert!(trusted(&[]).is_empty() && !trusted(&["0.0.0.0/0"]).is_empty());
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
            any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        ]
    }

    proptest! {
        #[test]
        fn whatever_the_client_writes_the_proxy_s_word_decides(
            forged in proptest::collection::vec("[0-9a-f:., \"=]{0,40}", 0..4),
            sender in any_address(),
        ) {
            prop_assume!(!trusted(&["10.0.0.0/8"]).contains(sender.to_canonical()));
            let written = sender.to_string();
            let headers = forged.iter().map(String::as_bytes).chain([written.as_bytes()]);
            let headers: Vec<&[u8]> = headers.collect();
            let found = trusted(&["10.0.0.0/8"]).client(address("10.0.0.1"), headers.into_iter());
            prop_assert_eq!(found, Client::from(sender));
        }

        #[test]
        fn an_untrusted_peer_is_the_client_whatever_it_sends(
            peer in any_address(),
            forged in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4),
        ) {
            prop_assume!(!trusted(&["10.0.0.0/8"]).contains(peer.to_canonical()));
            let headers = forged.iter().map(Vec::as_slice);
            prop_assert_eq!(trusted(&["10.0.0.0/8"]).client(peer, headers), Client::from(peer));
        }

        #[test]
        fn addresses_of_one_64_are_one_client_and_others_are_others(
            network in any::<u64>(), other in any::<u64>(), a in any::<u64>(), b in any::<u64>(),
        ) {
            prop_assume!(network != other && network != 0 && other != 0); // ::/64 holds the mapped IPv4 addresses
            let of = |network: u64, host: u64| {
                Client::from(IpAddr::from(Ipv6Addr::from_bits(u128::from(network) << 64 | u128::from(host))))
            };
            prop_assert_eq!(of(network, a), of(network, b));
            prop_assert_ne!(of(network, a), of(other, b));
        }

        #[test]
        fn ipv4_is_the_same_client_in_either_form(bits in any::<u32>(), other in any::<u32>()) {
            prop_assume!(bits != other);
            let plain = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(Client::from(IpAddr::V4(plain)), Client::from(IpAddr::V6(plain.to_ipv6_mapped())));
            prop_assert_ne!(Client::from(IpAddr::V4(plain)), Client::from(IpAddr::V4(Ipv4Addr::from_bits(other))));
        }

        #[test]
        fn no_range_makes_the_parser_panic(text in "[0-9a-f:./]{0,30}") {
            let _ = TrustedProxies::parse([text.as_str()]);
        }
    }
}
