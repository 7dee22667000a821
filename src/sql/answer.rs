//! The answer to a statement, as JSON and as CSV.

use std::fmt::Write as _;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::cell::Cell;

/// The most rows of an answer.
pub(super) const MOST_ROWS: usize = 1000;
/// The most bytes of an answer, about.
pub(super) const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The answer to a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The names of the columns, each of them once.
    pub columns: Vec<String>,
    /// The rows, each with a value for every column.
    pub rows: Vec<Vec<Cell>>,
    /// Whether there are more rows than an answer may have.
    pub truncated: bool,
    /// What the client should know about its statement.
    pub warnings: Vec<String>,
}

impl Answer {
    /// Names the columns. A name that comes again gets a number.
    pub(super) fn name_columns(&mut self, names: Vec<String>) {
        for name in names {
            let numbered = (2..).map(|number| format!("{name}_{number}"));
            let name =
                std::iter::once(name.clone()).chain(numbered).find(|name| !self.columns.contains(name));
            self.columns.extend(name);
        }
    }

    /// The answer as a JSON object: `columns`, `rows` (an object each), `truncated`, and `warnings` if there are any.
    pub fn json(&self) -> String {
        // Writing texts and numbers as JSON cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The answer as a table with a line of names (RFC 4180). A text that a spreadsheet would run as a formula gets a `'` before it.
    pub fn csv(&self) -> String {
        let mut csv = String::new();
        let names = self.columns.iter().map(|name| Cell::Text(name.clone())).collect();
        for row in std::iter::once(&names).chain(&self.rows) {
            for (at, cell) in row.iter().enumerate() {
                if at > 0 {
                    csv.push(',');
                }
                write_csv(&mut csv, cell);
            }
            csv.push_str("\r\n");
        }
        csv
    }
}

fn write_csv(csv: &mut String, cell: &Cell) {
    // Writing to a String cannot fail.
    let _ = match cell {
        Cell::Null => Ok(()),
        Cell::Integer(number) => write!(csv, "{number}"),
        Cell::Real(number) => write!(csv, "{number}"),
        Cell::Text(text) => {
            let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
            let quotes = !guard.is_empty() || text.contains(['"', ',', '\r', '\n', ';']) || text.is_empty();
            if quotes {
                write!(csv, "\"{guard}{}\"", text.replace('"', "\"\""))
            } else {
                write!(csv, "{text}")
            }
        }
    };
}

/// A row as an object.
struct NamedRow<'a>(&'a [String], &'a [Cell]);

impl Serialize for NamedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("columns", &self.columns)?;
        let rows: Vec<_> = self.rows.iter().map(|row| NamedRow(&self.columns, row)).collect();
        members.serialize_entry("rows", &rows)?;
        members.serialize_entry("truncated", &self.truncated)?;
        if !self.warnings.is_empty() {
            members.serialize_entry("warnings", &self.warnings)?;
        }
        members.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn columns_have_different_names() {
        let mut answer = Answer::default();
        answer.name_columns(["key", "key", "key_2", "key"].map(str::to_owned).to_vec());
        assert_eq!(answer.columns, ["key", "key_2", "key_2_2", "key_3"]);
    }

    #[test]
    fn json_has_an_object_for_each_row() {
        let mut answer = Answer { rows: vec![vec![text("a\"b"), Cell::Integer(-1)]], ..Answer::default() };
        answer.name_columns(vec!["key".to_owned(), "n".to_owned()]);
        let rows = r#""columns":["key","n"],"rows":[{"key":"a\"b","n":-1}],"truncated":false"#;
        assert_eq!(answer.json(), format!("{{{rows}}}"));
        answer.rows[0][1] = Cell::Real(f64::INFINITY);
        answer.warnings.push("w".to_owned());
        assert!(answer.json().ends_with(r#""n":null}],"truncated":false,"warnings":["w"]}"#));
    }

    #[test]
    fn csv_quotes_what_it_must_and_runs_no_formula() {
        let cells = ["plain", "a,b", "a\"b", "a\r\nb", "=1+1", "+1", "-1", "@a", "\ta", ""].map(text);
        let answer = Answer {
            columns: vec!["=c".to_owned()],
            rows: cells.map(|cell| vec![cell]).to_vec(),
            ..Answer::default()
        };
        let expected = [
            "\"'=c\"",
            "plain",
            "\"a,b\"",
            "\"a\"\"b\"",
            "\"a\r\nb\"",
            "\"'=1+1\"",
            "\"'+1\"",
            "\"'-1\"",
            "\"'@a\"",
            "\"'\ta\"",
            "\"\"",
            "",
        ];
        assert_eq!(answer.csv(), expected.join("\r\n"));
        let numbers = Answer {
            columns: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            rows: vec![vec![Cell::Integer(-5), Cell::Null, Cell::Real(-1.5)]],
            ..Answer::default()
        };
        assert_eq!(numbers.csv(), "a,b,c\r\n-5,,-1.5\r\n");
    }
}
