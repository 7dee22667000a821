//! Which points of a history are asked for.

use crate::domain::Point;

/// The points of the last `last` hours or days, of which `now` is the present one, and the point before them; the oldest first. A
/// point in the future was written before the clock was set back, and is left out.
pub(super) fn last(mut points: Vec<Point>, now: i64, last: u16) -> Vec<Point> {
    points.retain(|point| point.number <= now);
    points.sort_by_key(|point| point.number);
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
