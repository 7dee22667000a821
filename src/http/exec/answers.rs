//! The answers of commands, as JSON.

use std::fmt::Write;

use crate::exec::Position;

/// The answers to the commands of a request so far, in their order: the elements of a JSON array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers(String);

impl Answers {
    /// Adds the answer to the command that begins at `at`, as JSON.
    pub(super) fn push(&mut self, at: Position, answer: &str) {
        let comma = if self.0.is_empty() { "" } else { "," };
        let Position { line, column } = at;
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{comma}{{\"line\":{line},\"column\":{column},\"result\":{answer}}}");
    }

    /// How many bytes the answers have.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The answers as a JSON array.
    pub(super) fn array(&self) -> String {
        format!("[{}]", self.0)
    }

    /// The answers as a JSON object.
    pub(super) fn object(&self) -> String {
        format!("{{\"results\":[{}]}}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_their_commands() {
        let mut answers = Answers::default();
        assert_eq!((answers.object().as_str(), answers.array().as_str()), (r#"{"results":[]}"#, "[]"));
        answers.push(Position { line: 1, column: 1 }, "{}");
        answers.push(Position { line: 3, column: 5 }, r#"{"n":2}"#);
        let expected = r#"[{"line":1,"column":1,"result":{}},{"line":3,"column":5,"result":{"n":2}}]"#;
        assert_eq!(answers.array(), expected);
        assert_eq!(answers.object(), format!("{{\"results\":{expected}}}"));
    }
}
