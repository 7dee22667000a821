//! Numbers with names as a picture.

use super::drawing::{Drawing, Form, Theme};

/// A picture of numbers with their names, in the order of the numbers: of one field of several entities, with the keys of the entities.
pub struct NamedChart<'a> {
    /// What the numbers are.
    pub title: &'a str,
    /// The names, each with its number; `None` for a number that is not known.
    pub numbers: &'a [(String, Option<i64>)],
    /// The form of the picture.
    pub form: Form,
    /// The colours of the picture.
    pub theme: Theme,
}

impl NamedChart<'_> {
    /// Returns the picture as SVG.
    pub fn svg(&self) -> String {
        let end =
            |end: Option<&(String, _)>| end.map_or(String::new(), |(name, _)| shortened(name, LONGEST_NAME));
        let ends = [end(self.numbers.first()), end(self.numbers.last())];
        let [from, to] = &ends;
        Drawing {
            title: self.title.to_owned(),
            description: format!("Its {} values, from {from} to {to}", self.numbers.len()),
            heading: shortened(self.title, LONGEST_HEADING),
            now: self.numbers.last().and_then(|(_, number)| *number),
            ends,
            shown: self.numbers.iter().map(|(_, number)| *number).collect(),
            form: self.form,
            theme: self.theme,
        }
        .svg()
    }
}

/// The most characters of a name below the bars, and of a heading: beside them stand other texts.
const LONGEST_NAME: usize = 24;
const LONGEST_HEADING: usize = 32;

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_names_have_these_bytes() {
        let numbers = [("2026-02-09".to_owned(), Some(20)), ("2026-02-10".to_owned(), Some(42))];
        let chart =
            NamedChart { title: "views & <more>", numbers: &numbers, form: Form::Bars, theme: Theme::Light };
        assert_eq!(
            chart.svg(),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"360\" height=\"120\" viewBox=\"0 0 360 120\" role=\"img\" \
             aria-labelledby=\"t d\"><title id=\"t\">views &amp; &lt;more&gt;: 42</title><desc id=\"d\">Its 2 values, from \
             2026-02-09 to 2026-02-10: between 20 and 42.</desc><style>.x{fill:#57606a}.n{fill:#1f2328}\
             .l{stroke:#0969da}.b{fill:#0969da}</style><g font-family=\"system-ui,sans-serif\" font-size=\"12\">\
             <text class=\"x\" x=\"12\" y=\"22\">views &amp; &lt;more&gt;</text><text class=\"n\" x=\"348\" y=\"24\" \
             font-size=\"18\" font-weight=\"600\" text-anchor=\"end\">42</text><text class=\"x\" x=\"12\" y=\"111\">2026-02-09\
             </text><text class=\"x\" x=\"348\" y=\"111\" text-anchor=\"end\">2026-02-10</text></g><path class=\"b\" \
             d=\"M12 92v-24.7h166v24.7zM180 92v-52h166v52z\"/></svg>\n"
        );
        let long = [("k".repeat(256), None)];
        let chart =
            NamedChart { title: &"ü".repeat(256), numbers: &long, form: Form::Line, theme: Theme::Auto };
        let svg = chart.svg();
        assert!(svg.contains(&format!(">{}…</text>", "ü".repeat(31))), "{svg}");
        assert!(svg.contains(&format!(">{}…</text>", "k".repeat(23))) && !svg.contains("<path"), "{svg}");
        let none = NamedChart { title: "n", numbers: &[], form: Form::Bars, theme: Theme::Auto }.svg();
        assert!(none.contains("n: unknown") && none.contains("Its 0 values"), "{none}");
    }
}
