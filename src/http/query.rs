//! Parses the query of a request into parameters.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::ApiError;
use crate::nearest::nearest;

/// How many characters of an unknown parameter's name an error repeats.
const LONGEST_SHOWN: usize = 40;

/// The parameters of a query, each of which is known and given once. Parameters that begin with `_` are ignored: gateways use
/// such parameters for keys, and clients append them to get past caches.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the parameters; 400 if one of them is unknown or given twice.
    pub(super) fn of(query: &str, known: &[&str]) -> Result<Query, ApiError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if name.starts_with('_') {
                continue;
            }
            if !known.contains(&name.as_str()) {
                let hint = match (nearest(&name, known.iter().copied()), known) {
                    (Some(known), _) => format!("did you mean {known}?"),
                    (None, []) => "there are none here".to_owned(),
                    (None, [only]) => format!("there is only {only}"),
                    (None, _) => format!("there are {}", known.join(", ")),
                };
                let shown: String = name.chars().take(LONGEST_SHOWN).collect();
                let problem = format!("the query has the unknown parameter {shown:?}; {hint}");
                return Err(ApiError::BadRequest(problem));
            }
            if parameters.iter().any(|(given, _)| *given == name) {
                return Err(ApiError::BadRequest(format!("{name} is given twice in the query")));
            }
            parameters.push((name, value));
        }
        Ok(Query(parameters))
    }

    /// The value of a parameter; `None` if the query does not give the parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The whole number that a parameter gives; `None` if the query does not give the parameter, 400 if it gives anything but a number within
    /// these bounds. Only one spelling of each number is accepted, so that caches keep one answer for each number.
    pub(super) fn number<T: FromStr + Display + PartialOrd>(
        &self,
        name: &str,
        bounds: RangeInclusive<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number: &T| number.to_string() == text);
        match number.filter(|number| bounds.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let (least, most) = bounds.into_inner();
                let problem =
                    format!("{name} must be a whole number from {least} to {most}, in plain digits");
                Err(ApiError::BadRequest(problem))
            }
        }
    }

    /// The meaning of a parameter whose value must be one of these words. If the query does not give the parameter, the first
    /// word counts; any other value is a 400.
    pub(super) fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, ApiError> {
        let given = self.get(name).unwrap_or(words[0].0);
        words.iter().find(|(word, _)| *word == given).map(|(_, meant)| *meant).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            ApiError::BadRequest(format!("{name} must be {}", words.join(" or ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_known_and_given_once() {
        let query = |text: &str| Query::of(text, &["unit", "last"]).map_err(|error| error.to_string());
        assert_eq!(query("last=%35&_=1&_=2").expect("a query").get("last"), Some("5"));
        for (text, expected) in [
            ("lst=5", "the query has the unknown parameter \"lst\"; did you mean last?"),
            ("=", "the query has the unknown parameter \"\"; there are unit, last"),
            ("last=1&last=1", "last is given twice in the query"),
        ] {
            assert_eq!(query(text).err().as_deref(), Some(expected));
        }
        let words = query("unit=Hour").expect("a query").one_of("unit", &[("hour", 1), ("day", 2)]);
        assert_eq!(words.map_err(|error| error.to_string()), Err("unit must be hour or day".to_owned()));
    }
}
