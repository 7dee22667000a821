//! Which known name a mistyped name was meant to be, for errors about unknown names.

/// The known name that is nearest to `word`, or the first of several that are equally near. `None` if more than a third of the
/// characters would have to be changed, left out, added or swapped with their neighbour. Capitals do not matter.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().map(|c| c.to_ascii_lowercase()).take(LONGEST + 1).collect();
    if word.len() > LONGEST {
        return None;
    }
    let with_distance = known.into_iter().filter_map(|name| {
        let letters: Vec<char> = name.chars().map(|c| c.to_ascii_lowercase()).collect();
        let most = (word.len().max(letters.len()) / 3).max(1);
        let distance = distance(&word, &letters);
        (distance <= most).then_some((distance, name))
    });
    with_distance.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// A longer word is compared with no name, so that a client cannot cause much work with a long word.
const LONGEST: usize = 64;

/// How many single changes turn one word into the other (optimal string alignment).
fn distance(one: &[char], other: &[char]) -> usize {
    // The table of distances between the beginnings of both words is computed by rows. Three rows are kept: the one before the
    // last, the last, and the present one.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_whatever_has_happened_to_it() {
        let known = ["by", "redis.url", "publish.interval", "cache.max_age", "listen"];
        for (word, expected) in [
            ("BY", Some("by")),
            ("bye", Some("by")),
            ("redsi.url", Some("redis.url")),
            ("publish.intervall", Some("publish.interval")),
            ("publish.intrval", Some("publish.interval")),
            ("cache.maxage", Some("cache.max_age")),
            ("lisetn", Some("listen")),
            ("amount", None),
            ("", None),
            ("completely.different", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"b".repeat(100_000), known), None);
        assert_eq!(nearest("by", []), None);
    }

    #[test]
    fn distances_are_those_of_the_textbook() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (one, other, expected) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("abc", "cab", 2)]
        {
            assert_eq!(distance(&chars(one), &chars(other)), expected, "{one} {other}");
            assert_eq!(distance(&chars(other), &chars(one)), expected, "{other} {one}");
        }
    }
}
