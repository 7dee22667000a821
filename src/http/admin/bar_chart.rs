//! Charts of bars: how many requests each second, hour or day had, and how many of them failed.

use super::shared_number::SharedNumber;
use crate::http::html::shown::ShownNumber;

/// The height of the greatest bar.
const HEIGHT: u64 = 100;

/// A chart of bars.
pub(super) struct BarChart {
    /// The id of the chart within the page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// How long a bar is, as in `60 an hour`.
    pub(super) each: &'static str,
    pub(super) bars: Vec<Bar>,
    /// The numbers of the chart that other pages can show.
    pub(super) shared: Vec<SharedNumber>,
    most: u64,
    total: u64,
}

/// A bar of a chart.
pub(super) struct Bar {
    /// When the requests of the bar came.
    pub(super) label: String,
    pub(super) requests: u64,
    pub(super) failed: u64,
}

impl BarChart {
    pub(super) fn new(id: &'static str, title: &'static str, each: &'static str, bars: Vec<Bar>) -> Self {
        let most = bars.iter().map(|bar| bar.requests).max().unwrap_or_default();
        let total = bars.iter().map(|bar| bar.requests).sum();
        BarChart { id, title, each, bars, shared: Vec::new(), most, total }
    }

    /// The chart of the last minute, in which bars have no names of their own.
    pub(super) fn of_seconds(seconds: &[u64]) -> Self {
        let age = |at: usize| seconds.len() - at;
        let bar = |(at, requests): (usize, &u64)| Bar {
            label: format!("{} s ago", age(at)),
            requests: *requests,
            failed: 0,
        };
        BarChart::new("minute", "Last minute", "a second", seconds.iter().enumerate().map(bar).collect())
    }

    /// The height of a part of a bar.
    pub(super) fn height(&self, part: &u64) -> u64 {
        // A bar that is not empty can be seen.
        (part * HEIGHT / self.most.max(1)).max(u64::from(*part > 0))
    }

    /// Where a part of a bar begins.
    pub(super) fn top(&self, part: &u64) -> u64 {
        HEIGHT - self.height(part)
    }

    pub(super) fn left(&self, index: &usize) -> usize {
        index * 10 + 1
    }

    pub(super) fn width(&self) -> usize {
        self.bars.len() * 10
    }

    pub(super) fn most(&self) -> String {
        number(self.most)
    }

    pub(super) fn total(&self) -> String {
        number(self.total)
    }

    /// The names of the first and of the last bar.
    pub(super) fn ends(&self) -> [&str; 2] {
        [
            self.bars.first().map_or("", |bar| bar.label.as_str()),
            self.bars.last().map_or("", |bar| bar.label.as_str()),
        ]
    }
}

fn number(number: u64) -> String {
    ShownNumber(i64::try_from(number).ok()).text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_bar_has_the_full_height_and_none_is_lost() {
        let chart = BarChart::of_seconds(&[0, 1, 1000, 500]);
        let heights: Vec<u64> = chart.bars.iter().map(|bar| chart.height(&bar.requests)).collect();
        assert_eq!(heights, [0, 1, 100, 50]);
        assert_eq!(chart.top(&1000), 0);
        assert_eq!((chart.most().as_str(), chart.ends()), ("1\u{202f}000", ["4 s ago", "1 s ago"]));
        let empty = BarChart::of_seconds(&[]);
        assert_eq!((empty.width(), empty.ends(), empty.total().as_str()), (0, ["", ""], "0"));
    }
}
