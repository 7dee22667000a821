//! The history of a topic: its last value in each hour and each day.

use super::FeedRetention;

/// A unit of the history. Hours and days are those of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Unit {
    /// The length in milliseconds. Days have no leap seconds.
    pub const fn millis(self) -> i64 {
        match self {
            Unit::Hour => 3_600_000,
            Unit::Day => 86_400_000,
        }
    }

    /// The name of the unit.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Hour => "hour",
            Unit::Day => "day",
        }
    }

    /// Returns the number of the hour or day, counted from 1970, to which a time belongs. The time is in milliseconds since 1970.
    pub fn number(self, millis: i64) -> i64 {
        millis.div_euclid(self.millis())
    }
}

/// How much of the past of each topic the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The number of hours that the store keeps; 0 for none.
    pub hours: u16,
    /// The number of days that the store keeps; 0 for none.
    pub days: u16,
    /// How many events of each feed the store keeps.
    pub feeds: FeedRetention,
}

impl Retention {
    /// The largest sum of hours and days. The store keeps one more point of each unit, and for a moment two: so a topic has at most 128
    /// points, which Redis stores in its compact form.
    pub const MOST: u16 = 124;

    /// The most points of one unit that a store keeps of a topic.
    pub const MOST_POINTS: usize = Retention::MOST as usize + 1;

    /// Returns whether the store keeps any hours or days.
    pub fn keeps_any(self) -> bool {
        self.hours > 0 || self.days > 0
    }

    /// Returns the number of hours or days that the store keeps.
    pub fn of(self, unit: Unit) -> u16 {
        match unit {
            Unit::Hour => self.hours,
            Unit::Day => self.days,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention { hours: 48, days: 60, feeds: FeedRetention::default() }
    }
}

/// The last value of a topic in an hour or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The number of the hour or day, counted from 1970: see [`Unit::number`].
    pub number: i64,
    /// The value that was announced last in the hour or day.
    pub value: i64,
}

/// The first point of a topic that was created while the store kept histories: before its creation, the value was 0.
pub const BEFORE_ALL: Point = Point { number: 0, value: 0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_have_numbers_too() {
        assert_eq!([-1, 0, 3_599_999, 3_600_000].map(|time| Unit::Hour.number(time)), [-1, 0, 0, 1]);
        assert_eq!(Unit::Day.number(1_795_000_000_000), 20775);
    }
}
