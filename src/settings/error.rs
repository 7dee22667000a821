//! The error for a setting that cannot be used.

use std::fmt;

/// A setting that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}{}", in_parentheses(.place))]
pub struct SettingsError {
    /// The key as the documentation writes it, or the name of the file.
    pub key: String,
    /// The problem with the setting, without the value of a secret.
    pub problem: String,
    /// The place where the key is set, in words; `None` if the key is not set, or if the key itself is the name of a file or variable.
    pub place: Option<String>,
}

impl SettingsError {
    /// Makes an error with the key and its problem, without a place.
    pub fn new(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        SettingsError { key: key.into(), problem: problem.to_string().replace('\n', " "), place: None }
    }

    /// Adds the place where the key is set, unless the error has one.
    pub(super) fn found_at(self, place: Option<String>) -> Self {
        SettingsError { place: self.place.or(place), ..self }
    }
}

fn in_parentheses(place: &Option<String>) -> String {
    place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default()
}
