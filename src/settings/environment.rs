//! The environment, as far as it is text.

use std::collections::HashMap;
use std::ffi::OsString;

use super::error::SettingsError;
use super::keys::{KNOWN_NAMES, OTHER_NAMES, key_of};

/// The variables that are UTF-8 text. A variable of this service that is not is refused: it would seem not to be set.
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
