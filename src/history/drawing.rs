//! Draws numbers as a small SVG picture without scripts. The same numbers always give the same bytes.

use std::fmt::Write;

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

/// A picture with its texts.
pub(super) struct Drawing {
    pub(super) title: String,
    /// What the picture shows, without the least and the greatest number.
    pub(super) description: String,
    pub(super) heading: String,
    /// The number at the right.
    pub(super) now: Option<i64>,
    /// What stands below the ends of the line or the bars.
    pub(super) ends: [String; 2],
    pub(super) shown: Vec<Option<i64>>,
    pub(super) form: Form,
    pub(super) theme: Theme,
}

impl Drawing {
    /// Returns the picture as SVG.
    pub(super) fn svg(&self) -> String {
        let mut svg = self.head();
        match self.form {
            Form::Line => line(&mut svg, &self.shown),
            Form::Bars => bars(&mut svg, &self.shown),
        }
        svg += "</svg>\n";
        svg
    }

    /// Returns the beginning of the picture: the title, the description, the colours and the texts.
    fn head(&self) -> String {
        let [title, description, heading, from, to] =
            [&self.title, &self.description, &self.heading, &self.ends[0], &self.ends[1]]
                .map(|text| escaped(text));
        let now = known(self.now);
        let (least, most) = (self.shown.iter().flatten().min(), self.shown.iter().flatten().max());
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             role=\"img\" aria-labelledby=\"t d\"><title id=\"t\">{title}: {now}</title><desc id=\"d\">{description}: between {} \
             and {}.</desc>",
            known(least.copied()),
            known(most.copied()),
        );
        svg += &self.style();
        let _ = write!(
            svg,
            "<g font-family=\"system-ui,sans-serif\" font-size=\"12\"><text class=\"x\" x=\"{LEFT}\" y=\"22\">{heading}</text>\
             <text class=\"n\" x=\"{RIGHT}\" y=\"24\" font-size=\"18\" font-weight=\"600\" text-anchor=\"end\">{now}</text>\
             <text class=\"x\" x=\"{LEFT}\" y=\"111\">{from}</text>"
        );
        if self.shown.len() > 1 {
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
    use super::*;

    #[test]
    fn text_that_could_be_markup_is_escaped() {
        assert_eq!(escaped("<a href=x>&"), "&lt;a href=x&gt;&amp;");
    }
}
