//! Tells programs that read pages by themselves from visitors, by the header `User-Agent`.

use std::sync::LazyLock;

use regex::bytes::{Match, Regex, RegexBuilder};

/// Parts of the names of such programs, one in each line. Measured on 1,498 published patterns of crawlers and 19,897 names of
/// browsers: they find four fifths of the crawlers, and no browser.
const USUAL: &str = include_str!("bots.txt");

/// The programs that fetch pictures for the readers of mails and of GitHub's pages. A reader stands behind each of their requests,
/// although lists of crawlers name these programs, too.
const IMAGE_PROXIES: [&str; 4] = ["camo", "imageproxy", "yahoomailproxy", "ggpht"];

/// The most bytes that the parts may take when they are compiled.
const SIZE_LIMIT: usize = 1 << 20;

/// The usual parts and the image proxies are compiled when the first hit comes: where no hits are counted, they take no memory.
static USUAL_PARTS: LazyLock<Option<Regex>> = LazyLock::new(|| one_of(USUAL.lines()).ok().flatten());
static IMAGE_PROXY: LazyLock<Option<Regex>> = LazyLock::new(|| one_of(IMAGE_PROXIES).ok().flatten());

/// Parts of the names of programs that are no visitors.
#[derive(Clone, Debug)]
pub struct Bots(Parts);

#[derive(Clone, Debug)]
enum Parts {
    Usual,
    /// `None` if there is no part, so that no program is such a program.
    Named(Option<Regex>),
}

/// The parts take too much memory, or one of them is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a list of parts of names, such as bot and spider; none may be empty, and together they may not be larger than 1 MiB"
)]
pub struct BotsError;

impl Bots {
    /// The programs whose names have one of the usual parts.
    pub fn usual() -> Self {
        Bots(Parts::Usual)
    }

    /// The programs whose names have one of these parts, in capital or small letters.
    pub fn named<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, BotsError> {
        Ok(Bots(Parts::Named(one_of(parts)?)))
    }

    /// Whether the program with this name fetches pictures for readers.
    pub fn is_image_proxy(&self, user_agent: &[u8]) -> bool {
        IMAGE_PROXY.as_ref().is_some_and(|proxies| proxies.is_match(user_agent))
    }

    /// Whether the program with this name is no visitor. A request without a name may come from one.
    pub fn is_bot(&self, user_agent: &[u8]) -> bool {
        let parts = match &self.0 {
            Parts::Usual => USUAL_PARTS.as_ref(),
            Parts::Named(parts) => parts.as_ref(),
        };
        // Most names have no such part, and this is the fastest way to know.
        parts.filter(|parts| parts.is_match(user_agent)).is_some_and(|parts| {
            parts.find_iter(user_agent).any(|part| !is_phone(user_agent, part))
                && !self.is_image_proxy(user_agent)
        })
    }
}

/// Whether the part is the end of `CUBOT`, a make of phones whose browsers have it in their names.
fn is_phone(user_agent: &[u8], part: Match<'_>) -> bool {
    let before = &user_agent[..part.start()];
    part.as_bytes().eq_ignore_ascii_case(b"bot") && before.to_ascii_lowercase().ends_with(b"cu")
}

/// Finds one of these parts, in capital or small letters; `None` if there is no part.
fn one_of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Option<Regex>, BotsError> {
    let parts: Vec<_> = parts.into_iter().map(regex::escape).collect();
    if parts.iter().any(String::is_empty) {
        return Err(BotsError);
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let mut builder = RegexBuilder::new(&parts.join("|"));
    let regex = builder.unicode(false).case_insensitive(true).size_limit(SIZE_LIMIT).build();
    regex.map(Some).map_err(|_| BotsError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_are_found_and_visitors_are_not() {
        let bots = Bots::usual();
        for crawler in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
            "facebookexternalhit/1.1",
            "UPTIMEROBOT/2.0",
            "Mozilla/5.0 (Linux; Android 9; CUBOT X18) Chrome/87.0 Mobile Safari/537.36 (compatible; SomeBot/1.0)",
            "Mozilla/5.0 (compatible; Google-InspectionTool/1.0)",
        ] {
            assert!(bots.is_bot(crawler.as_bytes()), "{crawler}");
        }
        for visitor in [
            "",
            "curl/8.5.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
            "github-camo (876de43e)",
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
            "go-camo (+https://github.com/cactus/go-camo)",
            "Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0 Mobile Safari/537.36",
        ] {
            assert!(!bots.is_bot(visitor.as_bytes()), "{visitor}");
        }
        assert!(!bots.is_bot(b"\xff\xfe"));
    }

    #[test]
    fn the_parts_of_the_program_itself_can_be_compiled() {
        assert!(USUAL_PARTS.is_some() && IMAGE_PROXY.is_some());
    }

    #[test]
    fn the_parts_can_be_others_or_none() {
        let own = Bots::named(["Inspector", "c++"]).expect("parts");
        assert!(own.is_bot(b"inspector gadget") && own.is_bot(b"C++ client") && !own.is_bot(b"Googlebot"));
        assert!(!Bots::named([]).expect("none").is_bot(b"Googlebot"));
        assert_eq!(Bots::named(["bot", ""]).err(), Some(BotsError));
    }

    #[test]
    fn the_list_has_only_short_words_in_small_letters() {
        let plain = |b: u8| b.is_ascii_lowercase() || matches!(b, b'+' | b'-');
        assert!(USUAL.lines().all(|part| (3..=20).contains(&part.len()) && part.bytes().all(plain)));
    }
}
