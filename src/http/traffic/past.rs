//! The traffic of the last hours and days, of all origins, as the tally has recorded it.

use std::collections::BTreeMap;

use super::tally::{DAILY, ENDPOINTS, FAILED, HOURLY, REQUESTS, STATUS, topic};
use super::times::{day_key, hour_key};
use crate::domain::Topic;
use crate::live::Live;
use crate::store::{Body, Reading, StoreError};

/// How many hours and days are shown.
const HOURS: i64 = 24;
const DAYS: i64 = 7;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The traffic of the last hours and days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Past {
    /// The last hours, the oldest first.
    pub(in crate::http) hours: Vec<Period>,
    /// The last days, the oldest first.
    pub(in crate::http) days: Vec<Period>,
    /// The methods and routes of these days with the most requests, the greatest number first.
    pub(in crate::http) endpoints: Vec<(String, u64)>,
    /// The statuses of these days, with their requests.
    pub(in crate::http) statuses: Vec<(String, u64)>,
}

/// An hour or a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Period {
    /// The key of the hour or the day.
    pub(in crate::http) key: String,
    pub(in crate::http) requests: u64,
    pub(in crate::http) failed: u64,
}

/// Reads the past that ends at this time, in seconds since 1970.
pub(super) async fn read(live: &Live, now: i64) -> Result<Past, StoreError> {
    let keys = |count: i64, step: i64, key: fn(i64) -> String| -> Vec<String> {
        (0..count).rev().map(|ago| key(now - ago * step)).collect()
    };
    let (hours, days) = (keys(HOURS, HOUR, hour_key), keys(DAYS, DAY, day_key));
    let parts = [(HOURLY, &hours), (DAILY, &days), (ENDPOINTS, &days), (STATUS, &days)];
    let named = parts.iter().flat_map(|((route, _), keys)| keys.iter().map(|key| topic(route, key)));
    let topics: Vec<Topic> = named.flatten().collect();
    let mut readings = live.read_all(&topics).await?.into_iter();
    let mut next = |count: usize| -> Vec<Reading> { readings.by_ref().take(count).collect() };
    Ok(Past {
        hours: periods(hours.clone(), &next(hours.len())),
        days: periods(days.clone(), &next(days.len())),
        endpoints: {
            let mut endpoints = sums(&next(days.len()));
            endpoints.sort_by_key(|(_, requests)| std::cmp::Reverse(*requests));
            endpoints
        },
        statuses: sums(&next(days.len())),
    })
}

fn periods(keys: Vec<String>, readings: &[Reading]) -> Vec<Period> {
    let period = |(key, reading): (String, &Reading)| {
        let fields: BTreeMap<String, u64> = fields(reading).collect();
        let count = |field| fields.get(field).copied().unwrap_or_default();
        Period { key, requests: count(REQUESTS), failed: count(FAILED) }
    };
    keys.into_iter().zip(readings).map(period).collect()
}

/// The sums of each field over all entities, by the names of the fields.
fn sums(readings: &[Reading]) -> Vec<(String, u64)> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (field, count) in readings.iter().flat_map(fields) {
        *sums.entry(field).or_default() += count;
    }
    sums.into_iter().collect()
}

/// The fields of an entity that are whole numbers; none if there is no such entity.
fn fields(reading: &Reading) -> impl Iterator<Item = (String, u64)> {
    let document = if let Body::Document(document) = &reading.body { Some(document) } else { None };
    document
        .into_iter()
        .flat_map(|document| document.iter())
        .filter_map(|(field, value)| Some((field.to_owned(), u64::try_from(value.whole_number()?).ok()?)))
}
