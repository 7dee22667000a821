//! The different visitors of sites, and the secret by which visitors are recognised for a day.

use std::fmt;
use std::time::Duration;

use crate::domain::Point;

/// The length of a salt in bytes.
pub const SALT_LEN: usize = 32;

/// A secret number of one day (UTC), with which digests of visitors are keyed. When the day is over, no process and no store has the salt any more:
/// then it cannot be computed any more which visitor a digest belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DailySalt {
    /// The number of the day since 1970, by the clock of the store.
    pub day: i64,
    /// The secret.
    pub secret: [u8; SALT_LEN],
    /// How long the day still lasts.
    pub left: Duration,
}

/// Leaves out the secret.
impl fmt::Debug for DailySalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DailySalt").field("day", &self.day).field("left", &self.left).finish_non_exhaustive()
    }
}

/// The visit of a site, which counts one visitor in the day unless that visitor is counted in it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The day, as the [`DailySalt`] names it.
    pub day: i64,
    /// A digest of the visitor for this site, keyed by the salt of the day. All values must be equally likely.
    pub visitor: u64,
}

/// How many different visitors a site had. The numbers are estimates, most of which are within 2 % of the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uniques {
    /// The number of the present day (UTC) since 1970, by the clock of the store.
    pub day: i64,
    /// How many different visitors the site had in the present day.
    pub today: i64,
    /// The different visitors of each day, added up: a visitor who came on two days counts as two, because no visitor is recognised on another
    /// day.
    pub all: i64,
    /// The days before the present one in which the site had visitors, as far as they are kept, the oldest first.
    pub days: Vec<Point>,
}

impl Uniques {
    /// The uniques of a site.
    ///
    /// `counted` is the day whose visitors are still being counted and how many they are so far; `over` is the sum of the days before that day.
    pub(super) fn new(now_day: i64, counted: Point, over: i64, mut days: Vec<Point>, kept: u16) -> Self {
        let all = over.saturating_add(counted.value);
        let is_today = counted.number == now_day;
        if !is_today && counted.value > 0 {
            match days.iter_mut().find(|day| day.number == counted.number) {
                Some(day) => day.value += counted.value,
                None => days.push(counted),
            }
        }
        days.retain(|day| day.number < now_day && day.number >= now_day - i64::from(kept));
        days.sort_unstable_by_key(|day| day.number);
        Uniques { day: now_day, today: if is_today { counted.value } else { 0 }, all, days }
    }
}

/// Whether a visit in `day` begins a new day where the visitors of `counted` were counted last. A visit on the day before comes from a process
/// that has not noticed midnight yet. A day further ahead was counted before the clock was set back.
pub(super) fn begins_new_day(counted: i64, day: i64) -> bool {
    day != counted && day != counted - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(points: &[(i64, i64)]) -> Vec<Point> {
        points.iter().map(|&(number, value)| Point { number, value }).collect()
    }

    #[test]
    fn a_day_that_is_over_is_no_longer_today() {
        let counted = Point { number: 20, value: 5 };
        let days = || points(&[(18, 4), (3, 9), (19, 2)]);
        let told = Uniques::new(20, counted, 15, days(), 10);
        assert_eq!(told, Uniques { day: 20, today: 5, all: 20, days: points(&[(18, 4), (19, 2)]) });
        let told = Uniques::new(21, counted, 15, days(), 2);
        assert_eq!(told, Uniques { day: 21, today: 0, all: 20, days: points(&[(19, 2), (20, 5)]) });
        let told = Uniques::new(21, counted, 15, days(), 0);
        assert_eq!(told, Uniques { day: 21, today: 0, all: 20, days: vec![] });
        let none = Point { number: 0, value: 0 };
        assert_eq!(Uniques::new(7, none, 0, vec![], 9), Uniques { day: 7, ..Uniques::default() });
    }

    #[test]
    fn a_late_visit_begins_no_day() {
        let told = [20, 19, 21, 18, 40].map(|day| begins_new_day(20, day));
        assert_eq!(told, [false, false, true, true, true]);
    }

    #[test]
    fn a_salt_is_not_shown() {
        let salt = DailySalt { day: 7, secret: [113; SALT_LEN], left: Duration::from_secs(9) };
        assert_eq!(format!("{salt:?}"), "DailySalt { day: 7, left: 9s, .. }");
    }
}
