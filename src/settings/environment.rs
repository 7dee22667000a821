//! Reads the variables of the environment that are UTF-8 text.

use std::collections::HashMap;
use std::ffi::OsString;

use super::error::SettingsError;
use super::keys::{KNOWN_NAMES, OTHER_NAMES, key_of};

/// Returns the variables that are UTF-8 text. Refuses a variable of this service that is not UTF-8 text, because the service would
/// otherwise run as if the variable were not set.
pub fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, SettingsError> {
    let mut texts = HashMap::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => {
                texts.insert(name, value);
            }
            Err(_) if is_ours(&name) => return Err(SettingsError::new(name, "must be UTF-8 text")),
            Err(_) => {}
        }
    }
    Ok(texts)
}

fn is_ours(name: &str) -> bool {
    key_of(name).is_some() || KNOWN_NAMES.iter().any(|(it, _)| *it == name) || OTHER_NAMES.contains(&name)
}
