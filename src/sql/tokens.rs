//! Splits a statement into tokens as SQLite does. SQLite alone decides what a statement means; tokens tell which names a statement
//! may use, and whether its bounds on `key` are simple.

/// The form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A bare word: a keyword or a name.
    Word,
    /// A name in double quotes, backticks or brackets.
    Name,
    /// A text in single quotes.
    Text,
    /// A number.
    Number,
    /// A parameter: `?`, `?1`, `:name`, `@name` or `$name`.
    Parameter,
    /// An operator or a punctuation mark.
    Mark,
    /// Text that SQLite will refuse.
    Broken,
}

/// A part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) form: Form,
    /// What the token says: names and texts without their quotes.
    pub(super) text: String,
    /// Where the token begins in the statement, and how long it is with its quotes, in bytes.
    pub(super) place: (usize, usize),
}

impl Token {
    /// Whether the token is this keyword, which is written here in capitals.
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        self.form == Form::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether the token is one of these keywords.
    pub(super) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is_word(keyword))
    }

    /// Whether the token is this operator or punctuation mark.
    pub(super) fn is_mark(&self, mark: &str) -> bool {
        self.form == Form::Mark && self.text == mark
    }

    /// Whether the token may be the name of a column or a table.
    pub(super) fn may_name(&self) -> bool {
        matches!(self.form, Form::Word | Form::Name)
    }

    /// Whether the token may be this name, in capitals or not.
    pub(super) fn names(&self, name: &str) -> bool {
        self.may_name() && self.text.eq_ignore_ascii_case(name)
    }
}

/// The operators of more than one character, the longest first.
const LONG_MARKS: [&str; 10] = ["->>", "->", "||", "<=", "<>", "<<", ">=", ">>", "==", "!="];

/// All tokens of a statement, without white space and comments.
pub(super) fn tokens(statement: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let (length, token) = if first.is_ascii_whitespace() {
            (1, None)
        } else if rest.starts_with("--") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            (comment.find("*/").map_or(rest.len(), |end| end + 4), None)
        } else {
            token(rest, first)
        };
        let begin = statement.len() - rest.len();
        found.extend(token.map(|(form, text)| Token { form, text, place: (begin, length) }));
        rest = &rest[length..];
    }
    found
}

/// The first token of a text that begins with no white space, and its length in bytes.
fn token(rest: &str, first: char) -> (usize, Option<(Form, String)>) {
    let plain = |form, length: usize| (length, Some((form, rest[..length].to_owned())));
    match first {
        '\'' => quoted(rest, '\'', Form::Text),
        '"' => quoted(rest, '"', Form::Name),
        '`' => quoted(rest, '`', Form::Name),
        '[' => match rest.find(']') {
            Some(end) => (end + 1, Some((Form::Name, rest[1..end].to_owned()))),
            None => plain(Form::Broken, rest.len()),
        },
        '?' => plain(Form::Parameter, 1 + run(&rest[1..], |c| c.is_ascii_digit())),
        ':' | '@' | '$' | '#' => match run(&rest[1..], is_word) {
            0 => plain(Form::Broken, 1),
            length => plain(Form::Parameter, 1 + length),
        },
        '0'..='9' => plain(Form::Number, number(rest)),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => plain(Form::Number, number(rest)),
        'x' | 'X' if rest[1..].starts_with('\'') => {
            let (length, _) = quoted(&rest[1..], '\'', Form::Text);
            plain(Form::Number, length + 1)
        }
        _ if is_word(first) => plain(Form::Word, run(rest, is_word)),
        _ => {
            let long = LONG_MARKS.iter().find(|mark| rest.starts_with(**mark));
            plain(Form::Mark, long.map_or(first.len_utf8(), |mark| mark.len()))
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// How many bytes at the beginning of the text are such characters.
fn run(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

fn number(text: &str) -> usize {
    let mut length = run(text, |c| is_word(c) || c == '.');
    // The sign of an exponent belongs to the number: 1e-5.
    if text[..length].ends_with(['e', 'E']) && text[length..].starts_with(['+', '-']) {
        length += 1 + run(&text[length + 1..], is_word);
    }
    length
}

/// A token in quotes, in which two quotes stand for one.
fn quoted(rest: &str, quote: char, form: Form) -> (usize, Option<(Form, String)>) {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c != quote {
            text.push(c);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            text.push(quote);
        } else {
            return (at + 1, Some((form, text)));
        }
    }
    (rest.len(), Some((Form::Broken, text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(statement: &str) -> Vec<(Form, String)> {
        tokens(statement).into_iter().map(|token| (token.form, token.text)).collect()
    }

    #[test]
    fn the_statement_of_the_tutorial_is_split() {
        let statement =
            "SELECT key AS date, \"POST /drop\" FROM \"analytics/daily\" -- all\nLIMIT /* or 8 */7";
        let expected = [
            (Form::Word, "SELECT"),
            (Form::Word, "key"),
            (Form::Word, "AS"),
            (Form::Word, "date"),
            (Form::Mark, ","),
            (Form::Name, "POST /drop"),
            (Form::Word, "FROM"),
            (Form::Name, "analytics/daily"),
            (Form::Word, "LIMIT"),
            (Form::Number, "7"),
        ];
        let expected: Vec<_> = expected.iter().map(|(form, text)| (*form, (*text).to_owned())).collect();
        assert_eq!(texts(statement), expected);
    }

    #[test]
    fn quotes_and_comments_hide_nothing() {
        for (statement, expected) in [
            ("'a''b'", (Form::Text, "a'b")),
            ("\"a\"\"b\"", (Form::Name, "a\"b")),
            ("[a\"b]", (Form::Name, "a\"b")),
            ("`a`", (Form::Name, "a")),
            ("'a", (Form::Broken, "a")),
            ("x'00'", (Form::Number, "x'00'")),
            ("1.5e-3", (Form::Number, "1.5e-3")),
            (":from", (Form::Parameter, ":from")),
            ("?12", (Form::Parameter, "?12")),
            ("->>", (Form::Mark, "->>")),
            ("-- ' \n é", (Form::Word, "é")),
            ("/* ' */ a", (Form::Word, "a")),
        ] {
            assert_eq!(texts(statement), [(expected.0, expected.1.to_owned())], "{statement}");
        }
        assert_eq!(texts("/* never closed; DROP"), []);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_lexer_panic(text in "([-'\"`\\[\\]/*?:@$0-9eExX;.]|\\PC){0,40}") {
            let _ = tokens(&text);
        }
    }
}
