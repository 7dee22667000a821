//! One statement of a client, before SQLite has seen it.

use super::error::SqlError;
use super::tokens::{Token, tokens};

/// The most bytes of a statement.
pub(super) const LONGEST: usize = 16 * 1024;

/// One statement that begins as a query does. Only SQLite knows whether the statement is valid.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    text: String,
    tokens: Vec<Token>,
}

impl Statement {
    /// Reads a statement. One `;` at its end is left out, and so is a byte order mark at its beginning.
    pub(super) fn parse(text: &str) -> Result<Self, SqlError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > LONGEST {
            return Err(SqlError::TooLong(LONGEST));
        }
        if let Some(at) = text.find('\0') {
            let (line, column) = position(text, at);
            return Err(SqlError::Syntax { message: "there is a NUL character".to_owned(), line, column });
        }
        let mut tokens = tokens(text);
        while tokens.last().is_some_and(|token| token.is_mark(";")) {
            tokens.pop();
        }
        if tokens.iter().any(|token| token.is_mark(";")) {
            return Err(SqlError::Several);
        }
        match tokens.first() {
            None => Err(SqlError::Empty),
            Some(first) if first.is_any(&["SELECT", "WITH", "VALUES"]) => {
                Ok(Statement { text: text.to_owned(), tokens })
            }
            Some(_) => Err(SqlError::NoQuery),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// All texts that may be names of columns, in the order in which they first come, each with whether a table is named before it.
    pub(super) fn names(&self) -> Vec<(&str, bool)> {
        let mut names: Vec<(&str, bool)> = Vec::new();
        for (at, token) in self.tokens.iter().enumerate().filter(|(_, token)| token.may_name()) {
            let qualified = at > 0 && self.tokens[at - 1].is_mark(".");
            match names.iter_mut().find(|(name, _)| *name == token.text) {
                Some((_, known)) => *known |= qualified,
                None => names.push((&token.text, qualified)),
            }
        }
        names
    }

    /// The tokens that are this name in other capitals, each with the statement in which `other` stands in its place. A name before a dot is not among them: it tells
    /// whose columns are meant, as in `Daily.*`, and names no table behind `FROM`.
    pub(super) fn spelled_otherwise(&self, name: &str, other: &str) -> impl Iterator<Item = (&str, String)> {
        let is_before_dot = |at: usize| self.tokens.get(at + 1).is_some_and(|next| next.is_mark("."));
        let tokens = self
            .tokens
            .iter()
            .enumerate()
            .filter(move |(at, token)| token.names(name) && token.text != name && !is_before_dot(*at));
        tokens.map(move |(_, token)| {
            let (begin, length) = token.place;
            let (before, behind) = (&self.text[..begin], &self.text[begin + length..]);
            (token.text.as_str(), format!("{before} {other} {behind}"))
        })
    }

    /// Whether the statement may name this column.
    pub(super) fn may_name(&self, column: &str) -> bool {
        self.tokens.iter().any(|token| token.names(column))
    }

    /// Whether the statement has this keyword.
    pub(super) fn has_word(&self, keyword: &str) -> bool {
        self.tokens.iter().any(|token| token.is_word(keyword))
    }

    /// The names in the brackets behind `USING`.
    pub(super) fn joined_by(&self) -> impl Iterator<Item = &str> {
        let using = self.tokens.iter().enumerate().filter(|(_, token)| token.is_word("USING"));
        using.flat_map(|(at, _)| {
            let inside = self.tokens[at + 1..].iter().take_while(|token| !token.is_mark(")"));
            inside.filter(|token| token.may_name()).map(|token| token.text.as_str())
        })
    }

    /// The number of `SELECT` and `VALUES` in the statement.
    pub(super) fn query_count(&self) -> usize {
        self.tokens.iter().filter(|token| token.is_any(&["SELECT", "VALUES"])).count()
    }
}

/// The line and the character of the line, both from 1, at which this byte stands.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_that_reads_is_taken() {
        for text in
            ["SELECT 1", "select 1;", "/* a; */ SELECT ';' ; -- b\n;", "WITH a AS (SELECT 1) SELECT * FROM a"]
        {
            assert!(Statement::parse(text).is_ok(), "{text}");
        }
        for (text, expected) in [
            ("", SqlError::Empty),
            (" \n; -- SELECT 1", SqlError::Empty),
            ("SELECT 1; SELECT 2", SqlError::Several),
            ("SELECT 1 /**/; DROP TABLE a --", SqlError::Several),
            ("-- SELECT\nDELETE FROM a", SqlError::NoQuery),
            ("/* SELECT */ ATTACH 'a' AS b", SqlError::NoQuery),
            ("EXPLAIN SELECT 1", SqlError::NoQuery),
            ("PRAGMA table_list", SqlError::NoQuery),
            ("\"SELECT\" 1", SqlError::NoQuery),
        ] {
            assert_eq!(Statement::parse(text).err(), Some(expected), "{text}");
        }
        assert_eq!(Statement::parse(&" ".repeat(LONGEST + 1)).err(), Some(SqlError::TooLong(LONGEST)));
        let nul = Statement::parse("SELECT\n é\0").expect_err("an error").to_string();
        assert_eq!(nul, "there is a NUL character, at line 2, column 3");
    }
}
