//! The patterns of `LIKE` and `GLOB`.

/// The most bytes of a pattern.
const LONGEST: usize = 128;

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error)]
pub(super) enum PatternError {
    #[error("LIKE or GLOB pattern too complex")]
    TooLong,
    #[error("ESCAPE expression must be a single character")]
    Escape,
}

/// A part of a pattern.
#[derive(Debug)]
enum Part {
    /// Any characters, or none.
    Many,
    /// One character, whichever it is.
    One,
    Exactly(char),
    /// A letter of ASCII in capitals or not.
    Letter(char),
    /// One of these characters, each from the first to the second; with `inverted`, one of all others.
    Set {
        ranges: Vec<(char, char)>,
        inverted: bool,
    },
    /// Nothing fits.
    Never,
}

impl Part {
    fn fits(&self, c: char) -> bool {
        match self {
            Part::Many | Part::Never => false,
            Part::One => true,
            Part::Exactly(exactly) => *exactly == c,
            Part::Letter(letter) => letter.eq_ignore_ascii_case(&c),
            Part::Set { ranges, inverted } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *inverted
            }
        }
    }
}

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Part>);

impl Pattern {
    /// `%` stands for any characters, `_` for one; capitals of ASCII do not matter. Behind the character `escape` all characters stand for themselves.
    pub(super) fn like(text: &str, escape: Option<char>) -> Result<Self, PatternError> {
        check(text)?;
        let (mut parts, mut rest) = (Vec::new(), text.chars());
        while let Some(c) = rest.next() {
            parts.push(match c {
                c if Some(c) == escape => rest.next().map_or(Part::Never, Part::Letter),
                '%' => Part::Many,
                '_' => Part::One,
                c => Part::Letter(c),
            });
        }
        Ok(Pattern(parts))
    }

    /// `*` stands for any characters, `?` for one, `[a-z]` for one of these, and `[^a-z]` for one of all others.
    pub(super) fn glob(text: &str) -> Result<Self, PatternError> {
        check(text)?;
        let characters: Vec<char> = text.chars().collect();
        let (mut parts, mut at) = (Vec::new(), 0);
        while let Some(c) = characters.get(at) {
            at += 1;
            parts.push(match c {
                '*' => Part::Many,
                '?' => Part::One,
                '[' => set(&characters, &mut at),
                c => Part::Exactly(*c),
            });
        }
        Ok(Pattern(parts))
    }

    /// Whether the whole text fits. If a part does not fit, the last `Many` before it takes one character more.
    pub(super) fn fits(&self, text: &str) -> bool {
        let (mut part, mut rest) = (0, text.chars());
        let mut again = None;
        loop {
            let before = rest.clone();
            match (self.0.get(part), rest.next()) {
                (Some(Part::Many), _) => {
                    part += 1;
                    again = Some((part, before.clone()));
                    rest = before;
                }
                (None, None) => return true,
                (Some(one), Some(c)) if one.fits(c) => part += 1,
                (_, None) => return false,
                (_, Some(_)) => {
                    let Some((behind, from)) = &mut again else { return false };
                    from.next();
                    (part, rest) = (*behind, from.clone());
                }
            }
        }
    }
}

/// The character that an `ESCAPE` names.
pub(super) fn escape(text: &str) -> Result<char, PatternError> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(escape), None) => Ok(escape),
        _ => Err(PatternError::Escape),
    }
}

fn check(text: &str) -> Result<(), PatternError> {
    if text.len() > LONGEST { Err(PatternError::TooLong) } else { Ok(()) }
}

/// The set behind a `[`, up to its `]`, which may be the first character of the set.
fn set(characters: &[char], at: &mut usize) -> Part {
    let mut next = || {
        let c = characters.get(*at).copied();
        *at += 1;
        c
    };
    let (mut ranges, mut before) = (Vec::new(), None);
    let mut c = next();
    let inverted = c == Some('^');
    if inverted {
        c = next();
    }
    if c == Some(']') {
        ranges.push((']', ']'));
        c = next();
    }
    loop {
        let Some(found) = c else { return Part::Never };
        if found == ']' {
            return Part::Set { ranges, inverted };
        }
        c = next();
        match (found, before, c) {
            ('-', Some(first), Some(last)) if last != ']' => {
                ranges.push((first, last));
                before = None;
                c = next();
            }
            _ => {
                ranges.push((found, found));
                before = Some(found);
            }
        }
    }
}
