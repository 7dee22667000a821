//! What an export says of topics besides the numbers and the fields, and the lines of numbers.

use serde::{Serialize, Serializer};

use crate::domain::{CounterId, Kind, Past, Point, Topic};
use crate::store::{Body, Reading, Store, StoreError};

/// What a line names.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Named<'a> {
    Id(CounterId),
    Page(String),
    Site(&'a str),
}

/// The line of a counter, a page or a site.
#[derive(Serialize)]
pub(super) struct NumberLine<'a> {
    #[serde(flatten)]
    pub(super) named: Named<'a>,
    pub(super) value: i64,
    #[serde(serialize_with = "pairs", skip_serializing_if = "Vec::is_empty")]
    pub(super) hours: Vec<Point>,
    #[serde(serialize_with = "pairs", skip_serializing_if = "Vec::is_empty")]
    pub(super) days: Vec<Point>,
}

/// What the store knows of a topic.
#[derive(Default)]
pub(super) struct KnownOfTopic {
    /// The number or the fields.
    pub(super) body: Body,
    /// The address of a page.
    pub(super) address: Option<String>,
    /// When the life of an entity ends.
    pub(super) ends: Option<u64>,
    /// The past of a number.
    pub(super) past: Past,
}

impl KnownOfTopic {
    /// Whether the past ends with the number that the topic had before the past was read.
    fn ends_with_its_number(&self) -> bool {
        matches!(self.body, Body::Number(value) if self.past.ends_with(value))
    }
}

/// What the store knows of topics that were listed together, in their order.
pub(super) struct KnownOfTopics(pub(super) Vec<KnownOfTopic>);

impl KnownOfTopics {
    /// Asks the store, once for all of the topics. Fields are read once more behind the ends of lives, so that no entity lives on whose life has ended
    /// meanwhile. So is a number with which its past does not end, so that no past is ahead of its value: most numbers have not changed meanwhile, and
    /// their pasts end with them.
    pub(super) async fn read(
        store: &dyn Store,
        listed: &[(Topic, Reading)],
        without_past: bool,
    ) -> Result<Self, StoreError> {
        let of = |(_, reading): &(Topic, Reading)| KnownOfTopic {
            body: reading.body.clone(),
            ..KnownOfTopic::default()
        };
        let mut known: Vec<_> = listed.iter().map(of).collect();
        let (places, pages) = those(listed, |topic| topic.kind() == Some(Kind::Page));
        if !pages.is_empty() {
            for (place, address) in places.into_iter().zip(store.addresses(&pages).await?) {
                known[place].address = address;
            }
        }
        let (places, entities) = those(listed, Topic::is_entity);
        if !entities.is_empty() {
            for (place, ends) in places.iter().zip(store.ends(&entities).await?) {
                known[*place].ends = ends;
            }
            read_again(store, listed, &places, &mut known).await?;
        }
        let (mut places, numbers) = those(listed, Topic::holds_number);
        if !numbers.is_empty() && !without_past {
            for (place, past) in places.iter().zip(store.pasts(&numbers).await?) {
                known[*place].past = past;
            }
            places.retain(|place| !known[*place].ends_with_its_number());
            read_again(store, listed, &places, &mut known).await?;
        }
        Ok(KnownOfTopics(known))
    }
}

/// Reads the numbers or the fields of the topics that have these places.
async fn read_again(
    store: &dyn Store,
    listed: &[(Topic, Reading)],
    places: &[usize],
    known: &mut [KnownOfTopic],
) -> Result<(), StoreError> {
    if places.is_empty() {
        return Ok(());
    }
    let topics = places.iter().map(|place| listed[*place].0.clone()).collect();
    for (place, reading) in places.iter().zip(store.read(topics).await) {
        known[*place].body = reading?.body;
    }
    Ok(())
}

/// Those of the topics for which this is so, and their places.
fn those(listed: &[(Topic, Reading)], is_so: impl Fn(&Topic) -> bool) -> (Vec<usize>, Vec<Topic>) {
    let found = listed.iter().enumerate().filter(|(_, (topic, _))| is_so(topic));
    found.map(|(place, (topic, _))| (place, topic.clone())).unzip()
}

/// Points as pairs of the number of the hour or day and the value.
fn pairs<S: Serializer>(points: &[Point], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(points.iter().map(|point| (point.number, point.value)))
}
