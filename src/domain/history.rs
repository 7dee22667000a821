//! The history of a topic: what it stood at in each hour and each day.

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

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Hour => "hour",
            Unit::Day => "day",
        }
    }

    /// The number of the hour or day, counted from 1970, in which a time is. The time is in milliseconds since 1970.
    pub fn number(self, millis: i64) -> i64 {
        millis.div_euclid(self.millis())
    }
}

/// How much of its history is kept of each topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How many hours; 0 for none.
    pub hours: u16,
    /// How many days; 0 for none.
    pub days: u16,
}

impl Retention {
    /// The most hours and days together. Of each unit one point more is kept, and for a moment two: so there are 128 at most, which
    /// Redis packs closely.
    pub const MOST: u16 = 124;

    /// Whether any of the history is kept.
    pub fn keeps_any(self) -> bool {
        self.hours > 0 || self.days > 0
    }

    /// How many of a unit are kept.
    pub fn of(self, unit: Unit) -> u16 {
        match unit {
            Unit::Hour => self.hours,
            Unit::Day => self.days,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention { hours: 48, days: 60 }
    }
}

/// What a topic stood at when an hour or a day ended, or stands at in the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The number of the hour or day, counted from 1970: see [`Unit::number`].
    pub number: i64,
    /// The value announced last in it.
    pub value: i64,
}

/// The point of a topic that was created while its history was kept: long before, it stood at 0.
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
