//! The parameters of a statement.

use rusqlite::Statement;
use serde_json::Value;

use super::cell::Cell;
use super::error::SqlError;

/// The most parameters of a statement.
const MOST: usize = 64;

/// The values that a client gives for the parameters of its statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(Given);

#[derive(Clone, Debug, Default, PartialEq)]
enum Given {
    #[default]
    Nothing,
    /// In the order of the parameters.
    List(Vec<Cell>),
    /// By name, without the mark before it.
    Named(Vec<(String, Cell)>),
}

impl Parameters {
    /// Reads parameters from JSON: a list for `?`, an object for `:name`.
    pub fn from_json(given: &Value) -> Result<Parameters, SqlError> {
        let too_many = |count: usize| {
            let problem = format!("a statement has at most {MOST} parameters, params has {count}");
            if count > MOST { Err(SqlError::Parameters(problem)) } else { Ok(()) }
        };
        match given {
            Value::Array(values) => {
                too_many(values.len())?;
                let cells = values.iter().enumerate();
                let cells = cells.map(|(at, value)| cell(&format!("number {}", at + 1), value));
                Ok(Parameters(Given::List(cells.collect::<Result<_, _>>()?)))
            }
            Value::Object(members) => {
                too_many(members.len())?;
                let named = members.iter();
                let named = named.map(|(name, value)| Ok((bare(name).to_owned(), cell(name, value)?)));
                Ok(Parameters(Given::Named(named.collect::<Result<_, _>>()?)))
            }
            _ => Err(SqlError::Parameters(
                "params must be a list of values for ?, or an object with values for :name".to_owned(),
            )),
        }
    }

    /// The text of a parameter as it stands in a statement whose parameters are all written alike: `number` counts from 0.
    pub(super) fn text(&self, written: &str, number: usize) -> Option<&str> {
        let cell = match &self.0 {
            Given::List(cells) if written == "?" => cells.get(number),
            Given::Named(named) => named.iter().find(|(name, _)| name == bare(written)).map(|(_, cell)| cell),
            Given::List(_) | Given::Nothing => None,
        };
        match cell {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Gives the values to a statement. Each parameter must have a value, and each value a parameter.
    pub(super) fn bind(&self, statement: &mut Statement<'_>) -> Result<(), SqlError> {
        let count = statement.parameter_count();
        for index in 1..=count {
            let name = statement.parameter_name(index).map(str::to_owned);
            let cell = match &self.0 {
                Given::Nothing => None,
                Given::List(cells) => cells.get(index - 1),
                Given::Named(named) => named.iter().find_map(|(given, cell)| {
                    name.as_deref().is_some_and(|name| bare(name) == given).then_some(cell)
                }),
            };
            let cell = cell.ok_or_else(|| {
                let name = name.unwrap_or_else(|| format!("number {index}"));
                SqlError::Parameters(format!("the parameter {name} has no value in params"))
            })?;
            statement
                .raw_bind_parameter(index, cell)
                .map_err(|error| SqlError::Parameters(error.to_string()))?;
        }
        self.check_used(statement, count)
    }

    fn check_used(&self, statement: &Statement<'_>, count: usize) -> Result<(), SqlError> {
        let problem = match &self.0 {
            Given::List(cells) if cells.len() > count => {
                format!("params has {} values, but the statement has {count} parameters", cells.len())
            }
            Given::Named(named) => {
                let used = |name: &str| {
                    (1..=count)
                        .filter_map(|index| statement.parameter_name(index))
                        .any(|used| bare(used) == name)
                };
                match named.iter().find(|(name, _)| !used(name)) {
                    Some((name, _)) => format!("the statement has no parameter :{name}"),
                    None => return Ok(()),
                }
            }
            Given::Nothing | Given::List(_) => return Ok(()),
        };
        Err(SqlError::Parameters(problem))
    }
}

/// The name without the mark before it.
fn bare(name: &str) -> &str {
    name.strip_prefix([':', '@', '$', '?']).unwrap_or(name)
}

fn cell(name: &str, value: &Value) -> Result<Cell, SqlError> {
    match value {
        Value::Array(_) | Value::Object(_) => {
            let problem = format!("the parameter {name} must be a text, a number, true, false or null");
            Err(SqlError::Parameters(problem))
        }
        other => Ok(Cell::of_value(other)),
    }
}
