//! All that is kept of the past of a topic, as it is taken from one store to another.

use super::history::{BEFORE_ALL, Point, Retention, Unit};

/// The points of the history of a topic, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The values in hours.
    pub hours: Vec<Point>,
    /// The values in days.
    pub days: Vec<Point>,
}

impl Past {
    /// Returns the points in this unit.
    pub fn of(&self, unit: Unit) -> &[Point] {
        match unit {
            Unit::Hour => &self.hours,
            Unit::Day => &self.days,
        }
    }

    /// Returns whether nothing is known of the past.
    pub fn is_empty(&self) -> bool {
        self.hours.is_empty() && self.days.is_empty()
    }

    /// Returns whether the past ends with this value: then it has nothing that is later than the value.
    pub fn ends_with(&self, value: i64) -> bool {
        [&self.hours, &self.days].iter().all(|points| points.last().is_none_or(|last| last.value == value))
    }

    /// Leaves out each point whose value is that of the point before, as the value of an hour or a day without a point is that as well. So a topic
    /// whose value is announced anew, unchanged, has the same past as before. The first point after the creation stays: it tells when that was.
    pub fn without_repetitions(mut self) -> Self {
        for points in [&mut self.hours, &mut self.days] {
            let mut before = None::<Point>;
            points.retain(|point| {
                let is_needed = before.is_none_or(|it| it == BEFORE_ALL || it.value != point.value);
                before = Some(*point);
                is_needed
            });
        }
        self
    }

    /// Returns the part that a store keeps: the latest hours and days, and one more of each.
    pub fn kept_by(&self, retention: Retention) -> Self {
        let kept = |unit| {
            let (points, most) = (self.of(unit), usize::from(retention.of(unit)));
            if most == 0 { Vec::new() } else { points[points.len().saturating_sub(most + 1)..].to_vec() }
        };
        Past { hours: kept(Unit::Hour), days: kept(Unit::Day) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(points: &[(i64, i64)]) -> Vec<Point> {
        points.iter().map(|&(number, value)| Point { number, value }).collect()
    }

    #[test]
    fn points_that_repeat_a_value_are_left_out() {
        for (all, needed) in [
            (&[(0, 0), (5, 0), (6, 0), (7, 1)][..], &[(0, 0), (5, 0), (7, 1)][..]),
            (&[(5, 3), (6, 3), (7, 4), (8, 3), (9, 3)], &[(5, 3), (7, 4), (8, 3)]),
            (&[], &[]),
        ] {
            let past = Past { hours: points(all), days: points(all) }.without_repetitions();
            assert_eq!(past, Past { hours: points(needed), days: points(needed) });
        }
    }

    #[test]
    fn a_past_ends_with_the_value_of_its_last_hour_and_day() {
        let past = Past { hours: points(&[(5, 3), (6, 4)]), days: points(&[(0, 4)]) };
        assert!(past.ends_with(4) && !past.ends_with(3));
        let days = points(&[(0, 3)]);
        assert!(!Past { days, ..past }.ends_with(4));
        assert!(Past::default().ends_with(7));
    }

    #[test]
    fn the_latest_points_are_kept_and_one_more() {
        let past = Past { hours: points(&[(1, 1), (2, 2), (3, 3)]), days: points(&[(1, 1)]) };
        let retention = Retention { hours: 1, days: 0, ..Retention::default() };
        let expected = Past { hours: points(&[(2, 2), (3, 3)]), days: Vec::new() };
        assert_eq!(past.kept_by(retention), expected);
    }
}
