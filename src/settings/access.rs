//! Parses the settings that decide which requests are allowed: `[[keys]]`, `access.write`, `access.ticket_key` and `public`.

use std::collections::HashMap;

use config::{Config, File, FileFormat, Value, ValueKind};

use super::error::SettingsError;
use super::texts::Texts;
use crate::access::{AccessKey, AccessOptions, Keys, PublicRoutes, Scope, TicketVerifier, WriteRules};
use crate::jwt::VerifyKey;

/// The problem with a value of `keys` that is not a list of tables.
const NO_TABLES: &str = "must be [[keys]] tables, as `livecounter key new` prints them";
/// The fields of a table of `[[keys]]`.
const FIELDS: [&str; 4] = ["name", "id", "sha256", "scopes"];

/// Parses the settings of access.
pub(super) fn access(texts: &Texts) -> Result<AccessOptions, SettingsError> {
    Ok(AccessOptions {
        keys: keys(texts)?,
        tickets: tickets(texts)?,
        write: write_rules(texts)?,
        public: public_routes(texts)?,
    })
}

fn tickets(texts: &Texts) -> Result<Option<TicketVerifier>, SettingsError> {
    let key = "access.ticket_key";
    let parsed = texts.get(key).map(str::parse::<VerifyKey>).transpose();
    Ok(parsed.map_err(|error| SettingsError::new(key, error))?.map(TicketVerifier::new))
}

fn write_rules(texts: &Texts) -> Result<WriteRules, SettingsError> {
    let key = "access.write";
    let rules = texts.list(key)?.unwrap_or_default();
    WriteRules::parse(rules.iter().map(String::as_str)).map_err(|error| SettingsError::new(key, error))
}

fn public_routes(texts: &Texts) -> Result<PublicRoutes, SettingsError> {
    let key = "public";
    let rules = texts.list(key)?.unwrap_or_default();
    PublicRoutes::parse(rules.iter().map(String::as_str)).map_err(|error| SettingsError::new(key, error))
}

fn keys(texts: &Texts) -> Result<Keys, SettingsError> {
    let refuse = |problem: String| SettingsError::new("keys", problem);
    let tables = match texts.value("keys").map(|value| value.kind.clone()) {
        None => return Ok(Keys::default()),
        Some(ValueKind::Array(tables)) => tables,
        Some(ValueKind::String(text)) => tables_of(&text).ok_or_else(|| refuse(NO_TABLES.to_owned()))?,
        Some(_) => return Err(refuse(NO_TABLES.to_owned())),
    };
    let keys = tables.iter().enumerate().map(|(at, table)| {
        let ValueKind::Table(table) = &table.kind else {
            return Err(refuse(format!("entry {} is no table with {}", at + 1, FIELDS.join(", "))));
        };
        // Messages name a key by its name, or by the position of its table if the name cannot be used.
        let name = text(table, "name").filter(|name| AccessKey::check_name(name).is_ok());
        let shown = name.map_or_else(|| format!("table {}", at + 1), |name| format!("the key {name}"));
        key(table).map_err(|problem| refuse(format!("{shown}: {problem}")))
    });
    Keys::new(keys.collect::<Result<_, _>>()?).map_err(|error| refuse(error.to_string()))
}

/// Returns the tables in the text of a variable, which has the syntax of the file; `None` if the text has anything else. The parser's error
/// is dropped, because the error would quote the text.
fn tables_of(text: &str) -> Option<Vec<Value>> {
    let text = File::from_str(text, FileFormat::Toml);
    let mut sections = Config::builder().add_source(text).build().ok()?.cache.into_table().ok()?;
    let keys = sections.remove("keys").filter(|_| sections.is_empty())?;
    keys.into_array().ok()
}

/// Parses one table of `[[keys]]`; returns the problem if the table is no key.
fn key(table: &HashMap<String, Value>) -> Result<AccessKey, String> {
    if let Some(unknown) = table.keys().filter(|field| !FIELDS.contains(&field.as_str())).min() {
        return Err(format!("there is no field {unknown:?}; a key has {}", FIELDS.join(", ")));
    }
    if let Some(missing) = FIELDS.iter().find(|field| !table.contains_key(**field)) {
        return Err(format!("{missing} is missing"));
    }
    let needed = |field: &str| text(table, field).ok_or_else(|| format!("{field} must be a text"));
    let ValueKind::Array(scopes) = &table["scopes"].kind else {
        return Err("scopes must be a list, such as [\"write:counters/shop-\"]".into());
    };
    let scopes = scopes.iter().map(|scope| match &scope.kind {
        ValueKind::String(scope) => scope.parse::<Scope>().map_err(|error| error.to_string()),
        _ => Err("scopes must be a list of texts".to_owned()),
    });
    let scopes = scopes.collect::<Result<Vec<Scope>, String>>()?;
    AccessKey::new(needed("name")?, needed("id")?, needed("sha256")?, scopes)
        .map_err(|error| error.to_string())
}

fn text<'a>(table: &'a HashMap<String, Value>, field: &str) -> Option<&'a str> {
    match &table.get(field)?.kind {
        ValueKind::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::access::{Access, NewSecret, Presented, Space};
    use crate::settings::test_load::load_file as load;

    fn problem(file: &str) -> String {
        let error = load(file, &[]).expect_err("a refusal");
        format!("{}: {}", error.key, error.problem)
    }

    fn table(name: &str, secret: &NewSecret, scopes: &str) -> String {
        let (id, digest) = (secret.id(), secret.sha256());
        format!("[[keys]]\nname = \"{name}\"\nid = \"{id}\"\nsha256 = \"{digest}\"\nscopes = {scopes}\n")
    }

    fn secret() -> NewSecret {
        NewSecret::generate().expect("random numbers")
    }

    #[test]
    fn keys_and_rules_of_the_file_decide_which_clients_may_write() {
        let (shop, all) = (secret(), secret());
        let file = format!(
            "[access]\nwrite = [\"key\", \"anyone:counters/public-\"]\nticket_key = \"a-secret-of-18-byt\"\n{}{}",
            table("shop", &shop, r#"["write:counters/shop-"]"#),
            table("all", &all, r#"["admin"]"#),
        );
        let settings = load(&file, &[]).expect("settings");
        assert!(settings.access.tickets.is_some() && settings.access_ticket_key.is_some());
        assert!(!format!("{settings:?}").contains("a-secret-of"));
        let access = Access::new(settings.access);
        let may = |secret: &NewSecret, name| {
            let needed = access.needed_to_write(Space::Counters, name);
            needed.is_none_or(|it| access.require(&Presented::Key(secret.expose().into()), &it).is_ok())
        };
        assert!(may(&shop, "shop-1") && may(&shop, "public-1") && !may(&shop, "1"));
        assert!(may(&all, "1"));
    }

    #[test]
    fn rules_and_the_ticket_key_may_stand_in_the_environment() {
        let environment = [
            ("LIVECOUNTER__ACCESS__WRITE", "key, anyone:counters/public-"),
            ("LIVECOUNTER__ACCESS__TICKET_KEY", "a-secret-of-18-byt"),
        ];
        let settings = load("", &environment).expect("settings");
        let access = Access::new(settings.access);
        assert!(access.needed_to_write(Space::Counters, "public-1").is_none());
        assert!(access.needed_to_write(Space::Counters, "1").is_some());
        let none = load("", &[]).expect("settings");
        assert!(none.access.keys.is_empty() && none.access.tickets.is_none() && none.access.write.are_open());
    }

    #[test]
    fn keys_may_stand_in_a_variable_as_they_stand_in_the_file() {
        let secret = secret();
        let keys =
            format!("{}{}", table("a", &secret, r#"["admin"]"#), table("b", &self::secret(), r#"["read:"]"#));
        let settings = load("", &[("LIVECOUNTER__KEYS", &keys)]).expect("settings");
        assert_eq!(settings.access.keys.find(secret.expose()).map(|key| key.name()), Some("a"));
        for text in ["lc_secret", "keys = 7", "[[keys]\n", "listen = \"x\"\n", &format!("x = 1\n{keys}")] {
            let error = load("", &[("LIVECOUNTER__KEYS", text)]).expect_err("a refusal").to_string();
            assert_eq!(
                error,
                "keys: must be [[keys]] tables, as `livecounter key new` prints them (from LIVECOUNTER__KEYS)",
                "{text}"
            );
        }
    }

    #[test]
    fn the_mistake_in_a_key_is_named_and_no_secret_quoted() {
        let secret = secret();
        let good = table("shop", &secret, r#"["write:"]"#);
        let with = |from: &str, to: &str| good.replace(from, to);
        for (file, expected) in [
            (
                with("id = ", "hash = "),
                "keys: the key shop: there is no field \"hash\"; a key has name, id, sha256, scopes",
            ),
            (with("name = \"shop\"\n", ""), "keys: table 1: name is missing"),
            (
                with("\"shop\"", "\"my shop\""),
                "keys: table 1: the name of a key consists of 1 to 64 characters of A-Z a-z 0-9 . _ -",
            ),
            (with("\"shop\"", "7"), "keys: table 1: name must be a text"),
            (
                with(secret.id(), "x"),
                "keys: the key shop: id must be the 8 characters between the underscores of the secret",
            ),
            (
                with(&secret.sha256(), secret.expose()),
                "keys: the key shop: sha256 must be the 64 hexadecimal digits that `livecounter key new` prints, not the \
                 secret itself",
            ),
            (
                with(r#"["write:"]"#, "\"write:\""),
                "keys: the key shop: scopes must be a list, such as [\"write:counters/shop-\"]",
            ),
            (
                with(r#"["write:"]"#, "[]"),
                "keys: the key shop: scopes must name at least one scope, such as write:counters/shop-",
            ),
            (with(r#"["write:"]"#, "[1]"), "keys: the key shop: scopes must be a list of texts"),
            (
                with("write:", "wirte:"),
                "keys: the key shop: there is no scope \"wirte:\"; there are read:, write: and manage: with a prefix behind \
                 them, sql and admin; did you mean write?",
            ),
            (format!("{good}{good}"), "keys: two keys have the name shop"),
            (
                format!("{good}{}", with("\"shop\"", "\"two\"")),
                "keys: the keys shop and two have the same id: make a new secret for one of them",
            ),
            (
                "keys = \"lc_secret\"".to_owned(),
                "keys: must be [[keys]] tables, as `livecounter key new` prints them",
            ),
            ("keys = [1]".to_owned(), "keys: entry 1 is no table with name, id, sha256, scopes"),
            (
                "access.write = \"nobody\"".to_owned(),
                "access.write: must be anyone or key, or a list of these with prefixes such as anyone and \
                 key:counters/shop-; \"nobody\" is another",
            ),
            (
                "public = [\"analytics/*\", \"a b\"]".to_owned(),
                "public: \"a b\" must be a route such as analytics/daily, the routes below one such as analytics/*, or * for all",
            ),
            (
                "access.ticket_key = \"short\"".to_owned(),
                "access.ticket_key: is a secret of fewer than 16 bytes, which can be guessed: make one with openssl rand \
                 -base64 32",
            ),
        ] {
            assert_eq!(problem(&file), expected, "{file}");
        }
        let place = load(&good.replace("id = ", "hash = "), &[]).expect_err("a refusal").to_string();
        assert!(place.contains("(line 1 of "), "{place}");
    }
}
