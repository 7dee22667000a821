//! The form of the home page that asks for a page's numbers and for its badge.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::badge::{Color, Style};
use crate::http::badge_query::BadgeLook;
use crate::http::error::ApiError;
use crate::http::query::Query;

/// The fields of the form, with what they stand at in an empty form. Those behind `count` have the names of a badge's parameters.
const FIELDS: [(&str, &str); 8] = [
    ("url", ""),
    ("count", "yes"),
    ("of", "page"),
    ("style", "flat-square"),
    ("format", "plain"),
    ("label", "hits"),
    ("color", "#44cc11"),
    ("labelColor", "#555555"),
];

/// A word of a list, and what it means.
type Word = (&'static str, &'static str);

/// The lists of the form: the name of each, its title, and its words with what they mean.
const LISTS: [(&str, &str, &[Word]); 3] = [
    ("count", "Who sees the badge", &[("yes", "is counted"), ("no", "is not counted")]),
    (
        "of",
        "The badge shows",
        &[
            ("page", "the page"),
            ("site", "the whole site"),
            ("day", "the page today"),
            ("visitors", "visitors of the site"),
        ],
    ),
    ("format", "Written as", &[("plain", "1234567"), ("commas", "1,234,567"), ("short", "1.2M")]),
];

/// The most bytes of a field that are read and repeated: a little more than an address may have, so that a longer address stays too
/// long.
const LONGEST_REPEATED: usize = 4100;

/// What is encoded of an address.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b':').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a visitor has filled in.
pub(super) struct TagForm {
    values: [String; FIELDS.len()],
    /// The words that the lists do not have, as this service does not know such numbers.
    without: Vec<&'static str>,
}

/// A list of the form, of which one word is chosen.
pub(super) struct ChoiceList {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) choices: Vec<Choice>,
}

/// A word of a list.
pub(super) struct Choice {
    pub(super) word: &'static str,
    pub(super) text: &'static str,
    pub(super) is_chosen: bool,
}

impl TagForm {
    /// Reads the form from the query of a request; 400 if a field has no meaning, with the form as it was filled in. Parameters that
    /// the form does not have are ignored, as people append such parameters to links. `without` are words that the lists do not have.
    pub(super) fn of(query: &str, without: Vec<&'static str>) -> (TagForm, Result<(), ApiError>) {
        let mut known = form_urlencoded::Serializer::new(String::new());
        let mut values = FIELDS.map(|(_, usual)| usual.to_owned());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Some(index) = FIELDS.iter().position(|(field, _)| *field == name) {
                known.append_pair(&name, &value);
                values[index] = cut(&value).to_owned();
            }
        }
        let mut form = TagForm { values, without };
        let checked =
            Query::of(&known.finish(), &FIELDS.map(|(name, _)| name)).and_then(|query| form.check(&query));
        for (name, usual) in [("color", "#44cc11"), ("labelColor", "#555555")] {
            // A field for colours takes six digits only.
            let index = index(name);
            form.values[index] = six_digits(&form.values[index]).unwrap_or_else(|| usual.to_owned());
        }
        (form, checked)
    }

    /// What is filled in.
    pub(super) fn get(&self, name: &str) -> &str {
        &self.values[index(name)]
    }

    /// Whether a view of the badge counts.
    pub(super) fn counts(&self) -> bool {
        self.get("count") == "yes"
    }

    fn check(&self, query: &Query) -> Result<(), ApiError> {
        BadgeLook::of(query)?;
        for (name, words) in self.words() {
            let words: Vec<(&str, ())> = words.iter().map(|(word, _)| (*word, ())).collect();
            query.one_of(name, &words)?;
        }
        Ok(())
    }

    /// The words of each list.
    fn words(&self) -> impl Iterator<Item = (&'static str, Vec<Word>)> {
        LISTS.into_iter().map(move |(name, _, words)| {
            (name, words.iter().copied().filter(|(word, _)| !self.without.contains(word)).collect())
        })
    }

    /// The lists of the form.
    pub(super) fn lists(&self) -> Vec<ChoiceList> {
        let styles = Style::NAMED.iter().map(|(name, _)| (*name, *name)).collect();
        let titles = LISTS.iter().map(|(_, title, _)| *title);
        let lists = self.words().zip(titles).map(|((name, words), title)| (name, title, words));
        let lists = lists.chain([("style", "Style", styles)]);
        lists
            .map(|(name, title, words)| ChoiceList { name, title, choices: self.choices(name, &words) })
            .collect()
    }

    fn choices(&self, name: &str, words: &[Word]) -> Vec<Choice> {
        let chosen = self.get(name);
        words.iter().map(|&(word, text)| Choice { word, text, is_chosen: word == chosen }).collect()
    }

    /// The query of a badge of the page with this address, or of the page that shows the badge. Parameters that say what is usual are
    /// left out.
    pub(super) fn tag_query(&self, address: Option<&str>) -> String {
        let url = address.map(|address| ["url=", &readable(address)].concat()).unwrap_or_default();
        let mut query = form_urlencoded::Serializer::new(url);
        for (name, usual) in &FIELDS[2..] {
            let value = self.get(name);
            if value != *usual {
                query.append_pair(
                    name,
                    value.strip_prefix('#').filter(|_| name.ends_with("olor")).unwrap_or(value),
                );
            }
        }
        query.finish()
    }
}

/// The address as the value of a parameter. Slashes and colons stay, which may be in a query, so that people can read the address.
pub(super) fn readable(address: &str) -> String {
    utf8_percent_encode(address, ENCODED).to_string()
}

fn index(name: &str) -> usize {
    FIELDS.iter().position(|(field, _)| *field == name).unwrap_or_default()
}

/// The beginning of the text, without a part of a character at its end.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_REPEATED)]
}

/// The colour as `#` and six digits; `None` if the text is no colour.
fn six_digits(text: &str) -> Option<String> {
    let color: Color = text.parse().ok()?;
    let digits = color.as_str().trim_start_matches('#');
    let repeated = if digits.len() == 3 { 2 } else { 1 };
    Some(digits.chars().fold(String::from("#"), |mut color, digit| {
        (0..repeated).for_each(|_| color.push(digit));
        color
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(query: &str) -> TagForm {
        let (form, checked) = TagForm::of(query, Vec::new());
        assert!(checked.is_ok(), "{query}: {checked:?}");
        form
    }

    #[test]
    fn the_query_of_a_badge_says_only_what_is_not_usual() {
        for (query, expected) in [
            ("", ""),
            ("url=example.com&utm_source=a&count=no", ""),
            ("style=flat-square&label=hits&color=%2344CC11&labelColor=grey&format=plain&of=page", ""),
            ("label=&color=4c1&labelColor=%23000&style=social", "style=social&label=&labelColor=000000"),
            ("color=blue&of=day&format=short&label=a%26b", "of=day&format=short&label=a%26b&color=007ec6"),
        ] {
            assert_eq!(form(query).tag_query(None), expected, "{query}");
        }
        assert_eq!(form("of=site").tag_query(Some("a.org/b'c&d")), "url=a.org/b%27c%26d&of=site");
    }

    #[test]
    fn what_is_wrong_is_said_and_what_was_filled_in_stays() {
        let long = format!("label={}", "\u{e9}".repeat(5000));
        for (query, name, kept, expected) in [
            (
                "style=round",
                "style",
                "round",
                "style must be flat-square or flat or plastic or for-the-badge or social",
            ),
            ("count=1", "count", "1", "count must be yes or no"),
            ("url=a&url=b", "url", "b", "url is given twice in the query"),
            (
                "label=%00",
                "label",
                "\0",
                "label must not have control characters, and its character 1 is one",
            ),
            (
                "color=url(x)",
                "color",
                "#44cc11",
                "color must be 3 or 6 hex digits, or the name of a colour in CSS or at shields.io, such as brightgreen",
            ),
            (&long, "label", &"\u{e9}".repeat(2050), "label must have at most 100 characters"),
        ] {
            let (form, checked) = TagForm::of(query, Vec::new());
            assert_eq!(checked.err().map(|error| error.to_string()).as_deref(), Some(expected));
            assert_eq!(form.get(name), kept, "{query:.60}");
        }
        let (without_days, checked) = TagForm::of("of=day", vec!["day", "visitors"]);
        assert_eq!(checked.err().map(|error| error.to_string()).as_deref(), Some("of must be page or site"));
        assert!(
            without_days.lists().iter().all(|list| list.choices.iter().all(|choice| choice.word != "day"))
        );
    }
}
