//! A series: each of the last hours or days, with the counter's value and the amount that was added.

use jiff::civil::Date;
use serde::Serialize;

use super::subject::Subject;
use super::zone::Zone;
use crate::domain::Unit;

const HOUR: i64 = Unit::Hour.millis();

/// The values of a counter in the last hours or days; the present hour or day is the last one.
#[derive(Clone, Debug)]
pub struct Series {
    unit: Unit,
    zone: Zone,
    points: Vec<Period>,
    changes_at: i64,
}

/// An hour or a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The time at which the hour or day began, in milliseconds since 1970.
    #[serde(skip)]
    pub begins: i64,
    /// The beginning as text: a time for an hour, a date for a day.
    pub start: String,
    /// The value at the end of the hour or day, or the present value; `None` if the value is not known.
    pub value: Option<i64>,
    /// The amount that was added in the hour or day; `None` if the amount is not known.
    pub added: Option<i64>,
}

/// The series as JSON.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    subject: Subject<'a>,
    unit: &'a str,
    tz: &'a str,
    entries: &'a [Period],
}

/// The entries of the store, in order: the number of an hour or a day, and the counter's value at its end.
struct Entries<'a>(&'a [(i64, i64)]);

impl Entries<'_> {
    /// Returns the counter's value at the end of this hour or day; `None` before the first entry.
    fn at(&self, number: i64) -> Option<i64> {
        let behind = self.0.partition_point(|(entry, _)| *entry <= number);
        behind.checked_sub(1).map(|index| self.0[index].1)
    }
}

impl Series {
    /// Makes a series of the last hours. `hours` are the entries of the store, and `now` is the present time in milliseconds since 1970.
    pub fn of_hours(hours: &[(i64, i64)], last: u16, now: i64, zone: Zone) -> Series {
        let present = Unit::Hour.number(now);
        let numbers = present - i64::from(last) + 1..=present;
        let spans = numbers.map(|number| (number * HOUR, number, zone.time(number * HOUR)));
        let first = present - i64::from(last);
        let points = points(Entries(hours), first, spans);
        Series { unit: Unit::Hour, points, changes_at: (present + 1) * HOUR, zone }
    }

    /// Makes a series of the last days in UTC. `days` are the entries of the store.
    pub fn of_days(days: &[(i64, i64)], last: u16, now: i64) -> Series {
        const DAY: i64 = Unit::Day.millis();
        let zone = Zone::utc();
        let present = Unit::Day.number(now);
        let numbers = present - i64::from(last) + 1..=present;
        let spans = numbers.map(|number| (number * DAY, number, zone.day_of(number * DAY).to_string()));
        let points = points(Entries(days), present - i64::from(last), spans);
        Series { unit: Unit::Day, points, changes_at: (present + 1) * DAY, zone }
    }

    /// Makes a series of the last days in a time zone. The days are made from `hours`: each hour belongs to the day in which the hour
    /// begins. A value is known only as far back as these hours go.
    pub fn of_local_days(hours: &[(i64, i64)], last: u16, now: i64, zone: Zone) -> Series {
        let today = zone.day_of(now);
        let tomorrow = today.tomorrow().unwrap_or(today);
        let mut days: Vec<Date> = Vec::new();
        let mut day = Some(today);
        while let (Some(present), true) = (day, days.len() < usize::from(last)) {
            days.push(present);
            day = present.yesterday().ok();
        }
        days.reverse();
        let last_hour_before = |time: i64| Unit::Hour.number(time - 1);
        let ends = days.iter().skip(1).chain([&tomorrow]).map(|next| last_hour_before(zone.begin_of(*next)));
        let spans = days.iter().zip(ends).map(|(day, end)| (zone.begin_of(*day), end, day.to_string()));
        let first = days.first().map_or(0, |first| last_hour_before(zone.begin_of(*first)));
        let points = points(Entries(hours), first, spans);
        Series { unit: Unit::Day, points, changes_at: zone.begin_of(tomorrow), zone }
    }

    /// The hours or days; the present one is the last.
    pub fn points(&self) -> &[Period] {
        &self.points
    }

    /// Returns whether the series has hours or days.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The time zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The seconds until the next hour or day begins, at least one; `now` is the present time in milliseconds since 1970. The series
    /// changes then, even if nothing is added.
    pub fn changes_in(&self, now: i64) -> u64 {
        (self.changes_at - now).max(1000).unsigned_abs() / 1000
    }

    /// Writes the series as JSON.
    pub fn json(&self, subject: Subject<'_>) -> String {
        let document =
            Document { subject, unit: self.unit.name(), tz: self.zone.name(), entries: &self.points };
        serde_json::to_string(&document).unwrap_or_default() + "\n"
    }

    /// Writes the series as CSV (RFC 4180). The CSV has only times and numbers, so no spreadsheet can mistake a part of it for a formula.
    pub fn csv(&self) -> String {
        let mut csv = format!("{},value,added\r\n", self.unit.name());
        let text = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        for point in &self.points {
            csv += &format!("{},{},{}\r\n", point.start, text(point.value), text(point.added));
        }
        csv
    }
}

/// Makes a point for each span. A span has the time at which it begins, the number of its last hour or day, and its start as text. `first`
/// is the number of the hour or day before the first span.
fn points(entries: Entries<'_>, first: i64, spans: impl Iterator<Item = (i64, i64, String)>) -> Vec<Period> {
    let mut before = entries.at(first);
    let mut point = |(begins, end, start)| {
        let value = entries.at(end);
        let added = value.zip(before).map(|(value, before)| value - before);
        before = value;
        Period { begins, start, value, added }
    };
    spans.map(&mut point).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-27 19:30 UTC.
    const NOW: i64 = 1_795_807_800_000;
    const NOW_HOUR: i64 = 498_835;
    const NOW_DAY: i64 = 20_784;

    fn values(series: &Series) -> Vec<(Option<i64>, Option<i64>)> {
        series.points().iter().map(|point| (point.value, point.added)).collect()
    }

    #[test]
    fn gaps_are_filled_and_unknown_hours_are_marked() {
        let entries = [(NOW_HOUR - 4, 7), (NOW_HOUR - 2, 5), (NOW_HOUR, 26)];
        let series = Series::of_hours(&entries, 6, NOW, Zone::utc());
        assert_eq!(
            series.csv(),
            "hour,value,added\r\n2026-11-27T14:00:00Z,,\r\n2026-11-27T15:00:00Z,7,\r\n2026-11-27T16:00:00Z,7,0\r\n\
             2026-11-27T17:00:00Z,5,-2\r\n2026-11-27T18:00:00Z,5,0\r\n2026-11-27T19:00:00Z,26,21\r\n"
        );
        assert_eq!(series.changes_at, (NOW_HOUR + 1) * HOUR);
        let none = Series::of_hours(&[], 2, NOW, Zone::utc());
        assert_eq!(values(&none), [(None, None); 2]);
    }

    #[test]
    fn days_are_written_as_json() {
        let series = Series::of_days(&[(1, 0), (NOW_DAY - 1, 9)], 3, NOW);
        assert_eq!(
            series.json(Subject::Counter("2")),
            "{\"id\":\"2\",\"unit\":\"day\",\"tz\":\"UTC\",\"entries\":[\
             {\"start\":\"2026-11-25\",\"value\":0,\"added\":0},{\"start\":\"2026-11-26\",\"value\":9,\"added\":9},\
             {\"start\":\"2026-11-27\",\"value\":9,\"added\":0}]}\n"
        );
    }

    #[test]
    fn hours_are_written_in_the_time_of_the_zone() {
        let zone = Zone::named("Asia/Kathmandu").expect("a zone");
        let series = Series::of_hours(&[(1, 0)], 1, NOW, zone);
        assert_eq!(series.points()[0].start, "2026-11-28T00:45:00+05:45");
    }

    #[test]
    fn days_of_a_zone_are_put_together_from_hours() {
        // In Berlin, the 27th began at 23:00 UTC on the 26th.
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let entries = [(NOW_HOUR - 21, 1), (NOW_HOUR - 20, 10), (NOW_HOUR - 3, 11)];
        let series = Series::of_local_days(&entries, 3, NOW, berlin);
        let starts: Vec<&str> = series.points().iter().map(|point| point.start.as_str()).collect();
        assert_eq!(starts, ["2026-11-25", "2026-11-26", "2026-11-27"]);
        assert_eq!(values(&series), [(None, None), (Some(1), None), (Some(11), Some(10))]);
        assert_eq!(series.changes_at - NOW, 12_600_000);
    }

    #[test]
    fn a_day_of_25_hours_has_all_of_them() {
        // In Berlin, 2026-10-25 has 25 hours, from 22:00 UTC to 23:00 UTC of the next day.
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let begin = berlin.begin_of("2026-10-25".parse().expect("a day")) / HOUR;
        let entries: Vec<(i64, i64)> = (-1..26).map(|hour| (begin + hour, hour + 1)).collect();
        let series = Series::of_local_days(&entries, 2, (begin + 25) * HOUR, berlin);
        assert_eq!(values(&series), [(Some(25), Some(25)), (Some(26), Some(1))]);
    }

    proptest! {
        #[test]
        fn filled_gaps_are_what_a_full_record_would_say(
            changes in prop::collection::vec((0_i64..80, -50_i64..50), 0..40),
            last in 1_u16..60,
        ) {
            let mut added = [0_i64; 80];
            changes.iter().for_each(|(hour, by)| added[*hour as usize] += by);
            let mut entries = vec![(1, 0)];
            let (mut stood, mut full) = (0, Vec::new());
            for (hour, by) in added.iter().enumerate() {
                stood += by;
                full.push((Some(stood), Some(*by)));
                if changes.iter().any(|(changed, _)| *changed == hour as i64) {
                    entries.push((NOW_HOUR - 79 + hour as i64, stood));
                }
            }
            let series = Series::of_hours(&entries, last, NOW, Zone::utc());
            prop_assert_eq!(values(&series), &full[80 - usize::from(last)..]);
        }
    }
}
