//! Anything that can be listened to, and every name that follows from it.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use smol_str::{SmolStr, SmolStrBuilder, format_smolstr};

use super::{CounterId, EntityKey, EventId, PageAddress, Route};

/// How many buckets the topics of a store are spread over. Stored keys depend on it: if it changed, they would no longer be found.
pub const BUCKETS: u16 = 128;

/// How many parts the outbox of a bucket has: so few marks are in each of them. Stored keys
/// depend on it, as they do on [`BUCKETS`].
pub const OUTBOX_PARTS: u16 = 8;

/// The longest name, as long as Fastly lets a surrogate key be. Fastly refuses a whole batch of purges if one key is longer.
const MAX_LEN: usize = 1024;

/// The beginning of the names of counters' topics.
const COUNTER: &str = "counter-";
/// The beginning of the names of pages' topics.
const PAGE: &str = "page-";
/// The beginning of the names of sites' topics.
const SITE: &str = "site-";
/// The beginning of the names of entities' topics.
const ENTITY: &str = "entity-";
/// The beginning of the names of feeds' topics.
const FEED: &str = "feed-";

/// How many bytes of the digest of a page's address are in the name of its topic. 128 bits are enough: two addresses of the same
/// name would have to be searched for with 2^64 attempts.
const DIGEST_LEN: usize = 16;

/// What a topic is the number, the fields or the events of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A counter: `counter-{id}`.
    Counter,
    /// The hits of a page: `page-` and 22 characters, which follow from the address.
    Page,
    /// The hits of all pages of a site: `site-{host}`.
    Site,
    /// The fields of an entity: `entity-{route}/{key}`.
    Entity,
    /// The events of a route: `feed-{route}`.
    Feed,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::Counter, Kind::Page, Kind::Site, Kind::Entity, Kind::Feed];

    /// Whether every client may read the topics of this kind. Those of other kinds are read where a key or a setting allows it.
    pub fn is_public(self) -> bool {
        match self {
            Kind::Counter | Kind::Page | Kind::Site => true,
            Kind::Entity | Kind::Feed => false,
        }
    }

    /// How the names of the topics of this kind begin.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Counter => COUNTER,
            Kind::Page => PAGE,
            Kind::Site => SITE,
            Kind::Entity => ENTITY,
            Kind::Feed => FEED,
        }
    }
}

/// The beginning of the names of topics that record imports.
const IMPORT: &str = "import-";

/// A topic: its name, from which its channel, its surrogate key and its store keys follow. Cheap to clone.
///
/// Names are 1 to 1,024 visible ASCII characters without commas, semicolons or quotes, so that they are safe in every
/// header they reach (`Grip-Channel`, `Surrogate-Key`).
#[derive(Clone, Debug)]
pub struct Topic {
    name: SmolStr,
    hash: u32,
}

thread_local! {
    /// The page whose topic was asked for last, since a request asks for the topic of its page several times. A digest takes longer than a comparison.
    static LAST_PAGE: RefCell<Option<(PageAddress, Topic)>> = const { RefCell::new(None) };
}

impl Topic {
    /// The topic of a counter: `counter-{id}`.
    pub fn counter(id: &CounterId) -> Self {
        let mut name = SmolStrBuilder::new();
        name.push_str(COUNTER);
        name.push_str(id.as_str());
        Topic::named(name.finish())
    }

    /// The topic of a page. The name is the digest of the address, so it has the same length for every page.
    pub fn page(address: &PageAddress) -> Self {
        LAST_PAGE.with_borrow_mut(|last| match last {
            Some((known, topic)) if known == address => topic.clone(),
            _ => {
                let topic = Topic::page_anew(address);
                *last = Some((address.clone(), topic.clone()));
                topic
            }
        })
    }

    fn page_anew(address: &PageAddress) -> Self {
        let digest = digest(&SHA256, address.as_str().as_bytes());
        let mut name = [0; 22];
        // The 16 bytes always fit into the 22 characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(&digest.as_ref()[..DIGEST_LEN], &mut name);
        Topic::named(format_smolstr!("{PAGE}{}", std::str::from_utf8(&name).unwrap_or_default()))
    }

    /// The topic of the site on which a page is: `site-{host}`.
    pub fn site(address: &PageAddress) -> Self {
        Topic::named(format_smolstr!("{SITE}{}", address.site()))
    }

    /// The topic of an entity: `entity-{route}/{key}`. A key has no slash, so each name belongs to one entity.
    pub fn entity(route: &Route, key: &EntityKey) -> Self {
        Topic::named(format_smolstr!("{ENTITY}{route}/{key}"))
    }

    /// The topic of the events of a route: `feed-{route}`.
    pub fn feed(route: &Route) -> Self {
        Topic::named(format_smolstr!("{FEED}{route}"))
    }

    /// What those listen to that listen to all feeds below a route, or to all feeds: `feed-{route}/*` or `feed-*`. No route has such a name, so
    /// no store keeps anything under it.
    pub fn feeds_below(route: Option<&Route>) -> Self {
        Topic::named(match route {
            Some(route) => format_smolstr!("{FEED}{route}/*"),
            None => format_smolstr!("{FEED}*"),
        })
    }

    /// What the topic is the number, the fields or the events of; `None` if the name is of no kind that this version knows.
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| self.name.starts_with(kind.prefix()))
    }

    /// Whether the topic holds a number: it is neither an entity nor a feed.
    pub fn holds_number(&self) -> bool {
        // Nearly all topics are told by their first byte.
        !matches!(self.name.as_bytes(), [b'e' | b'f', ..])
            || !matches!(self.kind(), Some(Kind::Entity | Kind::Feed))
    }

    /// Whether the topic is an entity.
    pub fn is_entity(&self) -> bool {
        self.name.starts_with(ENTITY)
    }

    /// How the names of the topics of counters begin whose ids begin with `prefix`.
    pub fn counter_prefix(prefix: &str) -> String {
        [COUNTER, prefix].concat()
    }

    /// The id of the counter whose topic this is; `None` if it is the topic of something else.
    pub fn counter_id(&self) -> Option<CounterId> {
        self.name.strip_prefix(COUNTER)?.parse().ok()
    }

    /// The host of the site whose topic this is, with its port; `None` if it is the topic of something else.
    pub fn site_host(&self) -> Option<&str> {
        self.name.strip_prefix(SITE)
    }

    /// How the names of the topics of a route's entities begin whose keys begin with `prefix`.
    pub fn entity_prefix(route: &Route, prefix: &str) -> String {
        [ENTITY, route.as_str(), "/", prefix].concat()
    }

    /// The route and the key of the entity whose topic this is; `None` if it is the topic of something else.
    pub fn entity_name(&self) -> Option<(Route, EntityKey)> {
        let (route, key) = self.name.strip_prefix(ENTITY)?.rsplit_once('/')?;
        Some((route.parse().ok()?, key.parse().ok()?))
    }

    /// The route whose events these are; `None` if it is the topic of something else.
    pub fn feed_route(&self) -> Option<Route> {
        self.name.strip_prefix(FEED)?.parse().ok()
    }

    /// The topic that records an import whose digest begins with these bytes, so that it can be repeated: `import-{hexadecimal digits}`.
    pub fn import(digest: &[u8; 16]) -> Self {
        Topic::named(format_smolstr!("{IMPORT}{:032x}", u128::from_be_bytes(*digest)))
    }

    /// Whether a topic of this name records an import.
    pub fn names_import(name: &str) -> bool {
        name.starts_with(IMPORT)
    }

    /// The name, under which stores keep the topic.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A hash of the name. Clients choose names, so they can choose names of one hash.
    pub fn hash32(&self) -> u32 {
        self.hash
    }

    /// Which of the [`BUCKETS`] holds the topic: the keys of a bucket share a Redis Cluster slot.
    pub fn bucket(&self) -> u16 {
        (self.hash % u32::from(BUCKETS)) as u16
    }

    /// Which of its bucket's [`OUTBOX_PARTS`] holds the mark of the topic.
    pub fn outbox_part(&self) -> u16 {
        (self.hash / u32::from(BUCKETS) % u32::from(OUTBOX_PARTS)) as u16
    }

    /// The GRIP channel, behind the prefix that keeps several services on one proxy apart.
    pub fn channel(&self, prefix: &str) -> String {
        [prefix, &self.name].concat()
    }

    /// The CDN's surrogate key.
    pub fn surrogate_key(&self) -> &str {
        &self.name
    }

    /// The id of an event of this topic in a stream: `{id}@{epoch}-{revision}`, where a counter goes by its own id. So one
    /// stream can carry several topics.
    pub fn stream_id(&self, id: EventId) -> impl fmt::Display {
        let name = self.name.strip_prefix(COUNTER).unwrap_or(&self.name);
        StreamId { name, id }
    }

    fn named(name: SmolStr) -> Self {
        // FNV-1a, 32 bits. It is written out since stored keys depend on it: an update of a library must not change it.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        Topic { name, hash }
    }
}

/// See [`Topic::stream_id`].
struct StreamId<'a> {
    name: &'a str,
    id: EventId,
}

impl fmt::Display for StreamId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.id)
    }
}

/// The text is no topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a topic")]
pub struct ParseTopicError;

impl FromStr for Topic {
    type Err = ParseTopicError;

    /// The topic that a store has kept under this name.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let safe = |b: u8| b.is_ascii_graphic() && !matches!(b, b',' | b';' | b'"');
        if name.is_empty() || name.len() > MAX_LEN || !name.bytes().all(safe) {
            return Err(ParseTopicError);
        }
        Ok(Topic::named(name.into()))
    }
}

impl PartialEq for Topic {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Topic {}

impl std::hash::Hash for Topic {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_may_be_called_as_the_topics_of_counters_are() {
        let topic = Topic::counter(&"counter-counter-".parse().expect("an id"));
        assert_eq!(topic.stream_id(EventId::default()).to_string(), "counter-counter-@0-0");
    }

    #[test]
    fn every_name_of_a_counter_follows_from_its_id() {
        let topic = Topic::counter(&"2".parse().expect("an id"));
        assert_eq!(topic.name(), "counter-2");
        assert_eq!(topic.channel("eu-"), "eu-counter-2");
        assert_eq!(topic.surrogate_key(), "counter-2");
        assert_eq!(topic.counter_id(), "2".parse().ok());
        assert_eq!(topic.kind(), Some(Kind::Counter));
        assert!(topic.name().starts_with(&Topic::counter_prefix("2")));
        assert_eq!(topic.stream_id(EventId::default()).to_string(), "2@0-0");
        assert_eq!(topic.name().parse(), Ok(topic));
    }

    #[test]
    fn the_names_of_a_page_and_its_site_follow_from_the_address() {
        let address: PageAddress = "https://WWW.Example.com/a".parse().expect("an address");
        let (page, site) = (Topic::page(&address), Topic::site(&address));
        // The beginning of `printf www.example.com/a | openssl dgst -sha256 -binary | base64`, with - and _ for + and /.
        assert_eq!(page.name(), "page-JoDShKgqAQjUcOK_8rDqUg");
        assert_eq!(site.name(), "site-www.example.com");
        assert_eq!((page.kind(), site.kind()), (Some(Kind::Page), Some(Kind::Site)));
        assert_eq!((page.site_host(), site.site_host()), (None, Some("www.example.com")));
        assert_eq!(page.stream_id(EventId::default()).to_string(), format!("{page}@0-0"));
        for address in ["[::1]:81/a", "example.com:8080"] {
            let address: PageAddress = address.parse().expect("an address");
            assert_eq!(Topic::site(&address).name().parse(), Ok(Topic::site(&address)));
        }
        assert_eq!("import-1".parse::<Topic>().expect("a topic").kind(), None);
    }

    #[test]
    fn pages_that_are_asked_for_in_turn_keep_their_names() {
        let addresses = ["a.example", "a.example/a", "a.exampl", "b.example", "a.example:81/a"];
        let addresses = addresses.map(|text| text.parse::<PageAddress>().expect("an address"));
        for address in addresses.iter().chain(&addresses) {
            let topics = [Topic::page(address), Topic::page(address)];
            assert_eq!(topics, [Topic::page_anew(address), Topic::page_anew(address)], "{address:?}");
        }
    }

    #[test]
    fn the_names_of_an_entity_and_a_feed_are_read_back() {
        let (route, key): (Route, EntityKey) =
            ("analytics/daily".parse().expect("a route"), "2026-02-10".parse().expect("a key"));
        let (entity, feed) = (Topic::entity(&route, &key), Topic::feed(&route));
        assert_eq!(entity.name(), "entity-analytics/daily/2026-02-10");
        assert_eq!(feed.name(), "feed-analytics/daily");
        assert_eq!((entity.kind(), feed.kind()), (Some(Kind::Entity), Some(Kind::Feed)));
        assert_eq!(entity.entity_name(), Some((route.clone(), key)));
        assert_eq!((entity.feed_route(), feed.feed_route()), (None, Some(route.clone())));
        assert!(entity.name().starts_with(&Topic::entity_prefix(&route, "2026")));
        assert!(
            Kind::ALL.into_iter().all(|kind| kind.is_public() != matches!(kind, Kind::Entity | Kind::Feed))
        );
        let longest: Route = [["a"; 9].join("/"), "b".repeat(494)].join("/").parse().expect("a route");
        let longest = Topic::entity(&longest, &"k".repeat(256).parse().expect("a key"));
        assert_eq!(longest.name().parse(), Ok(longest));
    }

    #[test]
    fn the_place_of_a_name_never_moves() {
        // Stored keys depend on these numbers: a change of the hash must fail here, not in a Redis in use.
        let topic = |id: &str| Topic::counter(&id.parse().expect("an id"));
        let places = ["1", "2", "page.views"].map(|id| (topic(id).bucket(), topic(id).outbox_part()));
        assert_eq!(places, [(97, 1), (40, 0), (57, 6)]);
    }

    #[test]
    fn names_that_could_break_a_header_are_refused() {
        for name in ["", "a b", "a\r\nb", "a;b", "a,b", "a\"b", "é", &"x".repeat(MAX_LEN + 1)] {
            assert_eq!(name.parse::<Topic>(), Err(ParseTopicError), "{name:?}");
        }
    }
}
