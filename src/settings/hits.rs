//! Parses the settings of hits: `[hits]`.

use std::time::Duration;

use super::error::SettingsError;
use super::texts::{TRUE_OR_FALSE, Texts};
use crate::hits::{Bots, HitRules, Listing, Patterns};

/// The longest window. The store keeps an entry for each hit for so long.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// The longest list of pages or sites.
const LONGEST_LIST: usize = 1000;

/// Parses the rules for hits; returns `None` if hits are not counted.
pub(super) fn hits(texts: &Texts) -> Result<Option<HitRules>, SettingsError> {
    let enabled: bool = texts.parse("hits.enabled", TRUE_OR_FALSE)?;
    let rules = HitRules {
        allow: patterns(texts, "hits.allow")?,
        deny: patterns(texts, "hits.deny")?,
        bots: bots(texts, "hits.bots")?,
        listing: Listing {
            pages: list_length(texts, "hits.top_pages")?,
            sites: list_length(texts, "hits.top_sites")?,
            ignore: patterns(texts, "hits.top_ignore")?,
        },
        window: window(texts, "hits.window")?,
        window_without_cookies: texts.parse("hits.window_without_cookies", TRUE_OR_FALSE)?,
        uniques: texts.parse("hits.uniques", TRUE_OR_FALSE)?,
    };
    Ok(Some(rules).filter(|_| enabled))
}

/// Parses a list of patterns. A single text is one pattern, because a pattern may have commas and spaces.
fn patterns(texts: &Texts, key: &str) -> Result<Patterns, SettingsError> {
    let list = match texts.get(key) {
        Some(text) => vec![text.to_owned()],
        None => texts.list(key)?.unwrap_or_default(),
    };
    Patterns::parse(list.iter().map(String::as_str)).map_err(|error| SettingsError::new(key, error))
}

fn list_length(texts: &Texts, key: &str) -> Result<usize, SettingsError> {
    let problem = "must be a whole number from 0 to 1000; 0 for no such list";
    let length = texts.parse(key, problem)?;
    if length > LONGEST_LIST {
        return Err(SettingsError::new(key, problem));
    }
    Ok(length)
}

/// Parses the window. Cookies know whole seconds only.
fn window(texts: &Texts, key: &str) -> Result<Duration, SettingsError> {
    let window = texts.duration(key)?;
    if window.subsec_nanos() != 0 || window > LONGEST_WINDOW {
        return Err(SettingsError::new(key, "must be whole seconds, at most 1d; 0s counts each hit"));
    }
    Ok(window)
}

fn bots(texts: &Texts, key: &str) -> Result<Bots, SettingsError> {
    let bots = match texts.list(key)? {
        Some(parts) => Bots::named(parts.iter().map(String::as_str)),
        None => Ok(Bots::usual()),
    };
    bots.map_err(|error| SettingsError::new(key, error))
}

#[cfg(test)]
mod tests {
    use crate::hits::HitRules;
    use crate::settings::SettingsError;
    use crate::settings::test_load::load_file;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Option<HitRules>, SettingsError> {
        load_file(file, environment).map(|settings| settings.hits)
    }

    fn allowed(rules: &HitRules, address: &str) -> bool {
        rules.check(&address.parse().expect("an address")).is_ok()
    }

    #[test]
    fn all_pages_are_counted_where_nothing_is_set() {
        let rules = load("", &[]).expect("settings").expect("rules");
        assert!(allowed(&rules, "www.example.com/a"));
        assert!(rules.bots.is_bot(b"Googlebot") && !rules.bots.is_bot(b"curl/8.5.0"));
        assert!(load("[hits]\nenabled = false\n", &[]).expect("settings").is_none());
    }

    #[test]
    fn lists_decide_which_pages_are_counted() {
        let file =
            "[hits]\nallow = ['^(www\\.)?example\\.com(/|$)', 'org']\ndeny = \"/private\"\nbots = []\n";
        let rules = load(file, &[]).expect("settings").expect("rules");
        for (address, expected) in [
            ("www.example.com/a", true),
            ("example.com", true),
            ("other.org/a", true),
            ("www.example.net", false),
            ("www.example.com/private/a", false),
        ] {
            assert_eq!(allowed(&rules, address), expected, "{address}");
        }
        assert!(!rules.bots.is_bot(b"Googlebot"));
        let one = [("LIVECOUNTER__HITS__ALLOW", "^a{1,2}\\.org"), ("LIVECOUNTER__HITS__BOTS", "curl, wget")];
        let rules = load("", &one).expect("settings").expect("rules");
        assert!(allowed(&rules, "aa.org") && !allowed(&rules, "b.org"));
        assert!(rules.bots.is_bot(b"Wget/1.21") && !rules.bots.is_bot(b"Googlebot"));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_named() {
        for (file, expected) in [
            ("allow = ['(']", "hits.allow: \"(\" is no regular expression: unclosed group"),
            ("deny = ['a', '']", "hits.deny: a pattern is empty, so it would fit every address"),
            ("enabled = 'yes'", "hits.enabled: must be true or false"),
            ("uniques = 'yes'", "hits.uniques: must be true or false"),
            ("window_without_cookies = 60", "hits.window_without_cookies: must be true or false"),
            ("window = '1500ms'", "hits.window: must be whole seconds, at most 1d; 0s counts each hit"),
            ("window = '2d'", "hits.window: must be whole seconds, at most 1d; 0s counts each hit"),
            ("top_pages = 1001", "hits.top_pages: must be a whole number from 0 to 1000; 0 for no such list"),
            ("top_sites = -1", "hits.top_sites: must be a whole number from 0 to 1000; 0 for no such list"),
            ("top_ignore = ['(']", "hits.top_ignore: \"(\" is no regular expression: unclosed group"),
            ("window = '60'", "hits.window: must be a duration like 250ms, 1s, 10m (minutes), 2h or 1d"),
        ] {
            let error = load(&format!("[hits]\n{file}\n"), &[]).expect_err("a refusal");
            assert_eq!(format!("{}: {}", error.key, error.problem), expected);
        }
    }
}
