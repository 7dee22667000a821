//! The history of a topic. The value of the present hour is in the topic itself, so most claims write nothing into the history.

use super::topic::TopicState;
use crate::domain::{BEFORE_ALL, Point, Retention, Unit};

/// All points of a topic: those in the file, and those that are in the topic itself.
pub(super) fn all_points(
    saved: Vec<Point>,
    state: Option<&TopicState>,
    unit: Unit,
    retention: Retention,
) -> Vec<Point> {
    let Some(state) = state.filter(|_| retention.of(unit) > 0) else { return saved };
    let mut points = if state.is_new { vec![BEFORE_ALL] } else { saved };
    let complete = state.complete.filter(|hour| hour.is_over(Unit::Hour));
    let first = complete.filter(|hour| hour.is_first).map(|_| BEFORE_ALL);
    let open = state.claimed_value.map(|value| Point { number: unit.number(state.claimed), value });
    for point in [first, complete.map(|hour| hour.point(unit)), open].into_iter().flatten() {
        points.retain(|known| known.number != point.number);
        points.push(point);
    }
    points
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::millis::Millis;
    use super::*;
    use crate::domain::Epoch;
    use crate::store::{Change, ClaimTerms, Write};

    const HOUR: Millis = 3_600_000;
    const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: Duration::from_secs(6) };

    fn change(state: &mut TopicState, change: Change, now: Millis, keeps_history: bool) {
        let write = Write::new("counter-2".parse().expect("a topic"), change);
        state.write(&write, Epoch::new(7), now, keeps_history).expect("changed");
        state.claim(TERMS, now, keeps_history);
    }

    fn points(state: &TopicState, unit: Unit) -> Vec<(i64, i64)> {
        let points = all_points(Vec::new(), Some(state), unit, Retention::default());
        points.iter().map(|point| (point.number, point.value)).collect()
    }

    #[test]
    fn only_the_first_claim_of_an_hour_completes_the_one_before() {
        let mut state = TopicState::default();
        for (value, now) in [(1, 30 * HOUR), (2, 30 * HOUR + 9)] {
            change(&mut state, Change::Set(value), now, true);
            assert_eq!((state.complete, state.is_new), (None, true));
        }
        assert_eq!(
            [points(&state, Unit::Hour), points(&state, Unit::Day)],
            [[(0, 0), (30, 2)], [(0, 0), (1, 2)]]
        );
        change(&mut state, Change::Set(3), 32 * HOUR, true);
        let complete = state.complete.expect("an hour");
        assert_eq!((complete.point(Unit::Hour), complete.is_first), (Point { number: 30, value: 2 }, true));
        assert!(complete.is_over(Unit::Hour) && !complete.is_over(Unit::Day));
        assert_eq!(points(&state, Unit::Hour), [(0, 0), (30, 2), (32, 3)]);
        assert_eq!(points(&state, Unit::Day), [(0, 0), (1, 3)]);
    }

    #[test]
    fn a_clock_that_is_set_back_completes_no_hour() {
        let mut state = TopicState::default();
        change(&mut state, Change::Set(1), 30 * HOUR, true);
        change(&mut state, Change::Set(2), 28 * HOUR, true);
        assert!(state.complete.is_some_and(|hour| !hour.is_over(Unit::Hour)), "points ahead are deleted");
        assert_eq!(points(&state, Unit::Hour), [(0, 0), (28, 2)]);
    }

    #[test]
    fn a_topic_without_a_history_has_only_its_last_value() {
        let mut state = TopicState::default();
        change(&mut state, Change::Set(1), 30 * HOUR, false);
        change(&mut state, Change::Set(2), 32 * HOUR, false);
        assert_eq!(state.complete, None);
        assert_eq!(points(&state, Unit::Hour), [(32, 2)], "the hours before are unknown");
        change(&mut state, Change::Delete, 33 * HOUR, true);
        assert_eq!(points(&state, Unit::Hour), []);
        change(&mut state, Change::Set(4), 34 * HOUR, true);
        assert_eq!(points(&state, Unit::Hour), [(0, 0), (34, 4)]);
    }
}
