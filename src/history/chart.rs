//! Draws a series as a small SVG picture without scripts. The same series always gives the same bytes.

use std::fmt::Write;

use super::series::{Period, Series};
use super::subject::Subject;

/// The size of the picture, in pixels.
const WIDTH: i64 = 360;
const HEIGHT: i64 = 120;

/// The edges of the line or the bars, in pixels.
const LEFT: i64 = 12;
const RIGHT: i64 = 348;
const TOP: i64 = 40;
const BOTTOM: i64 = 92;

/// The form of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A line shows the values.
    #[default]
    Line,
    /// Bars show the amounts that were added.
    Bars,
}

/// The colours of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The colours that the reader's system prefers.
    #[default]
    Auto,
    /// Colours for a light background.
    Light,
    /// Colours for a dark background.
    Dark,
}

/// The colours of the text, the line and the number. All of them can be read on the background of the theme.
const LIGHT: [&str; 3] = ["#57606a", "#0969da", "#1f2328"];
const DARK: [&str; 3] = ["#8b949e", "#58a6ff", "#f0f6fc"];

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
        let shown: Vec<Option<i64>> = points
            .iter()
            .map(|point| match self.form {
                Form::Line => point.value,
                Form::Bars => point.added,
            })
            .collect();
        let mut svg = self.head(points, &shown);
        match self.form {
            Form::Line => line(&mut svg, &shown),
            Form::Bars => bars(&mut svg, &shown),
        }
        svg += "</svg>\n";
        svg
    }

    /// Returns the beginning of the picture: the title, the description, the colours and the texts.
    fn head(&self, points: &[Period], shown: &[Option<i64>]) -> String {
        let (subject, count) = (escaped(&self.subject.to_string()), points.len());
        let unit = self.series.unit().name();
        let span = match count {
            1 => format!("this {unit}"),
            count => format!("the last {count} {unit}s"),
        };
        let what = match self.form {
            Form::Line => "Its value",
            Form::Bars => "What was added",
        };
        let now = known(points.last().and_then(|point| point.value));
        let (least, most) = (shown.iter().flatten().min(), shown.iter().flatten().max());
        let (from, to) = (self.label(points.first()), self.label(points.last()));
        let zone = escaped(self.series.zone().name());
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             role=\"img\" aria-labelledby=\"t d\"><title id=\"t\">{subject}: {now}</title><desc id=\"d\">{what} in {span}, from \
             {from} to {to} ({zone}): between {} and {}.</desc>",
            known(least.copied()),
            known(most.copied()),
        );
        svg += &self.style();
        let heading = match self.form {
            Form::Line => span,
            Form::Bars => format!("added in {span}"),
        };
        let _ = write!(
            svg,
            "<g font-family=\"system-ui,sans-serif\" font-size=\"12\"><text class=\"x\" x=\"{LEFT}\" y=\"22\">{heading}</text>\
             <text class=\"n\" x=\"{RIGHT}\" y=\"24\" font-size=\"18\" font-weight=\"600\" text-anchor=\"end\">{now}</text>\
             <text class=\"x\" x=\"{LEFT}\" y=\"111\">{from}</text>"
        );
        if count > 1 {
            let _ = write!(svg, "<text class=\"x\" x=\"{RIGHT}\" y=\"111\" text-anchor=\"end\">{to}</text>");
        }
        svg + "</g>"
    }

    fn style(&self) -> String {
        let rules = |[text, line, number]: [&str; 3]| {
            format!(".x{{fill:{text}}}.n{{fill:{number}}}.l{{stroke:{line}}}.b{{fill:{line}}}")
        };
        let rules = match self.theme {
            Theme::Light => rules(LIGHT),
            Theme::Dark => rules(DARK),
            Theme::Auto => {
                format!("{}@media(prefers-color-scheme:dark){{{}}}", rules(LIGHT), rules(DARK))
            }
        };
        format!("<style>{rules}</style>")
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

fn known(number: Option<i64>) -> String {
    number.map_or_else(|| "unknown".to_owned(), |number| number.to_string())
}

/// Returns the height of `value` in tenths of a pixel, if `least` is at the bottom and `most` at the top.
fn height(value: i64, least: i64, most: i64) -> i64 {
    let (value, least, most) = (i128::from(value), i128::from(least), i128::from(most));
    let pixels = i128::from(10 * (BOTTOM - TOP));
    // If all values are the same, the line is in the middle.
    let up = if most > least { (value - least) * pixels / (most - least) } else { pixels / 2 };
    10 * BOTTOM - i64::try_from(up).unwrap_or_default()
}

/// Writes a number of tenths in the shortest form that SVG allows.
fn tenths(number: i64) -> String {
    match number % 10 {
        0 => (number / 10).to_string(),
        tenth => format!("{}.{tenth}", number / 10),
    }
}

/// Draws a line through all known values. The line has a gap where the value is not known.
fn line(svg: &mut String, values: &[Option<i64>]) {
    let known = values.iter().flatten();
    let (Some(&least), Some(&most)) = (known.clone().min(), known.max()) else { return };
    let steps = i64::try_from(values.len()).unwrap_or(1) - 1;
    let mut path = String::new();
    let mut drawing = false;
    for (step, value) in (0..).zip(values) {
        let Some(value) = value else {
            drawing = false;
            continue;
        };
        let x = if steps > 0 { 10 * LEFT + 10 * (RIGHT - LEFT) * step / steps } else { 10 * LEFT };
        let letter = if drawing { 'L' } else { 'M' };
        let _ = write!(path, "{letter}{} {}", tenths(x), tenths(height(*value, least, most)));
        drawing = true;
    }
    // A single value at the end becomes a dot.
    path += "h.1";
    let _ = write!(
        svg,
        "<path class=\"l\" fill=\"none\" stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\" d=\"{path}\"/>"
    );
}

/// Draws a bar for each known amount, up or down from 0.
fn bars(svg: &mut String, amounts: &[Option<i64>]) {
    let known = amounts.iter().flatten().copied();
    let (least, most) = (known.clone().min().unwrap_or(0).min(0), known.max().unwrap_or(0).max(0));
    if least == most {
        return;
    }
    let count = i64::try_from(amounts.len()).unwrap_or(1);
    let zero = height(0, least, most);
    let mut path = String::new();
    for (index, amount) in (0..).zip(amounts) {
        let Some(amount) = amount.filter(|amount| *amount != 0) else { continue };
        let left = 10 * LEFT + 10 * (RIGHT - LEFT) * index / count;
        let right = 10 * LEFT + 10 * (RIGHT - LEFT) * (index + 1) / count;
        let gap = ((right - left) / 4).min(20);
        // Even the smallest amount gets a bar that can be seen.
        let up = zero - height(amount, least, most);
        let up = if up.abs() < 10 { 10 * amount.signum() } else { up };
        let width = right - left - gap;
        let _ = write!(
            path,
            "M{} {}v{}h{}v{}z",
            tenths(left),
            tenths(zero),
            signed(-up),
            tenths(width),
            signed(up)
        );
    }
    let _ = write!(svg, "<path class=\"b\" d=\"{path}\"/>");
}

/// Writes a number of tenths that may be negative.
fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", tenths(number.abs()))
}

/// Escapes a text for the content of an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
        assert!(svg.contains("What was added in the last 4 hours") && svg.contains(DARK[1]), "{svg}");
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

    #[test]
    fn text_that_could_be_markup_is_escaped() {
        assert_eq!(escaped("<a href=x>&"), "&lt;a href=x&gt;&amp;");
    }
}
