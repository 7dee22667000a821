//! The bounds that a simple statement sets on `key`, so that only these entities are read. SQLite applies all conditions again, so
//! bounds may be too wide, but never too narrow.

use std::ops::Bound;

use super::answer::MOST_ROWS;
use super::authorizer::is_scalar;
use super::parameters::Parameters;
use super::statement::Statement;
use super::tokens::{Form, Token};
use super::wanted::{KEY, KeyRange};

/// The keywords that begin a part of a query behind its tables.
const PARTS: [&str; 6] = ["WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT"];
/// Keywords with which a query is not simple.
const NOT_SIMPLE: [&str; 7] = ["WITH", "VALUES", "UNION", "INTERSECT", "EXCEPT", "JOIN", "INDEXED"];
/// Keywords with which the first rows of a table do not suffice for the first rows of an answer.
const NEEDS_ALL: [&str; 6] = ["DISTINCT", "GROUP", "HAVING", "WINDOW", "OVER", "FILTER"];
/// Keywords of a condition in which AND can stand for something else, or does not have to hold.
const NOT_ALL: [&str; 3] = ["OR", "CASE", "BETWEEN"];

/// The keys that the statement can need.
pub(super) fn key_range(statement: &Statement, parameters: &Parameters) -> KeyRange {
    Simple::of(statement.tokens()).map_or(KeyRange::ALL, |simple| simple.key_range(parameters))
}

/// A query of one table without any other query in it.
struct Simple<'a> {
    tokens: &'a [Token],
    /// What stands between SELECT and FROM.
    select: &'a [Token],
    /// What stands behind the table.
    rest: &'a [Token],
    /// The name by which the query can call its table.
    table: &'a str,
}

impl<'a> Simple<'a> {
    /// `None` if the query is not simple.
    fn of(tokens: &'a [Token]) -> Option<Self> {
        let once = |word: &str| tokens.iter().filter(|token| token.is_word(word)).count() == 1;
        let simple = once("SELECT") && once("FROM") && tokens.first()?.is_word("SELECT");
        if !simple || tokens.iter().any(|token| token.is_any(&NOT_SIMPLE)) {
            return None;
        }
        let from = tokens.iter().position(|token| token.is_word("FROM"))?;
        let name = tokens.get(from + 1).filter(|token| token.may_name())?;
        let mut rest = tokens.get(from + 2..)?;
        let mut table = name.text.as_str();
        let explicit = rest.first().is_some_and(|token| token.is_word("AS"));
        if explicit {
            rest = &rest[1..];
        }
        if let Some(alias) =
            rest.first().filter(|token| token.may_name() && (explicit || !token.is_any(&PARTS)))
        {
            table = &alias.text;
            rest = &rest[1..];
        }
        let ends = rest.first().is_none_or(|token| token.is_any(&PARTS));
        ends.then_some(Simple { tokens, select: &tokens[1..from], rest, table })
    }

    fn key_range(&self, parameters: &Parameters) -> KeyRange {
        let mut range = KeyRange::ALL;
        let mut forms = self.tokens.iter().filter(|token| token.form == Form::Parameter);
        let marks = forms.clone().filter(|token| token.text == "?").count();
        // SQLite numbers a parameter without a name after those before it, whatever these are.
        if marks > 0 && forms.any(|token| token.text != "?") {
            return range;
        }
        let exact = self.bounds(parameters, &mut range);
        if exact && let Some((rows, descending)) = self.first_rows() {
            range.rows = Some(rows);
            range.descending = descending;
        }
        range
    }

    /// The part of the query that begins with this keyword, without the keyword.
    fn part(&self, keyword: &str) -> Option<&'a [Token]> {
        let begins = top_level(self.rest).find(|(_, token)| token.is_word(keyword))?.0;
        let part = &self.rest[begins + 1..];
        let end = top_level(part).find(|(_, token)| token.is_any(&PARTS)).map_or(part.len(), |(end, _)| end);
        Some(&part[..end])
    }

    /// Takes the bounds from the condition. Whether the bounds are the whole condition.
    fn bounds(&self, parameters: &Parameters, range: &mut KeyRange) -> bool {
        let Some(condition) = self.part("WHERE") else { return true };
        let mut exact = true;
        let mut marks = 0;
        if let Some((low, high)) = self.between(condition, parameters) {
            range.raise(Bound::Included(low));
            range.lower(Bound::Included(high));
            return true;
        }
        if top_level(condition).any(|(_, token)| token.is_any(&NOT_ALL)) {
            return false;
        }
        // `?` is the next parameter; those of the columns come before the condition's.
        let before = self.tokens.len() - self.rest.len();
        marks += self.tokens[..before]
            .iter()
            .filter(|token| token.text == "?" && token.form == Form::Parameter)
            .count();
        for part in split(condition, "AND") {
            exact &= self.bound(part, parameters, marks, range);
            marks += part.iter().filter(|token| token.text == "?" && token.form == Form::Parameter).count();
        }
        exact
    }

    /// The bounds of `key BETWEEN low AND high`, if that is the whole condition.
    fn between(&self, condition: &'a [Token], parameters: &Parameters) -> Option<(String, String)> {
        let rest = self.behind_key(condition)?;
        let [between, low, and, high] = rest else { return None };
        if !between.is_word("BETWEEN") || !and.is_word("AND") || low.text == "?" || high.text == "?" {
            return None;
        }
        Some((text(low, parameters, 0)?.to_owned(), text(high, parameters, 0)?.to_owned()))
    }

    /// Takes the bound of a condition like `key >= '2026'`. Whether the condition is nothing more.
    fn bound(&self, part: &[Token], parameters: &Parameters, marks: usize, range: &mut KeyRange) -> bool {
        let Some([operator, value]) = self.behind_key(part) else { return false };
        if operator.is_any(&["LIKE", "GLOB"]) {
            if let Some(pattern) = text(value, parameters, marks) {
                range.begin_with(pattern, operator.is_word("LIKE"));
            }
            return false;
        }
        let Some(value) = text(value, parameters, marks).map(str::to_owned) else { return false };
        match operator.text.as_str() {
            ">=" => range.raise(Bound::Included(value)),
            ">" => range.raise(Bound::Excluded(value)),
            "<=" => range.lower(Bound::Included(value)),
            "<" => range.lower(Bound::Excluded(value)),
            "=" | "==" => {
                range.raise(Bound::Included(value.clone()));
                range.lower(Bound::Included(value));
            }
            _ => return false,
        }
        operator.form == Form::Mark
    }

    /// What stands behind `key` or `table.key`, if the text begins so.
    fn behind_key<'t>(&self, text: &'t [Token]) -> Option<&'t [Token]> {
        match text {
            [table, dot, key, rest @ ..] if dot.is_mark(".") => {
                (table.names(self.table) && key.names(KEY)).then_some(rest)
            }
            [key, rest @ ..] => key.names(KEY).then_some(rest),
            [] => None,
        }
    }

    /// How many of the first rows suffice, and whether they are the greatest; `None` if all rows are needed.
    fn first_rows(&self) -> Option<(usize, bool)> {
        let needs_all = self.tokens.iter().any(|token| token.is_any(&NEEDS_ALL));
        let calls = self.select.windows(2).filter(|pair| pair[1].is_mark("(") && pair[0].may_name());
        if needs_all || calls.into_iter().any(|pair| !is_scalar(&pair[0].text)) {
            return None;
        }
        let rows = match self.part("LIMIT") {
            // One row more tells that the answer is not all.
            None => MOST_ROWS + 1,
            Some([rows]) => count(rows)?,
            Some([rows, word, offset]) if word.is_word("OFFSET") => {
                count(rows)?.checked_add(count(offset)?)?
            }
            Some(_) => return None,
        };
        let Some(order) = self.part("ORDER") else { return Some((rows, false)) };
        let [by, order @ ..] = order else { return None };
        let rest = self.behind_key(order).filter(|_| by.is_word("BY"))?;
        let descending = match rest {
            [] => false,
            [word] if word.is_word("ASC") => false,
            [word] if word.is_word("DESC") => true,
            _ => return None,
        };
        self.keeps_key().then_some((rows, descending))
    }

    /// Whether `key` is no other column of the answer: `ORDER BY key` would order by that column.
    fn keeps_key(&self) -> bool {
        let named = self.select.iter().enumerate().filter(|(_, token)| token.text.eq_ignore_ascii_case(KEY));
        named.into_iter().all(|(at, token)| {
            let begins = at == 0 || self.select[at - 1].is_mark(",");
            let ends = self.select.get(at + 1).is_none_or(|next| next.is_mark(",") || next.is_word("AS"));
            token.may_name() && begins && ends
        })
    }
}

impl KeyRange {
    fn raise(&mut self, bound: Bound<String>) {
        let raises = match (&self.low, &bound) {
            (Bound::Unbounded, _) => true,
            (Bound::Included(old) | Bound::Excluded(old), Bound::Included(new)) => new > old,
            (Bound::Included(old) | Bound::Excluded(old), Bound::Excluded(new)) => new >= old,
            (_, Bound::Unbounded) => false,
        };
        if raises {
            self.low = bound;
        }
    }

    fn lower(&mut self, bound: Bound<String>) {
        let lowers = match (&self.high, &bound) {
            (Bound::Unbounded, _) => true,
            (Bound::Included(old) | Bound::Excluded(old), Bound::Included(new)) => new < old,
            (Bound::Included(old) | Bound::Excluded(old), Bound::Excluded(new)) => new <= old,
            (_, Bound::Unbounded) => false,
        };
        if lowers {
            self.high = bound;
        }
    }

    /// Takes the bounds of a pattern from the text before its first wildcard. LIKE does not tell capitals from other letters.
    fn begin_with(&mut self, pattern: &str, is_like: bool) {
        let fixed = |c: char| match is_like {
            true => c.is_ascii() && !c.is_ascii_alphabetic() && !matches!(c, '%' | '_'),
            false => c.is_ascii() && !matches!(c, '*' | '?' | '['),
        };
        let begin: String = pattern.chars().take_while(|c| fixed(*c)).collect();
        if !begin.is_empty() {
            // Keys are ASCII, so this text comes behind all keys that begin so.
            self.lower(Bound::Excluded(format!("{begin}\u{80}")));
            self.raise(Bound::Included(begin));
        }
    }
}

/// The tokens outside of brackets, with their positions.
fn top_level(tokens: &[Token]) -> impl Iterator<Item = (usize, &Token)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        if token.is_mark("(") {
            depth += 1;
        }
        let is_outside = depth == 0;
        if token.is_mark(")") {
            depth = depth.saturating_sub(1);
        }
        is_outside
    })
}

/// The parts between these keywords.
fn split<'t>(tokens: &'t [Token], keyword: &str) -> Vec<&'t [Token]> {
    let mut begins = 0;
    let mut parts = Vec::new();
    for (at, _) in top_level(tokens).filter(|(_, token)| token.is_word(keyword)) {
        parts.push(&tokens[begins..at]);
        begins = at + 1;
    }
    parts.push(&tokens[begins..]);
    parts
}

/// The text that the token stands for; `marks` parameters are written `?` before it.
fn text<'t>(token: &'t Token, parameters: &'t Parameters, marks: usize) -> Option<&'t str> {
    match token.form {
        Form::Text => Some(&token.text),
        Form::Parameter => parameters.text(&token.text, marks),
        _ => None,
    }
}

fn count(token: &Token) -> Option<usize> {
    token.text.parse().ok().filter(|_| token.form == Form::Number)
}
