//! A series as a picture.

use super::drawing::{Drawing, Form, Theme};
use super::series::{Period, Series};
use super::subject::Subject;

/// A picture of a series.
pub struct Chart<'a> {
    /// What the series belongs to.
    pub subject: Subject<'a>,
    /// The series.
    pub series: &'a Series,
    /// The form of the picture.
    pub form: Form,
    /// The colours of the picture.
    pub theme: Theme,
}

impl Chart<'_> {
    /// Returns the picture as SVG.
    pub fn svg(&self) -> String {
        let points = self.series.points();
        let shown = points.iter().map(|point| match self.form {
            Form::Line => point.value,
            Form::Bars => point.added,
        });
        let unit = self.series.unit().name();
        let span = match points.len() {
            1 => format!("this {unit}"),
            count => format!("the last {count} {unit}s"),
        };
        let zone = self.series.zone().name();
        let [from, to] = [self.label(points.first()), self.label(points.last())];
        let (what, heading) = match self.form {
            Form::Line => ("Its value", span.clone()),
            Form::Bars => ("What was added", format!("added in {span}")),
        };
        Drawing {
            title: self.subject.to_string(),
            description: format!("{what} in {span}, from {from} to {to} ({zone})"),
            heading,
            now: points.last().and_then(|point| point.value),
            ends: [from, to],
            shown: shown.collect(),
            form: self.form,
            theme: self.theme,
        }
        .svg()
    }

    /// Returns the time at which an hour or a day began, for people.
    fn label(&self, point: Option<&Period>) -> String {
        match point {
            Some(point) if point.start.contains('T') => self.series.zone().minute(point.begins),
            Some(point) => point.start.clone(),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;
    use crate::domain::LIMIT;

    /// 2026-11-27 19:30 UTC.
    const NOW: i64 = 1_795_807_800_000;
    const NOW_HOUR: i64 = 498_835;

    fn chart(entries: &[(i64, i64)], last: u16, form: Form, theme: Theme) -> String {
        let series = Series::of_hours(entries, last, NOW, Zone::utc());
        Chart { subject: Subject::Counter("a~2"), series: &series, form, theme }.svg()
    }

    #[test]
    fn a_line_has_these_bytes() {
        let entries = [(NOW_HOUR - 2, 3), (NOW_HOUR - 1, 26)];
        assert_eq!(
            chart(&entries, 4, Form::Line, Theme::Light),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"360\" height=\"120\" viewBox=\"0 0 360 120\" role=\"img\" \
             aria-labelledby=\"t d\"><title id=\"t\">Counter a~2: 26</title><desc id=\"d\">Its value in the last 4 hours, from \
             2026-11-27 16:00 to 2026-11-27 19:00 (UTC): between 3 and 26.</desc><style>.x{fill:#57606a}.n{fill:#1f2328}\
             .l{stroke:#0969da}.b{fill:#0969da}</style><g font-family=\"system-ui,sans-serif\" font-size=\"12\">\
             <text class=\"x\" x=\"12\" y=\"22\">the last 4 hours</text><text class=\"n\" x=\"348\" y=\"24\" font-size=\"18\" \
             font-weight=\"600\" text-anchor=\"end\">26</text><text class=\"x\" x=\"12\" y=\"111\">2026-11-27 16:00</text>\
             <text class=\"x\" x=\"348\" y=\"111\" text-anchor=\"end\">2026-11-27 19:00</text></g><path class=\"l\" fill=\"none\" \
             stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\" d=\"M124 92L236 40L348 40h.1\"/></svg>\n"
        );
    }

    #[test]
    fn bars_stand_on_zero_and_hang_from_it() {
        let entries = [(1, 0), (NOW_HOUR - 3, 30), (NOW_HOUR - 1, 10), (NOW_HOUR, 11)];
        let svg = chart(&entries, 4, Form::Bars, Theme::Dark);
        let path = svg.split("<path").nth(1).expect("a path");
        assert_eq!(
            path,
            " class=\"b\" d=\"M12 71.2v-31.2h82v31.2zM180 71.2v20.8h82v-20.8zM264 71.2v-1h82v1z\"/></svg>\n"
        );
        assert!(svg.contains("What was added in the last 4 hours") && svg.contains("#58a6ff"), "{svg}");
    }

    #[test]
    fn a_picture_without_a_past_says_so() {
        for form in [Form::Line, Form::Bars] {
            let svg = chart(&[], 1, form, Theme::Auto);
            assert!(svg.contains("this hour") && svg.contains("between unknown and unknown"), "{svg}");
            assert!(!svg.contains("<path"), "{svg}");
            assert!(svg.contains("@media(prefers-color-scheme:dark)"), "{svg}");
        }
    }

    #[test]
    fn the_greatest_numbers_fit_and_a_full_picture_is_small() {
        let entries: Vec<(i64, i64)> =
            (0..126).map(|ago| (NOW_HOUR - 125 + ago, if ago % 2 == 0 { LIMIT } else { -LIMIT })).collect();
        for form in [Form::Line, Form::Bars] {
            let svg = chart(&entries, 124, form, Theme::Auto);
            assert!(svg.len() < 5000, "{} bytes", svg.len());
            assert!(!svg.contains("script") && !svg.contains("NaN") && !svg.contains("--"), "{svg}");
        }
    }
}
