//! Finds the place of each setting, a line of the file or a variable, so that errors can name the place.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::SettingsError;
use super::keys::{KNOWN_NAMES, key_of};

/// The place of each key that is set, in words. If a key has several places, this is the one that wins. Unknown keys have places, too.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    places: HashMap<String, String>,
    /// The file, if there is one, with the keys that it sets.
    file: Option<(PathBuf, HashSet<String>)>,
}

impl Sources {
    /// Finds the places in a file, given by its name and text, and in the environment.
    pub(super) fn of(file: Option<(&Path, &str)>, environment: &HashMap<String, String>) -> Self {
        let mut places = HashMap::new();
        if let Some((path, text)) = file
            && let Ok(table) = DeTable::parse(text)
        {
            lines("", table.get_ref(), text, &path.display().to_string(), &mut places);
        }
        let file = file.map(|(path, _)| (path.to_owned(), places.keys().cloned().collect()));
        let set = || environment.iter().filter(|(_, text)| !text.is_empty()).map(|(name, _)| name);
        // Variables with the prefix `LIVECOUNTER__` win over the names that operators already know.
        let known = KNOWN_NAMES.iter().filter(|(known, _)| set().any(|name| name == known));
        places.extend(known.map(|(name, key)| ((*key).to_owned(), format!("from {name}"))));
        places.extend(set().filter_map(|name| Some((key_of(name)?, format!("from {name}")))));
        Sources { places, file }
    }

    /// Adds to an error the place where its key is set.
    pub(super) fn locate(&self, error: SettingsError) -> SettingsError {
        let place = self.place(&error.key).map(str::to_owned);
        error.found_at(place)
    }

    /// Returns the place where the key is set; `None` if the key is not set, or if the key itself is the name of a file or variable.
    fn place(&self, key: &str) -> Option<&str> {
        self.places.get(key).map(String::as_str)
    }

    /// Returns the first of these keys that the file sets, and the path of the file.
    pub(super) fn first_in_file(&self, keys: &[&'static str]) -> Option<(&'static str, &Path)> {
        let (path, set) = self.file.as_ref()?;
        let key = keys.iter().find(|key| set.contains(**key))?;
        Some((key, path))
    }
}

/// Notes the line of each key and section of a table.
fn lines(prefix: &str, table: &DeTable<'_>, text: &str, name: &str, places: &mut HashMap<String, String>) {
    for (key, value) in table {
        let path =
            if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        let line = text[..key.span().start].matches('\n').count() + 1;
        if let DeValue::Table(inner) = value.get_ref() {
            lines(&path, inner, text, name, places);
        }
        places.insert(path, format!("line {line} of {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_on_its_line_and_a_variable_wins() {
        let text = "listen = \"a\"\n\n[publish]\n# so often\ninterval = \"1s\"\nredis.url = 1\n\n[[keys]]\n";
        let environment = [("LIVECOUNTER__LISTEN", "b"), ("REDIS_URL", "r"), ("PORT", "1"), ("GRIP_URL", "")];
        let environment = environment.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let sources = Sources::of(Some((Path::new("dir/x.toml"), text)), &environment);
        for (key, expected) in [
            ("listen", Some("from LIVECOUNTER__LISTEN")),
            ("publish", Some("line 3 of dir/x.toml")),
            ("publish.interval", Some("line 5 of dir/x.toml")),
            ("publish.redis.url", Some("line 6 of dir/x.toml")),
            ("keys", Some("line 8 of dir/x.toml")),
            ("redis.url", Some("from REDIS_URL")),
            ("grip.url", None),
            ("PORT", None),
        ] {
            assert_eq!(sources.place(key), expected, "{key}");
        }
        let file = Path::new("dir/x.toml");
        assert_eq!(sources.first_in_file(&["redis.url", "keys", "listen"]), Some(("keys", file)));
        assert_eq!(sources.first_in_file(&["redis.url"]), None);
    }
}
