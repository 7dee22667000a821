//! The setting `access.write`: the names to which every client may write, and those that need a key.

use super::prefix::{ParsePrefixError, Prefix, Space};

/// The clients that may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// Every client.
    Anyone,
    /// Only clients with a key or a ticket that allows writing.
    Key,
}

/// The rules that decide which clients may write to a name. If several rules fit a name, the one with the longest prefix decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRules {
    otherwise: Writers,
    /// The rules with a prefix; the longest prefix comes first.
    rules: Vec<(Prefix, Writers)>,
}

/// The reason for refusing a list of rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseWriteRulesError {
    /// The word of a rule is neither `anyone` nor `key`.
    #[error(
        "must be anyone or key, or a list of these with prefixes such as anyone and key:counters/shop-; {0:?} is another"
    )]
    Word(String),
    /// The text behind the colon is no prefix.
    #[error("{0}")]
    Prefix(#[from] ParsePrefixError),
    /// A prefix fits no name to which these rules are applied.
    #[error("the prefix {0} fits nothing: {1}")]
    Nothing(Prefix, &'static str),
    /// Two rules have the same prefix.
    #[error("has two rules for {}", names(.0))]
    Twice(Prefix),
}

/// The number of characters of an unknown rule that an error quotes at most.
const LONGEST_SHOWN: usize = 40;

/// Why no rule needs this prefix; `None` if it fits names. A rule that asks for a key and fits nothing would leave open what it was meant to close.
fn fits_nothing(prefix: &Prefix) -> Option<&'static str> {
    if prefix.as_str().is_empty() || prefix.rest(Space::Counters).is_some() {
        return None;
    }
    let Some(page) = prefix.rest(Space::Pages) else {
        return Some(match prefix.rest(Space::Sites) {
            Some(_) => "a hit is written to its page; write pages/ in place of sites/",
            None => "entities and feeds are never written without a key",
        });
    };
    let host = page.split('/').next().unwrap_or_default();
    host.bytes().any(|byte| byte.is_ascii_uppercase()).then_some("the hosts of pages are in small letters")
}

fn names(prefix: &Prefix) -> String {
    if prefix.as_str().is_empty() { "all that has no rule of its own".to_owned() } else { prefix.to_string() }
}

impl WriteRules {
    /// Parses a list of rules such as `["anyone", "key:counters/shop-"]`. A rule without a prefix is for all names that no other rule fits.
    /// If the list has no such rule, every client may write to these names.
    pub fn parse<'a>(rules: impl IntoIterator<Item = &'a str>) -> Result<Self, ParseWriteRulesError> {
        let mut parsed: Vec<(Prefix, Writers)> = Vec::new();
        for rule in rules {
            let (word, prefix) = rule.split_once(':').unwrap_or((rule, ""));
            let writers = match word {
                "anyone" => Writers::Anyone,
                "key" => Writers::Key,
                _ => return Err(ParseWriteRulesError::Word(rule.chars().take(LONGEST_SHOWN).collect())),
            };
            let prefix: Prefix = prefix.parse()?;
            if let Some(reason) = fits_nothing(&prefix) {
                return Err(ParseWriteRulesError::Nothing(prefix, reason));
            }
            if parsed.iter().any(|(known, _)| *known == prefix) {
                return Err(ParseWriteRulesError::Twice(prefix));
            }
            parsed.push((prefix, writers));
        }
        parsed.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.as_str().len()));
        let otherwise = parsed.pop_if(|(prefix, _)| prefix.as_str().is_empty());
        Ok(WriteRules { otherwise: otherwise.map_or(Writers::Anyone, |(_, writers)| writers), rules: parsed })
    }

    /// The clients that may write to the thing of this name.
    pub fn writers(&self, space: Space, name: &str) -> Writers {
        let rule = self.rules.iter().find(|(prefix, _)| prefix.covers_name(space, name));
        rule.map_or(self.otherwise, |(_, writers)| *writers)
    }

    /// Returns whether there are names to which every client may write.
    pub fn leave_some_open(&self) -> bool {
        self.otherwise == Writers::Anyone || self.rules.iter().any(|(_, writers)| *writers == Writers::Anyone)
    }

    /// Returns whether every client may write to every name.
    pub fn are_open(&self) -> bool {
        self.otherwise == Writers::Anyone && self.rules.iter().all(|(_, writers)| *writers == Writers::Anyone)
    }
}

impl Default for WriteRules {
    fn default() -> Self {
        WriteRules { otherwise: Writers::Anyone, rules: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[&str]) -> WriteRules {
        WriteRules::parse(list.iter().copied()).expect("rules")
    }

    fn problem(list: &[&str]) -> String {
        WriteRules::parse(list.iter().copied()).expect_err("a refusal").to_string()
    }

    #[test]
    fn the_longest_prefix_decides_in_whatever_order_they_are_written() {
        let mut list = ["key", "anyone:counters/public-", "key:counters/public-admin-", "anyone:counters/2/"];
        for _ in 0..list.len() {
            list.rotate_left(1);
            let rules = rules(&list);
            for (name, expected) in [
                ("1", Writers::Key),
                ("2", Writers::Anyone),
                ("20", Writers::Key),
                ("public-1", Writers::Anyone),
                ("public-admin-1", Writers::Key),
            ] {
                assert_eq!(rules.writers(Space::Counters, name), expected, "{name}");
            }
            assert_eq!(rules.writers(Space::Pages, "2"), Writers::Key);
            assert!(!rules.are_open());
        }
    }

    #[test]
    fn without_a_word_for_the_rest_anyone_may_write_there() {
        assert_eq!(rules(&[]), WriteRules::default());
        assert_eq!(rules(&["anyone"]), WriteRules::default());
        assert!(WriteRules::default().are_open() && rules(&["anyone:counters/1"]).are_open());
        let shop = rules(&["key:counters/shop-"]);
        assert_eq!(shop.writers(Space::Counters, "1"), Writers::Anyone);
        assert_eq!(shop.writers(Space::Counters, "shop-1"), Writers::Key);
        assert!(!shop.are_open() && !rules(&["key"]).are_open());
        assert!(shop.leave_some_open() && !rules(&["key"]).leave_some_open());
        assert!(rules(&["key", "anyone:counters/public-"]).leave_some_open());
    }

    #[test]
    fn an_invalid_rule_is_named() {
        let word =
            "must be anyone or key, or a list of these with prefixes such as anyone and key:counters/shop-; ";
        assert_eq!(problem(&["nobody"]), format!("{word}\"nobody\" is another"));
        assert_eq!(problem(&["Key"]), format!("{word}\"Key\" is another"));
        assert_eq!(problem(&["counters/1"]), format!("{word}\"counters/1\" is another"));
        assert_eq!(problem(&["key", "anyone"]), "has two rules for all that has no rule of its own");
        assert_eq!(problem(&["key:counters/1", "anyone:counters/1"]), "has two rules for counters/1");
        assert!(
            problem(&["key:counters/.*"]).starts_with("the prefix \"counters/.*\" has '*' as character 11")
        );
    }

    #[test]
    fn a_rule_that_fits_nothing_is_refused_and_the_reason_named() {
        let sites = "a hit is written to its page; write pages/ in place of sites/";
        let routes = "entities and feeds are never written without a key";
        let capitals = "the hosts of pages are in small letters";
        for (rule, reason) in [
            ("key:sites/example.org/", sites),
            ("anyone:sites/", sites),
            ("key:routes/orders/", routes),
            ("anyone:routes/votes", routes),
            ("key:pages/Example.org/", capitals),
            ("key:pages/WWW", capitals),
        ] {
            let (_, prefix) = rule.split_once(':').expect("a prefix");
            assert_eq!(problem(&["anyone", rule]), format!("the prefix {prefix} fits nothing: {reason}"));
        }
        let shop = rules(&["anyone", "key:pages/shop.example.org/Cart/", "key:counters/A"]);
        assert_eq!(shop.writers(Space::Pages, "shop.example.org/Cart/1"), Writers::Key);
        assert_eq!(shop.writers(Space::Pages, "shop.example.org/"), Writers::Anyone);
    }
}
