//! The values of a counter in hours or days, as a line names them.

use serde_json::Value;

use super::line::LATEST;
use crate::domain::{LIMIT, Point, Retention, Unit};

/// Reads values such as `[[495887,26],[495889,27]]`: pairs of an hour or a day, counted from 1970, and the value at its end, the oldest first.
pub(super) fn points(unit: Unit, values: Option<Value>) -> Result<Vec<Point>, String> {
    let Some(values) = values else { return Ok(Vec::new()) };
    let name = unit.name();
    let form = || {
        format!(
            "{name}s must be pairs of whole numbers, the {name} and the value, like [[20000,26],[20001,27]]"
        )
    };
    let Value::Array(values) = values else { return Err(form()) };
    if values.len() > Retention::MOST_POINTS {
        let (count, most) = (values.len(), Retention::MOST_POINTS);
        return Err(format!("has {count} {name}s; a line has at most {most}"));
    }
    let mut points: Vec<Point> = Vec::with_capacity(values.len());
    for pair in &values {
        let point = point(pair).ok_or_else(form)?;
        let Point { number, value } = point;
        if !(0..=LATEST as i64 / unit.millis()).contains(&number) {
            return Err(format!("{name} {number} is not between 1970 and the year 9999"));
        }
        if points.last().is_some_and(|before| before.number >= number) {
            return Err(format!("{name} {number} must be later than the {name} before it"));
        }
        if !(-LIMIT..=LIMIT).contains(&value) {
            return Err(format!("the value of {name} {number} must be within ±{LIMIT}"));
        }
        points.push(point);
    }
    Ok(points)
}

fn point(pair: &Value) -> Option<Point> {
    match &pair.as_array()?[..] {
        [number, value] => Some(Point { number: number.as_i64()?, value: value.as_i64()? }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Point>, String> {
        points(Unit::Hour, Some(serde_json::from_str(text).expect(text)))
    }

    #[test]
    fn hours_are_pairs_in_the_order_of_time() {
        let expected = [(0, 0), (495_887, -5), (495_889, 7)].map(|(number, value)| Point { number, value });
        assert_eq!(read("[[0,0],[495887,-5],[495889,7]]"), Ok(expected.to_vec()));
        assert_eq!(read("[]"), Ok(Vec::new()));
        assert_eq!(points(Unit::Day, None), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_with_hours_is_named() {
        let form =
            "hours must be pairs of whole numbers, the hour and the value, like [[20000,26],[20001,27]]";
        for text in [
            "{}",
            "7",
            "\"1\"",
            "[1]",
            "[[1]]",
            "[[1,2,3]]",
            "[[1,2.5]]",
            "[[\"1\",2]]",
            "[[1,null]]",
            "[[1e3,2]]",
        ] {
            assert_eq!(read(text), Err(form.to_owned()), "{text}");
        }
        let many: Vec<_> = (0..126).map(|n| (n, n)).collect();
        let many = serde_json::to_string(&many).expect("JSON");
        for (text, expected) in [
            ("[[-1,2]]", "hour -1 is not between 1970 and the year 9999"),
            ("[[99999999,2]]", "hour 99999999 is not between 1970 and the year 9999"),
            ("[[5,1],[5,2]]", "hour 5 must be later than the hour before it"),
            ("[[5,1],[4,2]]", "hour 4 must be later than the hour before it"),
            ("[[5,9007199254740992]]", "the value of hour 5 must be within ±9007199254740991"),
            (&many, "has 126 hours; a line has at most 125"),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
    }
}
