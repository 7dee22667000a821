//! Loads settings for the tests of this module.

use std::io::Write;

use super::{Settings, SettingsError};

/// The settings of this environment alone.
pub(super) fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load_with(None, environment, None)
}

/// The settings of a file with this text, and of this environment.
pub(super) fn load_file(file: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load_with(Some(file), environment, None)
}

/// The settings of a file with this text, if there is one, of this environment, and of this value of `--listen`.
pub(super) fn load_with(
    file: Option<&str>,
    environment: &[(&str, &str)],
    listen: Option<&str>,
) -> Result<Settings, SettingsError> {
    let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let on_disk = file.map(|text| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("to write it");
        file
    });
    Settings::load(on_disk.as_ref().map(|file| file.path()), environment, listen)
}

/// What is wrong with the settings of this environment.
pub(super) fn problem(environment: &[(&str, &str)]) -> String {
    load(environment).expect_err("a refusal").to_string()
}
