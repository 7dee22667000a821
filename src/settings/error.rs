//! What is said about a setting that cannot be used.

use std::fmt;

use super::sources::Sources;

/// A setting that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}{}", in_parentheses(.place))]
pub struct SettingsError {
    /// The key as the documentation writes it, or the name of the file.
    pub key: String,
    /// What is wrong, without the value of a secret.
    pub problem: String,
    /// Where the key is set, in words; `None` where it is not, or where the key says so itself.
    pub place: Option<String>,
}

impl SettingsError {
    /// Names the key and what is wrong with it.
    pub fn new(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        SettingsError { key: key.into(), problem: problem.to_string().replace('\n', " "), place: None }
    }

    pub(super) fn found_in(self, sources: &Sources) -> Self {
        let place = self.place.or_else(|| sources.place(&self.key).map(str::to_owned));
        SettingsError { place, ..self }
    }
}

fn in_parentheses(place: &Option<String>) -> String {
    place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default()
}
