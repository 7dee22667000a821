//! Reads the file and the environment into one flat table.

use std::collections::HashMap;
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Value, ValueKind};

use super::error::SettingsError;
use super::keys::is_section;

/// Returns the values of the file and of the variables with the prefix `LIVECOUNTER__`, by key; the variables win.
pub(super) fn read(
    file: Option<(&Path, &str)>,
    environment: &HashMap<String, String>,
) -> Result<HashMap<String, Value>, SettingsError> {
    let mut builder = Config::builder();
    let name = file.map_or("environment".into(), |(path, _)| path.to_string_lossy());
    if let Some((_, text)) = file {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    let ours = Environment::with_prefix("LIVECOUNTER").prefix_separator("__").separator("__");
    builder = builder.add_source(ours.source(Some(environment.clone())).ignore_empty(true));
    let config = builder.build().map_err(|error| SettingsError::new(name.clone(), without_lines(&error)))?;
    let tree = config.cache.into_table().map_err(|error| SettingsError::new(name, error))?;
    let mut texts = HashMap::new();
    flatten("", tree, &mut texts);
    Ok(texts)
}

/// Returns the parser's message without the lines of the file that the message quotes: these lines may contain a secret.
fn without_lines(error: &config::ConfigError) -> String {
    let text = error.to_string();
    let shown = |line: &&str| !line.contains(" | ") && !line.trim_end().ends_with('|');
    text.lines().filter(shown).collect::<Vec<_>>().join(" ")
}

/// Adds the values of a table to `texts`, each under its whole path.
fn flatten(prefix: &str, table: HashMap<String, Value>, texts: &mut HashMap<String, Value>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() || is_section(&path) => flatten(&path, inner, texts),
            // This table is the value of a key that needs a single value, or an unknown section. `Texts` refuses both later.
            ValueKind::Array(_) | ValueKind::Table(_) => {
                texts.insert(path, value);
            }
            // A number becomes a text, because every setting is parsed from its text.
            _ => {
                texts.insert(path, Value::from(value.into_string().unwrap_or_default()));
            }
        }
    }
}
