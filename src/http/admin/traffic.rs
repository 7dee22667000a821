//! The traffic of the last hours and days, as the pages show it.

use super::bar_chart::{Bar, BarChart};
use super::shared_number::SharedNumber;
use crate::http::context::WorkerContext;
use crate::http::html::shown::ShownNumber;
use crate::http::traffic::{DAILY, ENDPOINTS, HOURLY, Past, Period, REQUESTS, STATUS};

/// How many entries of a list are shown.
const LISTED: usize = 10;

/// The traffic of the last hours and days.
pub(super) enum ShownPast {
    /// The charts and the lists.
    Known {
        /// A chart of 24 hours, and one of 7 days.
        charts: Vec<BarChart>,
        /// The endpoints with the most requests, and the statuses.
        lists: Vec<List>,
    },
    /// The store does not answer.
    Away,
    /// The tally is not written.
    Off,
}

/// A list of numbers with their shares.
pub(super) struct List {
    pub(super) title: &'static str,
    pub(super) entries: Vec<Entry>,
    most: u64,
}

/// An entry of a list.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) requests: u64,
    pub(super) shared: SharedNumber,
}

impl List {
    fn new(title: &'static str, entries: impl Iterator<Item = Entry>) -> Self {
        let entries: Vec<Entry> = entries.take(LISTED).collect();
        let most = entries.iter().map(|entry| entry.requests).max().unwrap_or_default();
        List { title, entries, most }
    }

    pub(super) fn number(&self, number: &u64) -> String {
        ShownNumber(i64::try_from(*number).ok()).text()
    }

    /// The share of an entry in the greatest one, in percent.
    pub(super) fn share(&self, number: &u64) -> u64 {
        number * 100 / self.most.max(1)
    }
}

impl ShownPast {
    /// Reads the past. `origin` is the address of this service.
    pub(super) async fn read(context: &WorkerContext, origin: &str) -> Self {
        match context.shared.traffic.past(&context.live).await {
            None => ShownPast::Off,
            Some(Err(_)) => ShownPast::Away,
            Some(Ok(past)) => ShownPast::of(past, origin),
        }
    }

    fn of(Past { hours, days, endpoints, statuses }: Past, origin: &str) -> Self {
        let (hour_count, day_count) = (hours.len(), days.len());
        let present = |periods: &[Period]| periods.last().map_or(String::new(), |period| period.key.clone());
        let (hour, today) = (present(&hours), present(&days));
        let requests = |of: &str, (route, _): (&str, u64), key: &str, shown, charted| {
            SharedNumber::new(origin, of.to_owned(), [route, key, REQUESTS], (shown, charted))
        };
        let mut last_hours =
            BarChart::new("hours", "Last 24 hours", "an hour", hours.into_iter().map(of_hour).collect());
        last_hours.shared = vec![
            requests("this hour", HOURLY, &hour, 1, hour_count),
            requests("the last 24 hours", HOURLY, &hour, hour_count, hour_count),
        ];
        let mut last_days =
            BarChart::new("days", "Last 7 days", "a day", days.into_iter().map(of_day).collect());
        last_days.shared = vec![
            requests("today", DAILY, &today, 1, day_count),
            requests("the last 7 days", DAILY, &today, day_count, day_count),
        ];
        let entry = |(name, requests): (String, u64), (route, _): (&str, u64), what: &str| {
            let parts = [route, today.as_str(), name.as_str()];
            let of = format!("{what}{name}");
            let shared = SharedNumber::new(origin, of, parts, (day_count, day_count));
            Entry { name, requests, shared }
        };
        let lists = vec![
            List::new("Top routes", endpoints.into_iter().map(|one| entry(one, ENDPOINTS, ""))),
            List::new("Statuses", statuses.into_iter().map(|one| entry(one, STATUS, "status "))),
        ];
        ShownPast::Known { charts: vec![last_hours, last_days], lists }
    }
}

fn of_hour(Period { key, requests, failed }: Period) -> Bar {
    let label = key.split_once('T').map_or(key.clone(), |(day, hour)| format!("{day} {hour}:00"));
    Bar { label, requests, failed }
}

fn of_day(Period { key, requests, failed }: Period) -> Bar {
    Bar { label: key, requests, failed }
}
