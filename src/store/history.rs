//! The history of a topic, and the choice of the points that a caller asks for.

use crate::domain::{BEFORE_ALL, Point};

/// The values of a topic in the past, by hours or by days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The present time by the clock of the store, in milliseconds since 1970.
    pub now: i64,
    /// The hours or days in which the topic was announced, the oldest first. Before the first of them, the value of the topic is
    /// unknown.
    pub points: Vec<Point>,
}

/// All points up to the present hour or day, the oldest first. A point in the future was written before the clock was set back, so it is left out.
pub(super) fn all(mut points: Vec<Point>, now: i64) -> Vec<Point> {
    points.retain(|point| point.number <= now);
    points.sort_by_key(|point| point.number);
    if points == [BEFORE_ALL] {
        // The topic was created, but not announced yet.
        points.clear();
    }
    points
}

/// The points of the last `last` hours or days, of which `now` is the present one, and the point before them; the oldest first.
pub(super) fn last(points: Vec<Point>, now: i64, last: u16) -> Vec<Point> {
    let mut points = all(points, now);
    let from = now - i64::from(last);
    let first = points.partition_point(|point| point.number <= from);
    points.split_off(first.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_before_the_first_one_is_there_too() {
        let point = |number| Point { number, value: number };
        let points = || [30, 9, 22, 20, 21, 3].map(point).to_vec();
        let numbers = |now, count| last(points(), now, count).iter().map(|it| it.number).collect::<Vec<_>>();
        assert_eq!(numbers(22, 2), [20, 21, 22]);
        assert_eq!(numbers(25, 1), [22]);
        assert_eq!(numbers(22, 100), [3, 9, 20, 21, 22]);
        assert_eq!(numbers(2, 5), [0; 0]);
        assert_eq!(numbers(30, 0), [30]);
    }
}
