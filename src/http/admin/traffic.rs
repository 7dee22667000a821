//! The traffic of the last hours and days, as the pages show it.

use super::bar_chart::{Bar, BarChart};
use crate::http::context::WorkerContext;
use crate::http::home::number::ShownNumber;
use crate::http::traffic::{Past, Period};

/// How many endpoints are shown.
const ENDPOINTS: usize = 10;

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
    pub(super) of: &'static str,
    pub(super) entries: Vec<(String, u64)>,
    most: u64,
}

impl List {
    fn new(title: &'static str, of: &'static str, mut entries: Vec<(String, u64)>) -> Self {
        entries.truncate(ENDPOINTS);
        let most = entries.iter().map(|(_, requests)| *requests).max().unwrap_or_default();
        List { title, of, entries, most }
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
    /// Reads the past.
    pub(super) async fn read(context: &WorkerContext) -> Self {
        match context.shared.traffic.past(&context.live).await {
            None => ShownPast::Off,
            Some(Err(_)) => ShownPast::Away,
            Some(Ok(Past { hours, days, endpoints, statuses })) => ShownPast::Known {
                charts: vec![
                    BarChart::new("hours", "Last 24 hours", hours.into_iter().map(of_hour).collect()),
                    BarChart::new("days", "Last 7 days", days.into_iter().map(of_day).collect()),
                ],
                lists: vec![
                    List::new("Top routes", "Route", endpoints),
                    List::new("Statuses", "Status", statuses),
                ],
            },
        }
    }
}

fn of_hour(Period { key, requests, failed }: Period) -> Bar {
    let label = key.split_once('T').map_or(key.clone(), |(day, hour)| format!("{day} {hour}:00"));
    Bar { label, requests, failed }
}

fn of_day(Period { key, requests, failed }: Period) -> Bar {
    Bar { label: key, requests, failed }
}
